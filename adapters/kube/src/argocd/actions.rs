//! Argo CD's resource actions of a rollout.

use payops_core::domain::rollout::{Rollout, RolloutAction, RolloutRefusal, RunPhase};

#[must_use]
pub fn argo_cd_supports(action: &RolloutAction) -> bool {
    match action {
        RolloutAction::Promote
        | RolloutAction::PromoteFull
        | RolloutAction::Skip
        | RolloutAction::Abort
        | RolloutAction::Retry
        | RolloutAction::Pause
        | RolloutAction::Resume
        | RolloutAction::Restart { .. } => true,
        RolloutAction::Undo { .. }
        | RolloutAction::SetImage(_)
        | RolloutAction::TerminateAnalysis { .. }
        | RolloutAction::TerminateExperiment { .. } => false,
    }
}

/// The name of the action that does the same to `rollout`; refused where it would do something
/// else.
pub(super) fn name(
    action: &RolloutAction,
    rollout: &Rollout,
) -> Result<&'static str, RolloutRefusal> {
    let refused = |why: &str| RolloutRefusal {
        why: why.to_owned(),
        instead: "use the cluster's own API (kubeconfig or EKS) for that".to_owned(),
    };
    match action {
        RolloutAction::Promote => {
            promote(rollout).ok_or_else(|| refused("Argo CD cannot skip an inconclusive analysis"))
        }
        RolloutAction::Skip if rollout.spec_paused => {
            Err(refused("Argo CD skips a step but keeps the manual pause"))
        }
        RolloutAction::Skip => Ok("skip-current-step"),
        RolloutAction::PromoteFull if rollout.spec_paused => {
            Err(refused("Argo CD fully promotes but keeps the manual pause"))
        }
        RolloutAction::PromoteFull => Ok("promote-full"),
        RolloutAction::Abort => Ok("abort"),
        RolloutAction::Retry => Ok("retry"),
        RolloutAction::Pause => Ok("pause"),
        // Its "resume" ends every pause, that of a step too.
        RolloutAction::Resume if !rollout.pauses.is_empty() => {
            Err(refused("Argo CD's resume would also end the step's pause"))
        }
        RolloutAction::Resume => Ok("resume"),
        RolloutAction::Restart { .. } => Ok("restart"),
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
    fn check(action: &RolloutAction, rollout: &Rollout, expected: Option<&str>) {
        assert_eq!(name(action, rollout).ok(), expected);
    }

    #[test]
    fn an_action_does_what_its_name_says_here() {
        let (plain, step, by_hand) = (
            rollout(false, &[], "Successful"),
            rollout(false, &["CanaryPauseStep"], "Successful"),
            rollout(true, &[], "Successful"),
        );
        check(&RolloutAction::Promote, &step, Some("resume"));
        check(&RolloutAction::Promote, &plain, Some("skip-current-step"));
        check(
            &RolloutAction::Promote,
            &rollout(false, &["InconclusiveAnalysisRun"], "Inconclusive"),
            None,
        );
        check(&RolloutAction::PromoteFull, &step, Some("promote-full"));
        check(&RolloutAction::PromoteFull, &by_hand, None);
        check(&RolloutAction::Resume, &by_hand, Some("resume"));
        check(
            &RolloutAction::Resume,
            &rollout(true, &["CanaryPauseStep"], "Successful"),
            None,
        );
        check(&RolloutAction::Undo { revision: None }, &plain, None);
        assert!(
            !argo_cd_supports(&RolloutAction::SetImage(Vec::new()))
                && argo_cd_supports(&RolloutAction::Abort)
        );
    }
}
