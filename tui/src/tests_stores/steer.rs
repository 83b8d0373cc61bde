//! Elevation, selection, and dead letters that are sent again, deleted and exported.

use payops_core::domain::access::{AccessLevel, Freeze};
use payops_core::domain::replay::{
    CauseSummary, Disposition, PlannedMessage, Preflight, ReplayPlan,
};

use super::*;
use crate::environments::{ElevationWanted, ReplayReview, ReplayWanted, Standing};
use crate::tests::{snapshot, snapshots};

/// Dead letters of an environment in which they are steered; and what was asked.
fn steered() -> (Model, Vec<Effect>) {
    let (mut model, effects) = start(Tab::DeadLetters);
    let effects = open_steering(&mut model, &effects);
    let (request, _) =
        asked(&effects, |ask| matches!(ask, Ask::DeadLetters { .. })).expect("looked");
    answer(
        &mut model,
        request,
        "prod",
        Answer::DeadLetters(Ok(letters(0))),
    );
    (model, effects)
}

fn stands(model: &mut Model, effects: &[Effect], standing: Standing) {
    let (request, env) = asked(effects, |ask| matches!(ask, Ask::Standing)).expect("asked");
    answer(model, request, &env, Answer::Standing(Ok(standing)));
}

fn elevated(duty: AccessLevel, seconds: i64) -> Standing {
    Standing {
        duty,
        until: Some(later(seconds * 1000)),
        ..Standing::default()
    }
}

/// Elevated for a reason, in every test of that.
fn elevated_for(duty: AccessLevel, reason: &str) -> Model {
    let (mut model, effects) = steered();
    stands(
        &mut model,
        &effects,
        Standing {
            reason: Some(reason.to_owned()),
            ..elevated(duty, 540)
        },
    );
    model
}

fn freeze() -> Freeze {
    Freeze::begin(
        "prod",
        "ben",
        "the ledger is restored from a backup",
        ago(720),
        Some(later(1_800_000)),
    )
    .expect("a freeze")
}

fn wanted(effects: &[Effect]) -> Option<(u64, ReplayWanted, usize)> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask { request, ask, .. } => match &**ask {
            Ask::PlanReplay { wanted, letters } => Some((*request, wanted.clone(), letters.len())),
            _ => None,
        },
        _ => None,
    })
}

