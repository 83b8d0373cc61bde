//! Payments, queues, dead letters, alarms, audit and tasks: keys in, models and effects out.

mod access;
mod confirm;
mod dead_letters;
mod payments;
mod replay;
mod screens;

use payops_core::domain::payment::Status;
use payops_core::port::{ErrorKind, QueueStats};
use payops_core::usecase::SearchResult;

use crate::effect::{Effect, Request, TaskKind};
use crate::fault::Fault;
use crate::fixtures::*;
use crate::fixtures_stores::*;
use crate::model::{EnvDetails, Model, Overlay, Route, Tab, TaskStatus, TaskUpdate};
use crate::msg::{Answer, Msg};
use crate::update::{update, wake_at};

fn store_down() -> Fault {
    Fault::new(
        ErrorKind::Unavailable,
        "the store does not answer: connection refused",
    )
}

/// A view of environments that are open, with what it requested.
fn open(tab: Tab) -> (Model, Vec<Effect>) {
    let (mut model, effects) = start(tab);
    let effects = open_all(&mut model, &effects);
    (model, effects)
}

fn search() -> Model {
    let (mut model, effects) = open(Tab::Payments);
    let (request, text) = find_search(&effects).expect("asked");
    assert_eq!(text, "");
    answer(
        &mut model,
        request,
        "prod",
        Answer::Search(Ok(Box::new(search_result()))),
    );
    model
}

/// Dead letters that were browsed.
fn dead(receives_spent: u64) -> Model {
    let (mut model, effects) = open(Tab::DeadLetters);
    let (request, _) = find_request(&effects, |request| {
        matches!(request, Request::DeadLetters { .. })
    })
    .expect("looked");
    answer(
        &mut model,
        request,
        "prod",
        Answer::DeadLetters(Ok(letters(receives_spent))),
    );
    model
}

fn detail(answered: Answer) -> (Model, Vec<Effect>) {
    let mut model = search();
    let effects = press(&mut model, "down down enter");
    assert_eq!(model.route(), &Route::Payment(payment_id(7)));
    let (request, _) =
        find_request(&effects, |request| matches!(request, Request::Payment(_))).expect("asked");
    let effects = answer(&mut model, request, "prod", answered);
    (model, effects)
}

/// Dead letters that were browsed for free; and what was requested.
fn open_dead_letters() -> (Model, Vec<Effect>) {
    let (mut model, effects) = start(Tab::DeadLetters);
    let effects = open_all(&mut model, &effects);
    let (request, _) = find_request(&effects, |request| {
        matches!(request, Request::DeadLetters { .. })
    })
    .expect("looked");
    answer(
        &mut model,
        request,
        "prod",
        Answer::DeadLetters(Ok(letters(0))),
    );
    (model, effects)
}

fn started_task(effects: &[Effect]) -> Option<(u64, TaskKind)> {
    effects.iter().find_map(|effect| {
        if let Effect::StartTask { id, kind, .. } = effect {
            Some((*id, kind.clone()))
        } else {
            None
        }
    })
}

#[test]
fn depths_become_a_trend_and_changes_are_marked() {
    let mut model = full(Tab::Queues);
    // The colour of the selection hides that of a change.
    press(&mut model, "down");
    for round in 1..=4_u64 {
        let effects = tick(&mut model, i64::try_from(round).expect("small") * 2_000);
        let (request, _) =
            find_request(&effects, |request| *request == Request::Queues).expect("asked");
        let more = |queue: QueueStats| QueueStats {
            visible: queue.visible
                + if queue.name == "payments-work" {
                    round * 20
                } else {
                    0
                },
            ..queue
        };
        answer(
            &mut model,
            request,
            "prod",
            Answer::Queues(Ok(queues(61).into_iter().map(more).collect())),
        );
    }
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("▲ 10.0") && screen.contains("steady"),
        "{screen}"
    );
    assert_eq!(
        style_of(&mut model, "~290", (120, 40)).bg,
        Some(ratatui::style::Color::Yellow)
    );
    tick(&mut model, 9_100);
    assert_ne!(
        style_of(&mut model, "~290", (120, 40)).bg,
        Some(ratatui::style::Color::Yellow)
    );
}

