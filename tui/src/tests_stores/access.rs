//! The access level, freezes and elevations.

use payops_core::domain::access::{AccessLevel, Freeze};
use payops_core::operations::{AccessStatus, ElevationRequest};

use super::*;
use crate::tests::snapshots;

fn answer_access(model: &mut Model, effects: &[Effect], standing: AccessStatus) {
    let (request, env) =
        find_request(effects, |request| matches!(request, Request::Access)).expect("asked");
    answer(model, request, &env, Answer::Access(Ok(standing)));
}

fn elevated_status(level: AccessLevel, seconds: i64) -> AccessStatus {
    AccessStatus {
        level,
        until: Some(later(seconds * 1000)),
        ..AccessStatus::default()
    }
}

fn elevated_for(level: AccessLevel, reason: &str) -> Model {
    let (mut model, effects) = open_dead_letters();
    answer_access(
        &mut model,
        &effects,
        AccessStatus {
            reason: Some(reason.to_owned()),
            ..elevated_status(level, 540)
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

#[test]
fn the_header_shows_access_level_and_time_left() {
    let (mut model, effects) = open_dead_letters();
    answer_access(&mut model, &effects, AccessStatus::default());
    assert!(snap(&mut model, 120, 40).contains("anna · view (operate: press E)"));
    snapshots("access_view", &mut model);

    let effects = tick(&mut model, 15_000);
    answer_access(
        &mut model,
        &effects,
        elevated_status(AccessLevel::Operate, 15 + 41 * 60),
    );
    assert!(snap(&mut model, 80, 24).contains("anna · operate 41m left"));
    // It counts down and ends without another request.
    tick(&mut model, 20_000);
    assert!(snap(&mut model, 80, 24).contains("operate 40m left"));
    tick(&mut model, 3_600_000);
    assert!(snap(&mut model, 80, 24).contains("anna · view"));
}

#[test]
fn freeze_and_break_glass_show_on_every_view() {
    let (mut model, effects) = open_dead_letters();
    answer_access(
        &mut model,
        &effects,
        AccessStatus {
            freeze: Some(freeze()),
            ..elevated_status(AccessLevel::BreakGlass, 540)
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
    snapshots("access_frozen", &mut model);
    // Both end by themselves.
    tick(&mut model, 7_200_000);
    let screen = snap(&mut model, 120, 40);
    assert!(
        !screen.contains("FROZEN") && !screen.contains("BREAK"),
        "{screen}"
    );
}

#[test]
fn the_reason_of_an_elevation_shows_on_every_view() {
    let mut model = elevated_for(
        AccessLevel::Operate,
        "INC-7: the schema was mended, and what died of it goes back",
    );
    snapshots("access_reason", &mut model);
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
    let (mut model, effects) = open_dead_letters();
    let reason = Some("x".repeat(1_000));
    answer_access(
        &mut model,
        &effects,
        AccessStatus {
            reason,
            freeze: Some(freeze()),
            ..elevated_status(AccessLevel::BreakGlass, 540)
        },
    );
    for (width, height) in [(160, 50), (120, 40), (80, 24)] {
        let screen = snap(&mut model, width, height);
        for words in [
            "▌PROD▐ 471122334455",
            "BREAK-GLASS 9m left",
            "browsed 0s",
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
fn a_hostile_reason_is_escaped_and_can_be_read_whole() {
    let reason = format!("\u{1b}[2J\u{202e}{} \u{7}\nthe-end", "決済".repeat(490));
    let mut model = elevated_for(AccessLevel::BreakGlass, &reason);
    snapshots("access_hostile", &mut model);
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
            screen.contains("reason  ") && screen.contains("Enter elevates"),
            "{screen}"
        );
        // What is typed still goes into the reason.
        type_text(&mut model, "j");
        assert!(snap(&mut model, width, height).contains("reason      j"));
        press(&mut model, "backspace");
        for _ in 0..200 {
            press(&mut model, "pageup");
        }
        assert!(snap(&mut model, width, height).contains("access "));
    }
    snapshots("elevate_hostile", &mut model);
}

#[test]
fn an_elevation_needs_a_reason_and_a_code_where_the_role_does() {
    let elevation = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Request { id, request, .. } => match &**request {
                Request::Elevate(wanted) => Some((*id, wanted.clone())),
                _ => None,
            },
            _ => None,
        })
    };
    let (mut model, _) = open_dead_letters();
    press(&mut model, "E");
    assert_eq!(elevation(&press(&mut model, "enter")), None);
    assert!(snap(&mut model, 80, 24).contains("enter a reason"));
    type_text(&mut model, "INC-7 is open");
    press(&mut model, "tab");
    type_text(&mut model, "INC-7");
    let (request, asked) = elevation(&press(&mut model, "enter")).expect("asked");
    let expected = ElevationRequest {
        level: AccessLevel::Operate,
        reason: "INC-7 is open".into(),
        ticket: Some("INC-7".into()),
        mfa_code: None,
    };
    assert_eq!(asked, expected);
    // A second Enter sends nothing while the first is not answered.
    assert_eq!(elevation(&press(&mut model, "enter")), None);
    let fault = Fault::new(
        ErrorKind::Denied,
        "this role needs an MFA code, and none was given",
    );
    answer(&mut model, request, "prod", Answer::Access(Err(fault)));
    snapshots("elevate_code", &mut model);
    type_text(&mut model, "123456");
    let (request, asked) = elevation(&press(&mut model, "enter")).expect("asked again");
    assert_eq!(
        asked,
        ElevationRequest {
            mfa_code: Some("123456".into()),
            ..expected
        }
    );
    answer(
        &mut model,
        request,
        "prod",
        Answer::Access(Ok(elevated_status(AccessLevel::Operate, 900))),
    );
    assert!(model.overlay.is_none());
    assert!(snap(&mut model, 80, 24).contains("operate in PROD for 15m"));
    press(&mut model, "E ctrl-t");
    snapshots("elevate_break_glass", &mut model);
}

#[test]
fn an_elevation_can_be_ended() {
    let (mut model, _) = open_dead_letters();
    press(&mut model, ":");
    type_text(&mut model, "lower");
    let effects = press(&mut model, "enter");
    let (request, _) =
        find_request(&effects, |request| matches!(request, Request::EndElevation)).expect("asked");
    answer(
        &mut model,
        request,
        "prod",
        Answer::EndElevation(Ok(AccessStatus::default())),
    );
    assert!(snap(&mut model, 120, 40).contains("view in PROD"));
}
