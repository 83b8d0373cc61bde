//! Alarms of all environments: those that follow from what is known here.

use std::collections::BTreeMap;
use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::alarm::{
    Alarm, EnvSeen, QueueDepth, RolloutSeen, Severity, Subject, alarms,
};
use payops_core::domain::bus::source_queue;
use payops_core::domain::rollout::{AnalysisRun, Related, Rollout};
use payops_core::port::Depth;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::dead_letters::shown;
use super::{Freshness, View, overview, rollouts};
use crate::effect::{Ask, Effect};
use crate::fault::Fault;
use crate::keymap::{Binding, Command, Key};
use crate::model::{
    Cursor, EnvState, Feed, Filter, ItemKey, Look, Model, Overlay, Pane, RolloutId, Route, Tab,
    matching,
};
use crate::theme::Tone;
use crate::update::global;
use crate::widgets::state;
use crate::widgets::table::{self, Column};
use crate::widgets::words::{age, count};

/// How often the analysis runs of a rollout on its way are asked for.
const RUNS_EVERY: Duration = Duration::from_secs(15);
/// Rollouts whose runs are asked for, at most: each costs a request.
const RUNS_MAX: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct State {
    cursor: Cursor,
    filter: Filter,
    rows: Vec<Row>,
    shown: Vec<usize>,
    /// Analysis runs of rollouts on their way, with the number of the last question.
    runs: BTreeMap<RolloutId, (u64, Pane<Vec<AnalysisRun>>)>,
}

#[derive(Debug)]
struct Row {
    cluster: Option<String>,
    alarm: Alarm,
}

pub(crate) struct Alarms;

const KEYS: &[Binding] = &[
    Binding::shown(
        &[Key::code(crossterm::event::KeyCode::Enter)],
        Command::Enter,
        "go there",
    ),
    Binding::shown(&[Key::ch('y')], Command::Copy, "copy"),
];

const COLUMNS: &[Column] = &[
    Column::text("ENV", 7),
    Column::text("WHAT", 30).flex(2),
    Column::text("WHY", 26).flex(3).rank(1),
    Column::text("SEVERITY", 8).rank(2),
    Column::number("SINCE", 5),
];

/// What an alarm is about, as a name that stays the same while it lasts.
fn item(alarm: &Alarm) -> ItemKey {
    let subject = match &alarm.subject {
        Subject::Queue(name) => name.clone(),
        Subject::Index => "index".to_owned(),
        Subject::Environment | Subject::Rollout(_) => alarm.what.clone(),
    };
    ItemKey::from(format!("alarm:{}/{subject}", alarm.env))
}

fn of_queues(env: &EnvState, model: &Model) -> Vec<Alarm> {
    let mut seen = EnvSeen {
        env: &env.info.name,
        ..EnvSeen::default()
    };
    if let Look::Failed { fault, .. } = env.opened.look() {
        seen.faults.push(("environment", &fault.text));
    }
    match env.queues.look() {
        Look::Failed { fault, .. }
        | Look::Ready {
            fault: Some((fault, _)),
            ..
        } => seen.faults.push(("queues", &fault.text)),
        Look::Loading | Look::Ready { .. } => {}
    }
    seen.queues = env
        .queues
        .value()
        .into_iter()
        .flatten()
        .map(|queue| QueueDepth {
            name: &queue.name,
            depth: queue
                .visible
                .saturating_add(queue.in_flight)
                .saturating_add(queue.delayed),
            approximate: queue.approximate,
            oldest: queue.oldest_age,
        })
        .collect();
    alarms(&seen, model.now)
}

fn rows(model: &Model) -> Vec<Row> {
    let mut out = Vec::new();
    for env in &model.envs {
        out.extend(of_queues(env, model).into_iter().map(|alarm| Row {
            cluster: None,
            alarm,
        }));
        for cluster in &env.clusters {
            let cut = if let Feed::Cut { why, .. } = &cluster.feed {
                vec![(cluster.name.as_str(), why.as_str())]
            } else {
                Vec::new()
            };
            let rollouts = cluster.rollouts.values().map(|rollout| {
                let id = RolloutId {
                    env: env.info.name.clone(),
                    cluster: cluster.name.clone(),
                    key: rollout.key.clone(),
                };
                let runs = model
                    .alarms
                    .runs
                    .get(&id)
                    .and_then(|(_, runs)| runs.value())
                    .map_or(&[][..], Vec::as_slice);
                RolloutSeen { rollout, runs }
            });
            let seen = EnvSeen {
                env: &env.info.name,
                faults: cut,
                rollouts: rollouts.collect(),
                ..EnvSeen::default()
            };
            out.extend(alarms(&seen, model.now).into_iter().map(|alarm| Row {
                cluster: Some(cluster.name.clone()),
                alarm,
            }));
        }
    }
    // Environments stay in their order: the sort is stable.
    out.sort_by_key(|row| row.alarm.severity);
    out
}

