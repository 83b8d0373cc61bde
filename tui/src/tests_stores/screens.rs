//! Each view as text: loading, empty, failed and full, at three sizes; and no secrets on any.

use super::*;
use crate::tests::snapshots;

/// Snapshots of a screen, which must not show personal data.
#[track_caller]
fn check_masked(name: &str, model: &mut Model) {
    for (width, height) in [(80, 24), (120, 40), (50, 20), (200, 50)] {
        let screen = snap(model, width, height);
        assert!(
            !SECRETS.iter().any(|secret| screen.contains(secret)),
            "{name} shows a secret:\n{screen}"
        );
    }
    snapshots(name, model);
}

/// A view whose environments cannot be opened.
#[track_caller]
fn check_closed(name: &str, tab: Tab) {
    let (mut model, effects) = start(tab);
    fail_all(&mut model, &effects);
    check_masked(name, &mut model);
}

#[test]
fn payments_screens() {
    check_closed("payments_closed", Tab::Payments);
    let (mut model, effects) = open(Tab::Payments);
    check_masked("payments_loading", &mut model);
    let (request, _) = find_search(&effects).expect("asked");
    answer(
        &mut model,
        request,
        "prod",
        Answer::Search(Err(store_down())),
    );
    check_masked("payments_failed", &mut model);
    let mut model = search();
    check_masked("payments_full", &mut model);
    press(&mut model, "/");
    type_text(&mut model, "4242 sta");
    check_masked("payments_typing", &mut model);
    type_text(&mut model, "te:done");
    check_masked("payments_wrong", &mut model);
    press(&mut model, "ctrl-u");
    type_text(&mut model, "status:failed amount:>900000");
    let (request, _) = find_search(&tick(&mut model, 500)).expect("asked");
    let parts = [
        ("status is failed", 61),
        ("amount is at least 900001 minor units", 0),
        ("email starts with anna.berg@example.com", 3),
    ];
    answer(
        &mut model,
        request,
        "prod",
        Answer::Search(Ok(Box::new(empty_result(&parts)))),
    );
    check_masked("payments_nothing", &mut model);
    let from_store = SearchResult {
        docs: vec![doc(9, Status::Processing, 1)],
        total: 1,
        from_store: true,
        ..search_result()
    };
    press(&mut model, "ctrl-u");
    type_text(&mut model, "pay_");
    let (request, _) = find_search(&tick(&mut model, 900)).expect("asked");
    answer(
        &mut model,
        request,
        "prod",
        Answer::Search(Ok(Box::new(from_store))),
    );
    check_masked("payments_from_store", &mut model);
}

#[test]
fn payment_screens() {
    let mut model = search();
    let effects = press(&mut model, "down down enter");
    check_masked("payment_loading", &mut model);
    let (request, _) =
        find_request(&effects, |request| matches!(request, Request::Payment(_))).expect("asked");
    answer(
        &mut model,
        request,
        "prod",
        Answer::Payment(Err(store_down())),
    );
    check_masked("payment_failed", &mut model);
    check_masked("payment_unknown", &mut detail(Answer::Payment(Ok(None))).0);
    let (mut model, _) = detail(payment_answer(payment()));
    check_masked("payment_full", &mut model);
    press(&mut model, "end enter");
    check_masked("payment_event", &mut model);
    check_masked(
        "payment_dead",
        &mut detail(payment_answer(dead_payment())).0,
    );
}

