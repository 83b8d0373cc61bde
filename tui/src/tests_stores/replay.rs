//! Dead letters that are replayed: plan, review, confirm.

use payops_core::domain::replay::{
    CauseSummary, Disposition, PlannedMessage, Preflight, ReplayPlan,
};
use payops_core::operations::{ReplayRequest, ReplayReview};

use super::*;
use crate::tests::snapshots;

fn plan_request(effects: &[Effect]) -> Option<(u64, ReplayRequest, usize)> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Request { id, request, .. } => match &**request {
            Request::PlanReplay {
                request: replay,
                letters,
            } => Some((*id, replay.clone(), letters.len())),
            _ => None,
        },
        _ => None,
    })
}

fn review(messages: usize) -> ReplayReview {
    let message = |number: usize| PlannedMessage {
        message_id: format!("m-{number:02}"),
        class: "schema_error".to_owned(),
        preflight: if number == 0 {
            Preflight::AlreadyFinal
        } else {
            Preflight::Safe
        },
        disposition: match number {
            1 => Disposition::Skip {
                why: "the payment came to its end".to_owned(),
            },
            2 => Disposition::Park {
                why: "replayed 3 times already".to_owned(),
            },
            _ => Disposition::Send,
        },
        ..PlannedMessage::default()
    };
    let cause = CauseSummary {
        id: "c1".into(),
        class: "schema_error".into(),
        fingerprint: "amount: expected integer".into(),
        count: 14,
    };
    let plan = ReplayPlan {
        id: "1-a".to_owned(),
        env: "prod".to_owned(),
        queue: "payments-work-dlq".to_owned(),
        target: "payments-work".to_owned(),
        by: "anna".to_owned(),
        reason: "no reason given".to_owned(),
        at: ago(1),
        messages: (0..messages).map(message).collect(),
        causes: vec![cause],
        parking: Some("payments-work-parking".to_owned()),
        replays_max: 3,
        rate_per_second: Some(50),
        ..ReplayPlan::default()
    };
    let warning = "payments/worker is in the middle of a canary, and its weight does not govern \
        who takes a message";
    let equivalent = "aws sqs receive-message --queue-url …/payments-work-dlq; aws sqs send-message \
        --queue-url …/payments-work";
    ReplayReview {
        plan,
        settled: None,
        warnings: vec![warning.to_owned()],
        diff: Vec::new(),
        refusal: None,
        equivalent: equivalent.to_owned(),
    }
}

/// The plan of the cause under the cursor, on screen.
fn open_review(review: ReplayReview) -> Model {
    let (mut model, _) = open_dead_letters();
    let effects = press(&mut model, "A R");
    let (request, wanted, number) = plan_request(&effects).expect("a plan was asked for");
    assert_eq!((wanted.queue.as_str(), number), ("payments-work-dlq", 14));
    answer(
        &mut model,
        request,
        "prod",
        Answer::PlanReplay(Ok(Box::new(review))),
    );
    model
}

#[test]
fn a_replay_is_of_one_queue() {
    let (mut model, _) = open_dead_letters();
    press(&mut model, "space end space");
    let effects = press(&mut model, "R");
    assert!(plan_request(&effects).is_none() && model.overlay.is_none());
    assert!(snap(&mut model, 120, 40).contains("several queues"));
}

#[test]
fn the_reviewed_plan_is_the_one_that_starts() {
    let mut model = open_review(review(14));
    snapshots("replay_review", &mut model);
    press(&mut model, "enter");
    snapshots("replay_confirm", &mut model);
    assert!(
        started_task(&press(&mut model, "enter")).is_none(),
        "a reason first"
    );
    type_text(&mut model, "the schema was mended");
    press(&mut model, "enter");
    update(&mut model, Msg::Paste("payments-work-dlq 14".to_owned()));
    assert!(
        started_task(&press(&mut model, "enter")).is_none(),
        "it is typed, not pasted"
    );
    type_text(&mut model, "payments-work-dlq 13");
    assert!(started_task(&press(&mut model, "enter")).is_none());
    press(&mut model, "backspace");
    type_text(&mut model, "4");
    let (_, kind) = started_task(&press(&mut model, "enter")).expect("started");
    assert_eq!(
        kind,
        TaskKind::Replay {
            plan: Box::new(review(14).plan),
            reason: "the schema was mended".to_owned()
        }
    );
}