fn begun(effects: &[Effect]) -> Option<(u64, Job)> {
    effects.iter().find_map(|effect| {
        if let Effect::StartTask { id, job, .. } = effect {
            Some((*id, job.clone()))
        } else {
            None
        }
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
        verdict: match number {
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
    let same_as = "aws sqs receive-message --queue-url …/payments-work-dlq; aws sqs send-message \
        --queue-url …/payments-work";
    ReplayReview {
        plan,
        settled: None,
        warnings: vec![warning.to_owned()],
        diff: Vec::new(),
        refusal: None,
        same_as: same_as.to_owned(),
    }
}

/// The plan of the cause under the cursor, on screen.
fn reviewed(review: ReplayReview) -> Model {
    let (mut model, _) = steered();
    let effects = press(&mut model, "A R");
    let (request, wanted, number) = wanted(&effects).expect("a plan was asked for");
    assert_eq!((wanted.queue.as_str(), number), ("payments-work-dlq", 14));
    answer(
        &mut model,
        request,
        "prod",
        Answer::ReplayPlanned(Ok(Box::new(review))),
    );
    model
}

#[test]
fn the_header_says_with_which_right_and_for_how_long() {
    let (mut model, effects) = steered();
    stands(&mut model, &effects, Standing::default());
    assert!(snap(&mut model, 120, 40).contains("anna · view (operate: press E)"));
    snapshots("standing_view", &mut model);

    let effects = tick(&mut model, 15_000);
    stands(
        &mut model,
        &effects,
        elevated(AccessLevel::Operate, 15 + 41 * 60),
    );
    assert!(snap(&mut model, 80, 24).contains("anna · operate 41m left"));
    // It counts down by itself, and ends without being asked.
    tick(&mut model, 20_000);
    assert!(snap(&mut model, 80, 24).contains("operate 40m left"));
    tick(&mut model, 3_600_000);
    assert!(snap(&mut model, 80, 24).contains("anna · view"));
}

#[test]
fn a_freeze_and_a_broken_glass_stand_on_every_view() {
    let (mut model, effects) = steered();
    stands(
        &mut model,
        &effects,
        Standing {
            freeze: Some(freeze()),
            ..elevated(AccessLevel::BreakGlass, 540)
        },
    );
    for key in ["1", "2", "3", "4", "5", "7", "8"] {
        press(&mut model, key);
        let screen = snap(&mut model, 120, 40);
        for words in [
            "BREAK-GLASS 9m left",
            "FROZEN by ben 12m ago, for 30m more: the ledger is restored",
        ] {
            assert!(screen.contains(words), "{words} on {key} in\n{screen}");
        }
    }
    press(&mut model, "4");
    snapshots("standing_frozen", &mut model);
    // Both end by themselves.
    tick(&mut model, 7_200_000);
    let screen = snap(&mut model, 120, 40);
    assert!(
        !screen.contains("FROZEN") && !screen.contains("BREAK"),
        "{screen}"
    );
}

#[test]
fn the_reason_of_an_elevation_stands_on_every_view() {
    let mut model = elevated_for(
        AccessLevel::Operate,
        "INC-7: the schema was mended, and what died of it goes back",
    );
    snapshots("standing_reason", &mut model);
    for key in ["1", "2", "3", "4", "5", "7", "8"] {
        press(&mut model, key);
        for (size, words) in [
            ((120, 40), "operate 9m left: INC-7"),
            ((80, 24), "elevated: INC-7"),
            ((50, 20), "elevated: INC-7"),
        ] {
            let screen = snap(&mut model, size.0, size.1);
            assert!(screen.contains(words), "{words} on {key} in\n{screen}");
        }
    }
    press(&mut model, "4 E");
    snapshots("elevate_again", &mut model);
    // It ends with the elevation.
    press(&mut model, "esc");
    tick(&mut model, 541_000);
    assert!(!snap(&mut model, 80, 24).contains("INC-7"));
}

#[test]
fn the_reason_gives_way_to_what_matters_more() {
    let (mut model, effects) = steered();
    let reason = Some("x".repeat(1_000));
    stands(
        &mut model,
        &effects,
        Standing {
            reason,
            freeze: Some(freeze()),
            ..elevated(AccessLevel::BreakGlass, 540)
        },
    );
    for (width, height) in [(160, 50), (120, 40), (80, 24)] {
        let screen = snap(&mut model, width, height);
        for words in [
            "▌PROD▐ 471122334455",
            "BREAK-GLASS 9m left",
            "looked 0s",
            "FROZEN by ben",
            "xx…",
        ] {
            assert!(
                screen.contains(words),
                "{words} at {width}x{height} in\n{screen}"
            );
        }
    }
}

#[test]
fn a_hostile_reason_is_tamed_and_can_be_read_whole() {
    let reason = format!("\u{1b}[2J\u{202e}{} \u{7}\nthe-end", "決済".repeat(490));
    let mut model = elevated_for(AccessLevel::BreakGlass, &reason);
    snapshots("standing_hostile", &mut model);
    press(&mut model, "E");
    for (width, height) in [(120, 40), (80, 24), (50, 20), (40, 10)] {
        let mut seen = snap(&mut model, width, height);
        for _ in 0..200 {
            press(&mut model, "down");
            seen.push_str(&snap(&mut model, width, height));
        }
        assert!(
            seen.contains("\\u{1b}[2J\\u{202e}") && seen.contains("the-end"),
            "{width}x{height}"
        );
        assert!(
            !seen.contains(['\u{1b}', '\u{202e}', '\u{7}']),
            "{width}x{height}"
        );
        let screen = snap(&mut model, width, height);
        assert!(
            screen.contains("why (kept)") && screen.contains("Enter begins it"),
            "{screen}"
        );
        // What is typed goes where it went.
        typed(&mut model, "j");
        assert!(snap(&mut model, width, height).contains("why (kept)  j"));
        press(&mut model, "backspace");
        for _ in 0..200 {
            press(&mut model, "pageup");
        }
        assert!(snap(&mut model, width, height).contains("duty "));
    }
    snapshots("elevate_hostile", &mut model);
}

#[test]
fn an_elevation_wants_a_reason_and_a_code_where_the_role_does() {
    let elevation = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Ask { request, ask, .. } => match &**ask {
                Ask::Elevate(wanted) => Some((*request, wanted.clone())),
                _ => None,
            },
            _ => None,
        })
    };
    let (mut model, _) = steered();
    press(&mut model, "E");
    assert_eq!(elevation(&press(&mut model, "enter")), None);
    assert!(snap(&mut model, 80, 24).contains("say why"));
    typed(&mut model, "INC-7 is open");
    press(&mut model, "tab");
    typed(&mut model, "INC-7");
    let (request, asked) = elevation(&press(&mut model, "enter")).expect("asked");
    let expected = ElevationWanted {
        duty: AccessLevel::Operate,
        reason: "INC-7 is open".into(),
        ticket: Some("INC-7".into()),
        mfa: None,
    };
    assert_eq!(asked, expected);
    // A second Enter asks nothing while the first is not answered.
    assert_eq!(elevation(&press(&mut model, "enter")), None);
    let fault = Fault::new(
        ErrorKind::Denied,
        "this role needs an MFA code, and none was given",
    );
    answer(&mut model, request, "prod", Answer::Standing(Err(fault)));
    snapshots("elevate_code", &mut model);
    typed(&mut model, "123456");
    let (request, asked) = elevation(&press(&mut model, "enter")).expect("asked again");
    assert_eq!(
        asked,
        ElevationWanted {
            mfa: Some("123456".into()),
            ..expected
        }
    );
    answer(
        &mut model,
        request,
        "prod",
        Answer::Standing(Ok(elevated(AccessLevel::Operate, 900))),
    );
    assert!(model.overlay.is_none());
    assert!(snap(&mut model, 80, 24).contains("operate in PROD for 15m"));
    press(&mut model, "E ctrl-t");
    snapshots("elevate_glass", &mut model);
}

