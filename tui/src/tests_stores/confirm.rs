//! Dead letters that are picked, discarded, redriven and exported.

use super::*;
use crate::tests::{snapshot, snapshots};

#[test]
fn dead_letters_are_picked_one_by_one_and_by_cause() {
    let (mut model, _) = open_dead_letters();
    press(&mut model, "space space");
    assert!(snap(&mut model, 120, 40).contains("● 2 selected"));
    snapshots("dead_letters_picked", &mut model);
    // Messages are selected, not rows: a refresh keeps them, and drops what is gone.
    let effects = press(&mut model, "ctrl-r");
    let (request, _) = find_request(&effects, |request| {
        matches!(request, Request::DeadLetters { .. })
    })
    .expect("looked again");
    let mut seen = letters(0);
    seen.letters.remove(0);
    answer(&mut model, request, "prod", Answer::DeadLetters(Ok(seen)));
    assert!(snap(&mut model, 120, 40).contains("● 1 selected"));
    press(&mut model, "A");
    assert!(snap(&mut model, 120, 40).contains("● 13 selected"));
    press(&mut model, "A");
    assert!(!snap(&mut model, 120, 40).contains("selected"));
    press(&mut model, "space esc");
    assert!(
        !snap(&mut model, 120, 40).contains("selected") && model.route() == &Route::DeadLetters
    );
    // A cause is picked whole.
    press(&mut model, "g home down A");
    assert!(snap(&mut model, 120, 40).contains("● 3 selected"));
}

#[test]
fn a_discard_always_needs_a_reason() {
    let (mut model, _) = open_dead_letters();
    press(&mut model, "space space x");
    snapshots("discard", &mut model);
    assert!(started_task(&press(&mut model, "enter")).is_none());
    type_text(&mut model, "doubles, see INC-7");
    press(&mut model, "enter");
    type_text(&mut model, "payments-work-dlq 2");
    let (_, kind) = started_task(&press(&mut model, "enter")).expect("started");
    let TaskKind::Discard {
        queue,
        letters,
        reason,
    } = kind
    else {
        panic!("{kind:?}")
    };
    assert_eq!(
        (queue.as_str(), letters.len(), reason.as_str()),
        ("payments-work-dlq", 2, "doubles, see INC-7")
    );
}

/// All that a dialog shows on a screen of that size, scrolled line by line; what is typed in is
/// always there.
#[track_caller]
fn scrolled(model: &mut Model, size: (u16, u16), always: &[&str]) -> String {
    let mut seen = String::new();
    for key in ["down"; 30].into_iter().chain(["pageup"; 30]) {
        let screen = snap(model, size.0, size.1);
        for words in always {
            assert!(screen.contains(words), "{words} in\n{screen}");
        }
        seen.push_str(&screen);
        press(model, key);
    }
    seen
}

#[test]
fn on_the_smallest_screen_all_of_a_question_can_be_read() {
    let least = (40, 10);
    let (mut model, _) = open_dead_letters();
    press(&mut model, "space space x");
    let always = ["Type payments-work-dlq 2", "reason  ", "type it"];
    let seen = scrolled(&mut model, least, &always);
    for words in [
        "delete     2 messages from",
        "permanently",
        "causes",
        "to a private file",
        "bound to",
        "↑↓ 1-3 of 10 ",
        "↑↓ 8-10 of 10 ",
    ] {
        assert!(seen.contains(words), "{words} in\n{seen}");
    }
    snapshot("discard_smallest", &mut model, least);
    // Keys that edit the line do not scroll, and the other way round.
    press(&mut model, "end down");
    type_text(&mut model, "jk");
    snapshot("discard_smallest_scrolled", &mut model, least);
    press(&mut model, "enter enter");
    assert!(snap(&mut model, least.0, least.1).contains("✖ does not match"));
    type_text(&mut model, "payments-work-dlq 2");
    let (_, kind) = started_task(&press(&mut model, "enter")).expect("started");
    assert!(matches!(kind, TaskKind::Discard { reason, .. } if reason == "jk"));
    // Where all facts are on screen, the arrows choose the line.
    press(&mut model, "space x");
    snap(&mut model, 80, 24);
    press(&mut model, "down");
    type_text(&mut model, "p");
    assert!(snap(&mut model, 80, 24).contains("type it     p"));
}

