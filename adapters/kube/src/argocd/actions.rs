//! Argo CD's resource actions of a rollout.

use payops_core::domain::rollout::{Action, Refusal, Rollout, RunPhase};

#[must_use]
pub fn argo_cd_can(action: &Action) -> bool {
    match action {
        Action::Promote
        | Action::PromoteFull
        | Action::Skip
        | Action::Abort
        | Action::Retry
        | Action::Pause
        | Action::Resume
        | Action::Restart { .. } => true,
        Action::Undo { .. }
        | Action::SetImage(_)
        | Action::TerminateAnalysis { .. }
        | Action::TerminateExperiment { .. } => false,
    }
}

/// The name of the action that does the same to `rollout`; refused where it would do something
/// else.
pub(super) fn name(action: &Action, rollout: &Rollout) -> Result<&'static str, Refusal> {
    let refused = |why: &str| Refusal {
        why: why.to_owned(),
        instead: "reach the cluster itself, by kubeconfig or EKS, to do that".to_owned(),
    };
    match action {
        Action::Promote => promote(rollout)
            .ok_or_else(|| refused("Argo CD cannot pass over an inconclusive analysis")),
        Action::Skip if rollout.spec_paused => Err(refused(
            "Argo CD skips a step without ending the pause by hand",
        )),
        Action::Skip => Ok("skip-current-step"),
        Action::PromoteFull if rollout.spec_paused => Err(refused(
            "Argo CD promotes in full without ending the pause by hand",
        )),
        Action::PromoteFull => Ok("promote-full"),
        Action::Abort => Ok("abort"),
        Action::Retry => Ok("retry"),
        Action::Pause => Ok("pause"),
        // Its "resume" ends every pause, that of a step too.
        Action::Resume if !rollout.pauses.is_empty() => Err(refused(
            "Argo CD's resume would end the pause of the step as well",
        )),
        Action::Resume => Ok("resume"),
        Action::Restart { .. } => Ok("restart"),
        _ => Err(refused("Argo CD has no such action")),
    }
}

/// A pause is ended by "resume"; without one, the step is passed over.
fn promote(rollout: &Rollout) -> Option<&'static str> {
    let inconclusive = rollout
        .step_analysis
        .as_ref()
        .is_some_and(|run| run.phase == RunPhase::Inconclusive);
    let paused = !rollout.pauses.is_empty() || rollout.spec_paused;
    match (paused, inconclusive && rollout.controller_pause) {
        (true, true) => None,
        (true, false) => Some("resume"),
        (false, _) => Some("skip-current-step"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire;

    fn rollout(paused: bool, reasons: &[&str], analysis: &str) -> Rollout {
        let conditions: Vec<_> = reasons
            .iter()
            .map(|reason| json!({"reason": reason}))
            .collect();
        wire::rollout(&json!({
            "metadata": {"name": "a", "namespace": "n"},
            "spec": {"paused": paused},
            "status": {"pauseConditions": conditions, "controllerPause": !reasons.is_empty(),
                "canary": {"currentStepAnalysisRunStatus": {"name": "r", "status": analysis}}}
        }))
    }

    #[track_caller]
    fn check(action: &Action, rollout: &Rollout, expected: Option<&str>) {
        assert_eq!(name(action, rollout).ok(), expected);
    }

    #[test]
    fn an_action_does_what_its_name_says_here() {
        let (plain, step, by_hand) = (
            rollout(false, &[], "Successful"),
            rollout(false, &["CanaryPauseStep"], "Successful"),
            rollout(true, &[], "Successful"),
        );
        check(&Action::Promote, &step, Some("resume"));
        check(&Action::Promote, &plain, Some("skip-current-step"));
        check(
            &Action::Promote,
            &rollout(false, &["InconclusiveAnalysisRun"], "Inconclusive"),
            None,
        );
        check(&Action::PromoteFull, &step, Some("promote-full"));
        check(&Action::PromoteFull, &by_hand, None);
        check(&Action::Resume, &by_hand, Some("resume"));
        check(
            &Action::Resume,
            &rollout(true, &["CanaryPauseStep"], "Successful"),
            None,
        );
        check(&Action::Undo { revision: None }, &plain, None);
        assert!(!argo_cd_can(&Action::SetImage(Vec::new())) && argo_cd_can(&Action::Abort));
    }
}
