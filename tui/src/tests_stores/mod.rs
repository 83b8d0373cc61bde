//! Payments, queues, dead letters, alarms, audit and tasks: keys in, models and effects out.

mod screens;
mod steer;

use payops_core::domain::payment::Status;
use payops_core::port::{ErrorKind, QueueStats};
use payops_core::usecase::SearchResult;

use crate::effect::{Ask, Effect, Job};
use crate::fault::Fault;
use crate::fixtures::*;
use crate::fixtures_stores::*;
use crate::model::{Model, Overlay, Route, Tab, TaskState};
use crate::msg::{Answer, Msg, TaskUpdate};
use crate::update::update;

fn down() -> Fault {
    Fault::new(
        ErrorKind::Unavailable,
        "the store does not answer: connection refused",
    )
}

/// A view of environments that are open, with what it asked.
fn open(tab: Tab) -> (Model, Vec<Effect>) {
    let (mut model, effects) = start(tab);
    let effects = open_all(&mut model, &effects);
    (model, effects)
}

fn search() -> Model {
    let (mut model, effects) = open(Tab::Payments);
    let (request, text) = searched(&effects).expect("asked");
    assert_eq!(text, "");
    answer(
        &mut model,
        request,
        "prod",
        Answer::Search(Ok(Box::new(found()))),
    );
    model
}

/// Dead letters as a look showed them, the first of them opened.
fn dead(receives_spent: u64) -> Model {
    let (mut model, effects) = open(Tab::DeadLetters);
    let (request, _) =
        asked(&effects, |ask| matches!(ask, Ask::DeadLetters { .. })).expect("looked");
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
    let (request, _) = asked(&effects, |ask| matches!(ask, Ask::Payment(_))).expect("asked");
    let effects = answer(&mut model, request, "prod", answered);
    (model, effects)
}

#[test]
fn a_search_waits_until_nothing_is_typed() {
    let mut model = search();
    let effects = press(&mut model, "/");
    assert_eq!(searched(&effects), None);
    assert_eq!(searched(&typed(&mut model, "42")), None);
    assert_eq!(model.wake_at(), Some(later(120)));
    assert_eq!(searched(&tick(&mut model, 119)), None);
    // Another letter begins the wait anew.
    assert_eq!(searched(&typed(&mut model, "4")), None);
    assert_eq!(searched(&tick(&mut model, 238)), None);
    assert_eq!(
        searched(&tick(&mut model, 239))
            .map(|(_, text)| text)
            .as_deref(),
        Some("424")
    );
    assert_eq!(searched(&tick(&mut model, 240)), None);
}

#[test]
fn answers_to_former_texts_are_dropped() {
    let mut model = search();
    press(&mut model, "/");
    typed(&mut model, "a");
    let (old, _) = searched(&tick(&mut model, 200)).expect("asked");
    typed(&mut model, "b");
    let (new, _) = searched(&tick(&mut model, 400)).expect("asked");
    let one = |number| SearchResult {
        docs: vec![doc(number, Status::Completed, 5)],
        total: 1,
        ..found()
    };
    answer(
        &mut model,
        old,
        "prod",
        Answer::Search(Ok(Box::new(one(50)))),
    );
    assert_eq!(
        model.payments.found.value().map(|found| found.total),
        Some(4_512)
    );
    answer(
        &mut model,
        new,
        "prod",
        Answer::Search(Ok(Box::new(one(51)))),
    );
    assert_eq!(
        model.payments.found.value().map(|found| found.total),
        Some(1)
    );
}

#[test]
fn former_hits_stay_dimmed_until_new_ones_come() {
    let mut model = search();
    let colour = |model: &mut Model| style_of(model, "✔ completed", (120, 40)).fg;
    assert_eq!(colour(&mut model), Some(ratatui::style::Color::Green));
    press(&mut model, "/");
    typed(&mut model, "a");
    let (request, _) = searched(&tick(&mut model, 200)).expect("asked");
    assert_eq!(
        colour(&mut model),
        Some(ratatui::style::Color::Indexed(245))
    );
    answer(
        &mut model,
        request,
        "prod",
        Answer::Search(Ok(Box::new(found()))),
    );
    assert_eq!(colour(&mut model), Some(ratatui::style::Color::Green));
}