#[test]
fn queues_screens() {
    check_closed("queues_closed", Tab::Queues);
    let (mut model, effects) = open(Tab::Queues);
    check_masked("queues_loading", &mut model);
    let (request, _) =
        find_request(&effects, |request| *request == Request::Queues).expect("asked");
    answer(
        &mut model,
        request,
        "prod",
        Answer::Queues(Err(store_down())),
    );
    check_masked("queues_failed", &mut model);
    let (mut model, effects) = open(Tab::Queues);
    let (request, _) =
        find_request(&effects, |request| *request == Request::Queues).expect("asked");
    answer(&mut model, request, "prod", Answer::Queues(Ok(Vec::new())));
    check_masked("queues_empty", &mut model);
    let (mut model, effects) = open(Tab::Queues);
    let (mut request, _) =
        find_request(&effects, |request| *request == Request::Queues).expect("asked");
    for round in 1..=24_u64 {
        let depth = |queue: QueueStats| QueueStats {
            visible: if queue.name == "payments-work" {
                40 + round * round
            } else {
                queue.visible
            },
            ..queue
        };
        answer(
            &mut model,
            request,
            "prod",
            Answer::Queues(Ok(queues(61).into_iter().map(depth).collect())),
        );
        let effects = tick(&mut model, i64::try_from(round).expect("small") * 2_000);
        (request, _) =
            find_request(&effects, |request| *request == Request::Queues).expect("asked");
    }
    check_masked("queues_full", &mut model);
}

#[test]
fn dead_letters_screens() {
    check_closed("dead_letters_closed", Tab::DeadLetters);
    let (mut model, effects) = open(Tab::DeadLetters);
    check_masked("dead_letters_loading", &mut model);
    let (request, _) = find_request(&effects, |request| {
        matches!(request, Request::DeadLetters { .. })
    })
    .expect("looked");
    answer(
        &mut model,
        request,
        "prod",
        Answer::DeadLetters(Err(store_down())),
    );
    check_masked("dead_letters_failed", &mut model);
    let (mut model, effects) = open(Tab::DeadLetters);
    let (request, _) = find_request(&effects, |request| {
        matches!(request, Request::DeadLetters { .. })
    })
    .expect("looked");
    let none = payops_core::usecase::DeadLetterList {
        complete: true,
        ..Default::default()
    };
    answer(&mut model, request, "prod", Answer::DeadLetters(Ok(none)));
    check_masked("dead_letters_empty", &mut model);
    let mut model = dead(14);
    check_masked("dead_letters_full", &mut model);
    let (request, _) = find_request(&tick(&mut model, 300), |request| {
        matches!(request, Request::DeadLetter(_))
    })
    .or_else(|| {
        find_request(&tick(&mut model, 600), |request| {
            matches!(request, Request::DeadLetter(_))
        })
    })
    .expect("opened");
    let content = contents(&letter(0, "payments-work-dlq", "schema_error", "x"));
    answer(
        &mut model,
        request,
        "prod",
        Answer::DeadLetter(Ok(Box::new(content))),
    );
    check_masked("dead_letters_opened", &mut model);
    press(&mut model, "enter");
    check_masked("dead_letter_full", &mut model);
    press(&mut model, "esc g");
    check_masked("dead_letters_grouped", &mut model);
}

#[test]
fn alarms_screens() {
    let (mut model, effects) = start(Tab::Alarms);
    check_masked("alarms_loading", &mut model);
    fail_all(&mut model, &effects);
    check_masked("alarms_failed", &mut model);
    let (mut model, effects) = start(Tab::Alarms);
    let asks = open_all(&mut model, &effects);
    for env in ["prod", "preprod", "test"] {
        watch(&mut model, env, vec![healthy("payments", "payments-api")]);
    }
    for effect in &asks {
        if let Effect::Request { id, env, request } = effect
            && **request == Request::Queues
        {
            answer(&mut model, *id, env, Answer::Queues(Ok(queues(0))));
        }
    }
    check_masked("alarms_empty", &mut model);
    check_masked("alarms_full", &mut full(Tab::Alarms));
}

