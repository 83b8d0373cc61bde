//! Queues of one environment: depth, age, trend, and what died of each.

use std::collections::{BTreeMap, VecDeque};

use payops_core::Timestamp;
use payops_core::domain::bus::source_queue;
use payops_core::port::QueueStats;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Freshness, View, opened, rollouts};
use crate::effect::{Ask, Effect};
use crate::fault::Fault;
use crate::keymap::{Binding, Command, Key};
use crate::model::{Cursor, EnvState, Filter, ItemKey, Look, Model, Notice, Tab, matching};
use crate::theme::Tone;
use crate::update::global;
use crate::widgets::state;
use crate::widgets::table::{self, Column};
use crate::widgets::words::{age, short, sparkline};

/// Samples of a queue's depth that are kept: one every two seconds.
const SAMPLES: usize = 20;

#[derive(Debug, Default)]
pub(crate) struct State {
    cursor: Cursor,
    filter: Filter,
    /// Places of the queues that are shown, among the environment's.
    shown: Vec<usize>,
    /// Depths of queues, by environment and name, oldest first.
    depths: BTreeMap<(String, String), VecDeque<(Timestamp, u64)>>,
}

pub(crate) struct Queues;

const KEYS: &[Binding] = &[
    Binding::shown(
        &[Key::code(crossterm::event::KeyCode::Enter)],
        Command::Enter,
        "dead letters",
    ),
    Binding::shown(
        &[Key::ch('M')],
        Command::Redrive,
        "move dead letters back, unread",
    ),
    Binding::shown(&[Key::ch('y')], Command::Copy, "copy name"),
];

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

fn stats(env: &EnvState) -> &[QueueStats] {
    env.queues.value().map_or(&[], Vec::as_slice)
}

fn depth(queue: &QueueStats) -> u64 {
    queue
        .visible
        .saturating_add(queue.in_flight)
        .saturating_add(queue.delayed)
}

fn selected(model: &Model) -> Option<&QueueStats> {
    let place = *model.queues.shown.get(model.queues.cursor.row)?;
    stats(model.env()?).get(place)
}

fn item(env: &str, queue: &str) -> ItemKey {
    ItemKey::from(format!("queue:{env}/{queue}"))
}

/// The queue that holds the dead letters of `queue`.
fn dlq<'a>(queue: &QueueStats, all: &'a [QueueStats]) -> Option<&'a QueueStats> {
    queue
        .dlq
        .as_ref()
        .and_then(|dlq| all.iter().find(|other| other.name == *dlq))
}

/// The dead-letter queue of what is selected, and how much is in it.
pub(crate) fn selected_dlq(model: &Model) -> Option<(String, u64)> {
    let queue = selected(model)?;
    let all = model.env().map(stats).unwrap_or_default();
    let held = if source_queue(&queue.name).is_some() {
        Some(queue)
    } else {
        dlq(queue, all)
    };
    held.map(|held| (held.name.clone(), depth(held)))
}

/// Takes an answer: notes depths for the trend, and marks numbers that changed.
pub(crate) fn answered(
    model: &mut Model,
    request: u64,
    name: &str,
    result: Result<Vec<QueueStats>, Fault>,
) {
    let now = model.now;
    let Some(env) = model.envs.iter_mut().find(|env| env.info.name == name) else {
        return;
    };
    let before = env.queues.value().cloned();
    let fine = result.is_ok();
    if !env.queues.answer(request, result, now) || !fine {
        return;
    }
    for queue in stats(env) {
        let depths = model
            .queues
            .depths
            .entry((name.to_owned(), queue.name.clone()))
            .or_default();
        depths.push_back((now, depth(queue)));
        if depths.len() > SAMPLES {
            depths.pop_front();
        }
        let Some(was) = before.iter().flatten().find(|was| was.name == queue.name) else {
            continue;
        };
        let key = item(name, &queue.name);
        let fields = [
            ("visible", was.visible != queue.visible),
            ("in flight", was.in_flight != queue.in_flight),
        ];
        for (field, _) in fields.into_iter().filter(|(_, differs)| *differs) {
            model.marks.mark(&key, field, now);
        }
    }
}