#[test]
fn an_elevation_is_given_back() {
    let (mut model, _) = steered();
    press(&mut model, ":");
    typed(&mut model, "lower");
    let effects = press(&mut model, "enter");
    let (request, _) = asked(&effects, |ask| matches!(ask, Ask::Lower)).expect("asked");
    answer(
        &mut model,
        request,
        "prod",
        Answer::Lowered(Ok(Standing::default())),
    );
    assert!(snap(&mut model, 120, 40).contains("view in PROD"));
}

#[test]
fn letters_are_picked_one_by_one_and_by_cause() {
    let (mut model, _) = steered();
    press(&mut model, "space space");
    assert!(snap(&mut model, 120, 40).contains("● 2 selected"));
    snapshots("dead_letters_picked", &mut model);
    // Selected are messages, not rows: another look keeps them, and drops what is gone.
    let effects = press(&mut model, "ctrl-r");
    let (request, _) =
        asked(&effects, |ask| matches!(ask, Ask::DeadLetters { .. })).expect("looked again");
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
fn a_replay_is_of_one_queue() {
    let (mut model, _) = steered();
    press(&mut model, "space end space");
    let effects = press(&mut model, "R");
    assert!(wanted(&effects).is_none() && model.overlay.is_none());
    assert!(snap(&mut model, 120, 40).contains("several queues"));
}

#[test]
fn what_was_reviewed_is_what_is_done() {
    let mut model = reviewed(review(14));
    snapshots("replay_review", &mut model);
    press(&mut model, "enter");
    snapshots("replay_consent", &mut model);
    assert!(
        begun(&press(&mut model, "enter")).is_none(),
        "a reason first"
    );
    typed(&mut model, "the schema was mended");
    press(&mut model, "enter");
    update(&mut model, Msg::Paste("payments-work-dlq 14".to_owned()));
    assert!(
        begun(&press(&mut model, "enter")).is_none(),
        "it is typed, not pasted"
    );
    typed(&mut model, "payments-work-dlq 13");
    assert!(begun(&press(&mut model, "enter")).is_none());
    press(&mut model, "backspace");
    typed(&mut model, "4");
    let (id, job) = begun(&press(&mut model, "enter")).expect("begun");
    assert_eq!(
        job,
        Job::Replay {
            plan: Box::new(review(14).plan),
            reason: "the schema was mended".to_owned()
        }
    );
    assert!(snap(&mut model, 120, 40).contains("replay payments-work-dlq in PROD: begun"));
    press(&mut model, "8");
    let note = "sent 6, failed 1, left 7".to_owned();
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
        screen.contains("50 % · 1/s · sent 6, failed 1, left 7"),
        "{screen}"
    );
    // The same once more is refused, and what was reviewed stays.
    press(&mut model, "4");
    let (request, ..) = wanted(&press(&mut model, "A R")).expect("planned");
    answer(
        &mut model,
        request,
        "prod",
        Answer::ReplayPlanned(Ok(Box::new(review(14)))),
    );
    press(&mut model, "enter");
    typed(&mut model, "again");
    press(&mut model, "enter");
    typed(&mut model, "payments-work-dlq 14");
    assert!(begun(&press(&mut model, "enter")).is_none());
    assert!(snap(&mut model, 120, 40).contains("replay payments-work-dlq is under way already"));
    press(&mut model, "esc esc 8");
    // Leaving says that it is under way first.
    assert_eq!(
        press(&mut model, "q")
            .iter()
            .find(|effect| **effect == Effect::Quit),
        None
    );
    assert!(
        snap(&mut model, 120, 40)
            .contains("replay payments-work-dlq is under way: quit again to stop it")
    );
    let stop = press(&mut model, "x");
    assert!(stop.contains(&Effect::CancelTask { id }), "{stop:?}");
    update(
        &mut model,
        Msg::LettersGone {
            env: "prod".to_owned(),
            ids: vec!["m-00".to_owned(), "m-03".to_owned()],
        },
    );
    update(
        &mut model,
        Msg::Task {
            id,
            update: TaskUpdate::Canceled("sent 7 of 14, left 7".to_owned()),
        },
    );
    press(&mut model, "4");
    assert!(snap(&mut model, 120, 40).contains("16 dead letters"));
    assert_eq!(press(&mut model, "q").last(), Some(&Effect::Quit));
}