#[test]
fn on_the_smallest_screen_all_of_a_long_name_that_must_be_typed_is_there() {
    let (mut model, _) = open_dead_letters();
    press(&mut model, "space x");
    let Some(Overlay::Confirm(dialog)) = &mut model.overlay else {
        panic!("a question")
    };
    // A name on SQS has up to 80 characters.
    let name = format!("{}-dlq", "q".repeat(76));
    dialog.confirmation.phrase = Some(format!("{name} 2"));
    let always = ["Type", "-dlq 2", "reason  ", "type it"];
    let seen = scrolled(&mut model, (40, 10), &always);
    assert!(
        seen.contains("delete     1 message from") && seen.contains("↑↓ 10-10 of 10 "),
        "{seen}"
    );
    let screen = snap(&mut model, 40, 10);
    let letters: String = screen.chars().filter(|c| *c == 'q').collect();
    assert!(letters.len() >= 76, "{screen}");
}

#[test]
fn an_export_needs_no_plan() {
    let (mut model, _) = open_dead_letters();
    let (_, kind) = started_task(&press(&mut model, "A X")).expect("started");
    assert!(matches!(kind, TaskKind::Export { letters, .. } if letters.len() == 14));
    // Without a selection it is the one under the cursor, of all that are listed.
    let (mut model, _) = open_dead_letters();
    let (id, kind) = started_task(&press(&mut model, "X")).expect("started");
    let TaskKind::Export { letters, listed } = kind else {
        panic!("{kind:?}")
    };
    assert_eq!((letters.len(), listed), (1, model.dead_letters.listed()));
    assert!(listed > 1, "{listed}");
    // The name of the file is never cut.
    let file = "prod-20261122T061218.123.jsonl";
    let words =
        format!("exported 1 of {listed} to /home/anna/.local/share/payops/prod/exports/{file}");
    let done = TaskUpdate::Done(words.clone());
    update(&mut model, Msg::Task { id, update: done });
    let screen = snap(&mut model, 80, 24);
    let short = format!("exported 1 of {listed} to …");
    assert!(screen.contains(&short) && screen.contains(file), "{screen}");
    assert!(snap(&mut model, 160, 24).contains(&words));
}

#[test]
fn a_whole_queue_is_redriven_from_the_queues() {
    let (mut model, effects) = open_dead_letters();
    drop(effects);
    let effects = press(&mut model, "3");
    let (request, _) =
        find_request(&effects, |request| matches!(request, Request::Queues)).expect("asked");
    let queue = |name: &str, visible, dlq: Option<&str>| QueueStats {
        name: name.to_owned(),
        visible,
        in_flight: 0,
        delayed: 0,
        oldest_age: None,
        dlq: dlq.map(str::to_owned),
        max_receives: None,
        approximate: true,
        retention: None,
    };
    let queues = vec![
        queue("payments-work", 0, Some("payments-work-dlq")),
        queue("payments-work-dlq", 61, None),
    ];
    answer(&mut model, request, "prod", Answer::Queues(Ok(queues)));
    press(&mut model, "M");
    snapshots("redrive", &mut model);
    let seen = scrolled(
        &mut model,
        (40, 10),
        &["Type payments-work-dlq", "reason  ", "type it"],
    );
    for words in [
        "move       all messages",
        "messages move unread",
        "press R in dead",
        "equivalent",
        "start-message-move-ta",
        "…:payments-work",
    ] {
        assert!(seen.contains(words), "{words} in\n{seen}");
    }
    type_text(&mut model, "the provider is up");
    press(&mut model, "enter");
    type_text(&mut model, "payments-work-dlq");
    let (_, kind) = started_task(&press(&mut model, "enter")).expect("started");
    assert_eq!(
        kind,
        TaskKind::Redrive {
            queue: "payments-work-dlq".to_owned(),
            reason: "the provider is up".to_owned()
        }
    );
}

#[test]
fn before_it_is_open_nothing_is_started_in_an_environment() {
    let (mut model, _) = start(Tab::DeadLetters);
    for key in ["R", "x", "X", "E", "M", "i"] {
        let effects = press(&mut model, key);
        assert!(
            model.overlay.is_none() && started_task(&effects).is_none(),
            "{key}"
        );
        assert!(snap(&mut model, 120, 40).contains("not open yet"), "{key}");
    }
}

#[test]
fn read_only_nothing_is_started() {
    let mut options = options(Tab::DeadLetters);
    options.read_only = true;
    let (mut model, effects) = crate::update::start(environments(), &options, 120, 40);
    let effects = open_all(&mut model, &effects);
    let (request, _) = find_request(&effects, |request| {
        matches!(request, Request::DeadLetters { .. })
    })
    .expect("browsed");
    answer(
        &mut model,
        request,
        "prod",
        Answer::DeadLetters(Ok(letters(0))),
    );
    for key in ["R", "x", "E", "i", "M"] {
        let effects = press(&mut model, key);
        assert!(
            model.overlay.is_none() && started_task(&effects).is_none(),
            "{key}"
        );
        assert!(snap(&mut model, 120, 40).contains("read-only"), "{key}");
    }
}
