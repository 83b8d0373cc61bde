//! The overview: what needs a human in any environment, how each environment stands, and the queues
//! of this one.

mod environments;

use payops_core::Timestamp;
use payops_core::domain::alarm::{Alarm, Severity, Subject};
use payops_core::domain::mask;
use payops_core::domain::rollout::Waiting;
use payops_core::port::QueueStats;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Freshness, View, alarms, rollouts};
use crate::effect::{Ask, Effect};
use crate::keymap::{Binding, Command};
use crate::model::{Cursor, EnvState, Feed, ItemKey, Look, Model, RolloutId, Route, Tab};
use crate::theme::Tone;
use crate::update::global;
use crate::widgets::state;
use crate::widgets::table::{self, Column};
use crate::widgets::words::{age, percent, short};

#[derive(Debug, Default)]
pub(crate) struct State {
    cursor: Cursor,
    needs: Vec<(ItemKey, Need)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Need {
    Rollout(usize),
    Dead {
        env: String,
        queue: String,
        visible: u64,
        approximate: bool,
        oldest: Option<std::time::Duration>,
    },
    /// Anything else that an alarm tells of: a queue that is not worked off, an index that is
    /// behind.
    Alarm(Box<Alarm>),
}

pub(crate) struct Overview;

const COLUMNS: &[Column] = &[
    Column::text("QUEUE", 22).flex(1),
    Column::number("VISIBLE", 8),
    Column::number("IN FLIGHT", 9).rank(2),
    Column::number("DELAYED", 8).rank(3),
    Column::number("OLDEST", 6).rank(1),
    Column::number("DEAD", 6),
];

pub(crate) fn selected_rollout(model: &Model) -> Option<RolloutId> {
    match model.overview.needs.get(model.overview.cursor.row)?.1 {
        Need::Rollout(place) => rollouts::rows(model).get(place).map(|row| row.id.clone()),
        Need::Dead { .. } | Need::Alarm(_) => None,
    }
}

fn needs(model: &Model) -> Vec<(ItemKey, Need)> {
    let human = rollouts::rows(model)
        .iter()
        .enumerate()
        .take_while(|(_, row)| row.human());
    let mut out: Vec<(ItemKey, Need)> = human
        .map(|(place, row)| (ItemKey::clone(&row.item), Need::Rollout(place)))
        .collect();
    for env in &model.envs {
        for queue in env
            .queues
            .value()
            .into_iter()
            .flatten()
            .filter(|queue| is_dead(queue) && queue.visible > 0)
        {
            let need = Need::Dead {
                env: env.info.name.clone(),
                queue: queue.name.clone(),
                visible: queue.visible,
                approximate: queue.approximate,
                oldest: queue.oldest_age,
            };
            out.push((
                ItemKey::from(format!("dlq:{}/{}", env.info.name, queue.name)),
                need,
            ));
        }
    }
    out.extend(
        alarms::not_worked_off(model)
            .into_iter()
            .map(|(item, alarm)| (item, Need::Alarm(Box::new(alarm)))),
    );
    out
}

fn is_dead(queue: &QueueStats) -> bool {
    payops_core::domain::bus::source_queue(&queue.name).is_some()
}

/// Where things are: troubles, the title of the list, the list, the environments, the queues.
struct Places {
    title: Rect,
    list: Rect,
    environments: Rect,
    queues: Rect,
}

fn places(model: &Model, body: Rect) -> Places {
    let troubles = u16::try_from(rollouts::troubles(model).len())
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
    let wanted = u16::try_from(model.overview.needs.len())
        .unwrap_or(u16::MAX)
        .max(1);
    let rows = wanted.min((body.height / 2).max(1));
    // One environment needs no table of environments; on a small screen the queues come first.
    let count = u16::try_from(model.envs.len()).unwrap_or(u16::MAX);
    let spare = body.height.saturating_sub(rows + 2);
    let taken = if count > 1 && spare >= count + 7 {
        count + 2
    } else {
        0
    };
    Places {
        title: line(0, 1),
        list: line(1, rows),
        environments: line(rows + 2, taken.saturating_sub(1)),
        queues: line(rows + 2 + taken, spare.saturating_sub(taken)),
    }
}

/// Whether everything that could need a human has been looked at.
fn complete(model: &Model) -> bool {
    let fed = model
        .envs
        .iter()
        .flat_map(|env| &env.clusters)
        .all(|cluster| cluster.feed == Feed::Live);
    fed && model
        .envs
        .iter()
        .all(|env| env.is_open() && env.queues.value().is_some())
}

impl View for Overview {
    fn bindings(&self) -> &'static [Binding] {
        const KEYS: &[Binding] = rollouts::ACTIONS;
        KEYS
    }

    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some((_, need)) = model.overview.needs.get(model.overview.cursor.row).cloned() else {
            return Vec::new();
        };
        match (command, need, selected_rollout(model)) {
            (Command::Enter, Need::Rollout(_), Some(id)) => global::push(model, Route::Rollout(id)),
            (Command::Enter, Need::Dead { env, queue, .. }, _) => {
                global::switch(model, &env);
                super::dead_letters::only(model, Some(queue));
                global::go(model, vec![Tab::DeadLetters.route()]);
            }
            (Command::Why, Need::Rollout(_), Some(id)) => super::rollout::why(model, &id),
            (Command::Enter, Need::Alarm(alarm), _) => {
                global::switch(model, &alarm.env);
                let tab = if alarm.subject == Subject::Index {
                    Tab::Payments
                } else {
                    Tab::Queues
                };
                global::go(model, vec![tab.route()]);
            }
            (Command::Copy, Need::Alarm(alarm), _) => {
                return vec![Effect::Copy(format!("{}: {}", alarm.env, alarm.what))];
            }
            (Command::Copy, Need::Rollout(_), Some(id)) => {
                return vec![Effect::Copy(id.key.to_string())];
            }
            (Command::Copy, Need::Dead { queue, .. }, _) => return vec![Effect::Copy(queue)],
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let mut effects = Vec::new();
        for place in 0..model.envs.len() {
            let now = model.now;
            let due = model.envs.get(place).is_some_and(|env| {
                env.is_open() && env.queues.is_due(now, Some(EnvState::QUEUES_EVERY))
            });
            if !due {
                continue;
            }
            let request = model.next_request();
            if let Some(env) = model.envs.get_mut(place) {
                env.queues.ask(request);
                effects.push(Effect::Ask {
                    request,
                    env: env.info.name.clone(),
                    ask: Box::new(Ask::Queues),
                });
            }
        }
        effects
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        let due = model
            .envs
            .iter()
            .filter(|env| env.is_open())
            .filter_map(|env| env.queues.due_at(Some(EnvState::QUEUES_EVERY)))
            .min();
        // Ages are on screen as soon as anything is known.
        let known =
            model.envs.iter().any(EnvState::is_open) || !rollouts::troubles(model).is_empty();
        [due, known.then(|| rollouts::next_second(model))]
            .into_iter()
            .flatten()
            .min()
    }

