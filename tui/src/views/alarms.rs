//! Alarms of all environments: those that follow from what is known here.

use payops_core::Timestamp;
use payops_core::domain::alarm::{Alarm, QueueDepth, Severity, Subject, alarms};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Freshness, View, overview, rollouts};
use crate::effect::Effect;
use crate::keymap::Command;
use crate::model::{Cursor, Feed, Filter, ItemKey, Look, Model, RolloutId, Route, Tab, matching};
use crate::theme::Tone;
use crate::update::global;
use crate::widgets::state;
use crate::widgets::table::{self, Column};
use crate::widgets::words::age;

/// What the view keeps.
#[derive(Debug, Default)]
pub(crate) struct State {
    cursor: Cursor,
    filter: Filter,
    rows: Vec<Row>,
    shown: Vec<usize>,
}

#[derive(Debug)]
struct Row {
    env: String,
    /// The cluster of a rollout.
    cluster: Option<String>,
    alarm: Alarm,
}

/// The view.
pub(crate) struct Alarms;

const COLUMNS: &[Column] = &[
    Column::text("SEVERITY", 10),
    Column::text("ENV", 8),
    Column::text("SUBJECT", 26).flex(1),
    Column::text("WHAT", 24).flex(2),
    Column::number("SINCE", 5),
];

/// What an alarm is about, in words.
fn subject(alarm: &Alarm) -> String {
    match &alarm.subject {
        Subject::Environment => "environment".to_owned(),
        Subject::Queue(name) => name.clone(),
        Subject::Rollout(key) => key.to_string(),
    }
}

fn rows(model: &Model) -> Vec<Row> {
    let mut out = Vec::new();
    for env in &model.envs {
        let fault = if let Look::Failed { fault, .. } = env.opened.look() { Some(fault.text.as_str()) } else { None };
        let queues = env.queues.value().into_iter().flatten().map(|queue| QueueDepth {
            name: &queue.name,
            depth: queue.visible.saturating_add(queue.in_flight).saturating_add(queue.delayed),
            oldest: queue.oldest_age,
        });
        let row = |cluster: Option<&str>, alarm| Row { env: env.info.name.clone(), cluster: cluster.map(str::to_owned), alarm };
        out.extend(alarms(fault, queues, std::iter::empty(), model.now).into_iter().map(|alarm| row(None, alarm)));
        for cluster in &env.clusters {
            let found = alarms(None, std::iter::empty(), cluster.rollouts.values().map(|rollout| &**rollout), model.now);
            out.extend(found.into_iter().map(|alarm| row(Some(&cluster.name), alarm)));
        }
    }
    // Environments stay in their order: the sort is stable.
    out.sort_by_key(|row| row.alarm.severity);
    out
}

impl View for Alarms {
    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(row) = model.alarms.shown.get(model.alarms.cursor.row).and_then(|place| model.alarms.rows.get(*place)) else {
            return Vec::new();
        };
        let (env, cluster, alarm) = (row.env.clone(), row.cluster.clone(), row.alarm.clone());
        match (command, alarm.subject.clone(), cluster) {
            (Command::Copy, ..) => return vec![Effect::Copy(format!("{env} {}: {}", subject(&alarm), alarm.what))],
            (Command::Enter, Subject::Rollout(key), Some(cluster)) => {
                global::push(model, Route::Rollout(RolloutId { env, cluster, key }));
            }
            (Command::Enter, Subject::Queue(queue), _) => {
                global::switch(model, &env);
                if payops_core::domain::bus::source_queue(&queue).is_some() {
                    super::dead_letters::only(model, Some(queue));
                    global::go(model, vec![Tab::Alarms.route(), Tab::DeadLetters.route()]);
                } else {
                    global::go(model, vec![Tab::Alarms.route(), Tab::Queues.route()]);
                }
            }
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        overview::Overview.poll(model)
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        overview::Overview.wake(model)
    }

    fn refresh(&self, model: &mut Model) {
        overview::Overview.refresh(model);
    }

    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        let queues = model.envs.iter().filter_map(|env| env.queues.at()).min();
        let mut out = vec![("queues", queues.map_or(Freshness::Loading, Freshness::At))];
        out.extend(rollouts::freshness(model));
        out
    }

    fn filter<'a>(&self, model: &'a Model) -> Option<&'a Filter> {
        Some(&model.alarms.filter)
    }

    fn filter_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Filter> {
        Some(&mut model.alarms.filter)
    }

    fn prepare(&self, model: &mut Model) {
        let rows = rows(model);
        let texts: Vec<String> = rows.iter().map(|row| format!("{} {} {}", row.env, subject(&row.alarm), row.alarm.what)).collect();
        model.alarms.shown = matching(model.alarms.filter.text(), texts.iter().map(String::as_str).enumerate());
        model.alarms.rows = rows;
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        Some((table::rows_area(body), model.alarms.shown.len()))
    }

    fn item(&self, model: &Model, row: usize) -> Option<ItemKey> {
        let row = model.alarms.rows.get(*model.alarms.shown.get(row)?)?;
        Some(ItemKey::from(format!("alarm:{}/{}", row.env, subject(&row.alarm))))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.alarms.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let state = &model.alarms;
        if state.rows.is_empty() {
            let known = model.envs.iter().all(|env| env.queues.value().is_some())
                && model.envs.iter().flat_map(|env| &env.clusters).all(|cluster| cluster.feed == Feed::Live);
            if known {
                state::empty(model, frame, body, true, "no alarms: no dead letters, no old messages, no canary that needs somebody");
            } else {
                state::loading(model, frame, body, "alarms");
            }
            return;
        }
        if state.shown.is_empty() {
            let why = format!("none of {} alarms matches; Esc takes the filter away", state.rows.len());
            state::empty(model, frame, body, false, &why);
            return;
        }
        let list = (&state.cursor, state.shown.len());
        table::draw(model, frame, body, COLUMNS, list, |row| {
            let row = state.shown.get(row).and_then(|place| state.rows.get(*place));
            row.map(|row| cells(model, row)).unwrap_or_default()
        });
    }
}

fn cells(model: &Model, row: &Row) -> Vec<Line<'static>> {
    let (word, tone) = match row.alarm.severity {
        Severity::Critical => ("✖ critical", Tone::Bad),
        Severity::Warning => ("⚠ warning", Tone::Warn),
    };
    vec![
        Line::styled(word, model.theme.style(tone)),
        Line::raw(row.env.to_uppercase()),
        Line::raw(subject(&row.alarm)),
        Line::raw(payops_core::domain::mask::terminal(&row.alarm.what)),
        Line::raw(row.alarm.since.map(|since| age(since, model.now)).unwrap_or_default()),
    ]
}
