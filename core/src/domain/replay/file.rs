//! The file of a replay's plan.

use super::ReplayPlan;
use crate::Timestamp;
use crate::domain::planned::{self, Planned};

/// A plan as it is written to a file, for others to look at.
pub type ReplayPlanFile = planned::PlanFile<ReplayPlan>;

impl Planned for ReplayPlan {
    fn at(&self) -> Timestamp {
        self.at
    }

    fn by(&self) -> &str {
        &self.by
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::tests::plan;
    use super::*;
    use crate::domain::planned::plan_sha256;
    use std::collections::BTreeSet;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3_600).expect("a time")
    }

    fn approved() -> ReplayPlanFile {
        let mut file = ReplayPlanFile::new(plan());
        file.approve("bob", at(1));
        file
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut ReplayPlanFile), hour: i64, words: Option<&str>) {
        let mut file = approved();
        change(&mut file);
        let error = file.check(at(hour)).err().map(|error| error.to_string());
        match (error, words) {
            (None, None) => {}
            (Some(error), Some(words)) => assert!(error.contains(words), "{error}"),
            (error, words) => panic!("{error:?} instead of {words:?}"),
        }
    }

    #[test]
    fn a_plan_is_good_for_a_day() {
        check(|_| {}, 2, None);
        check(|_| {}, 24, None);
        check(|_| {}, 25, Some("expired after 24 hours; plan again"));
        check(|_| {}, 0, Some("the approval by bob has the time"));
        check(|_| {}, -1, Some("the plan has the time"));
        check(
            |file| file.approvals[0].at = at(-30),
            2,
            Some("approval by bob expired"),
        );
    }

    #[test]
    fn what_was_changed_is_refused() {
        check(|file| file.schema = 2, 2, Some("schema 2"));
        check(
            |file| file.plan.target = "elsewhere".to_owned(),
            2,
            Some("the plan was changed"),
        );
        check(
            |file| file.sha256 = "00".to_owned(),
            2,
            Some("the plan was changed"),
        );
        let other = |file: &mut ReplayPlanFile| {
            file.plan.target = "elsewhere".to_owned();
            file.sha256 = plan_sha256(&file.plan);
        };
        check(other, 2, Some("bob approved a different plan"));
    }

    #[test]
    fn nobody_approves_the_own_plan() {
        let mut file = approved();
        file.approve("anna", at(1));
        file.approve("bob", at(2));
        assert_eq!(
            (file.approvals.len(), file.approvers()),
            (2, BTreeSet::from(["bob"]))
        );
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let text = serde_json::to_string_pretty(&approved()).expect("JSON");
        assert_eq!(
            serde_json::from_str::<ReplayPlanFile>(&text).expect("a file"),
            approved()
        );
        assert!(text.starts_with("{\n  \"schema\": 1,"), "{text}");
    }
}
