//! Where a plan says that the rollout goes, and what a refusal says to do instead.

use jiff::SignedDuration;

use super::*;
use crate::domain::rollout::{
    BlueGreen, ContainerImage, CurrentRun, PauseCondition, Replicas, Strategy, WorkloadRef,
};

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
        workload_ref: None,
        taken_up: true,
        observed: true,
        observed_generation: Some(3),
        workload_observed: true,
        workload_generation: None,
        written_at: None,
        invalid: None,
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
        canary_available: None,
        router: None,
        step_analysis: None,
        background_analysis: None,
        restarted_at: None,
        rollback_window: None,
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
        Step::SetWeight(200),
        pause(5),
        Step::SetCanaryScale,
        HOLD,
        Step::SetWeight(500),
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
    let weights = vec![HOLD, Step::SetWeight(500), Step::SetWeight(800)];
    let words = "step 2 of 3 (50 %); no pause follows, then 100 %";
    check(RolloutAction::Promote, &at(0, weights), words);
    let all = vec![HOLD, Step::SetWeight(1000)];
    check(RolloutAction::Promote, &at(0, all), "step 2 of 2 (100 %)");
}

#[test]
fn a_promote_names_what_the_canary_stops_at_next() {
    let steps = |more: Vec<Step>| [vec![HOLD], more].concat();
    for (more, after) in [
        (
            vec![Step::SetWeight(500), pause(15)],
            "step 2 of 3 (50 %); then pause 15m",
        ),
        (
            vec![Step::SetWeight(500), HOLD],
            "step 2 of 3 (50 %); then pause",
        ),
        (
            vec![Step::SetWeight(500), Step::Analysis(vec!["p95".to_owned()])],
            "step 2 of 3 (50 %); then analysis p95",
        ),
        (
            vec![Step::SetWeight(500), Step::Other("new".to_owned())],
            "step 2 of 3 (50 %); then new",
        ),
        (
            vec![Step::SetCanaryScale, Step::SetWeight(600), HOLD],
            "step 2 of 4 (canary scale); then 60 % and pause",
        ),
        (
            vec![pause(5), Step::SetWeight(600), HOLD],
            "step 2 of 4 (pause 5m); then 60 % and pause",
        ),
        // What is a step before all of the traffic is no place to stay at.
        (
            vec![pause(5), Step::SetWeight(600)],
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
        aborted_at: Some(Timestamp::UNIX_EPOCH),
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
            "run payops rollout retry payments/worker to begin again at step 1, or payops rollout \
                promote payments/worker --full",
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

fn set(hash: &str, revision: u64, image: &str) -> ReplicaSet {
    ReplicaSet {
        name: format!("worker-{hash}"),
        uid: format!("uid-{hash}"),
        hash: hash.to_owned(),
        revision: Some(revision),
        desired: 5,
        current: 5,
        ready: 5,
        available: 5,
        created_at: None,
        images: vec![ContainerImage {
            container: "api".to_owned(),
            image: image.to_owned(),
        }],
        scale_down_at: None,
        template: serde_json::json!({"metadata": {"labels": {}}}),
    }
}

/// Revision 1 is stable, revision 2 the newest.
fn sets() -> Related {
    Related {
        replica_sets: vec![set("new", 2, "api:2"), set("old", 1, "api:1")],
        ..Related::default()
    }
}

#[track_caller]
fn after(action: RolloutAction, rollout: &Rollout) -> String {
    plan(action, rollout, Some(&sets()))
        .expect("can be planned")
        .after
}

#[track_caller]
fn refused(action: RolloutAction, rollout: &Rollout) -> RolloutRefusal {
    plan(action, rollout, Some(&sets())).expect_err("is refused")
}

#[test]
fn an_aborted_version_is_promoted_in_full_or_not_at_all() {
    let aborted = Rollout {
        aborted: true,
        aborted_at: Some(Timestamp::UNIX_EPOCH),
        pauses: Vec::new(),
        controller_pause: false,
        ..at(0, vec![Step::SetWeight(200), HOLD])
    };
    for action in [RolloutAction::Promote, RolloutAction::Skip] {
        let refusal = refused(action, &aborted);
        assert_eq!(
            refusal.why,
            "the rollout is aborted; a promotion does nothing until it is retried"
        );
        assert!(refusal.instead.contains("--full"), "{refusal:?}");
    }
    let full = plan(RolloutAction::PromoteFull, &aborted, Some(&sets())).expect("a plan");
    assert_eq!(
        full.after,
        "brings the aborted revision 2 to 100 %, without steps or analysis, as soon as its pods \
            are ready"
    );
    assert_eq!(full.changes, [RolloutChange::PromoteFull]);
    assert_eq!(full.warnings.len(), 1, "{:?}", full.warnings);
    assert!(full.dangerous);
}

#[test]
fn a_plan_names_the_pause_after_an_analysis() {
    let analysis = Step::Analysis(vec!["p95".to_owned()]);
    for (steps, after) in [
        (
            vec![HOLD, analysis.clone(), HOLD, Step::SetWeight(500)],
            "step 2 of 4 (analysis p95); then pause",
        ),
        (
            vec![HOLD, analysis.clone(), Step::SetWeight(1000), HOLD],
            "step 2 of 4 (analysis p95); then 100 % and pause",
        ),
        (
            vec![HOLD, analysis],
            "step 2 of 2 (analysis p95); then 100 %",
        ),
    ] {
        check(RolloutAction::Promote, &at(0, steps), after);
    }
}

#[test]
fn a_new_version_says_where_it_comes_to_rest_first() {
    let steps = vec![Step::SetWeight(250), HOLD, Step::SetWeight(500)];
    let rollout = Rollout {
        images: vec![ContainerImage {
            container: "api".to_owned(),
            image: "api:2".to_owned(),
        }],
        ..at(1, steps)
    };
    let image = RolloutAction::SetImage(vec![ImageChange {
        container: "api".to_owned(),
        image: "api:3".to_owned(),
    }]);
    assert_eq!(
        after(image, &rollout),
        "a new rollout of api=api:3: step 1 of 3 (25 %); then pause"
    );
    let undo = RolloutAction::Undo { revision: None };
    assert_eq!(
        after(undo, &rollout),
        "back to the stable revision 1 at once, without steps: api:1"
    );
    let aborted = Rollout {
        aborted: true,
        aborted_at: Some(Timestamp::UNIX_EPOCH),
        pauses: Vec::new(),
        controller_pause: false,
        ..rollout
    };
    assert_eq!(
        after(RolloutAction::Retry, &aborted),
        "begins revision 2 again: step 1 of 3 (25 %); then pause"
    );
}

fn blue_green() -> BlueGreen {
    BlueGreen {
        auto_promotion: false,
        auto_promotion_after: None,
        active_service: "web".to_owned(),
        preview_service: Some("web-preview".to_owned()),
        active_hash: "old".to_owned(),
        preview_hash: "new".to_owned(),
        preview_replicas: None,
        scale_down_delay: SignedDuration::from_secs(600),
        abort_scale_down_delay: Some(SignedDuration::from_secs(30)),
        pre_promotion_analysis: false,
        post_promotion_analysis: false,
    }
}

/// Waits for a promotion, with revision 2 in preview.
fn waiting(blue_green: BlueGreen) -> Rollout {
    Rollout {
        strategy: Strategy::BlueGreen(blue_green),
        step_index: None,
        controller_pause: true,
        told_message: "BlueGreenPause".to_owned(),
        pauses: vec![PauseCondition {
            reason: "BlueGreenPause".to_owned(),
            since: None,
        }],
        ..at(0, Vec::new())
    }
}

#[test]
fn a_blue_green_plan_says_which_service_goes_where() {
    let rollout = waiting(blue_green());
    let promote = plan(RolloutAction::Promote, &rollout, Some(&sets())).expect("a plan");
    assert_eq!(
        promote.now,
        "Paused (BlueGreenPause), active service web serves revision 1, preview service \
            web-preview serves revision 2"
    );
    assert_eq!(
        promote.after,
        "active service web switches from revision 1 to revision 2 at once; preview service \
            web-preview serves revision 2 too; the pods of revision 1 stand for 10m, and until \
            then going back is instant"
    );
    assert_eq!(
        after(RolloutAction::Abort, &rollout),
        "active service web stays on revision 1; preview service web-preview stays on revision 2; \
            the pods of revision 2 stand for 30s"
    );
    assert_eq!(
        rollout
            .weights()
            .map(|weights| (weights.set, weights.observed)),
        Some((0, Some(0)))
    );
    let grows = BlueGreen {
        preview_replicas: Some(1),
        preview_service: None,
        scale_down_delay: SignedDuration::ZERO,
        post_promotion_analysis: true,
        ..blue_green()
    };
    assert_eq!(
        after(RolloutAction::Promote, &waiting(grows)),
        "active service web switches from revision 1 to revision 2 once all of its pods are \
            ready; the post-promotion analysis then decides whether it stays; the pods of \
            revision 1 go at once"
    );
}

#[test]
fn a_blue_green_that_was_switched_goes_back_by_an_abort() {
    let switched = BlueGreen {
        active_hash: "new".to_owned(),
        post_promotion_analysis: true,
        ..blue_green()
    };
    let rollout = Rollout {
        pauses: Vec::new(),
        controller_pause: false,
        ..waiting(switched)
    };
    assert!(
        after(RolloutAction::Abort, &rollout)
            .starts_with("active service web switches back from revision 2 to revision 1; ")
    );
    assert_eq!(
        after(RolloutAction::PromoteFull, &rollout),
        "revision 2 becomes the stable one, without analysis"
    );
    let refusal = refused(RolloutAction::Promote, &rollout);
    assert!(refusal.why.contains("not paused"), "{refusal:?}");
    assert_eq!(
        rollout.weights().map(|weights| weights.observed),
        Some(Some(1000))
    );
}

#[test]
fn an_undo_to_pods_that_still_stand_switches_at_once() {
    let until: Timestamp = "2026-11-30T05:06:01Z".parse().expect("a time");
    let rollout = Rollout {
        stable_hash: "new".to_owned(),
        pauses: Vec::new(),
        controller_pause: false,
        told_phase: Phase::Healthy,
        told_message: String::new(),
        ..waiting(BlueGreen {
            active_hash: "new".to_owned(),
            ..blue_green()
        })
    };
    let mut related = sets();
    related.replica_sets[1].scale_down_at = Some(until);
    let undo = plan(
        RolloutAction::Undo { revision: None },
        &rollout,
        Some(&related),
    );
    let undo = undo.expect("a plan");
    assert_eq!(
        undo.after,
        "active service web switches to revision 1 at once, whose pods stand until \
            2026-11-30T05:06:01Z: api:1"
    );
    assert!(
        undo.now
            .ends_with(", pods of revision 1 stand until 2026-11-30T05:06:01Z"),
        "{}",
        undo.now
    );
}

#[test]
fn an_undo_within_the_rollback_window_takes_no_steps() {
    let at = |second| Some(Timestamp::from_second(second).expect("a time"));
    let rollout = |window| Rollout {
        current_hash: "third".to_owned(),
        stable_hash: "third".to_owned(),
        rollback_window: window,
        pauses: Vec::new(),
        controller_pause: false,
        told_phase: Phase::Healthy,
        told_message: String::new(),
        ..self::at(2, vec![Step::SetWeight(200), HOLD])
    };
    let related = Related {
        replica_sets: [(3, "third"), (2, "second"), (1, "first")]
            .map(|(revision, hash)| ReplicaSet {
                created_at: at(i64::try_from(revision).expect("small")),
                ..set(hash, revision, &format!("api:{revision}"))
            })
            .to_vec(),
        ..Related::default()
    };
    let after = |window, revision| {
        let undo = RolloutAction::Undo {
            revision: Some(revision),
        };
        let plan = plan(undo, &rollout(window), Some(&related)).expect("a plan");
        plan.after
    };
    let without_steps =
        "back to revision 2 without steps, as it is within the rollback window: api:2";
    assert_eq!(after(Some(1), 2), without_steps);
    assert!(after(Some(1), 1).starts_with("a new rollout of revision 1"));
    assert!(after(Some(2), 1).starts_with("back to revision 1 without steps"));
    assert!(after(None, 2).starts_with("a new rollout of revision 2"));
}

#[test]
fn the_pause_of_a_blue_green_may_end_by_itself() {
    let mut rollout = waiting(BlueGreen {
        auto_promotion_after: Some(SignedDuration::from_secs(90)),
        auto_promotion: true,
        ..blue_green()
    });
    rollout.pauses[0].since = Some(Timestamp::UNIX_EPOCH);
    let until = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(90);
    assert_eq!(
        rollout.wait_state(),
        crate::domain::rollout::Waiting::Time { until }
    );
}

#[test]
fn a_rollout_without_a_controller_takes_changes_of_its_spec_only() {
    let rollout = Rollout {
        taken_up: false,
        told_phase: Phase::Unknown,
        told_message: String::new(),
        step_index: None,
        pauses: Vec::new(),
        controller_pause: false,
        current_hash: String::new(),
        stable_hash: String::new(),
        ..at(0, vec![Step::SetWeight(500), HOLD])
    };
    assert_eq!(
        rollout.phase(),
        (Phase::Unknown, "no controller has taken it up")
    );
    assert_eq!(rollout.weights(), None);
    for action in [
        RolloutAction::Promote,
        RolloutAction::PromoteFull,
        RolloutAction::Skip,
        RolloutAction::Abort,
        RolloutAction::Retry,
    ] {
        let refusal = refused(action, &rollout);
        assert!(
            refusal.why.starts_with("no controller has taken it up"),
            "{refusal:?}"
        );
    }
    let pause = plan(RolloutAction::Pause, &rollout, None).expect("a plan");
    assert_eq!(pause.now, "Unknown (no controller has taken it up)");
}

#[test]
fn an_action_waits_until_the_controller_has_taken_the_last() {
    let base = at(
        1,
        vec![Step::SetWeight(200), HOLD, Step::SetWeight(400), HOLD],
    );
    let resumed = Rollout {
        pauses: Vec::new(),
        ..base.clone()
    };
    let unseen = Rollout {
        observed: false,
        observed_generation: Some(2),
        ..base.clone()
    };
    let aborting = Rollout {
        aborted: true,
        ..base.clone()
    };
    let retrying = Rollout {
        aborted_at: Some(Timestamp::UNIX_EPOCH),
        told_phase: Phase::Degraded,
        told_message: "RolloutAborted: x".to_owned(),
        pauses: Vec::new(),
        controller_pause: false,
        ..base.clone()
    };
    let full = Rollout {
        promoting_full: true,
        ..base.clone()
    };
    let skipping = Rollout {
        step_index: Some(2),
        pauses: Vec::new(),
        controller_pause: false,
        step_analysis: Some(CurrentRun {
            name: "run".to_owned(),
            phase: RunPhase::Running,
            message: String::new(),
        }),
        ..base.clone()
    };
    assert_eq!(base.untaken(), None);
    for (rollout, field) in [
        (resumed, "pause conditions"),
        (unseen, "observedGeneration 2 of 3"),
        (aborting, "abort"),
        (retrying, "retry"),
        (full, "promoteFull"),
        (skipping, "currentStepIndex"),
    ] {
        assert_eq!(rollout.untaken().as_deref(), Some(field));
        let restart = RolloutAction::Restart {
            at: Timestamp::UNIX_EPOCH,
        };
        let refusal = refused(restart.clone(), &rollout);
        assert!(refusal.why.contains(field), "{refusal:?}");
        assert!(refusal.instead.contains("--force"), "{refusal:?}");
        let forced = plan_insisting(restart, &rollout, None, Insist::Yes).expect("forced");
        assert!(
            forced
                .warnings
                .iter()
                .any(|warning| warning.contains(field))
        );
        plan(RolloutAction::Pause, &rollout, None).expect("a pause is always possible");
    }
}

#[test]
fn a_template_of_another_object_is_changed_there() {
    let reference = WorkloadRef {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        name: "web".to_owned(),
    };
    let rollout = Rollout {
        workload_ref: Some(reference.clone()),
        ..at(1, vec![Step::SetWeight(500), HOLD])
    };
    let image = RolloutAction::SetImage(vec![ImageChange {
        container: "api".to_owned(),
        image: "api:3".to_owned(),
    }]);
    let missing = refused(image.clone(), &rollout);
    assert_eq!(
        missing.why,
        "its pod template is that of Deployment web, which does not exist"
    );
    let denied = Related {
        unreadable: vec!["deployments.apps in team-a".to_owned()],
        ..sets()
    };
    let denied = plan(image.clone(), &rollout, Some(&denied)).expect_err("is refused");
    assert_eq!(
        denied.why,
        "its pod template is that of Deployment web, which is not readable: deployments.apps in \
            team-a"
    );
    let workload = Workload {
        reference,
        uid: "w".to_owned(),
        resource_version: "99".to_owned(),
        generation: 4,
        images: vec![ContainerImage {
            container: "api".to_owned(),
            image: "api:2".to_owned(),
        }],
    };
    let related = Related {
        workload: Some(workload.clone()),
        ..sets()
    };
    let set = plan(image, &rollout, Some(&related)).expect("a plan");
    assert_eq!(
        set.after,
        "changes Deployment web: a new rollout of api=api:3: step 1 of 2 (50 %); then pause"
    );
    assert_eq!(set.workload, Some(workload.clone()));
    let undo = plan(
        RolloutAction::Undo { revision: None },
        &rollout,
        Some(&related),
    );
    assert_eq!(undo.expect("a plan").workload, Some(workload));
    // The Deployment has moved on, and the controller has not.
    let stale = Rollout {
        workload_generation: Some(3),
        ..rollout
    };
    let retry = plan(
        RolloutAction::Undo { revision: None },
        &stale,
        Some(&related),
    );
    let refusal = retry.expect_err("is refused");
    assert!(
        refusal.why.contains("workloadObservedGeneration 3 of 4"),
        "{refusal:?}"
    );
}

#[test]
fn what_may_not_be_read_is_named() {
    let related = Related {
        unreadable: vec!["replicasets.apps in team-a".to_owned()],
        ..Related::default()
    };
    let undo = plan(
        RolloutAction::Undo { revision: None },
        &at(0, vec![HOLD]),
        Some(&related),
    );
    assert_eq!(
        undo.expect_err("is refused").why,
        "its older revisions are not readable: replicasets.apps in team-a"
    );
}

#[track_caller]
fn check_observed(replicas: Replicas, counted: Option<u32>, expected: Option<u32>) {
    let rollout = Rollout {
        replicas,
        canary_available: counted,
        ..at(0, vec![Step::SetWeight(500), HOLD])
    };
    let observed = rollout.weights().expect("weights").observed;
    assert_eq!(observed, expected);
    assert_eq!(
        rollout.needs_canary_count(),
        expected.is_none() && replicas.available > 0
    );
}

#[test]
fn the_observed_weight_is_of_pods_that_are_available() {
    let pods = |current, updated, available| Replicas {
        desired: 2,
        current,
        updated,
        ready: available,
        available,
    };
    // One of the two available pods may be of the canary, or none: it crashes.
    check_observed(pods(3, 1, 2), None, None);
    check_observed(pods(3, 1, 2), Some(0), Some(0));
    check_observed(pods(3, 1, 2), Some(1), Some(500));
    // All are available, so there is nothing to ask for.
    check_observed(pods(2, 1, 2), None, Some(500));
    check_observed(pods(2, 0, 2), None, Some(0));
    check_observed(pods(2, 1, 0), None, None);
}

#[test]
fn changes_are_told_in_percent() {
    let was = at(0, vec![Step::SetWeight(200), HOLD, Step::SetWeight(600)]);
    let is = Rollout {
        step_index: Some(2),
        ..was.clone()
    };
    assert!(
        was.changes(&is)
            .contains(&"set weight 20 % → 60 %".to_owned()),
        "{:?}",
        was.changes(&is)
    );
}