/// A replay that was started, with the number of its task.
fn running_replay() -> (Model, u64) {
    let mut model = open_review(review(14));
    let id = confirm_replay(&mut model).expect("started");
    (model, id)
}

/// Confirms the plan on screen; the number of the task, if one was started.
fn confirm_replay(model: &mut Model) -> Option<u64> {
    press(model, "enter");
    type_text(model, "the schema was mended");
    press(model, "enter");
    type_text(model, "payments-work-dlq 14");
    started_task(&press(model, "enter")).map(|(id, _)| id)
}

#[test]
fn a_replay_shows_its_progress_and_runs_once_at_a_time() {
    let (mut model, id) = running_replay();
    assert!(snap(&mut model, 120, 40).contains("replay payments-work-dlq in PROD: started"));
    press(&mut model, "8");
    let note = "sent 6, failed 1, remaining 7".to_owned();
    update(
        &mut model,
        Msg::Task {
            id,
            update: TaskUpdate::Progress {
                done: 7,
                total: Some(14),
                note,
            },
        },
    );
    tick(&mut model, 7_000);
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("50 % · 1/s · sent 6, failed 1, remaining 7"),
        "{screen}"
    );
    // A second replay of the queue is refused, and the review stays.
    press(&mut model, "4");
    let (request, ..) = plan_request(&press(&mut model, "A R")).expect("planned");
    answer(
        &mut model,
        request,
        "prod",
        Answer::PlanReplay(Ok(Box::new(review(14)))),
    );
    assert_eq!(confirm_replay(&mut model), None);
    assert!(snap(&mut model, 120, 40).contains("replay payments-work-dlq is already running"));
    assert!(matches!(model.overlay, Some(Overlay::Replay(_))));
}

#[test]
fn a_replay_is_not_left_by_mistake_and_can_be_canceled() {
    let (mut model, id) = running_replay();
    press(&mut model, "8");
    // Quitting says first that it is running.
    assert_eq!(
        press(&mut model, "q")
            .iter()
            .find(|effect| **effect == Effect::Quit),
        None
    );
    assert!(
        snap(&mut model, 120, 40)
            .contains("replay payments-work-dlq is running; quit again to stop it")
    );
    let stop = press(&mut model, "x");
    assert!(stop.contains(&Effect::CancelTask { id }), "{stop:?}");
    update(
        &mut model,
        Msg::DeadLettersGone {
            env: "prod".to_owned(),
            message_ids: vec!["m-00".to_owned(), "m-03".to_owned()],
        },
    );
    update(
        &mut model,
        Msg::Task {
            id,
            update: TaskUpdate::Canceled("sent 7 of 14, remaining 7".to_owned()),
        },
    );
    press(&mut model, "4");
    assert!(snap(&mut model, 120, 40).contains("16 dead letters"));
    assert_eq!(press(&mut model, "q").last(), Some(&Effect::Quit));
}

#[test]
fn options_make_a_new_plan() {
    let mut model = open_review(review(14));
    press(&mut model, "c");
    type_text(&mut model, "5");
    let (request, asked, _) = plan_request(&press(&mut model, "enter")).expect("planned again");
    assert_eq!(
        (asked.canary, asked.rate_per_second, asked.only_safe),
        (Some(5), None, false)
    );
    // A plan that comes late is not shown.
    answer(
        &mut model,
        request - 1,
        "prod",
        Answer::PlanReplay(Ok(Box::new(review(1)))),
    );
    assert!(snap(&mut model, 120, 40).contains("planning"));
    answer(
        &mut model,
        request,
        "prod",
        Answer::PlanReplay(Ok(Box::new(review(14)))),
    );
    press(&mut model, "t");
    type_text(&mut model, "x");
    assert!(plan_request(&press(&mut model, "enter")).is_none());
    assert!(snap(&mut model, 120, 40).contains("x is not a number above 0"));
    press(&mut model, "t");
    type_text(&mut model, "25");
    let (request, asked, _) = plan_request(&press(&mut model, "enter")).expect("planned again");
    assert_eq!((asked.canary, asked.rate_per_second), (Some(5), Some(25)));
    answer(
        &mut model,
        request,
        "prod",
        Answer::PlanReplay(Ok(Box::new(review(14)))),
    );
    let (_, asked, _) = plan_request(&press(&mut model, "o")).expect("planned again");
    assert!(asked.only_safe);
    press(&mut model, "esc");
    assert!(model.overlay.is_none());
}

