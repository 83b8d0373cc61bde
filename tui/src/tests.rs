//! Keys in, models and effects out; and the screen as text.

mod rollouts;
mod screens;

use std::time::Duration;

use payops_core::domain::rollout::{Phase, Rollout, RolloutAction};
use payops_core::port::{Depth, ErrorKind, Executed, Watched};
use ratatui::style::Color;

use crate::effect::{Effect, Request};
use crate::fault::Fault;
use crate::fixtures::*;
use crate::fixtures_operations::{Behaviour, FakeOperations};
use crate::model::{Model, Overlay, Route, Tab};
use crate::msg::{Answer, Msg};
use crate::update::{update, wake_at};

fn sent_action(effects: &[Effect]) -> Option<(u64, RolloutAction, String)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Request { id, request, .. } => match &**request {
            Request::ExecuteRollout { plan, reason, .. } => {
                Some((*id, plan.action.clone(), reason.clone()))
            }
            _ => None,
        },
        _ => None,
    })
}

/// The number of the last request for what belongs to a rollout.
fn related_request(effects: &[Effect]) -> Option<(u64, Depth)> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Request { id, request, .. } => match &**request {
            Request::Related { depth, .. } => Some((*id, *depth)),
            _ => None,
        },
        _ => None,
    })
}

fn detail() -> Model {
    let mut model = full(Tab::Rollouts);
    let effects = press(&mut model, "enter");
    let (request, _) = related_request(&effects).expect("asked");
    answer(
        &mut model,
        request,
        "prod",
        Answer::Related(Ok(related(false))),
    );
    model
}

/// Sends a promote in `test`, and answers it.
fn promote(result: Result<Executed, Fault>) -> Model {
    let mut model = full(Tab::Rollouts);
    press(&mut model, "/");
    type_text(&mut model, "counting");
    press(&mut model, "enter p");
    let (request, ..) = sent_action(&press(&mut model, "enter")).expect("sent");
    answer(&mut model, request, "test", Answer::ExecuteRollout(result));
    model
}

#[test]
fn one_failing_environment_hides_no_other() {
    let (mut model, effects) = start(Tab::Rollouts);
    fail_all(&mut model, &effects[..1]);
    open_all(&mut model, &effects[1..]);
    watch(&mut model, "preprod", vec![progressing()]);
    watch(&mut model, "test", vec![counting()]);
    let screen = snap(&mut model, 120, 40);
    for words in [
        "the role for prod cannot be assumed",
        "payments/payments-api",
        "payments/payments-count",
    ] {
        assert!(screen.contains(words), "{words} in\n{screen}");
    }
}

#[test]
fn an_environment_that_failed_is_opened_again() {
    let (mut model, effects) = start(Tab::Overview);
    fail_all(&mut model, &effects);
    let open = |effects: &[Effect]| {
        effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Request { request, .. } if **request == Request::OpenEnvironment))
            .count()
    };
    assert_eq!(
        open(&update(
            &mut model,
            Msg::Tick(t0() + jiff::SignedDuration::from_secs(29))
        )),
        0
    );
    assert_eq!(
        open(&update(
            &mut model,
            Msg::Tick(t0() + jiff::SignedDuration::from_secs(30))
        )),
        3
    );
    fail_all(&mut model, &effects);
    let (mut model, effects) = start(Tab::Overview);
    fail_all(&mut model, &effects);
    assert_eq!(open(&press(&mut model, "ctrl-r")), 3);
}

#[test]
fn ten_thousand_rollouts_are_filtered() {
    let mut model = full(Tab::Rollouts);
    let many = (0..10_000)
        .map(|number| {
            healthy(
                &format!("team-{}", number % 100),
                &format!("service-{number:05}"),
            )
        })
        .collect();
    watch(&mut model, "prod", many);
    press(&mut model, "/");
    type_text(&mut model, "'service-0777");
    let found = |model: &Model| crate::views::list(model).map(|(_, rows)| rows);
    assert_eq!(found(&model), Some(10));
    assert!(snap(&mut model, 120, 40).contains("team-77/service-07777"));
    press(&mut model, "esc /");
    type_text(&mut model, "!service");
    assert_eq!(found(&model), Some(3));
}

