//! Rollouts: their list, their details, and actions on them.

use super::*;

#[test]
fn a_destructive_key_opens_a_plan_and_does_nothing() {
    for key in ["p", "P", "s", "a", "z", "R"] {
        let mut model = full(Tab::Rollouts);
        let effects = press(&mut model, key);
        assert_eq!(sent_action(&effects), None, "{key}");
        assert!(matches!(model.overlay, Some(Overlay::Rollout(_))), "{key}");
        press(&mut model, "esc");
        assert!(model.overlay.is_none(), "{key}");
    }
}

#[test]
fn a_protected_environment_needs_a_reason_and_the_name() {
    let mut model = full(Tab::Rollouts);
    press(&mut model, "p");
    assert_eq!(sent_action(&press(&mut model, "enter")), None);
    type_text(&mut model, "latency is fine");
    press(&mut model, "enter");
    type_text(&mut model, "payments-ap");
    assert_eq!(sent_action(&press(&mut model, "enter")), None);
    type_text(&mut model, "i");
    let sent = sent_action(&press(&mut model, "enter")).expect("sent");
    assert_eq!(
        (sent.1, sent.2.as_str()),
        (RolloutAction::Promote, "latency is fine")
    );
    // A second press while the first is not answered is refused.
    press(&mut model, "p");
    assert!(matches!(&model.overlay, Some(Overlay::Refused { .. })));
}

#[test]
fn the_name_cannot_be_pasted() {
    let mut model = full(Tab::Rollouts);
    press(&mut model, "p");
    type_text(&mut model, "why");
    press(&mut model, "enter");
    update(&mut model, Msg::Paste("payments-api".to_owned()));
    assert_eq!(sent_action(&press(&mut model, "enter")), None);
}

#[test]
fn unprotected_y_is_enough() {
    let mut model = full(Tab::Rollouts);
    press(&mut model, "/");
    type_text(&mut model, "counting");
    press(&mut model, "enter p");
    let sent = sent_action(&press(&mut model, "y")).expect("sent");
    assert_eq!((sent.1, sent.2), (RolloutAction::Promote, String::new()));
}

#[test]
fn a_refusal_says_what_to_do_instead() {
    let mut model = full(Tab::Rollouts);
    // The aborted one is the second row.
    press(&mut model, "down p");
    let screen = snap(&mut model, 100, 30);
    assert!(screen.contains("rollout retry"), "{screen}");
    press(&mut model, "esc r");
    assert!(
        matches!(&model.overlay, Some(Overlay::Rollout(dialog)) if dialog.plan.action == RolloutAction::Retry)
    );
}

#[test]
fn read_only_refuses_every_write() {
    let mut options = options(Tab::Rollouts);
    options.read_only = true;
    let (mut model, effects) = crate::update::start(environments(), &options, 120, 40);
    open_all(&mut model, &effects);
    watch(&mut model, "prod", vec![waiting()]);
    press(&mut model, "p");
    assert!(snap(&mut model, 100, 30).contains("read-only"));
    assert!(matches!(model.overlay, Some(Overlay::Refused { .. })));
}

#[test]
fn the_result_of_a_plan_is_shown() {
    let next = Rollout {
        resource_version: "88214".into(),
        step_index: Some(2),
        told_phase: Phase::Progressing,
        ..counting()
    };
    let mut model = promote(Ok(Executed::Moved(Box::new(next.clone()))));
    let screen = snap(&mut model, 120, 40);
    for words in ["nothing was done", "step 2 → 3", "88213 → 88214"] {
        assert!(screen.contains(words), "{words} in\n{screen}");
    }
    let mut model = promote(Ok(Executed::Done(Box::new(next))));
    assert!(snap(&mut model, 120, 40).contains("promote payments/payments-counting: done"));
    let mut model = promote(Err(Fault::new(
        ErrorKind::Ambiguous,
        "the cluster did not answer in 10 s",
    )));
    assert!(snap(&mut model, 120, 40).contains("may or may not have been done"));
    let mut model = promote(Ok(Executed::Gone));
    assert!(snap(&mut model, 120, 40).contains("the rollout does not exist any more"));
}

#[test]
fn a_plan_on_a_cluster_that_is_cut_says_how_old_it_is() {
    let mut model = full(Tab::Rollouts);
    let event = Watched::Cut {
        why: "connection reset by peer".to_owned(),
        retry_in: Duration::from_secs(8),
    };
    update(
        &mut model,
        Msg::Watch {
            env: "prod".to_owned(),
            cluster: "eks-prod".to_owned(),
            event,
        },
    );
    update(
        &mut model,
        Msg::Tick(t0() + jiff::SignedDuration::from_secs(52)),
    );
    press(&mut model, "p");
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("seen 52s ago") && screen.contains("the cluster has not answered for 52s"),
        "{screen}"
    );
    let effects = press(&mut model, "esc ctrl-r");
    assert!(
        effects.contains(&Effect::Watch {
            env: "prod".to_owned(),
            cluster: "eks-prod".to_owned()
        }),
        "{effects:?}"
    );
}

#[test]
fn pods_are_asked_for_when_a_replica_set_is_unfolded() {
    let mut model = detail();
    // Two metrics and an experiment stand before the first revision.
    let effects = press(&mut model, "down down down enter");
    let (request, depth) = related_request(&effects).expect("asked");
    assert_eq!(depth, Depth::Pods);
    answer(
        &mut model,
        request,
        "prod",
        Answer::Related(Ok(related(true))),
    );
    assert!(snap(&mut model, 120, 40).contains("CrashLoopBackOff"));
}

