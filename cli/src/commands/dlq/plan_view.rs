//! A plan of a replay and what came of it, as they are shown.

use payops_core::domain::replay::ReplayPlan;
use payops_ops::dead_letters::{ReplayReport, describe_plan};

use crate::context::Context;
use crate::output::{Cell, Column, Document, Style, Table, Tone, details};

/// Failures that are shown to people; all are in the JSON and the journal.
const FAILURES_SHOWN: usize = 50;

impl Document for ReplayReport {
    fn human(&self, style: &Style) -> String {
        let some =
            |number: usize, tone| (number > 0).then(|| Cell::toned(number.to_string(), tone));
        let mut out = details(
            style,
            [
                ("planned", Some(Cell::from(self.planned.to_string()))),
                ("sent", Some(Cell::toned(self.sent.to_string(), Tone::Good))),
                ("parked", some(self.parked, Tone::Warn)),
                ("skipped", some(self.skipped, Tone::Warn)),
                ("failed", Some(bad_when_any(self.failed))),
                ("remaining", Some(bad_when_any(self.remaining))),
                (
                    "stopped",
                    self.stopped.as_ref().map(|why| Cell::toned(why, Tone::Bad)),
                ),
                ("journal", self.journal.as_ref().map(Cell::from)),
            ],
        );
        let failures = self
            .failures
            .iter()
            .map(|failure| (&failure.message_id, &failure.reason));
        out.push_str(&failures_table(style, failures));
        out
    }
}

pub(super) fn bad_when_any(number: usize) -> Cell {
    let tone = if number > 0 { Tone::Bad } else { Tone::Plain };
    Cell::toned(number.to_string(), tone)
}

/// Messages that stayed, and why: the first of them.
pub(super) fn failures_table<'a>(
    style: &Style,
    failures: impl Iterator<Item = (&'a String, &'a String)>,
) -> String {
    let mut table = Table::new([Column::text("MESSAGE"), Column::text("REASON")]);
    for (message, why) in failures.take(FAILURES_SHOWN) {
        table.row([Cell::from(message), Cell::from(why)]);
    }
    table.render(style)
}

/// Shows a plan on stderr, and what to beware of.
pub(super) fn show_plan(context: &Context, plan: &ReplayPlan, warnings: &[String]) {
    if plan.messages.is_empty() {
        let (queue, env) = (&plan.queue, &plan.env);
        context
            .console
            .say(format!("nothing to replay in {queue} of {env}"));
        return;
    }
    context.console.say(describe_plan(plan, context.privacy));
    for warning in warnings {
        context.console.warn(format!("warning: {warning}"));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use payops_core::domain::replay::{PlannedMessage, Preflight};
    use payops_core::usecase::ReplaySummary;

    use super::*;

    #[test]
    fn a_replay_has_the_names_scripts_read() {
        let message = |id: &str, class: &str, preflight| PlannedMessage {
            message_id: id.into(),
            class: class.into(),
            preflight,
            ..PlannedMessage::default()
        };
        let plan = ReplayPlan {
            id: "1-a".into(),
            env: "prod".into(),
            queue: "payments-work-dlq".into(),
            target: "payments-work".into(),
            by: "anna".into(),
            reason: "fixed".into(),
            messages: vec![
                message("a", "schema_error", Preflight::Safe),
                message("b", "schema_error", Preflight::AlreadyFinal),
            ],
            ..ReplayPlan::default()
        };
        let failed = BTreeMap::from([("b".into(), "gone".into())]);
        let summary = ReplaySummary {
            planned: 2,
            sent: 1,
            failed,
            ..ReplaySummary::default()
        };
        let report = ReplayReport::new(&plan, &summary, None, false);
        insta::assert_json_snapshot!(report);
        insta::assert_snapshot!(report.human(&Style::plain()));
    }
}