#[test]
fn a_plan_is_made_anew_with_another_canary_and_rate() {
    let mut model = reviewed(review(14));
    press(&mut model, "c");
    typed(&mut model, "5");
    let (request, asked, _) = wanted(&press(&mut model, "enter")).expect("planned again");
    assert_eq!(
        (asked.canary, asked.rate_per_second, asked.only_safe),
        (Some(5), None, false)
    );
    // A plan that comes late is not the one that is shown.
    answer(
        &mut model,
        request - 1,
        "prod",
        Answer::ReplayPlanned(Ok(Box::new(review(1)))),
    );
    assert!(snap(&mut model, 120, 40).contains("planning"));
    answer(
        &mut model,
        request,
        "prod",
        Answer::ReplayPlanned(Ok(Box::new(review(14)))),
    );
    press(&mut model, "t");
    typed(&mut model, "x");
    assert!(wanted(&press(&mut model, "enter")).is_none());
    assert!(snap(&mut model, 120, 40).contains("x is no number above 0"));
    press(&mut model, "t");
    typed(&mut model, "25");
    let (request, asked, _) = wanted(&press(&mut model, "enter")).expect("planned again");
    assert_eq!((asked.canary, asked.rate_per_second), (Some(5), Some(25)));
    answer(
        &mut model,
        request,
        "prod",
        Answer::ReplayPlanned(Ok(Box::new(review(14)))),
    );
    let (_, asked, _) = wanted(&press(&mut model, "o")).expect("planned again");
    assert!(asked.only_safe);
    press(&mut model, "esc");
    assert!(model.overlay.is_none());
}