#[test]
fn history_goes_back_and_forward() {
    let mut model = full(Tab::Overview);
    press(&mut model, "2 enter");
    assert_eq!(model.route(), &Route::Rollout(waiting_id()));
    press(&mut model, "esc");
    assert_eq!(model.route(), &Route::Rollouts);
    press(&mut model, "[");
    assert_eq!(model.route(), &Route::Rollout(waiting_id()));
    press(&mut model, "]");
    assert_eq!(model.route(), &Route::Rollouts);
    press(&mut model, ":");
    type_text(&mut model, "dlq");
    press(&mut model, "enter");
    assert_eq!(model.route(), &Route::DeadLetters);
    press(&mut model, ":");
    type_text(&mut model, "env test");
    press(&mut model, "enter");
    assert_eq!(model.env().map(|env| env.info.name.as_str()), Some("test"));
    press(&mut model, "e up up enter");
    assert_eq!(model.env().map(|env| env.info.name.as_str()), Some("prod"));
}

#[test]
fn the_mouse_selects_and_opens() {
    use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let mut model = full(Tab::Rollouts);
    let click = |model: &mut Model, column, row| {
        update(
            model,
            Msg::Mouse(MouseEvent {
                kind: MouseEventKind::Down(MouseButton::Left),
                column,
                row,
                modifiers: KeyModifiers::NONE,
            }),
        )
    };
    let (area, _) = crate::views::list(&model).expect("a list");
    click(&mut model, 10, area.y + 1);
    assert_eq!(model.rollouts.cursor.row, 1);
    click(&mut model, 10, area.y + 1);
    assert!(matches!(model.route(), Route::Rollout(_)));
    // The first crumb leads back.
    click(&mut model, 3, 1);
    assert_eq!(model.route(), &Route::Rollouts);
}

#[test]
fn the_environment_is_named_and_coloured() {
    let mut model = full(Tab::Overview);
    assert_eq!(
        style_of(&mut model, "▌PROD▐", (120, 40)).bg,
        Some(Color::Red)
    );
    press(&mut model, "e down down enter");
    assert_eq!(
        style_of(&mut model, "▌TEST▐", (120, 40)).bg,
        Some(Color::Green)
    );
    model.theme = crate::theme::Theme(crate::theme::ThemeName::NoColour);
    assert_eq!(
        style_of(&mut model, "▌TEST▐", (120, 40)).bg,
        Some(Color::Reset)
    );
}

#[test]
fn no_size_is_too_small_to_draw() {
    for keys in [
        "1", "2", "3", "4", "5", "6", "7", "8", "2 enter", "2 p", "?", ":", "e", "2 w", "2 i",
    ] {
        let mut model = full(Tab::Overview);
        press(&mut model, keys);
        for (width, height) in [
            (1, 1),
            (40, 1),
            (60, 2),
            (60, 3),
            (20, 5),
            (40, 10),
            (41, 11),
            (300, 1),
            (1, 60),
            (500, 200),
        ] {
            snap(&mut model, width, height);
        }
    }
}

#[test]
fn the_header_names_the_environment_of_the_rollout_that_is_open() {
    let mut model = full(Tab::Overview);
    press(&mut model, "e down down enter 2 enter");
    assert_eq!(model.route(), &Route::Rollout(waiting_id()));
    assert!(
        snap(&mut model, 120, 40)
            .lines()
            .next()
            .is_some_and(|line| line.contains("PROD") && !line.contains("TEST"))
    );
}

#[test]
fn a_screen_without_changes_does_not_wake() {
    let (mut model, effects) = start(Tab::Tasks);
    open_all(&mut model, &effects);
    assert_eq!(wake_at(&model), None);
    assert!(wake_at(&full(Tab::Overview)).is_some());
}