/// Alarms of queues that are not worked off and of indexes that are behind, with their names as
/// items.
pub(crate) fn not_worked_off(model: &Model) -> Vec<(ItemKey, Alarm)> {
    let told = model.envs.iter().flat_map(|env| of_queues(env, model));
    told.filter(|alarm| match &alarm.subject {
        Subject::Queue(name) => source_queue(name).is_none(),
        Subject::Index => true,
        Subject::Environment | Subject::Rollout(_) => false,
    })
    .map(|alarm| (item(&alarm), alarm))
    .collect()
}

/// Takes what belongs to a rollout when this view asked for it; else hands it back.
pub(crate) fn answered(
    model: &mut Model,
    request: u64,
    result: Result<Related, Fault>,
) -> Option<Result<Related, Fault>> {
    let now = model.now;
    let Some((_, pane)) = model
        .alarms
        .runs
        .values_mut()
        .find(|(asked, _)| *asked == request)
    else {
        return Some(result);
    };
    pane.answer(request, result.map(|related| related.analysis_runs), now);
    None
}

/// Rollouts on their way: what their analysis says decides whether they go on.
fn on_their_way(model: &Model) -> Vec<(RolloutId, Rollout)> {
    let clusters = model
        .envs
        .iter()
        .flat_map(|env| env.clusters.iter().map(move |cluster| (env, cluster)));
    let all = clusters.flat_map(|(env, cluster)| {
        cluster
            .rollouts
            .values()
            .map(move |rollout| (env, cluster, rollout))
    });
    let moving = all
        .filter(|(_, _, rollout)| !rollout.is_fully_promoted() && !rollout.aborted)
        .take(RUNS_MAX);
    let id = |env: &str, cluster: &str, rollout: &Rollout| RolloutId {
        env: env.to_owned(),
        cluster: cluster.to_owned(),
        key: rollout.key.clone(),
    };
    moving
        .map(|(env, cluster, rollout)| {
            (
                id(&env.info.name, &cluster.name, rollout),
                (**rollout).clone(),
            )
        })
        .collect()
}

fn ask_runs(model: &mut Model) -> Vec<Effect> {
    let (now, moving) = (model.now, on_their_way(model));
    model
        .alarms
        .runs
        .retain(|id, _| moving.iter().any(|(moving, _)| moving == id));
    let mut effects = Vec::new();
    for (id, rollout) in moving {
        if !model
            .alarms
            .runs
            .entry(id.clone())
            .or_default()
            .1
            .is_due(now, Some(RUNS_EVERY))
        {
            continue;
        }
        let request = model.next_request();
        let runs = model.alarms.runs.entry(id.clone()).or_default();
        runs.0 = request;
        runs.1.ask(request);
        let ask = Ask::Related {
            cluster: id.cluster,
            rollout: Box::new(rollout),
            depth: Depth::Runs,
        };
        effects.push(Effect::Ask {
            request,
            env: id.env,
            ask: Box::new(ask),
        });
    }
    effects
}

/// Environments of which something has not been told yet.
fn pending(model: &Model) -> usize {
    let told = |env: &&crate::model::EnvState| {
        let failed = matches!(env.opened.look(), Look::Failed { .. });
        let queues = !matches!(env.queues.look(), Look::Loading);
        failed
            || (env.is_open()
                && queues
                && env
                    .clusters
                    .iter()
                    .all(|cluster| cluster.feed != Feed::Waiting))
    };
    model.envs.iter().filter(|env| !told(env)).count()
}