#[test]
fn what_belongs_to_a_rollout_is_watched_while_it_is_on_screen() {
    let mut model = full(Tab::Rollouts);
    let effects = press(&mut model, "enter");
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::WatchRelated {
            depth: Depth::Runs,
            ..
        }
    )));
    let (request, _) = related_request(&effects).expect("asked");
    answer(
        &mut model,
        request,
        "prod",
        Answer::Related(Ok(related(false))),
    );
    let effects = update(
        &mut model,
        Msg::RelatedChanged {
            id: waiting_id(),
            fault: None,
        },
    );
    assert!(related_request(&effects).is_some());
    assert!(press(&mut model, "esc").contains(&Effect::UnwatchRelated));
}

#[test]
fn late_answers_are_dropped() {
    let mut model = full(Tab::Rollouts);
    let (old, _) = related_request(&press(&mut model, "enter")).expect("asked");
    let (new, _) = related_request(&press(&mut model, "esc enter")).expect("asked again");
    assert_ne!(old, new);
    answer(&mut model, old, "prod", Answer::Related(Ok(related(false))));
    assert!(model.rollout.related.value().is_none());
    answer(&mut model, new, "prod", Answer::Related(Ok(related(false))));
    assert!(model.rollout.related.value().is_some());
}

#[test]
fn the_selection_follows_the_rollout() {
    let mut model = full(Tab::Rollouts);
    press(&mut model, "end");
    let before = model.rollouts.cursor.clone();
    watch(
        &mut model,
        "preprod",
        vec![progressing(), healthy("a", "one"), healthy("a", "two")],
    );
    assert_eq!(model.rollouts.cursor.key, before.key);
    assert_eq!(model.rollouts.cursor.row, before.row + 2);
}

#[test]
fn a_change_is_marked_for_a_second() {
    let mut model = full(Tab::Rollouts);
    report(
        &mut model,
        "test",
        Rollout {
            told_phase: Phase::Unknown,
            ..counting()
        },
    );
    assert!(model.marks.next_end().is_some());
    assert_eq!(
        style_of(&mut model, "? Unknown", (120, 40)).bg,
        Some(Color::Yellow)
    );
    update(
        &mut model,
        Msg::Tick(t0() + jiff::SignedDuration::from_secs(2)),
    );
    assert_eq!(model.marks.next_end(), None);
}

#[test]
fn what_one_may_not_do_is_not_offered() {
    let mut model = full(Tab::Rollouts);
    let effects = press(&mut model, "enter");
    let (request, _) = find_request(&effects, |request| {
        matches!(request, Request::Rights { .. })
    })
    .expect("asked");
    assert!(snap(&mut model, 120, 40).contains("p promote"));
    let why = "you may not patch rollouts.argoproj.io/status in namespace payments";
    let denied = ["promote", "promote --full", "abort", "retry", "skip"];
    let denied = denied.map(|action| (action, why.to_owned())).into();
    // A plan that is open when the answer comes is refused.
    press(&mut model, "p");
    assert!(matches!(model.overlay, Some(Overlay::Rollout(_))));
    answer(&mut model, request, "prod", Answer::Rights(Ok(denied)));
    let refused = snap(&mut model, 120, 40);
    assert!(
        refused.contains("you may not patch") && refused.contains("use a context or a role"),
        "{refused}"
    );
    press(&mut model, "esc");
    let screen = snap(&mut model, 120, 40);
    let footer = screen.lines().last().expect("a footer");
    assert!(
        !footer.contains("promote") && !footer.contains("abort") && footer.contains("u undo"),
        "{footer}"
    );
    // It is asked once: for another rollout of the namespace it is known.
    press(&mut model, "a");
    assert!(matches!(model.overlay, Some(Overlay::Refused { .. })));
    press(&mut model, "esc esc");
    let effects = press(&mut model, "enter");
    let again = find_request(&effects, |request| {
        matches!(request, Request::Rights { .. })
    });
    assert!(again.is_none());
}

/// The head of an open rollout counts down to the next try of its cluster, and Ctrl-R tries now.
#[test]
fn the_head_counts_down_while_the_cluster_is_away() {
    let mut model = full(Tab::Rollouts);
    press(&mut model, "enter");
    let event = Watched::Cut {
        why: "connection refused".to_owned(),
        retry_in: std::time::Duration::from_secs(8),
    };
    let cut = Msg::Watch {
        env: "prod".to_owned(),
        cluster: "eks-prod".to_owned(),
        event,
    };
    update(&mut model, cut);
    let mut head_after = |seconds: i64| {
        let now = t0() + jiff::SignedDuration::from_secs(seconds);
        update(&mut model, Msg::Tick(now));
        let screen = snap(&mut model, 80, 24);
        let mut lines = screen.lines().filter(|line| line.contains("Ctrl-R now"));
        lines.next().unwrap_or_default().trim().to_owned()
    };
    assert_eq!(
        head_after(0),
        "⚠ PROD eks-prod: as of 0s ago, retry in 8s (Ctrl-R now): connection refused"
    );
    assert_eq!(
        head_after(5),
        "⚠ PROD eks-prod: as of 5s ago, retry in 3s (Ctrl-R now): connection refused"
    );
    let effects = press(&mut model, "ctrl-r");
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Watch { cluster, .. } if cluster == "eks-prod")),
        "{effects:?}"
    );
}
