//! What is handed to the operations, and what their answers and failures become.

use payops_core::domain::access::AccessLevel;
use payops_core::domain::replay::{PlannedMessage, ReplayPlan};
use payops_core::domain::rollout::{RolloutAction, RolloutPlan, plan};
use payops_core::operations::{ElevationRequest, ReplayRequest};
use payops_core::port::{ErrorKind, Executed};

use super::*;
use crate::fixtures::{Still, t0, waiting};
use crate::fixtures_operations::{Behaviour, Call, FakeOperations};
use crate::fixtures_stores::letter;
use crate::model::TaskUpdate;
use crate::msg::Answer;

fn runner(operations: &Arc<FakeOperations>) -> (EffectRunner, mpsc::Receiver<Msg>) {
    let (to, from) = mpsc::channel(16);
    let operations: Arc<dyn Operations> = Arc::clone(operations) as _;
    (
        EffectRunner::new(operations, Arc::new(Still(t0())), to),
        from,
    )
}

async fn next(from: &mut mpsc::Receiver<Msg>) -> Msg {
    timeout(Duration::from_mins(2), from.recv())
        .await
        .expect("in time")
        .expect("something")
}

/// Sends a request, and waits for its answer.
async fn answer(operations: &Arc<FakeOperations>, request: Request) -> Answer {
    let (mut runner, mut from) = runner(operations);
    runner.run_all(vec![Effect::Request {
        id: 7,
        env: "prod".to_owned(),
        request: Box::new(request),
    }]);
    match next(&mut from).await {
        Msg::Answer { id: 7, env, answer } if env == "prod" => *answer,
        other => panic!("{other:?}"),
    }
}

fn promote(operations: &FakeOperations) -> RolloutPlan {
    plan(RolloutAction::Promote, &operations.rollout(), None).expect("a plan")
}