#[test]
fn what_the_rules_refuse_cannot_be_agreed_to_but_written_for_somebody_else() {
    let refusal = "dlq.replay in prod needs the approval of 1 other person (above 10): payops dlq \
        approve FILE by somebody else";
    let mut model = reviewed(ReplayReview {
        refusal: Some(refusal.to_owned()),
        ..review(14)
    });
    press(&mut model, "enter");
    assert!(snap(&mut model, 120, 40).contains("the rules do not allow it"));
    let effects = press(&mut model, "w");
    let (request, _) = asked(&effects, |ask| matches!(ask, Ask::SavePlan(_))).expect("written");
    answer(
        &mut model,
        request,
        "prod",
        Answer::PlanSaved(Ok("/home/anna/plan-1-a.json".to_owned())),
    );
    let screen = snap(&mut model, 120, 40);
    assert!(screen.contains("payops dlq approve"), "{screen}");
    snapshots("replay_refused", &mut model);
    assert!(begun(&press(&mut model, "enter")).is_none());
}

#[test]
fn a_replay_that_was_cut_off_is_gone_on_with() {
    let mut model = reviewed(ReplayReview {
        settled: Some(4),
        ..review(14)
    });
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("4 of 14 are settled") && !screen.contains("c canary"),
        "{screen}"
    );
    snapshots("replay_goes_on", &mut model);
    press(&mut model, "enter");
    assert!(snap(&mut model, 120, 40).contains("Type payments-work-dlq 10 to go on"));
}

#[test]
fn a_plan_that_fails_says_why_and_can_be_asked_for_again() {
    let (mut model, _) = steered();
    let (request, ..) = wanted(&press(&mut model, "R")).expect("asked");
    snapshots("replay_planning", &mut model);
    let fault = Fault::new(
        ErrorKind::Denied,
        "another replay of payments-work-dlq is running\u{1b}[31m",
    );
    answer(
        &mut model,
        request,
        "prod",
        Answer::ReplayPlanned(Err(fault)),
    );
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("another replay of payments-work-dlq is running")
            && !screen.contains('\u{1b}'),
        "{screen}"
    );
    assert!(wanted(&press(&mut model, "r")).is_some());
}