impl View for Queues {
    fn bindings(&self) -> &'static [Binding] {
        KEYS
    }

    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(queue) = selected(model).cloned() else {
            return Vec::new();
        };
        match command {
            Command::Copy => return vec![Effect::Copy(queue.name)],
            Command::Enter => match selected_dlq(model) {
                Some((name, 1..)) => {
                    super::dead_letters::only(model, Some(name));
                    global::go(model, vec![Tab::Queues.route(), Tab::DeadLetters.route()]);
                }
                Some((name, 0)) => model.say(Notice::new(
                    Tone::Good,
                    format!("✔ {name} is empty: no dead letters"),
                    model.now,
                )),
                None => model.say(Notice::new(
                    Tone::Warn,
                    format!("{} has no dead-letter queue", queue.name),
                    model.now,
                )),
            },
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let now = model.now;
        let request = model.next_request();
        let Some(env) = model.envs.get_mut(model.active) else {
            return Vec::new();
        };
        if !env.is_open() || !env.queues.is_due(now, Some(EnvState::QUEUES_EVERY)) {
            return Vec::new();
        }
        env.queues.ask(request);
        vec![Effect::Ask {
            request,
            env: env.info.name.clone(),
            ask: Box::new(Ask::Queues),
        }]
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        let env = model.env()?;
        let due = env
            .is_open()
            .then(|| env.queues.due_at(Some(EnvState::QUEUES_EVERY)))
            .flatten();
        [due, Some(rollouts::next_second(model))]
            .into_iter()
            .flatten()
            .min()
    }

    fn refresh(&self, model: &mut Model) {
        if let Some(env) = model.envs.get_mut(model.active) {
            env.queues.refresh();
        }
    }

    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![(
            "queues",
            model.env().map_or(Freshness::Loading, |env| {
                opened::freshness(env.queues.look())
            }),
        )]
    }

    fn filter<'a>(&self, model: &'a Model) -> Option<&'a Filter> {
        Some(&model.queues.filter)
    }

    fn filter_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Filter> {
        Some(&mut model.queues.filter)
    }

    fn prepare(&self, model: &mut Model) {
        let Some(env) = model.envs.get(model.active) else {
            return;
        };
        let queues = stats(env);
        // A dead-letter queue stands in the row of its source; one without a source has its own.
        let paired = |name: &str| {
            queues
                .iter()
                .any(|queue| queue.dlq.as_deref() == Some(name))
        };
        let texts = queues
            .iter()
            .enumerate()
            .filter(|(_, queue)| !paired(&queue.name))
            .map(|(place, queue)| (place, queue.name.as_str()));
        let mut shown = matching(model.queues.filter.text(), texts);
        // Those that somebody has to look at come first; else names keep their order.
        shown.sort_by_key(|place| {
            let queue = queues.get(*place);
            let dead = queue.map_or(0, |queue| {
                if source_queue(&queue.name).is_some() {
                    depth(queue)
                } else {
                    dlq(queue, queues).map_or(0, depth)
                }
            });
            dead == 0
        });
        model.queues.shown = shown;
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        let area = state::rest(body, &model.env()?.queues.look());
        Some((table::rows_area(area), model.queues.shown.len()))
    }

    fn item(&self, model: &Model, row: usize) -> Option<ItemKey> {
        let env = model.env()?;
        let queue = stats(env).get(*model.queues.shown.get(row)?)?;
        Some(item(&env.info.name, &queue.name))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.queues.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let Some(env) = opened::env(model, frame, body) else {
            return;
        };
        let Some((queues, area)) = state::ready(model, frame, body, "queues", env.queues.look())
        else {
            return;
        };
        if model.queues.shown.is_empty() {
            let (good, why) = if queues.is_empty() {
                (
                    false,
                    "there are no queues here, so nothing can be processed: payops config explain"
                        .to_owned(),
                )
            } else {
                (
                    false,
                    format!(
                        "none of {} queues matches; Esc takes the filter away",
                        queues.len()
                    ),
                )
            };
            state::empty(model, frame, area, good, &why);
            return;
        }
        let list = (&model.queues.cursor, model.queues.shown.len());
        table::draw(model, frame, area, COLUMNS, list, |row| {
            let queue = model
                .queues
                .shown
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
    let key = item(env, &queue.name);
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
        .map(short)
        .unwrap_or_default();
    let samples = model
        .queues
        .depths
        .get(&(env.to_owned(), queue.name.clone()));
    let values: Vec<f64> = samples
        .into_iter()
        .flatten()
        .map(|(_, depth)| float(*depth))
        .collect();
    let own = source_queue(&queue.name).is_some();
    let held = if own { Some(queue) } else { dlq(queue, all) };
    let dead = held.map_or_else(Line::default, |held| {
        let tone = if depth(held) > 0 {
            Tone::Bad
        } else {
            Tone::Plain
        };
        marked(&item(env, &held.name), "visible", about(depth(held)), tone)
    });
    let stale = match model.env().map(|env| env.queues.look()) {
        Some(Look::Ready {
            at, fault: Some(_), ..
        }) => format!(" ◷{}", age(at, model.now)),
        _ => String::new(),
    };
    let (net, net_tone) = net(samples);
    let pair = match (own, &queue.dlq) {
        (true, _) => "(its queue is not here)".to_owned(),
        (false, Some(name)) => name.clone(),
        (false, None) => "none".to_owned(),
    };
    vec![
        Line::raw(format!("{}{stale}", queue.name)),
        marked(&key, "visible", about(queue.visible), Tone::Plain),
        marked(&key, "in flight", about(queue.in_flight), Tone::Plain),
        Line::raw(about(queue.delayed)),
        Line::raw(oldest),
        Line::styled(sparkline(&values, SAMPLES), theme.style(Tone::Accent)),
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
fn float(depth: u64) -> f64 {
    f64::from(u32::try_from(depth).unwrap_or(u32::MAX))
}

/// How many messages more or fewer a second, over the samples that are kept; nothing before there
/// are two.
fn net(samples: Option<&VecDeque<(Timestamp, u64)>>) -> (String, Tone) {
    let ends = samples.and_then(|samples| samples.front().zip(samples.back()));
    let Some(((from, was), (to, is))) = ends else {
        return (String::new(), Tone::Plain);
    };
    let seconds = to.duration_since(*from).as_secs_f64();
    if seconds <= 0.0 {
        return (String::new(), Tone::Plain);
    }
    let net = (float(*is) - float(*was)) / seconds;
    match net {
        ..=-0.05 => (format!("▼ {:.1}", -net), Tone::Good),
        0.05.. => (format!("▲ {net:.1}"), Tone::Warn),
        _ => ("steady".to_owned(), Tone::Dim),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(samples: &[(i64, u64)], expected: &str) {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let samples = samples
            .iter()
            .map(|(second, depth)| (at(*second), *depth))
            .collect();
        assert_eq!(net(Some(&samples)).0, expected);
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