    fn refresh(&self, model: &mut Model) {
        for env in &mut model.envs {
            env.queues.refresh();
        }
    }

    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        let queues = match model.env().map(|env| env.queues.look()) {
            Some(Look::Ready {
                at, fault: None, ..
            }) => Freshness::At(at),
            Some(Look::Ready { at, .. }) => Freshness::Cut(at),
            _ => Freshness::Loading,
        };
        let mut out = vec![("queues", queues)];
        out.extend(rollouts::freshness(model));
        out
    }

    fn prepare(&self, model: &mut Model) {
        rollouts::prepare(model);
        model.overview.needs = needs(model);
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        Some((places(model, body).list, model.overview.needs.len()))
    }

    fn item(&self, model: &Model, row: usize) -> Option<ItemKey> {
        model
            .overview
            .needs
            .get(row)
            .map(|(item, _)| ItemKey::clone(item))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.overview.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        rollouts::draw_troubles(model, frame, body);
        let places = places(model, body);
        let needs = &model.overview.needs;
        let count = if needs.is_empty() {
            String::new()
        } else {
            format!(" {}", needs.len())
        };
        frame.render_widget(
            Line::styled(
                format!(" NEEDS A HUMAN{count}"),
                model.theme.style(Tone::Strong),
            ),
            places.title,
        );
        if needs.is_empty() {
            if complete(model) {
                let why = "nothing: no rollout waits for anybody, and there are no dead letters";
                state::empty(model, frame, places.list, true, why);
            } else {
                state::loading(
                    model,
                    frame,
                    places.list,
                    "nothing so far; not everything has answered",
                );
            }
        }
        let cursor = &model.overview.cursor;
        let shown = needs
            .iter()
            .enumerate()
            .skip(cursor.top)
            .take(usize::from(places.list.height));
        for (y, (row, (_, need))) in (places.list.y..).zip(shown) {
            let place = Rect {
                y,
                height: 1,
                ..places.list
            };
            let width = usize::from(place.width);
            frame.render_widget(table::clipped(&line(model, need, width), width), place);
            if row == cursor.row {
                table::select(frame.buffer_mut(), place, model.theme.style(Tone::Selected));
            }
        }
        environments::draw(model, frame, places.environments);
        queues(model, frame, places.queues);
    }
}