#[test]
fn a_discard_always_wants_a_reason() {
    let (mut model, _) = steered();
    press(&mut model, "space space x");
    snapshots("discard", &mut model);
    assert!(begun(&press(&mut model, "enter")).is_none());
    typed(&mut model, "doubles, see INC-7");
    press(&mut model, "enter");
    typed(&mut model, "payments-work-dlq 2");
    let (_, job) = begun(&press(&mut model, "enter")).expect("begun");
    let Job::Discard {
        queue,
        letters,
        reason,
    } = job
    else {
        panic!("{job:?}")
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
fn on_the_least_screen_all_of_a_question_can_be_read() {
    let least = (40, 10);
    let (mut model, _) = steered();
    press(&mut model, "space space x");
    let always = ["Type payments-work-dlq 2", "why (kept)", "type it"];
    let seen = scrolled(&mut model, least, &always);
    for words in [
        "delete     2 messages of",
        "for good",
        "died of",
        "only you can read",
        "bound to",
        "↑↓ 1-3 of 10 ",
        "↑↓ 8-10 of 10 ",
    ] {
        assert!(seen.contains(words), "{words} in\n{seen}");
    }
    snapshot("agree", &mut model, least);
    // A key of the line that is typed in is none for scrolling, and the other way round.
    press(&mut model, "end down");
    typed(&mut model, "jk");
    snapshot("agree_scrolled", &mut model, least);
    press(&mut model, "enter enter");
    assert!(snap(&mut model, least.0, least.1).contains("✖ that is not it"));
    typed(&mut model, "payments-work-dlq 2");
    let (_, job) = begun(&press(&mut model, "enter")).expect("begun");
    assert!(matches!(job, Job::Discard { reason, .. } if reason == "jk"));
    // Where all of it is on screen, the arrows choose the line.
    press(&mut model, "space x");
    snap(&mut model, 80, 24);
    press(&mut model, "down");
    typed(&mut model, "p");
    assert!(snap(&mut model, 80, 24).contains("type it     p"));
}

#[test]
fn on_the_least_screen_all_of_a_long_name_that_must_be_typed_is_there() {
    let (mut model, _) = steered();
    press(&mut model, "space x");
    let Some(Overlay::Agree(dialog)) = &mut model.overlay else {
        panic!("a question")
    };
    // A name on SQS has up to 80 characters.
    let name = format!("{}-dlq", "q".repeat(76));
    dialog.consent.expected = Some(format!("{name} 2"));
    let always = ["Type", "-dlq 2", "why (kept)", "type it"];
    let seen = scrolled(&mut model, (40, 10), &always);
    assert!(
        seen.contains("delete     1 message of") && seen.contains("↑↓ 10-10 of 10 "),
        "{seen}"
    );
    let screen = snap(&mut model, 40, 10);
    let letters: String = screen.chars().filter(|c| *c == 'q').collect();
    assert!(letters.len() >= 76, "{screen}");
}

#[test]
fn an_export_needs_no_plan() {
    let (mut model, _) = steered();
    let (_, job) = begun(&press(&mut model, "A X")).expect("begun");
    assert!(matches!(job, Job::Export { letters } if letters.len() == 14));
}

#[test]
fn one_letter_is_edited_and_its_difference_reviewed() {
    let (mut model, _) = steered();
    press(&mut model, "i");
    typed(&mut model, "amount 12");
    assert!(wanted(&press(&mut model, "enter")).is_none());
    assert!(snap(&mut model, 120, 40).contains("write a JSON pointer and JSON"));
    press(&mut model, "ctrl-u");
    typed(&mut model, "/detail/amount=1250");
    let (request, asked, number) = wanted(&press(&mut model, "enter")).expect("planned");
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
        Answer::ReplayPlanned(Ok(Box::new(ReplayReview { diff, ..review(1) }))),
    );
    snapshots("replay_edited", &mut model);
    // Of several, none is edited.
    press(&mut model, "esc A i");
    assert!(model.overlay.is_none());
    assert!(snap(&mut model, 120, 40).contains("one letter is edited at a time"));
}

#[test]
fn a_whole_queue_is_moved_from_the_queues() {
    let (mut model, effects) = steered();
    drop(effects);
    let effects = press(&mut model, "3");
    let (request, _) = asked(&effects, |ask| matches!(ask, Ask::Queues)).expect("asked");
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
        &["Type payments-work-dlq", "why (kept)", "type it"],
    );
    for words in [
        "move       all of",
        "unread: no look",
        "R in dead letters",
        "same as",
        "start-message-move-ta",
        "…:payments-work",
    ] {
        assert!(seen.contains(words), "{words} in\n{seen}");
    }
    typed(&mut model, "the provider is up");
    press(&mut model, "enter");
    typed(&mut model, "payments-work-dlq");
    let (_, job) = begun(&press(&mut model, "enter")).expect("begun");
    assert_eq!(
        job,
        Job::Redrive {
            queue: "payments-work-dlq".to_owned(),
            reason: "the provider is up".to_owned()
        }
    );
}

#[test]
fn where_nobody_steers_and_read_only_nothing_is_begun() {
    let mut model = dead(0);
    for key in ["R", "x", "X", "E", "M", "i"] {
        let effects = press(&mut model, key);
        assert!(
            model.overlay.is_none() && begun(&effects).is_none(),
            "{key}"
        );
    }
    let mut options = options(Tab::DeadLetters);
    options.read_only = true;
    let (mut model, effects) = Model::new(environments(), &options, 120, 40);
    let effects = open_steering(&mut model, &effects);
    let (request, _) =
        asked(&effects, |ask| matches!(ask, Ask::DeadLetters { .. })).expect("looked");
    answer(
        &mut model,
        request,
        "prod",
        Answer::DeadLetters(Ok(letters(0))),
    );
    for key in ["R", "x", "E"] {
        press(&mut model, key);
        assert!(model.overlay.is_none(), "{key}");
        assert!(snap(&mut model, 120, 40).contains("read-only"), "{key}");
    }
}