#[test]
fn a_plan_that_the_rules_refuse_can_only_be_saved() {
    let refusal = "dlq.replay in prod needs the approval of 1 other person (above 10): payops dlq \
        approve FILE by somebody else";
    let mut model = open_review(ReplayReview {
        refusal: Some(refusal.to_owned()),
        ..review(14)
    });
    press(&mut model, "enter");
    assert!(snap(&mut model, 120, 40).contains("the rules do not allow this"));
    let effects = press(&mut model, "w");
    let (request, _) =
        find_request(&effects, |request| matches!(request, Request::SavePlan(_))).expect("written");
    answer(
        &mut model,
        request,
        "prod",
        Answer::SavePlan(Ok("/home/anna/plan-1-a.json".to_owned())),
    );
    let screen = snap(&mut model, 120, 40);
    assert!(screen.contains("payops dlq approve"), "{screen}");
    snapshots("replay_refused", &mut model);
    assert!(started_task(&press(&mut model, "enter")).is_none());
}

#[test]
fn an_interrupted_replay_is_resumed() {
    let mut model = open_review(ReplayReview {
        settled: Some(4),
        ..review(14)
    });
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("4 of 14 are settled") && !screen.contains("c canary"),
        "{screen}"
    );
    snapshots("replay_resumed", &mut model);
    press(&mut model, "enter");
    assert!(snap(&mut model, 120, 40).contains("Type payments-work-dlq 10 to confirm"));
}

#[test]
fn a_plan_that_fails_says_why_and_can_be_requested_again() {
    let (mut model, _) = open_dead_letters();
    let (request, ..) = plan_request(&press(&mut model, "R")).expect("asked");
    snapshots("replay_planning", &mut model);
    let fault = Fault::new(
        ErrorKind::Refused,
        "another replay of payments-work-dlq is running\u{1b}[31m",
    );
    answer(&mut model, request, "prod", Answer::PlanReplay(Err(fault)));
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("another replay of payments-work-dlq is running")
            && !screen.contains('\u{1b}'),
        "{screen}"
    );
    assert!(plan_request(&press(&mut model, "r")).is_some());
}

#[test]
fn one_dead_letter_is_edited_and_the_diff_reviewed() {
    let (mut model, _) = open_dead_letters();
    press(&mut model, "i");
    type_text(&mut model, "amount 12");
    assert!(plan_request(&press(&mut model, "enter")).is_none());
    assert!(snap(&mut model, 120, 40).contains("enter a JSON pointer and a value"));
    press(&mut model, "ctrl-u");
    type_text(&mut model, "/detail/amount=1250");
    let (request, asked, number) = plan_request(&press(&mut model, "enter")).expect("planned");
    assert_eq!(
        (asked.set.as_deref(), number),
        (Some("/detail/amount=1250"), 1)
    );
    let diff = [
        "  \"detail\": {",
        "-   \"amount\": \"12.50\"",
        "+   \"amount\": 1250",
    ]
    .map(str::to_owned)
    .to_vec();
    answer(
        &mut model,
        request,
        "prod",
        Answer::PlanReplay(Ok(Box::new(ReplayReview { diff, ..review(1) }))),
    );
    snapshots("replay_edited", &mut model);
    // Several cannot be edited at once.
    press(&mut model, "esc A i");
    assert!(model.overlay.is_none());
    assert!(snap(&mut model, 120, 40).contains("only one dead letter can be edited at a time"));
}