/// Columns below which a line says less, so that its reason is still on screen.
const WIDE: usize = 100;
const NARROW: usize = 70;

fn line(model: &Model, need: &Need, width: usize) -> Line<'static> {
    let theme = model.theme;
    let narrow = width < NARROW;
    let kind = |glyph: &str, kind: &str| {
        if narrow {
            format!(" {glyph} ")
        } else {
            format!(" {glyph} {kind:<9}")
        }
    };
    let named = |name: &str| {
        if narrow {
            format!("{name}  ")
        } else {
            format!("{name:<24}  ")
        }
    };
    let badge = |name: &str| {
        let protected = model.env_named(name).is_some_and(|env| env.info.protected);
        let pad = " ".repeat(8_usize.saturating_sub(name.chars().count()));
        [
            Span::styled(
                format!("▌{}▐", name.to_uppercase()),
                theme.environment(name, protected),
            ),
            Span::raw(pad),
        ]
    };
    match need {
        Need::Rollout(place) => {
            let Some(row) = rollouts::rows(model).get(*place) else {
                return Line::default();
            };
            let rollout = &row.rollout;
            let (glyph, tone) = rollouts::sign(rollout.phase().0);
            let (waits, _) = rollouts::waits(rollout, model.now);
            let mut spans = vec![Span::styled(kind(glyph, "rollout"), theme.style(tone))];
            spans.extend(badge(&row.id.env));
            spans.push(Span::styled(
                named(&row.id.key.to_string()),
                theme.style(Tone::Strong),
            ));
            let step = rollouts::step(rollout);
            let set = if width >= WIDE {
                format!("  {:>6} set", percent(rollout.weights().set))
            } else {
                String::new()
            };
            if !narrow {
                spans.push(Span::raw(format!("step {step:<5}{set}  ")));
            }
            let tone = if matches!(rollout.waiting(), Waiting::Human { .. }) {
                Tone::Warn
            } else {
                Tone::Plain
            };
            // The title says already that it waits for it.
            let waits = if width < WIDE {
                waits
                    .strip_prefix("waits for ")
                    .unwrap_or(&waits)
                    .to_owned()
            } else {
                waits
            };
            spans.push(Span::styled(waits, theme.style(tone)));
            Line::from(spans)
        }
        Need::Dead {
            env,
            queue,
            visible,
            approximate,
            oldest,
        } => {
            let about = if *approximate { "~" } else { "" };
            let oldest = oldest.and_then(|oldest| jiff::SignedDuration::try_from(oldest).ok());
            let oldest = oldest
                .map(|oldest| format!("   oldest {}", short(oldest)))
                .unwrap_or_default();
            let mut spans = vec![Span::styled(kind("✖", "dlq"), theme.style(Tone::Bad))];
            spans.extend(badge(env));
            spans.push(Span::styled(named(queue), theme.style(Tone::Strong)));
            spans.push(Span::styled(
                format!("{about}{visible} dead{oldest}"),
                theme.style(Tone::Bad),
            ));
            Line::from(spans)
        }
        Need::Alarm(alarm) => {
            let tone = if alarm.severity == Severity::Critical {
                Tone::Bad
            } else {
                Tone::Warn
            };
            let mut spans = vec![Span::styled(kind("⚠", "alarm"), theme.style(tone))];
            spans.extend(badge(&alarm.env));
            spans.push(Span::styled(
                mask::terminal(&alarm.what),
                theme.style(Tone::Strong),
            ));
            spans.push(Span::raw(format!("   {}", mask::terminal(&alarm.why))));
            Line::from(spans)
        }
    }
}

/// The queues of the active environment; a dead-letter queue is a column of its source.
fn queues(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let Some(env) = model.env() else { return };
    if area.height == 0 {
        return;
    }
    if let Look::Failed { .. } | Look::Loading = env.opened.look() {
        // Its own line at the top says why.
        return;
    }
    let Some((all, area)) = state::ready(model, frame, area, "queues", env.queues.look()) else {
        return;
    };
    let rows: Vec<&QueueStats> = all.iter().filter(|queue| !is_dead(queue)).collect();
    if rows.is_empty() {
        state::empty(
            model,
            frame,
            area,
            false,
            "this environment has no queues: payops config explain",
        );
        return;
    }
    let stale = match env.queues.look() {
        Look::Ready {
            at, fault: Some(_), ..
        } => format!(" ◷{}", age(at, model.now)),
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
        .map(short);
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
