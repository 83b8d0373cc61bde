//! Queues of one environment: depth, age, trend, and what died of each.

use std::collections::{BTreeMap, VecDeque};

use payops_core::Timestamp;
use payops_core::domain::bus::source_queue;
use payops_core::port::QueueStats;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Freshness, View, rollouts};
use crate::effect::{Ask, Effect};
use crate::keymap::Command;
use crate::model::{Cursor, EnvState, Filter, ItemKey, Look, Model, Tab, matching};
use crate::theme::Tone;
use crate::update::global;
use crate::widgets::state;
use crate::widgets::table::{self, Column};
use crate::widgets::words::{short, sparkline};

/// Samples of a queue's depth that are kept: one every two seconds.
const SAMPLES: usize = 20;

/// What the view keeps.
#[derive(Debug, Default)]
pub(crate) struct State {
    cursor: Cursor,
    filter: Filter,
    /// Places of the queues that are shown, among the environment's.
    shown: Vec<usize>,
    /// Depths of queues, by environment and name, oldest first.
    depths: BTreeMap<(String, String), VecDeque<u64>>,
    /// Of which answer the last sample is, by environment.
    sampled: BTreeMap<String, Timestamp>,
}

/// The view.
pub(crate) struct Queues;

const COLUMNS: &[Column] = &[
    Column::text("QUEUE", 18).flex(1),
    Column::number("VISIBLE", 8),
    Column::number("IN FLIGHT", 9).rank(2),
    Column::number("DELAYED", 8).rank(3),
    Column::number("OLDEST", 6),
    Column::text("TREND", 20).rank(1),
    Column::number("CHANGE/S", 9).rank(4),
    Column::number("DEAD", 6),
    Column::number("MAX RECEIVES", 12).rank(5),
];

fn stats(env: &EnvState) -> &[QueueStats] {
    env.queues.value().map_or(&[], Vec::as_slice)
}

fn depth(queue: &QueueStats) -> u64 {
    queue.visible.saturating_add(queue.in_flight).saturating_add(queue.delayed)
}

fn selected(model: &Model) -> Option<&QueueStats> {
    let place = *model.queues.shown.get(model.queues.cursor.row)?;
    stats(model.env()?).get(place)
}

/// Depths are noted once for each answer, whichever view asked.
pub(crate) fn sample(model: &mut Model) {
    let (envs, state) = (&model.envs, &mut model.queues);
    for env in envs {
        let name = &env.info.name;
        let Some(at) = env.queues.at().filter(|at| state.sampled.get(name) != Some(at)) else { continue };
        state.sampled.insert(name.clone(), at);
        for queue in stats(env) {
            let depths = state.depths.entry((name.clone(), queue.name.clone())).or_default();
            depths.push_back(depth(queue));
            if depths.len() > SAMPLES {
                depths.pop_front();
            }
        }
    }
}

impl View for Queues {
    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(queue) = selected(model).cloned() else { return Vec::new() };
        match command {
            Command::Copy => return vec![Effect::Copy(queue.name)],
            Command::Enter => {
                let dlq = queue.dlq.or_else(|| source_queue(&queue.name).is_some().then_some(queue.name));
                if let Some(dlq) = dlq {
                    super::dead_letters::only(model, Some(dlq));
                    global::go(model, vec![Tab::Queues.route(), Tab::DeadLetters.route()]);
                }
            }
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let now = model.now;
        let request = model.next_request();
        let Some(env) = model.envs.get_mut(model.active) else { return Vec::new() };
        if !env.is_open() || !env.queues.is_due(now, Some(EnvState::QUEUES_EVERY)) {
            return Vec::new();
        }
        env.queues.ask(request);
        vec![Effect::Ask { request, env: env.info.name.clone(), ask: Box::new(Ask::Queues) }]
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        let env = model.env()?;
        let due = env.is_open().then(|| env.queues.due_at(Some(EnvState::QUEUES_EVERY))).flatten();
        [due, Some(rollouts::next_second(model))].into_iter().flatten().min()
    }

