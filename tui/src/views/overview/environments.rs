//! Each environment in a line: what rolls out, what is queued, what is dead.

use payops_core::domain::display::{age, age_since, thousands};
use payops_core::domain::rollout::{Phase, Waiting};
use payops_core::port::QueueStats;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{Cursor, EnvState, Model, PaneState, WatchStatus, is_dead_letter_queue};
use crate::theme::Tone;
use crate::widgets::table::{self, Column};

const COLUMNS: &[Column] = &[
    Column::text("ENVIRONMENT", 13).flex(1),
    Column::number("ROLLOUTS", 8),
    Column::number("MOVING", 6).rank(4),
    Column::number("WAITING", 7).rank(1),
    Column::number("DEGRADED", 8).rank(2),
    Column::number("QUEUED", 8).rank(3),
    Column::number("OLDEST", 6).rank(5),
    Column::number("DEAD", 6),
    Column::text("STATE", 12).rank(6),
];

/// Draws the table; nothing where there is no room for it.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    if area.height < 2 {
        return;
    }
    // Nothing is selected here: the list above has the keys.
    let cursor = Cursor {
        row: usize::MAX,
        ..Cursor::default()
    };
    table::draw(
        model,
        frame,
        area,
        COLUMNS,
        (&cursor, model.envs.len()),
        |row| {
            model
                .envs
                .get(row)
                .map(|env| cells(model, env))
                .unwrap_or_default()
        },
    );
}

/// Counts of rollouts: all, moving, waiting for a person, degraded.
fn count_rollouts(env: &EnvState) -> [u64; 4] {
    let mut out = [0_u64; 4];
    for rollout in env
        .clusters
        .iter()
        .flat_map(|cluster| cluster.rollouts.values())
    {
        let bad = rollout.aborted || rollout.phase().0 == Phase::Degraded;
        let waits = !bad && matches!(rollout.wait_state(), Waiting::Human { .. });
        let moves = !bad && !waits && !rollout.is_fully_promoted();
        for (count, counts) in out.iter_mut().zip([true, moves, waits, bad]) {
            *count += u64::from(counts);
        }
    }
    out
}

fn cells(model: &Model, env: &EnvState) -> Vec<Line<'static>> {
    let theme = model.theme;
    let answered = env.is_open()
        && !env.clusters.is_empty()
        && env
            .clusters
            .iter()
            .all(|cluster| cluster.watch != WatchStatus::Waiting);
    let [all, moving, waiting, bad] = count_rollouts(env);
    let number = |known: bool, number: u64, tone: Tone| {
        let tone = if number > 0 { tone } else { Tone::Dim };
        Line::styled(
            if known {
                thousands(number)
            } else {
                "…".to_owned()
            },
            theme.style(tone),
        )
    };
    let queues = env.queues.value();
    let of = |dead: bool| {
        queues
            .into_iter()
            .flatten()
            .filter(move |queue| is_dead_letter_queue(queue) == dead)
    };
    let sum = |dead: bool| {
        of(dead)
            .map(|queue| queue.visible.saturating_add(queue.in_flight))
            .sum::<u64>()
    };
    let oldest = of(false)
        .filter_map(|queue: &QueueStats| queue.oldest_age)
        .max();
    let oldest = oldest
        .and_then(|oldest| jiff::SignedDuration::try_from(oldest).ok())
        .map(age)
        .unwrap_or_default();
    vec![
        Line::from(Span::styled(
            format!("▌{}▐", env.info.name.to_uppercase()),
            theme.environment(&env.info.name, env.info.protected),
        )),
        number(answered, all, Tone::Plain),
        number(answered, moving, Tone::Accent),
        number(answered, waiting, Tone::Warn),
        number(answered, bad, Tone::Bad),
        number(queues.is_some(), sum(false), Tone::Plain),
        Line::raw(oldest),
        number(queues.is_some(), sum(true), Tone::Bad),
        status(model, env),
    ]
}

fn status(model: &Model, env: &EnvState) -> Line<'static> {
    let theme = model.theme;
    let cut = env.clusters.iter().find_map(|cluster| {
        if let WatchStatus::Cut { since, .. } = cluster.watch {
            Some(since)
        } else {
            None
        }
    });
    match (env.details.state(), env.queues.state(), cut) {
        (PaneState::Failed { .. }, ..) => Line::styled("✖ not open", theme.style(Tone::Bad)),
        (PaneState::Loading, ..) => Line::styled("◌ opening", theme.style(Tone::Dim)),
        (_, _, Some(since)) => Line::styled(
            format!("⚠ cut {}", age_since(since, model.now)),
            theme.style(Tone::Warn),
        ),
        (
            _,
            PaneState::Ready {
                at, fault: Some(_), ..
            },
            _,
        ) => Line::styled(
            format!("⚠ as of {}", age_since(at, model.now)),
            theme.style(Tone::Warn),
        ),
        _ => Line::styled("✔ live", theme.style(Tone::Good)),
    }
}