#[test]
fn a_text_that_is_no_query_is_told_and_not_asked() {
    let mut model = search();
    press(&mut model, "/");
    typed(&mut model, "colour:red");
    assert_eq!(searched(&tick(&mut model, 5_000)), None);
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("no field `colour`; fields are id, email"),
        "{screen}"
    );
}

#[test]
fn a_card_number_is_neither_shown_nor_asked() {
    let mut model = search();
    press(&mut model, "/");
    update(&mut model, Msg::Paste("4242 4242 4242 4242".to_owned()));
    assert_eq!(searched(&tick(&mut model, 5_000)), None);
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("looks like a card number")
            && !SECRETS.iter().any(|secret| screen.contains(secret)),
        "{screen}"
    );
}

#[test]
fn fields_are_completed_and_esc_takes_the_text_away() {
    let mut model = search();
    press(&mut model, "/");
    typed(&mut model, "stat");
    press(&mut model, "tab");
    typed(&mut model, "fa");
    press(&mut model, "tab");
    assert_eq!(model.payments.filter.text(), "status:failed");
    press(&mut model, "esc");
    assert_eq!(
        (model.payments.filter.text(), model.payments.filter.open),
        ("", false)
    );
    assert_eq!(model.route(), &Route::Payments);
}

#[test]
fn payments_of_another_environment_are_not_shown_as_of_this_one() {
    let mut model = search();
    let effects = press(&mut model, "e down down enter");
    let (request, env) = asked(&effects, |ask| matches!(ask, Ask::Search { .. })).expect("asked");
    assert_eq!(env, "test");
    assert!(model.payments.found.value().is_none());
    answer(
        &mut model,
        request,
        "test",
        Answer::Search(Ok(Box::new(found()))),
    );
    assert!(model.payments.found.value().is_some());
}

#[test]
fn a_payment_is_read_again_only_while_it_moves() {
    let moving = payops_core::domain::payment::Payment {
        status: Status::Processing,
        dead: None,
        refunds: Vec::new(),
        ..payment()
    };
    let (mut model, _) = detail(seen(moving));
    let read = |effects: &[Effect]| asked(effects, |ask| matches!(ask, Ask::Payment(_))).is_some();
    assert!(!read(&tick(&mut model, 1_999)));
    assert!(read(&tick(&mut model, 2_000)));
    let (mut model, _) = detail(seen(payment()));
    assert!(!read(&tick(&mut model, 3_600_000)));
    assert!(read(&press(&mut model, "ctrl-r")));
}

#[test]
fn a_dead_payment_leads_to_its_letter_and_back() {
    let (mut model, _) = detail(seen(dead_payment()));
    let effects = press(&mut model, "d");
    assert_eq!(model.route(), &Route::DeadLetters);
    let queue = effects.iter().find_map(|effect| match effect {
        Effect::Ask { request, ask, .. } => match &**ask {
            Ask::DeadLetters { queue } => Some((*request, queue.clone())),
            _ => None,
        },
        _ => None,
    });
    let (request, queue) = queue.expect("looked");
    assert_eq!(queue.as_deref(), Some("payments-work-dlq"));
    answer(
        &mut model,
        request,
        "prod",
        Answer::DeadLetters(Ok(letters(0))),
    );
    press(&mut model, "enter");
    assert_eq!(model.route(), &Route::Letter("m-07".to_owned()));
    press(&mut model, "p");
    assert_eq!(model.route(), &Route::Payment(payment_id(7)));
    let (mut model, _) = detail(seen(payment()));
    press(&mut model, "d");
    assert!(
        snap(&mut model, 120, 40)
            .contains("no message of this payment lies in a dead-letter queue")
    );
}

#[test]
fn a_look_is_made_once_and_when_asked() {
    let mut model = dead(14);
    let looked = |effects: &[Effect]| asked(effects, |ask| matches!(ask, Ask::DeadLetters { .. }));
    assert_eq!(looked(&tick(&mut model, 3_600_000)), None);
    assert_eq!(looked(&press(&mut model, "1 4")), None);
    let screen = snap(&mut model, 120, 40);
    assert!(screen.contains("looking cost 14 receives"), "{screen}");
    let (request, _) = looked(&press(&mut model, "ctrl-r")).expect("looked again");
    // One that failed is not repeated by itself, and what was seen stays.
    answer(
        &mut model,
        request,
        "prod",
        Answer::DeadLetters(Err(down())),
    );
    assert_eq!(looked(&tick(&mut model, 7_200_000)), None);
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("the look after that failed") && screen.contains("provider_timeout"),
        "{screen}"
    );
}

