//! Queues of one environment: depth, age, trend, and their dead letters.

use payops_core::domain::display::{age, age_since};
use payops_core::port::QueueStats;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::environment::ready_env;
use super::view::{Freshness, View};
use crate::model::{
    DepthSamples, Model, PaneState, dead_letter_queue_of, is_dead_letter_queue, queue_depth,
    queue_item,
};
use crate::text::sparkline;
use crate::theme::Tone;
use crate::widgets::pane;
use crate::widgets::table::{self, Column};

const COLUMNS: &[Column] = &[
    Column::text("QUEUE", 16).flex(1),
    Column::number("VISIBLE", 8),
    Column::number("IN FLIGHT", 9).rank(2),
    Column::number("DELAYED", 8).rank(3),
    Column::number("OLDEST", 6),
    Column::text("TREND", 20).rank(1),
    Column::number("NET/S", 8).rank(4),
    Column::number("DEAD", 6),
    Column::text("DEAD-LETTER QUEUE", 20).rank(5),
    Column::number("TRIES", 5).rank(6),
];

const TREND_WIDTH: usize = 20;

pub(super) struct QueuesView;

impl View for QueuesView {
    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![(
            "queues",
            model.env().map_or(Freshness::Loading, |env| {
                Freshness::from(env.queues.state())
            }),
        )]
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        let area = pane::value_area(body, &model.env()?.queues.state());
        Some((table::rows_area(area), model.queues.matching.len()))
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let Some(env) = ready_env(model, frame, body) else {
            return;
        };
        let Some((queues, area)) =
            pane::draw_unless_ready(model, frame, body, "queues", env.queues.state())
        else {
            return;
        };
        if model.queues.matching.is_empty() {
            let (good, why) = if queues.is_empty() {
                (
                    false,
                    "this environment has no queues: payops config explain".to_owned(),
                )
            } else {
                (
                    false,
                    format!(
                        "no match among {} queues; Esc clears the filter",
                        queues.len()
                    ),
                )
            };
            pane::draw_empty(model, frame, area, good, &why);
            return;
        }
        let list = (&model.queues.cursor, model.queues.matching.len());
        table::draw(model, frame, area, COLUMNS, list, |row| {
            let queue = model
                .queues
                .matching
                .get(row)
                .and_then(|place| queues.get(*place));
            queue
                .map(|queue| cells(model, &env.info.name, queue, queues))
                .unwrap_or_default()
        });
    }
}

fn cells(model: &Model, env: &str, queue: &QueueStats, all: &[QueueStats]) -> Vec<Line<'static>> {
    let theme = model.theme;
    let about = |number: u64| format!("{}{number}", if queue.approximate { "~" } else { "" });
    let key = queue_item(env, &queue.name);
    let marked = |key: &str, field, text: String, tone: Tone| {
        Line::styled(
            text,
            theme.style(if model.marks.is_marked(key, field) {
                Tone::Mark
            } else {
                tone
            }),
        )
    };
    let oldest = queue
        .oldest_age
        .and_then(|age| jiff::SignedDuration::try_from(age).ok())
        .map(age)
        .unwrap_or_default();
    let samples = model
        .queues
        .depths
        .get(&(env.to_owned(), queue.name.clone()));
    let values: Vec<f64> = samples
        .into_iter()
        .flatten()
        .map(|(_, depth)| to_float(*depth))
        .collect();
    let own = is_dead_letter_queue(queue);
    let dlq = if own {
        Some(queue)
    } else {
        dead_letter_queue_of(queue, all)
    };
    let dead = dlq.map_or_else(Line::default, |dlq| {
        let tone = if queue_depth(dlq) > 0 {
            Tone::Bad
        } else {
            Tone::Plain
        };
        marked(
            &queue_item(env, &dlq.name),
            "visible",
            about(queue_depth(dlq)),
            tone,
        )
    });
    let stale = match model.env().map(|env| env.queues.state()) {
        Some(PaneState::Ready {
            at, fault: Some(_), ..
        }) => format!(" ◷{}", age_since(at, model.now)),
        _ => String::new(),
    };
    let (net, net_tone) = net_rate(samples);
    let pair = match (own, &queue.dlq) {
        (true, _) => "(source queue missing)".to_owned(),
        (false, Some(name)) => name.clone(),
        (false, None) => "none".to_owned(),
    };
    vec![
        Line::raw(format!("{}{stale}", queue.name)),
        marked(&key, "visible", about(queue.visible), Tone::Plain),
        marked(&key, "in flight", about(queue.in_flight), Tone::Plain),
        Line::raw(about(queue.delayed)),
        Line::raw(oldest),
        Line::styled(sparkline(&values, TREND_WIDTH), theme.style(Tone::Accent)),
        Line::styled(net, theme.style(net_tone)),
        dead,
        Line::styled(pair, theme.style(Tone::Dim)),
        Line::raw(
            queue
                .max_receives
                .map(|max| max.to_string())
                .unwrap_or_default(),
        ),
    ]
}

/// A depth as a number to draw with; the largest that are exact are more than any queue holds.
fn to_float(depth: u64) -> f64 {
    f64::from(u32::try_from(depth).unwrap_or(u32::MAX))
}

/// How many messages more or fewer a second, over the samples that are kept; empty before there
/// are two.
fn net_rate(samples: Option<&DepthSamples>) -> (String, Tone) {
    let ends = samples.and_then(|samples| samples.front().zip(samples.back()));
    let Some(((from, was), (to, is))) = ends else {
        return (String::new(), Tone::Plain);
    };
    let seconds = to.duration_since(*from).as_secs_f64();
    if seconds <= 0.0 {
        return (String::new(), Tone::Plain);
    }
    let net = (to_float(*is) - to_float(*was)) / seconds;
    match net {
        ..=-0.05 => (format!("▼ {:.1}", -net), Tone::Good),
        0.05.. => (format!("▲ {net:.1}"), Tone::Warn),
        _ => ("steady".to_owned(), Tone::Dim),
    }
}

#[cfg(test)]
mod tests {
    use payops_core::Timestamp;

    use super::*;

    #[track_caller]
    fn check(samples: &[(i64, u64)], expected: &str) {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let samples = samples
            .iter()
            .map(|(second, depth)| (at(*second), *depth))
            .collect();
        assert_eq!(net_rate(Some(&samples)).0, expected);
    }

    #[test]
    fn the_net_rate_is_over_the_time_that_passed() {
        check(&[], "");
        check(&[(0, 5)], "");
        check(&[(0, 10), (2, 30), (10, 60)], "▲ 5.0");
        check(&[(0, 60), (4, 10)], "▼ 12.5");
        check(&[(0, 7), (40, 7)], "steady");
    }
}