#[tokio::test]
async fn a_script_runs_the_same_loop_without_a_terminal() {
    let operations = FakeOperations::new(Behaviour::Works);
    let script =
        "wait no role for prod\nkey 2\nwait rollouts\nkey :\ntype audit\nkey enter\nwait audit";
    let captured = crate::capture(operations, options(Tab::Overview), script, 80, 24)
        .await
        .expect("comes to its end");
    let screen = crate::text(&captured.buffer);
    assert!(
        screen.contains(" audit\n") && !screen.contains("anna@"),
        "{screen}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_script_that_times_out_shows_the_screen() {
    let error = crate::capture(
        FakeOperations::new(Behaviour::Works),
        options(Tab::Overview),
        "wait nothing like it",
        80,
        24,
    )
    .await;
    let Err(crate::CaptureError::Waited {
        line: 1, screen, ..
    }) = error
    else {
        panic!("waits in vain")
    };
    assert!(screen.contains("NEEDS A PERSON"), "{screen}");
}

#[test]
fn what_is_typed_after_a_slash_never_acts() {
    for keys in ["1", "2 enter", "8"] {
        let mut model = full(Tab::Overview);
        press(&mut model, keys);
        let before = model.trail.clone();
        // All in one burst, as a paste or a slow connection delivers it.
        let effects = press(&mut model, "/ a b enter");
        assert_eq!(sent_action(&effects), None, "{keys}");
        assert!(model.overlay.is_none(), "{keys}");
        assert_eq!(model.route(), &Route::Payments, "{keys}");
        assert_eq!(model.payments.filter.text(), "ab", "{keys}");
        // Esc clears the search, then goes back.
        press(&mut model, "esc esc");
        assert_eq!(model.trail, before, "{keys}");
        // So it does while nothing is typed yet.
        press(&mut model, "/ esc");
        assert_eq!(model.trail, before, "{keys}");
    }
    let mut model = full(Tab::Overview);
    press(&mut model, "?");
    assert!(snap(&mut model, 120, 60).contains("search payments"));
}

#[test]
fn a_question_ignores_keys_until_it_can_be_read() {
    let mut model = full(Tab::Rollouts);
    press(&mut model, "/");
    type_text(&mut model, "counting");
    press(&mut model, "enter");
    assert_eq!(sent_action(&press(&mut model, "a enter y")), None);
    let key = |model: &mut Model| {
        let enter = crate::capture::key("enter").expect("a key");
        update(model, Msg::Key(enter))
    };
    let millis = jiff::SignedDuration::from_millis;
    update(&mut model, Msg::Tick(t0() + millis(299)));
    assert_eq!(sent_action(&key(&mut model)), None);
    assert!(matches!(&model.overlay, Some(Overlay::Rollout(_))));
    update(&mut model, Msg::Tick(t0() + millis(300)));
    let sent = sent_action(&key(&mut model)).expect("sent");
    assert_eq!(sent.1, RolloutAction::Abort);
    // Leaving is never too early.
    press(&mut model, "esc down a esc");
    assert!(model.overlay.is_none());
}

#[test]
fn a_command_that_the_screen_lacks_is_named_for_a_shell() {
    let mut model = full(Tab::Overview);
    press(&mut model, ":");
    type_text(&mut model, "freeze");
    press(&mut model, "enter");
    let screen = snap(&mut model, 80, 24);
    let words = "no such command on the screen; at a shell: payops freeze --help";
    assert!(screen.contains(words), "{screen}");
    press(&mut model, "ctrl-u");
    let screen = snap(&mut model, 80, 24);
    assert!(screen.contains("overview  (o, home)  key 1"), "{screen}");
}

#[test]
fn a_refusal_does_not_ask_to_sign_in() {
    let words = "prod is frozen (payops freeze status)";
    let mut model = promote(Err(Fault::new(ErrorKind::Refused, words)));
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains(words) && screen.contains("Nothing was done."),
        "{screen}"
    );
    assert!(!screen.contains("sign in again"), "{screen}");
}

#[test]
fn a_cluster_that_is_named_as_its_environment_is_named_once() {
    let mut model = full(Tab::Rollouts);
    model.envs[0].clusters[0].name = "prod".to_owned();
    update(
        &mut model,
        Msg::Watch {
            env: "prod".to_owned(),
            cluster: "prod".to_owned(),
            event: Watched::Cut {
                why: "no connection".to_owned(),
                retry_in: Duration::from_secs(8),
            },
        },
    );
    let screen = snap(&mut model, 120, 40);
    assert!(screen.contains("⚠ PROD: "), "{screen}");
}

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (50, 20)];

#[track_caller]
pub(crate) fn snapshots(name: &str, model: &mut Model) {
    for size in SIZES {
        snapshot(name, model, size);
    }
}

pub(crate) fn snapshot(name: &str, model: &mut Model, (width, height): (u16, u16)) {
    insta::assert_snapshot!(
        format!("{name}_{width}x{height}"),
        snap(model, width, height)
    );
}

#[test]
fn views_only_read() {
    let _: fn(&Model, &mut ratatui::Frame<'_>) = crate::view;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.join("views"), root.join("widgets"), root.join("model")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            let path = path.display().to_string();
            files += 1;
            // The model has accessors of its own, and knows nothing of those who use it.
            for (forbidden, within) in [
                ("&mut Model", "src/"),
                ("crate::update", "src/"),
                ("&mut self", "src/views"),
                ("crate::views", "src/model"),
            ] {
                assert!(
                    !path.contains(within) || !text.contains(forbidden),
                    "{forbidden} in {path}"
                );
            }
        }
    }
    assert!(files > 40, "{files} files");
}