    fn refresh(&self, model: &mut Model) {
        if let Some(env) = model.envs.get_mut(model.active) {
            env.queues.refresh();
        }
    }

    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        let at = model.env().and_then(|env| env.queues.at());
        vec![("queues", at.map_or(Freshness::Loading, Freshness::At))]
    }

    fn filter<'a>(&self, model: &'a Model) -> Option<&'a Filter> {
        Some(&model.queues.filter)
    }

    fn filter_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Filter> {
        Some(&mut model.queues.filter)
    }

    fn prepare(&self, model: &mut Model) {
        let Some(env) = model.envs.get(model.active) else { return };
        let queues = stats(env);
        // A dead-letter queue stands in the row of its source; one without a source has its own.
        let paired = |name: &str| queues.iter().any(|queue| queue.dlq.as_deref() == Some(name));
        let texts = queues.iter().enumerate().filter(|(_, queue)| !paired(&queue.name)).map(|(place, queue)| (place, queue.name.as_str()));
        model.queues.shown = matching(model.queues.filter.text(), texts);
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        let area = state::rest(body, &model.env()?.queues.look());
        Some((table::rows_area(area), model.queues.shown.len()))
    }

    fn item(&self, model: &Model, row: usize) -> Option<ItemKey> {
        let env = model.env()?;
        let queue = stats(env).get(*model.queues.shown.get(row)?)?;
        Some(ItemKey::from(format!("queue:{}/{}", env.info.name, queue.name)))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.queues.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let Some(env) = model.env() else { return };
        if let Look::Failed { fault, retry_at } = env.opened.look() {
            state::failed(model, frame, body, &format!("opening {}", env.info.name), fault, retry_at);
            return;
        }
        let Some((queues, area)) = state::ready(model, frame, body, "queues", env.queues.look()) else { return };
        if model.queues.shown.is_empty() {
            let (good, why) = if queues.is_empty() {
                (false, "there are no queues here: nothing can be processed".to_owned())
            } else {
                (false, format!("none of {} queues matches; Esc takes the filter away", queues.len()))
            };
            state::empty(model, frame, area, good, &why);
            return;
        }
        let list = (&model.queues.cursor, model.queues.shown.len());
        table::draw(model, frame, area, COLUMNS, list, |row| {
            let queue = model.queues.shown.get(row).and_then(|place| queues.get(*place));
            queue.map(|queue| cells(model, &env.info.name, queue, queues)).unwrap_or_default()
        });
    }
}

fn cells(model: &Model, env: &str, queue: &QueueStats, all: &[QueueStats]) -> Vec<Line<'static>> {
    let theme = model.theme;
    let about = |number: u64| format!("{}{number}", if queue.approximate { "~" } else { "" });
    let dead = queue.dlq.as_ref().and_then(|dlq| all.iter().find(|other| other.name == *dlq)).map(depth);
    let oldest = queue.oldest_age.and_then(|age| jiff::SignedDuration::try_from(age).ok()).map(short).unwrap_or_default();
    let depths = model.queues.depths.get(&(env.to_owned(), queue.name.clone()));
    let values: Vec<f64> = depths.into_iter().flatten().map(|depth| f64::from(u32::try_from(*depth).unwrap_or(u32::MAX))).collect();
    let dead =
        dead.map_or_else(|| Line::raw(""), |dead| Line::styled(about(dead), theme.style(if dead > 0 { Tone::Bad } else { Tone::Plain })));
    vec![
        Line::raw(queue.name.clone()),
        Line::raw(about(queue.visible)),
        Line::raw(about(queue.in_flight)),
        Line::raw(about(queue.delayed)),
        Line::raw(oldest),
        Line::styled(sparkline(&values, SAMPLES), theme.style(Tone::Accent)),
        Line::raw(change(&values)),
        dead,
        Line::raw(queue.max_receives.map(|max| max.to_string()).unwrap_or_default()),
    ]
}

/// Messages more or fewer a second, over the samples that are kept.
fn change(values: &[f64]) -> String {
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return String::new() };
    let spans = values.len().saturating_sub(1);
    if spans == 0 {
        return String::new();
    }
    let seconds = f64::from(u32::try_from(spans).unwrap_or(1)) * EnvState::QUEUES_EVERY.as_secs_f64();
    format!("{:+.1}", (last - first) / seconds)
}