async fn execute(operations: &Arc<FakeOperations>, plan: RolloutPlan) -> Result<Executed, Fault> {
    let request = Request::ExecuteRollout {
        cluster: "eks-prod".to_owned(),
        plan: Box::new(plan),
        reason: "latency is fine".to_owned(),
    };
    match answer(operations, request).await {
        Answer::ExecuteRollout(result) => result,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_rollout_plan_is_handed_over_once_with_the_reason_typed() {
    let operations = FakeOperations::new(Behaviour::Works);
    let plan = promote(&operations);
    assert!(matches!(
        execute(&operations, plan.clone()).await,
        Ok(Executed::Done(_))
    ));
    let expected = Call::Rollout {
        env: "prod".to_owned(),
        cluster: "eks-prod".to_owned(),
        plan: Box::new(plan),
        reason: "latency is fine".to_owned(),
    };
    assert_eq!(operations.calls(), [expected]);
}

#[tokio::test]
async fn of_two_who_promote_at_once_one_does() {
    let operations = FakeOperations::new(Behaviour::Works);
    // Both saw the same state.
    let (first, second) = (promote(&operations), promote(&operations));
    let step = operations.rollout().step_index;
    assert!(matches!(
        execute(&operations, first).await,
        Ok(Executed::Done(_))
    ));
    assert!(matches!(
        execute(&operations, second).await,
        Ok(Executed::Moved(_))
    ));
    assert_eq!(operations.rollout().step_index, step.map(|step| step + 1));
}

#[tokio::test]
async fn a_refusal_keeps_its_kind_and_its_words() {
    for (kind, words) in [
        (ErrorKind::NotWritable, "the audit record is not writable"),
        (ErrorKind::Refused, "prod is frozen: payops freeze status"),
    ] {
        let operations = FakeOperations::new(Behaviour::Fails(kind, words));
        let fault = execute(&operations, promote(&operations))
            .await
            .expect_err("refused");
        assert_eq!((fault.kind, fault.text.as_str()), (kind, words));
        assert_eq!(operations.calls().len(), 1, "it is not tried again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollout_action_that_hangs_may_have_been_done() {
    let operations = FakeOperations::new(Behaviour::Hangs);
    let begun = tokio::time::Instant::now();
    let fault = execute(&operations, promote(&operations))
        .await
        .expect_err("no answer");
    assert_eq!(
        (fault.kind, fault.text.as_str(), begun.elapsed()),
        (
            ErrorKind::Ambiguous,
            "no answer in 60 s",
            Duration::from_mins(1)
        )
    );
    assert_eq!(operations.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_changed_nothing() {
    let operations = FakeOperations::new(Behaviour::Hangs);
    let plan = Box::new(ReplayPlan::default());
    let Answer::SavePlan(Err(fault)) = answer(&operations, Request::SavePlan(plan)).await else {
        panic!("no fault")
    };
    assert_eq!(
        (fault.kind, fault.text.as_str()),
        (ErrorKind::Unavailable, "no answer in 20 s")
    );
}

#[tokio::test]
async fn each_request_reaches_its_operation() {
    let operations = FakeOperations::new(Behaviour::Works);
    let elevation = ElevationRequest {
        level: AccessLevel::BreakGlass,
        reason: "INC-7".to_owned(),
        ticket: None,
        mfa_code: Some("123456".to_owned()),
    };
    let replay = ReplayRequest {
        queue: "payments-work-dlq".to_owned(),
        canary: Some(5),
        ..ReplayRequest::default()
    };
    let elevated = answer(&operations, Request::Elevate(elevation.clone())).await;
    assert!(matches!(elevated, Answer::Access(Ok(_))), "{elevated:?}");
    let ended = answer(&operations, Request::EndElevation).await;
    assert!(matches!(ended, Answer::EndElevation(Ok(_))), "{ended:?}");
    let request = Request::PlanReplay {
        request: replay.clone(),
        letters: [letter(1, "payments-work-dlq", "a", "b")].into(),
    };
    let planned = answer(&operations, request).await;
    assert!(
        matches!(&planned, Answer::PlanReplay(Err(fault)) if fault.text.contains("another replay is running")),
        "{planned:?}"
    );
    let plan = Box::new(ReplayPlan::default());
    let saved = answer(&operations, Request::SavePlan(plan.clone())).await;
    assert!(
        matches!(&saved, Answer::SavePlan(Ok(path)) if path == "plan.json"),
        "{saved:?}"
    );
    let env = || "prod".to_owned();
    let expected = [
        Call::Elevate(env(), elevation),
        Call::EndElevation(env()),
        Call::PlanReplay(env(), replay, 1),
        Call::SavePlan(env(), plan),
    ];
    assert_eq!(operations.calls(), expected);
}

#[tokio::test]
async fn each_task_reaches_its_operation_with_its_reason() {
    let operations = FakeOperations::new(Behaviour::Works);
    let (mut runner, mut from) = runner(&operations);
    let (env, queue) = (|| "prod".to_owned(), || "payments-work-dlq".to_owned());
    let letters: Arc<[_]> = [letter(1, "payments-work-dlq", "a", "b")].into();
    let kinds = [
        TaskKind::Discard {
            queue: queue(),
            letters: Arc::clone(&letters),
            reason: "doubles".to_owned(),
        },
        TaskKind::Redrive {
            queue: queue(),
            reason: "the provider is up".to_owned(),
        },
        TaskKind::Export { letters, listed: 2 },
    ];
    let mut ends = Vec::new();
    for (id, kind) in (1..).zip(kinds) {
        let env = env();
        runner.run_all(vec![Effect::StartTask { id, env, kind }]);
        match next(&mut from).await {
            Msg::Task {
                update: TaskUpdate::Done(words),
                ..
            } => ends.push(words),
            other => panic!("{other:?}"),
        }
    }
    let expected = [
        Call::Discard(env(), queue(), 1, "doubles".to_owned()),
        Call::Redrive(env(), queue(), "the provider is up".to_owned()),
        Call::Export(env(), 1),
    ];
    assert_eq!(operations.calls(), expected);
    assert!(ends[0].starts_with("discarded 0 of 0"), "{ends:?}");
    assert!(ends[1].starts_with("moved 61 of about 61"), "{ends:?}");
    assert_eq!(ends[2], "exported 1 of 2 to letters.jsonl");
}

fn replay_plan() -> ReplayPlan {
    let message = |id: &str| PlannedMessage {
        message_id: id.to_owned(),
        ..PlannedMessage::default()
    };
    ReplayPlan {
        queue: "payments-work-dlq".to_owned(),
        messages: vec![message("m-00"), message("m-01")],
        ..ReplayPlan::default()
    }
}

/// Starts a replay as task 1.
fn start_replay(behaviour: Behaviour) -> (EffectRunner, mpsc::Receiver<Msg>, Arc<FakeOperations>) {
    let operations = FakeOperations::new(behaviour);
    let (mut runner, from) = runner(&operations);
    let kind = TaskKind::Replay {
        plan: Box::new(replay_plan()),
        reason: "mended".to_owned(),
    };
    let env = "prod".to_owned();
    runner.run_all(vec![Effect::StartTask { id: 1, env, kind }]);
    (runner, from, operations)
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_is_canceled_says_what_remains_and_which_dead_letters_are_gone() {
    let (mut runner, mut from, operations) = start_replay(Behaviour::UntilStopped);
    let progress = next(&mut from).await;
    assert!(
        matches!(&progress, Msg::Task { id: 1, update: TaskUpdate::Progress { done: 1, total: Some(2), note } } if note == "sent 1, failed 0, remaining 1"),
        "{progress:?}"
    );
    runner.run_all(vec![Effect::CancelTask { id: 1 }]);
    let gone = next(&mut from).await;
    assert!(
        matches!(&gone, Msg::DeadLettersGone { env, message_ids } if env == "prod" && message_ids == &["m-00".to_owned()]),
        "{gone:?}"
    );
    let end = next(&mut from).await;
    assert!(
        matches!(&end, Msg::Task { id: 1, update: TaskUpdate::Canceled(words) } if words.contains("sent 1 of 2") && words.contains("remaining 1")),
        "{end:?}"
    );
    let expected = Call::Replay(
        "prod".to_owned(),
        Box::new(replay_plan()),
        "mended".to_owned(),
    );
    assert_eq!(operations.calls(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_fails_says_why() {
    let words = "the queue does not answer";
    let (_runner, mut from, _) = start_replay(Behaviour::Fails(ErrorKind::Unavailable, words));
    let end = next(&mut from).await;
    assert!(
        matches!(&end, Msg::Task { id: 1, update: TaskUpdate::Failed(fault) } if fault.text.contains(words)),
        "{end:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_runs_is_stopped_in_good_order_when_the_screen_closes() {
    let (mut runner, _from, operations) = start_replay(Behaviour::UntilStopped);
    let unfinished = runner.finish().await;
    assert!(
        operations.was_stopped(),
        "the current batch came to its end"
    );
    assert!(unfinished.is_empty(), "{unfinished:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_does_not_keep_the_screen_and_is_printed() {
    let (mut runner, _from, operations) = start_replay(Behaviour::Hangs);
    // Beside it, one that comes to its end and one that changes nothing: neither is printed.
    let kind = TaskKind::Discard {
        queue: "payments-work-dlq".to_owned(),
        letters: Arc::new([]),
        reason: "doubles".to_owned(),
    };
    let env = "prod".to_owned();
    runner.run_all(vec![Effect::StartTask { id: 2, env, kind }]);
    runner.spawn(None, std::future::pending());
    let begun = tokio::time::Instant::now();
    let unfinished = runner.finish().await;
    assert_eq!((begun.elapsed(), operations.was_stopped()), (FINISH, false));
    let expected = "replay payments-work-dlq in PROD was still running; resume it, or make a new plan if it had not started: \
        payops dlq replay payments-work-dlq --env prod";
    assert_eq!(unfinished, [expected]);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_action_without_an_answer_is_printed_when_the_screen_closes() {
    let operations = FakeOperations::new(Behaviour::Hangs);
    let (mut runner, _from) = runner(&operations);
    let request = Request::ExecuteRollout {
        cluster: "eks-prod".to_owned(),
        plan: Box::new(promote(&operations)),
        reason: String::new(),
    };
    runner.run_all(vec![Effect::Request {
        id: 1,
        env: "prod".to_owned(),
        request: Box::new(request),
    }]);
    let unfinished = runner.finish().await;
    let expected = format!(
        "promote {} in PROD (eks-prod) was not answered",
        waiting().key
    );
    assert!(
        matches!(unfinished.as_slice(), [line] if line.starts_with(&expected)),
        "{unfinished:?}"
    );
}
