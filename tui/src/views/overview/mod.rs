//! The overview: what needs somebody in any environment, a line for each environment, and the
//! queues of the active one.

mod environments;
mod needs;

use payops_core::domain::display::{age, age_since};
use payops_core::port::QueueStats;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::rollouts;
use super::troubles::{draw_troubles, troubles};
use super::view::{Freshness, View};
use crate::model::{Cursor, Model, PaneState, WatchStatus, is_dead_letter_queue};
use crate::theme::Tone;
use crate::widgets::pane;
use crate::widgets::table::{self, Column};

const COLUMNS: &[Column] = &[
    Column::text("QUEUE", 22).flex(1),
    Column::number("VISIBLE", 8),
    Column::number("IN FLIGHT", 9).rank(2),
    Column::number("DELAYED", 8).rank(3),
    Column::number("OLDEST", 6).rank(1),
    Column::number("DEAD", 6),
];

/// Where things are: troubles, the title of the list, the list, the environments, the queues.
struct OverviewLayout {
    title: Rect,
    list: Rect,
    environments: Rect,
    queues: Rect,
}

fn layout(model: &Model, body: Rect) -> OverviewLayout {
    let troubles = u16::try_from(troubles(model).len())
        .unwrap_or(u16::MAX)
        .min(body.height / 2);
    let body = Rect {
        y: body.y + troubles,
        height: body.height - troubles,
        ..body
    };
    let line = |y: u16, height: u16| Rect {
        y: body.y + y.min(body.height),
        height: height.min(body.height.saturating_sub(y)),
        ..body
    };
    let needed = u16::try_from(model.overview.needs.len())
        .unwrap_or(u16::MAX)
        .max(1);
    let rows = needed.min((body.height / 2).max(1));
    // One environment needs no table of environments; on a small screen the queues come first.
    let count = u16::try_from(model.envs.len()).unwrap_or(u16::MAX);
    let spare = body.height.saturating_sub(rows + 2);
    let taken = if count > 1 && spare >= count + 7 {
        count + 2
    } else {
        0
    };
    OverviewLayout {
        title: line(0, 1),
        list: line(1, rows),
        environments: line(rows + 2, taken.saturating_sub(1)),
        queues: line(rows + 2 + taken, spare.saturating_sub(taken)),
    }
}

/// Whether everything that could need a person has answered.
fn everything_answered(model: &Model) -> bool {
    let fed = model
        .envs
        .iter()
        .flat_map(|env| &env.clusters)
        .all(|cluster| cluster.watch == WatchStatus::Live);
    fed && model
        .envs
        .iter()
        .all(|env| env.is_open() && env.queues.is_answered())
}

pub(super) struct OverviewView;

impl View for OverviewView {
    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        let queues = match model.env().map(|env| env.queues.state()) {
            Some(PaneState::Ready {
                at, fault: None, ..
            }) => Freshness::At(at),
            Some(PaneState::Ready { at, .. }) => Freshness::Cut(at),
            Some(state) => Freshness::from(state),
            None => Freshness::Loading,
        };
        let mut out = vec![("queues", queues)];
        out.extend(rollouts::freshness(model));
        out
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        Some((layout(model, body).list, model.overview.needs.len()))
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        draw_troubles(model, frame, body);
        let layout = layout(model, body);
        let needs = &model.overview.needs;
        let count = if needs.is_empty() {
            String::new()
        } else {
            format!(" {}", needs.len())
        };
        frame.render_widget(
            Line::styled(
                format!(" NEEDS A PERSON{count}"),
                model.theme.style(Tone::Strong),
            ),
            layout.title,
        );
        if needs.is_empty() {
            if everything_answered(model) {
                draw_nothing(model, frame, layout.list);
            } else {
                pane::draw_loading(
                    model,
                    frame,
                    layout.list,
                    "nothing yet; some sources have not answered",
                );
            }
        }
        let cursor = &model.overview.cursor;
        let visible = needs
            .iter()
            .enumerate()
            .skip(cursor.top)
            .take(usize::from(layout.list.height));
        for (y, (row, (_, need))) in (layout.list.y..).zip(visible) {
            let place = Rect {
                y,
                height: 1,
                ..layout.list
            };
            let width = usize::from(place.width);
            frame.render_widget(
                table::clip_line(&needs::line(model, need, width), width),
                place,
            );
            if row == cursor.row {
                table::mark_selected(frame.buffer_mut(), place, model.theme.style(Tone::Selected));
            }
        }
        environments::draw(model, frame, layout.environments);
        draw_queues(model, frame, layout.queues);
    }
}

/// That nothing needs a person, as far as there is anything that could.
fn draw_nothing(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let has_clusters = model.envs.iter().any(|env| env.no_clusters().is_none());
    let has_queues = model.envs.iter().any(|env| env.queues.value().is_some());
    let why = match (has_clusters, has_queues) {
        (true, true) => "nothing: no rollout is waiting and there are no dead letters",
        (true, false) => "nothing: no rollout is waiting",
        (false, true) => "nothing: there are no dead letters",
        (false, false) => {
            let why = "nothing is watched: there are neither clusters nor queues";
            return pane::draw_not_set_up(model, frame, area, why);
        }
    };
    pane::draw_empty(model, frame, area, true, why);
}

/// The queues of the active environment; a dead-letter queue is a column of its source.
fn draw_queues(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let Some(env) = model.env() else { return };
    if area.height == 0 {
        return;
    }
    if let PaneState::Failed { .. } | PaneState::Loading = env.details.state() {
        // Its own line at the top says why.
        return;
    }
    let Some((all, area)) =
        pane::draw_unless_ready(model, frame, area, "queues", env.queues.state())
    else {
        return;
    };
    let rows: Vec<&QueueStats> = all
        .iter()
        .filter(|queue| !is_dead_letter_queue(queue))
        .collect();
    if rows.is_empty() {
        pane::draw_empty(
            model,
            frame,
            area,
            false,
            "this environment has no queues: payops config explain",
        );
        return;
    }
    let stale = match env.queues.state() {
        PaneState::Ready {
            at, fault: Some(_), ..
        } => format!(" ◷{}", age_since(at, model.now)),
        _ => String::new(),
    };
    // Nothing is selected here: the list above has the keys.
    let cursor = Cursor {
        row: usize::MAX,
        ..Cursor::default()
    };
    table::draw(model, frame, area, COLUMNS, (&cursor, rows.len()), |row| {
        rows.get(row)
            .map(|queue| cells(model, queue, all, &stale))
            .unwrap_or_default()
    });
}

fn cells(model: &Model, queue: &QueueStats, all: &[QueueStats], stale: &str) -> Vec<Line<'static>> {
    let about = |number: u64| format!("{}{number}", if queue.approximate { "~" } else { "" });
    let dead = queue
        .dlq
        .as_ref()
        .and_then(|dlq| all.iter().find(|other| other.name == *dlq));
    let tone = if dead.is_some_and(|dead| dead.visible > 0) {
        Tone::Bad
    } else {
        Tone::Plain
    };
    let oldest = queue
        .oldest_age
        .and_then(|oldest| jiff::SignedDuration::try_from(oldest).ok())
        .map(age);
    vec![
        Line::raw(format!("{}{stale}", queue.name)),
        Line::raw(about(queue.visible)),
        Line::raw(about(queue.in_flight)),
        Line::raw(about(queue.delayed)),
        Line::raw(oldest.unwrap_or_default()),
        Line::styled(
            dead.map(|dead| about(dead.visible)).unwrap_or_default(),
            model.theme.style(tone),
        ),
    ]
}