#[test]
fn audit_screens() {
    check_closed("audit_closed", Tab::Audit);
    let (mut model, effects) = open(Tab::Audit);
    check_masked("audit_loading", &mut model);
    let (request, _) = find_request(&effects, |request| *request == Request::Audit).expect("asked");
    answer(
        &mut model,
        request,
        "prod",
        Answer::Audit(Err(store_down())),
    );
    check_masked("audit_failed", &mut model);
    let with = |entries, damaged| {
        let (mut model, effects) = open(Tab::Audit);
        let (request, _) =
            find_request(&effects, |request| *request == Request::Audit).expect("asked");
        answer(
            &mut model,
            request,
            "prod",
            Answer::Audit(Ok((entries, damaged))),
        );
        model
    };
    check_masked("audit_empty", &mut with(Vec::new(), 0));
    let mut model = with(audit(), 2);
    check_masked("audit_full", &mut model);
    press(&mut model, "down enter");
    check_masked("audit_entry", &mut model);
}

#[test]
fn tasks_screens() {
    let (mut model, _) = open(Tab::Tasks);
    check_masked("tasks_empty", &mut model);
    press(&mut model, "n e down enter n e down enter n");
    let ended = |id, update| Msg::Task { id, update };
    update(
        &mut model,
        ended(
            1,
            TaskUpdate::Progress {
                done: 2_777,
                total: Some(4_479),
                note: String::new(),
            },
        ),
    );
    update(
        &mut model,
        ended(2, TaskUpdate::Done("checked 112, 0 breaks".to_owned())),
    );
    update(
        &mut model,
        ended(
            3,
            TaskUpdate::Done(
                "checked 9, 1 break\npay_1 missing in ledger: for anna.berg@example.com".to_owned(),
            ),
        ),
    );
    press(&mut model, "e up up enter");
    tick(&mut model, 61_000);
    check_masked("tasks_full", &mut model);
    press(&mut model, "end enter");
    check_masked("tasks_result", &mut model);
}

#[test]
fn no_snapshot_holds_a_secret() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/snapshots");
    let files: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|file| file.expect("a file").path())
        .collect();
    assert!(files.len() > 50);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("text");
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        assert!(
            !text.contains("@example") && !digits.contains("4242424242424242"),
            "{}",
            file.display()
        );
    }
}

/// An environment without queues and clusters says so, and what would give it some, in each view:
/// nothing is empty, nothing loads for ever, nothing is retried.
#[test]
fn parts_that_are_not_set_up_say_so() {
    let told = |part: &str| {
        format!("prod has no {part} (add {part} to [environments.prod] in payops.toml)")
    };
    let not_set_up = |part: &str| Fault::new(ErrorKind::NotSetUp, told(part));
    for (name, tab) in [
        ("not_set_up_overview", Tab::Overview),
        ("not_set_up_rollouts", Tab::Rollouts),
        ("not_set_up_queues", Tab::Queues),
        ("not_set_up_dead_letters", Tab::DeadLetters),
    ] {
        let (mut model, mut effects) = crate::update::start(
            environments().into_iter().take(1).collect(),
            &options(tab),
            120,
            40,
        );
        while let Some(effect) = effects.pop() {
            let Effect::Request { id, env, request } = effect else {
                continue;
            };
            let answered = match *request {
                Request::OpenEnvironment => Answer::OpenEnvironment(Ok(EnvDetails {
                    who: "anna".to_owned(),
                    no_clusters: Some(told("clusters")),
                    ..EnvDetails::default()
                })),
                Request::Queues => Answer::Queues(Err(not_set_up("queues"))),
                Request::DeadLetters { .. } => Answer::DeadLetters(Err(not_set_up("queues"))),
                _ => continue,
            };
            effects.extend(answer(&mut model, id, &env, answered));
            effects.extend(update(&mut model, Msg::Tick(t0())));
        }
        let screen = snap(&mut model, 120, 40);
        let part = match tab {
            Tab::Rollouts => "clusters",
            _ => "queues",
        };
        assert!(
            screen.contains(&told(part))
                && !screen.contains("loading")
                && !screen.contains("retrying"),
            "{name}:\n{screen}"
        );
        check_masked(name, &mut model);
    }
}
