//! Where a plan says that the rollout goes, and what a refusal says to do instead.

use jiff::SignedDuration;

use super::*;
use crate::domain::rollout::{PauseCondition, Replicas, Strategy};

fn pause(minutes: i64) -> Step {
    Step::Pause(PauseLength::For(SignedDuration::from_mins(minutes)))
}

const HOLD: Step = Step::Pause(PauseLength::UntilPromoted);

/// A canary at the step of that index, in a pause if that step is one.
fn at(index: usize, steps: Vec<Step>) -> Rollout {
    let is_paused = matches!(steps.get(index), Some(Step::Pause(_)));
    let pauses = is_paused.then(|| PauseCondition {
        reason: "CanaryPauseStep".to_owned(),
        since: None,
    });
    Rollout {
        key: RolloutKey {
            namespace: "payments".to_owned(),
            name: "worker".to_owned(),
        },
        uid: "uid".to_owned(),
        resource_version: "7".to_owned(),
        generation: 3,
        created_at: None,
        revision: Some(2),
        strategy: Strategy::Canary {
            steps,
            traffic_routing: false,
        },
        images: Vec::new(),
        spec_paused: false,
        workload_ref: false,
        observed: true,
        workload_observed: true,
        told_phase: Phase::Paused,
        told_message: String::new(),
        aborted: false,
        aborted_at: None,
        promoting_full: false,
        controller_pause: is_paused,
        pauses: pauses.into_iter().collect(),
        step_index: Some(index),
        current_hash: "new".to_owned(),
        stable_hash: "old".to_owned(),
        replicas: Replicas {
            desired: 5,
            current: 5,
            updated: 1,
            ready: 5,
            available: 5,
        },
        router: None,
        step_analysis: None,
        background_analysis: None,
        restarted_at: None,
    }
}

#[track_caller]
fn check(action: RolloutAction, rollout: &Rollout, after: &str) {
    let plan = plan(action, rollout, None).expect("can be planned");
    assert_eq!(plan.after, after);
}

#[test]
fn a_promote_says_when_nothing_stops_the_canary_before_all_of_the_traffic() {
    let last = vec![
        Step::SetWeight(20),
        pause(5),
        Step::SetCanaryScale,
        HOLD,
        Step::SetWeight(50),
    ];
    let words = "step 5 of 5 (50 %); no pause follows, then 100 %";
    check(RolloutAction::Promote, &at(3, last.clone()), words);
    check(RolloutAction::Skip, &at(3, last.clone()), words);
    // A pause of the whole rollout hides it no better.
    let held = Rollout {
        spec_paused: true,
        ..at(4, last)
    };
    let resumed = format!("continues at {words}");
    check(RolloutAction::Promote, &held, &resumed);
    check(RolloutAction::Resume, &held, &resumed);
    let weights = vec![HOLD, Step::SetWeight(50), Step::SetWeight(80)];
    let words = "step 2 of 3 (50 %); no pause follows, then 100 %";
    check(RolloutAction::Promote, &at(0, weights), words);
    let all = vec![HOLD, Step::SetWeight(100)];
    check(RolloutAction::Promote, &at(0, all), "step 2 of 2 (100 %)");
}

#[test]
fn a_promote_names_what_the_canary_stops_at_next() {
    let steps = |more: Vec<Step>| [vec![HOLD], more].concat();
    for (more, after) in [
        (
            vec![Step::SetWeight(50), pause(15)],
            "step 2 of 3 (50 %); then pause 15m",
        ),
        (
            vec![Step::SetWeight(50), HOLD],
            "step 2 of 3 (50 %); then pause",
        ),
        (
            vec![Step::SetWeight(50), Step::Analysis(vec!["p95".to_owned()])],
            "step 2 of 3 (50 %); then analysis p95",
        ),
        (
            vec![Step::SetWeight(50), Step::Other("new".to_owned())],
            "step 2 of 3 (50 %); then new",
        ),
        (
            vec![Step::SetCanaryScale, Step::SetWeight(60), HOLD],
            "step 2 of 4 (canary scale); then 60 % and pause",
        ),
        (
            vec![pause(5), Step::SetWeight(60), HOLD],
            "step 2 of 4 (pause 5m); then 60 %",
        ),
        // What is a step before all of the traffic is no place to stay at.
        (
            vec![pause(5), Step::SetWeight(60)],
            "step 2 of 3 (pause 5m); then 100 %",
        ),
        (
            vec![pause(5), Step::Experiment],
            "step 2 of 3 (pause 5m); then experiment",
        ),
        (vec![], "all steps done: 100 % on the newest version"),
    ] {
        check(RolloutAction::Promote, &at(0, steps(more)), after);
    }
}

#[test]
fn a_refusal_names_the_command_to_run_instead() {
    let rollout = at(0, vec![HOLD]);
    let aborted = Rollout {
        aborted: true,
        ..rollout.clone()
    };
    let unseen = Rollout {
        observed: false,
        ..rollout.clone()
    };
    let get = "run payops rollout get payments/worker to see its current state";
    for (action, rollout, instead) in [
        (RolloutAction::Retry, &rollout, get),
        (
            RolloutAction::Undo { revision: None },
            &rollout,
            "run payops rollout history",
        ),
        (
            RolloutAction::Promote,
            &unseen,
            "wait a few seconds, then run payops rollout get",
        ),
        (
            RolloutAction::Promote,
            &aborted,
            "run payops rollout retry payments/worker first, then promote it",
        ),
        (
            RolloutAction::Resume,
            &rollout,
            "run payops rollout promote payments/worker to end the pause of a step",
        ),
    ] {
        let refusal = plan(action, rollout, None).expect_err("is refused");
        assert!(refusal.instead.starts_with(instead), "{refusal:?}");
    }
}