#[test]
fn alarms_ask_what_analysis_says_and_lead_to_what_they_are_about() {
    let (mut model, _) = open(Tab::Alarms);
    let effects = watch(&mut model, "prod", vec![waiting()]);
    let (request, env) = find_request(&effects, |request| {
        matches!(request, Request::Related { .. })
    })
    .expect("asked");
    let mut seen = related(false);
    seen.analysis_runs[0].phase = payops_core::domain::rollout::RunPhase::Successful;
    seen.analysis_runs[0]
        .metrics
        .iter_mut()
        .for_each(|metric| metric.successful = 0);
    answer(&mut model, request, &env, Answer::Related(Ok(seen)));
    let screen = snap(&mut model, 120, 40);
    assert!(screen.contains("suspicious analys"), "{screen}");
    press(&mut model, "enter");
    assert_eq!(model.route(), &Route::Rollout(waiting_id()));
}

#[test]
fn reconciling_is_a_task_that_can_be_canceled() {
    let (mut model, _) = open(Tab::Tasks);
    let effects = press(&mut model, "n");
    assert!(effects.contains(&Effect::StartTask {
        id: 1,
        env: "prod".to_owned(),
        kind: TaskKind::Reconcile
    }));
    assert!(
        !press(&mut model, "n")
            .iter()
            .any(|effect| matches!(effect, Effect::StartTask { .. })),
        "once at a time"
    );
    update(
        &mut model,
        Msg::Task {
            id: 1,
            update: TaskUpdate::Progress {
                done: 2_777,
                total: Some(4_479),
                note: String::new(),
            },
        },
    );
    let screen = snap(&mut model, 120, 40);
    assert!(screen.contains("tasks 1 ◐ 62 %"), "{screen}");
    assert!(press(&mut model, "x").contains(&Effect::CancelTask { id: 1 }));
    assert!(matches!(
        model.tasks[0].status,
        TaskStatus::Running { stopping: true, .. }
    ));
    update(
        &mut model,
        Msg::Task {
            id: 1,
            update: TaskUpdate::Canceled("nothing was changed".to_owned()),
        },
    );
    update(
        &mut model,
        Msg::Task {
            id: 1,
            update: TaskUpdate::Progress {
                done: 1,
                total: None,
                note: String::new(),
            },
        },
    );
    assert!(matches!(model.tasks[0].status, TaskStatus::Ended { .. }));
    press(&mut model, "c");
    assert!(model.tasks.is_empty());
}

#[test]
fn breaks_are_listed_in_the_result_of_a_task() {
    let (mut model, _) = open(Tab::Overview);
    press(&mut model, ":");
    type_text(&mut model, "reconcile");
    press(&mut model, "enter 8");
    let words = "checked 4,479, 1 break\npay_1 missing in ledger: no charge of 1250 EUR";
    update(
        &mut model,
        Msg::Task {
            id: 1,
            update: TaskUpdate::Done(words.to_owned()),
        },
    );
    assert!(snap(&mut model, 120, 40).contains("⚠ done"));
    press(&mut model, "enter");
    assert!(matches!(&model.overlay, Some(Overlay::Text { lines, .. }) if lines.len() == 2));
    assert!(snap(&mut model, 120, 40).contains("no charge of 1250 EUR"));
}

#[test]
fn a_rollout_is_awaited_from_the_palette() {
    let mut model = full(Tab::Rollouts);
    press(&mut model, ":");
    type_text(&mut model, "await");
    let effects = press(&mut model, "enter");
    let kind = TaskKind::AwaitRollout {
        cluster: "eks-prod".to_owned(),
        key: waiting().key,
    };
    assert!(effects.contains(&Effect::StartTask {
        id: 1,
        env: "prod".to_owned(),
        kind
    }));
}

#[test]
fn what_is_copied_is_masked() {
    let mut model = dead(0);
    let (mut one, effects) = open(Tab::Audit);
    let (request, _) = find_request(&effects, |request| *request == Request::Audit).expect("asked");
    answer(&mut one, request, "prod", Answer::Audit(Ok((audit(), 0))));
    let mut copied = press(&mut model, "y");
    copied.extend(press(&mut model, "g y"));
    copied.extend(press(&mut one, "down y"));
    copied.extend(press(&mut search(), "y"));
    let texts: Vec<&String> = copied
        .iter()
        .filter_map(|effect| {
            if let Effect::Copy(text) = effect {
                Some(text)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(texts.len(), 4);
    for text in texts {
        assert!(
            !SECRETS.iter().any(|secret| text.contains(secret)),
            "{text}"
        );
    }
}