#[test]
fn causes_are_grouped_and_gone_into() {
    let mut model = dead(0);
    press(&mut model, "g");
    let rows = |model: &Model| {
        crate::views::of(model.route())
            .list(model, crate::update::body(model))
            .map(|(_, rows)| rows)
    };
    assert_eq!(rows(&model), Some(3));
    press(&mut model, "down enter");
    assert_eq!(rows(&model), Some(3));
    assert!(snap(&mut model, 120, 40).contains("provider_timeout only"));
    press(&mut model, "esc g");
    assert_eq!(rows(&model), Some(18));
}

#[test]
fn a_letter_is_opened_when_one_stays_with_it() {
    let mut model = dead(0);
    let opens = |effects: &[Effect]| asked(effects, |ask| matches!(ask, Ask::DeadLetter(_)));
    assert_eq!(opens(&tick(&mut model, 10)), None);
    assert_eq!(opens(&press(&mut model, "down down")), None);
    assert_eq!(opens(&tick(&mut model, 20)), None);
    let (request, _) = opens(&tick(&mut model, 400)).expect("opened");
    answer(
        &mut model,
        request,
        "prod",
        Answer::Letter(Ok(Box::new(opened(&letter(
            2,
            "payments-work-dlq",
            "schema_error",
            "x",
        ))))),
    );
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("request ") && screen.contains("\"12.50\""),
        "{screen}"
    );
    assert_eq!(
        opens(&press(&mut model, "enter")),
        None,
        "it is known already"
    );
}

#[test]
fn queues_lead_to_their_dead_letters() {
    let mut model = full(Tab::Overview);
    let effects = press(&mut model, "3 enter");
    assert_eq!(model.route(), &Route::DeadLetters);
    let asks = |ask: &Ask| matches!(ask, Ask::DeadLetters { queue: Some(queue) } if queue == "payments-work-dlq");
    assert!(asked(&effects, asks).is_some());
    press(&mut model, "esc down enter");
    assert_eq!(model.route(), &Route::Queues);
    assert!(snap(&mut model, 120, 40).contains("notifications-dlq is empty"));
}

#[test]
fn depths_become_a_trend_and_changes_are_marked() {
    let mut model = full(Tab::Queues);
    // The colour of the selection hides that of a change.
    press(&mut model, "down");
    for round in 1..=4_u64 {
        let effects = tick(&mut model, i64::try_from(round).expect("small") * 2_000);
        let (request, _) = asked(&effects, |ask| *ask == Ask::Queues).expect("asked");
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
    let (request, env) = asked(&effects, |ask| matches!(ask, Ask::Related { .. })).expect("asked");
    let mut told = related(false);
    told.analysis_runs[0].phase = payops_core::domain::rollout::RunPhase::Successful;
    told.analysis_runs[0]
        .metrics
        .iter_mut()
        .for_each(|metric| metric.successful = 0);
    answer(&mut model, request, &env, Answer::Related(Ok(told)));
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
        job: Job::Reconcile
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
        model.tasks[0].state,
        TaskState::Running { stopping: true, .. }
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
    assert!(matches!(model.tasks[0].state, TaskState::Over { .. }));
    press(&mut model, "c");
    assert!(model.tasks.is_empty());
}

#[test]
fn breaks_are_listed_in_the_result_of_a_task() {
    let (mut model, _) = open(Tab::Overview);
    press(&mut model, ":");
    typed(&mut model, "reconcile");
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
    typed(&mut model, "await");
    let effects = press(&mut model, "enter");
    let job = Job::Await {
        cluster: "eks-prod".to_owned(),
        key: waiting().key,
    };
    assert!(effects.contains(&Effect::StartTask {
        id: 1,
        env: "prod".to_owned(),
        job
    }));
}

#[test]
fn what_is_copied_is_masked() {
    let mut model = dead(0);
    let (mut one, effects) = open(Tab::Audit);
    let (request, _) = asked(&effects, |ask| *ask == Ask::Audit).expect("asked");
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
