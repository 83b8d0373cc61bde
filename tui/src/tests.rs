//! Keys in, models and effects out; and the screen as text.

use std::time::Duration;

use payops_core::domain::rollout::{Phase, Rollout, RolloutAction};
use payops_core::port::{Depth, ErrorKind, Executed, Watched};
use ratatui::style::Color;

use crate::effect::{Ask, Effect};
use crate::fault::Fault;
use crate::fixtures::*;
use crate::model::{Model, Overlay, Route, Tab};
use crate::msg::{Answer, Msg};
use crate::update::update;

fn executed(effects: &[Effect]) -> Option<(u64, RolloutAction, Option<String>)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Ask { request, ask, .. } => match &**ask {
            Ask::Execute { plan, reason, .. } => {
                Some((*request, plan.action.clone(), reason.clone()))
            }
            _ => None,
        },
        _ => None,
    })
}

/// The number of the last question about what belongs to a rollout.
fn related_request(effects: &[Effect]) -> Option<(u64, Depth)> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask { request, ask, .. } => match &**ask {
            Ask::Related { depth, .. } => Some((*request, *depth)),
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

#[test]
fn a_destructive_key_opens_a_plan_and_does_nothing() {
    for key in ["p", "P", "s", "a", "z", "R"] {
        let mut model = full(Tab::Rollouts);
        let effects = press(&mut model, key);
        assert_eq!(executed(&effects), None, "{key}");
        assert!(matches!(model.overlay, Some(Overlay::Confirm(_))), "{key}");
        press(&mut model, "esc");
        assert!(model.overlay.is_none(), "{key}");
    }
}

#[test]
fn a_protected_environment_wants_a_reason_and_the_name() {
    let mut model = full(Tab::Rollouts);
    press(&mut model, "p");
    assert_eq!(executed(&press(&mut model, "enter")), None);
    typed(&mut model, "latency is fine");
    press(&mut model, "enter");
    typed(&mut model, "payments-ap");
    assert_eq!(executed(&press(&mut model, "enter")), None);
    typed(&mut model, "i");
    let sent = executed(&press(&mut model, "enter")).expect("sent");
    assert_eq!(
        (sent.1, sent.2.as_deref()),
        (RolloutAction::Promote, Some("latency is fine"))
    );
    // A second press while the first is not answered is refused.
    press(&mut model, "p");
    assert!(matches!(&model.overlay, Some(Overlay::Refused { .. })));
}

#[test]
fn the_name_cannot_be_pasted() {
    let mut model = full(Tab::Rollouts);
    press(&mut model, "p");
    typed(&mut model, "why");
    press(&mut model, "enter");
    update(&mut model, Msg::Paste("payments-api".to_owned()));
    assert_eq!(executed(&press(&mut model, "enter")), None);
}

#[test]
fn elsewhere_y_is_enough() {
    let mut model = full(Tab::Rollouts);
    press(&mut model, "/");
    typed(&mut model, "counting");
    press(&mut model, "enter p");
    let sent = executed(&press(&mut model, "y")).expect("sent");
    assert_eq!((sent.1, sent.2), (RolloutAction::Promote, None));
}

#[test]
fn a_refusal_says_what_to_do_instead() {
    let mut model = full(Tab::Rollouts);
    // The aborted one is the second that waits for a human.
    press(&mut model, "down p");
    let screen = snap(&mut model, 100, 30);
    assert!(screen.contains("retry first, then promote"), "{screen}");
    press(&mut model, "esc r");
    assert!(
        matches!(&model.overlay, Some(Overlay::Confirm(confirm)) if confirm.plan.action == RolloutAction::Retry)
    );
}

#[test]
fn read_only_refuses_every_write() {
    let mut options = options(Tab::Rollouts);
    options.read_only = true;
    let (mut model, effects) = Model::new(environments(), &options, 120, 40);
    open_all(&mut model, &effects);
    watch(&mut model, "prod", vec![waiting()]);
    press(&mut model, "p");
    assert!(snap(&mut model, 100, 30).contains("read-only"));
    assert!(matches!(model.overlay, Some(Overlay::Refused { .. })));
}

/// Sends a promote in `test`, and answers it.
fn promote(result: Result<Executed, Fault>) -> Model {
    let mut model = full(Tab::Rollouts);
    press(&mut model, "/");
    typed(&mut model, "counting");
    press(&mut model, "enter p");
    let (request, ..) = executed(&press(&mut model, "enter")).expect("sent");
    answer(&mut model, request, "test", Answer::Executed(result));
    model
}

#[test]
fn what_came_of_a_plan_is_told() {
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
    assert!(snap(&mut model, 120, 40).contains("the rollout is gone"));
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
    tell(
        &mut model,
        "test",
        Rollout {
            told_phase: Phase::Unknown,
            ..counting()
        },
    );
    assert!(model.marks.next().is_some());
    assert_eq!(
        style_of(&mut model, "? Unknown", (120, 40)).bg,
        Some(Color::Yellow)
    );
    update(
        &mut model,
        Msg::Tick(t0() + jiff::SignedDuration::from_secs(2)),
    );
    assert_eq!(model.marks.next(), None);
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
            .filter(|effect| matches!(effect, Effect::Ask { ask, .. } if **ask == Ask::Open))
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
    typed(&mut model, "'service-0777");
    let found = |model: &Model| {
        crate::views::of(model.route())
            .list(model, crate::update::body(model))
            .map(|(_, rows)| rows)
    };
    assert_eq!(found(&model), Some(10));
    assert!(snap(&mut model, 120, 40).contains("team-77/service-07777"));
    press(&mut model, "esc /");
    typed(&mut model, "!service");
    assert_eq!(found(&model), Some(3));
}

#[test]
fn places_are_gone_to_and_come_back_from() {
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
    typed(&mut model, "dlq");
    press(&mut model, "enter");
    assert_eq!(model.route(), &Route::DeadLetters);
    press(&mut model, ":");
    typed(&mut model, "env test");
    press(&mut model, "enter");
    assert_eq!(model.env().map(|env| env.info.name.as_str()), Some("test"));
    press(&mut model, "e up up enter");
    assert_eq!(model.env().map(|env| env.info.name.as_str()), Some("prod"));
}

#[test]
fn the_mouse_selects_and_goes_in() {
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
    let (area, _) = crate::views::of(model.route())
        .list(&model, crate::update::body(&model))
        .expect("a list");
    click(&mut model, 10, area.y + 1);
    assert_eq!(model.rollouts.cursor.row, 1);
    click(&mut model, 10, area.y + 1);
    assert!(matches!(model.route(), Route::Rollout(_)));
    // The first crumb leads back.
    click(&mut model, 3, 1);
    assert_eq!(model.route(), &Route::Rollouts);
}

#[test]
fn the_environment_is_told_by_word_and_colour() {
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
fn a_plan_on_a_cluster_that_is_cut_says_how_old_it_is() {
    let mut model = full(Tab::Rollouts);
    let told = Watched::Cut {
        why: "connection reset by peer".to_owned(),
        retry_in: Duration::from_secs(8),
    };
    update(
        &mut model,
        Msg::Watch {
            env: "prod".to_owned(),
            cluster: "eks-prod".to_owned(),
            told,
        },
    );
    update(
        &mut model,
        Msg::Tick(t0() + jiff::SignedDuration::from_secs(52)),
    );
    press(&mut model, "p");
    let screen = snap(&mut model, 120, 40);
    assert!(
        screen.contains("seen 52s ago") && screen.contains("the cluster is cut for 52s"),
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
fn nothing_on_screen_moves_nothing_wakes() {
    let (mut model, effects) = start(Tab::Tasks);
    open_all(&mut model, &effects);
    assert_eq!(model.wake_at(), None);
    assert!(full(Tab::Overview).wake_at().is_some());
}

struct Closed;

#[async_trait::async_trait]
impl crate::Environments for Closed {
    fn list(&self) -> Vec<crate::EnvInfo> {
        environments()
    }

    async fn open(&self, name: &str) -> payops_core::port::PortResult<crate::Opened> {
        Err(payops_core::port::PortError::new(
            ErrorKind::Denied,
            format!("no role for {name}, says anna@example.com"),
        ))
    }
}

#[tokio::test]
async fn a_script_runs_the_same_loop_without_a_terminal() {
    let environments = std::sync::Arc::new(Closed);
    let script =
        "wait no role for prod\nkey 2\nwait rollouts\nkey :\ntype audit\nkey enter\nwait audit";
    let captured = crate::capture(environments, options(Tab::Overview), script, 80, 24)
        .await
        .expect("comes to its end");
    let screen = crate::text(&captured.buffer);
    assert!(
        screen.contains(" audit\n") && !screen.contains("anna@"),
        "{screen}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_script_that_waits_in_vain_shows_the_screen() {
    let error = crate::capture(
        std::sync::Arc::new(Closed),
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
    assert!(screen.contains("NEEDS A HUMAN"), "{screen}");
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
fn overview_screens() {
    let (mut loading, effects) = start(Tab::Overview);
    snapshots("overview_loading", &mut loading);
    fail_all(&mut loading, &effects);
    snapshots("overview_failed", &mut loading);
    let (mut empty, effects) = start(Tab::Overview);
    let asked = open_all(&mut empty, &effects);
    for env in ["prod", "preprod", "test"] {
        watch(&mut empty, env, vec![healthy("payments", "payments-api")]);
    }
    for effect in &asked {
        if let Effect::Ask { request, env, .. } = effect {
            answer(&mut empty, *request, env, Answer::Queues(Ok(queues(0))));
        }
    }
    snapshots("overview_empty", &mut empty);
    snapshots("overview_full", &mut full(Tab::Overview));
}

#[test]
fn rollouts_screens() {
    let (mut loading, effects) = start(Tab::Rollouts);
    snapshots("rollouts_loading", &mut loading);
    fail_all(&mut loading, &effects);
    snapshots("rollouts_failed", &mut loading);
    let (mut empty, effects) = start(Tab::Rollouts);
    open_all(&mut empty, &effects);
    for env in ["prod", "preprod", "test"] {
        watch(&mut empty, env, Vec::new());
    }
    snapshots("rollouts_empty", &mut empty);
    snapshots("rollouts_full", &mut full(Tab::Rollouts));
    let mut cut = full(Tab::Rollouts);
    let told = Watched::Cut {
        why: "connection reset by peer".to_owned(),
        retry_in: Duration::from_secs(8),
    };
    update(
        &mut cut,
        Msg::Watch {
            env: "prod".to_owned(),
            cluster: "eks-prod".to_owned(),
            told,
        },
    );
    snapshots("rollouts_cut", &mut cut);
}

#[test]
fn rollout_screens() {
    let mut loading = full(Tab::Rollouts);
    let (request, _) = related_request(&press(&mut loading, "enter")).expect("asked");
    snapshots("rollout_loading", &mut loading);
    let fault = Fault::new(
        ErrorKind::Unavailable,
        "the cluster eks-prod does not answer: connection refused",
    );
    answer(&mut loading, request, "prod", Answer::Related(Err(fault)));
    snapshots("rollout_failed", &mut loading);
    let mut gone = detail();
    watch(&mut gone, "prod", Vec::new());
    snapshots("rollout_gone", &mut gone);
    let mut model = detail();
    let effects = press(&mut model, "enter down down down down enter");
    let (request, _) = related_request(&effects).expect("asked for pods");
    answer(
        &mut model,
        request,
        "prod",
        Answer::Related(Ok(related(true))),
    );
    snapshots("rollout_full", &mut model);
}

#[test]
fn overlay_screens() {
    let mut model = detail();
    press(&mut model, "p");
    snapshots("confirm_protected", &mut model);
    let mut open = full(Tab::Rollouts);
    press(&mut open, "/");
    typed(&mut open, "counting");
    press(&mut open, "enter p");
    snapshots("confirm_open", &mut open);
    let mut refused = full(Tab::Rollouts);
    press(&mut refused, "down p");
    snapshots("refused", &mut refused);
    let next = Rollout {
        resource_version: "88214".into(),
        step_index: Some(2),
        told_phase: Phase::Progressing,
        ..counting()
    };
    snapshots("moved", &mut promote(Ok(Executed::Moved(Box::new(next)))));
    press(&mut model, "esc w");
    snapshots("why", &mut model);
    press(&mut model, "esc ?");
    snapshots("help", &mut model);
    press(&mut model, "esc :");
    typed(&mut model, "pa");
    snapshots("palette", &mut model);
    press(&mut model, "esc i");
    snapshots("set_image", &mut model);
    press(&mut model, "esc e");
    snapshots("environments", &mut model);
}