impl View for Alarms {
    fn bindings(&self) -> &'static [Binding] {
        KEYS
    }

    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(row) = model
            .alarms
            .shown
            .get(model.alarms.cursor.row)
            .and_then(|place| model.alarms.rows.get(*place))
        else {
            return Vec::new();
        };
        let (cluster, alarm) = (row.cluster.clone(), row.alarm.clone());
        let env = alarm.env.clone();
        match (command, alarm.subject.clone(), cluster) {
            (Command::Copy, ..) => {
                return vec![Effect::Copy(format!(
                    "{env}: {} ({})",
                    shown(&alarm.what),
                    shown(&alarm.why)
                ))];
            }
            (Command::Enter, Subject::Rollout(key), Some(cluster)) => {
                global::push(model, Route::Rollout(RolloutId { env, cluster, key }));
            }
            (Command::Enter, Subject::Queue(queue), _) => {
                global::switch(model, &env);
                if source_queue(&queue).is_some() {
                    super::dead_letters::only(model, Some(queue));
                    global::go(model, vec![Tab::Alarms.route(), Tab::DeadLetters.route()]);
                } else {
                    global::go(model, vec![Tab::Alarms.route(), Tab::Queues.route()]);
                }
            }
            (Command::Enter, Subject::Index, _) => {
                global::switch(model, &env);
                global::go(model, vec![Tab::Alarms.route(), Tab::Payments.route()]);
            }
            (Command::Enter, Subject::Environment, _) => {
                let why = vec![
                    (Tone::Bad, shown(&alarm.why)),
                    (Tone::Dim, "Ctrl-R tries again now".to_owned()),
                ];
                model.overlay = Some(Overlay::Text {
                    title: format!("{env}: {}", alarm.what),
                    lines: why,
                    top: 0,
                });
            }
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let mut effects = overview::Overview.poll(model);
        effects.extend(ask_runs(model));
        effects
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        let runs = model
            .alarms
            .runs
            .values()
            .filter_map(|(_, runs)| runs.due_at(Some(RUNS_EVERY)))
            .min();
        [overview::Overview.wake(model), runs]
            .into_iter()
            .flatten()
            .min()
    }

    fn refresh(&self, model: &mut Model) {
        overview::Overview.refresh(model);
        model
            .alarms
            .runs
            .values_mut()
            .for_each(|(_, runs)| runs.refresh());
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
        let texts: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {} {}", row.alarm.env, row.alarm.what, row.alarm.why))
            .collect();
        model.alarms.shown = matching(
            model.alarms.filter.text(),
            texts.iter().map(String::as_str).enumerate(),
        );
        model.alarms.rows = rows;
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        Some((
            table::rows_area(above_pending(model, body)),
            model.alarms.shown.len(),
        ))
    }

    fn item(&self, model: &Model, row: usize) -> Option<ItemKey> {
        let row = model.alarms.rows.get(*model.alarms.shown.get(row)?)?;
        Some(item(&row.alarm))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.alarms.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let state = &model.alarms;
        let waiting = pending(model);
        if waiting > 0 && !state.rows.is_empty() {
            let verb = if waiting == 1 { "has" } else { "have" };
            let line = Line::styled(
                format!(
                    " ◌ {} {verb} not told everything yet",
                    count(waiting, "environment")
                ),
                model.theme.style(Tone::Dim),
            );
            frame.render_widget(
                line,
                Rect {
                    y: body.bottom().saturating_sub(1),
                    height: 1.min(body.height),
                    ..body
                },
            );
        }
        if state.rows.is_empty() {
            if waiting == 0 {
                let why = "no alarms: everything answers, no dead letters, no old messages, no \
                    rollout that needs somebody";
                state::empty(model, frame, body, true, why);
            } else {
                state::loading(model, frame, body, "alarms");
            }
            return;
        }
        let body = above_pending(model, body);
        if state.shown.is_empty() {
            let why = format!(
                "none of {} alarms matches; Esc takes the filter away",
                state.rows.len()
            );
            state::empty(model, frame, body, false, &why);
            return;
        }
        let list = (&state.cursor, state.shown.len());
        table::draw(model, frame, body, COLUMNS, list, |row| {
            let row = state
                .shown
                .get(row)
                .and_then(|place| state.rows.get(*place));
            row.map(|row| cells(model, row)).unwrap_or_default()
        });
    }
}

/// The last line says that not everything is known yet, while that is so.
fn above_pending(model: &Model, body: Rect) -> Rect {
    let taken = u16::from(pending(model) > 0 && !model.alarms.rows.is_empty());
    Rect {
        height: body.height.saturating_sub(taken),
        ..body
    }
}

fn cells(model: &Model, row: &Row) -> Vec<Line<'static>> {
    let (theme, alarm) = (model.theme, &row.alarm);
    let ((glyph, word), tone) = match alarm.severity {
        Severity::Critical => (("✖", "critical"), Tone::Bad),
        Severity::Warning => (("⚠", "warning"), Tone::Warn),
    };
    vec![
        Line::raw(alarm.env.to_uppercase()),
        Line::from(vec![
            Span::styled(format!("{glyph} "), theme.style(tone)),
            Span::styled(shown(&alarm.what), theme.style(Tone::Strong)),
        ]),
        Line::raw(shown(&alarm.why)),
        Line::styled(word, theme.style(tone)),
        Line::raw(
            alarm
                .since
                .map(|since| age(since, model.now))
                .unwrap_or_default(),
        ),
    ]
}
