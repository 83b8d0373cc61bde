//! Alarms of all environments.

use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::alarm::{AlarmSubject, EnvSeen, RolloutSeen, alarms};
use payops_core::domain::bus::source_queue;
use payops_core::domain::rollout::{Related, Rollout};
use payops_core::port::Depth;

use super::controller::Controller;
use super::{dead_letters, navigate, queues};
use crate::effect::{Effect, Request};
use crate::fault::Fault;
use crate::keymap::Command;
use crate::model::{
    AlarmRow, Model, Overlay, RolloutId, Route, Tab, WatchStatus, match_places, queue_alarms,
};
use crate::redact::redact;
use crate::theme::Tone;

/// How often the analysis runs of a rollout that is not done are read.
const RUNS_EVERY: Duration = Duration::from_secs(15);

/// Rollouts whose runs are read, at most: each costs a request.
const RUNS_MAX: usize = 8;

fn collect_rows(model: &Model) -> Vec<AlarmRow> {
    let mut out = Vec::new();
    for env in &model.envs {
        out.extend(
            queue_alarms(env, model.now)
                .into_iter()
                .map(|alarm| AlarmRow {
                    cluster: None,
                    alarm,
                }),
        );
        for cluster in &env.clusters {
            let cut = if let WatchStatus::Cut { why, .. } = &cluster.watch {
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
            let known = EnvSeen {
                env: &env.info.name,
                faults: cut,
                rollouts: rollouts.collect(),
                ..EnvSeen::default()
            };
            out.extend(alarms(&known, model.now).into_iter().map(|alarm| AlarmRow {
                cluster: Some(cluster.name.clone()),
                alarm,
            }));
        }
    }
    // The sort is stable: environments keep their order.
    out.sort_by_key(|row| row.alarm.severity);
    out
}

/// Takes an answer that this view requested; hands back any other.
pub(super) fn take_runs(
    model: &mut Model,
    request_id: u64,
    result: Result<Related, Fault>,
) -> Option<Result<Related, Fault>> {
    let now = model.now;
    let Some((_, pane)) = model
        .alarms
        .runs
        .values_mut()
        .find(|(sent, _)| *sent == request_id)
    else {
        return Some(result);
    };
    pane.answer(request_id, result.map(|related| related.analysis_runs), now);
    None
}

/// Rollouts that are not done: their analysis decides whether they continue.
fn unfinished_rollouts(model: &Model) -> Vec<(RolloutId, Rollout)> {
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

fn request_runs(model: &mut Model) -> Vec<Effect> {
    let (now, moving) = (model.now, unfinished_rollouts(model));
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
        let request_id = model.next_request();
        let runs = model.alarms.runs.entry(id.clone()).or_default();
        runs.0 = request_id;
        runs.1.start(request_id);
        let request = Request::Related {
            cluster: id.cluster,
            rollout: Box::new(rollout),
            depth: Depth::Runs,
        };
        effects.push(Effect::request(request_id, id.env, request));
    }
    effects
}

pub(super) struct AlarmsController;

impl Controller for AlarmsController {
    fn run(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(row) = model.alarms.row(model.alarms.cursor.row) else {
            return Vec::new();
        };
        let (cluster, alarm) = (row.cluster.clone(), row.alarm.clone());
        let env = alarm.env.clone();
        match (command, alarm.subject.clone(), cluster) {
            (Command::Copy, ..) => {
                return vec![Effect::Copy(format!(
                    "{env}: {} ({})",
                    redact(&alarm.what),
                    redact(&alarm.why)
                ))];
            }
            (Command::Enter, AlarmSubject::Rollout(key), Some(cluster)) => {
                navigate::push(model, Route::Rollout(RolloutId { env, cluster, key }));
            }
            (Command::Enter, AlarmSubject::Queue(queue), _) => {
                navigate::switch_env(model, &env);
                if source_queue(&queue).is_some() {
                    dead_letters::show_only(model, Some(queue));
                    navigate::go(model, vec![Tab::Alarms.route(), Tab::DeadLetters.route()]);
                } else {
                    navigate::go(model, vec![Tab::Alarms.route(), Tab::Queues.route()]);
                }
            }
            (Command::Enter, AlarmSubject::Index, _) => {
                navigate::switch_env(model, &env);
                navigate::go(model, vec![Tab::Alarms.route(), Tab::Payments.route()]);
            }
            (Command::Enter, AlarmSubject::Environment, _) => {
                let why = vec![
                    (Tone::Bad, redact(&alarm.why)),
                    (Tone::Dim, "Ctrl-R retries now".to_owned()),
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
        let mut effects = queues::poll_all(model);
        effects.extend(request_runs(model));
        effects
    }

    fn wake_at(&self, model: &Model) -> Option<Timestamp> {
        let runs = model
            .alarms
            .runs
            .values()
            .filter_map(|(_, runs)| runs.due_at(Some(RUNS_EVERY)))
            .min();
        [queues::wake_all_at(model), runs]
            .into_iter()
            .flatten()
            .min()
    }

    fn refresh(&self, model: &mut Model) {
        queues::refresh_all(model);
        model
            .alarms
            .runs
            .values_mut()
            .for_each(|(_, runs)| runs.refresh());
    }

    fn prepare(&self, model: &mut Model) {
        let rows = collect_rows(model);
        let texts: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {} {}", row.alarm.env, row.alarm.what, row.alarm.why))
            .collect();
        model.alarms.matching = match_places(
            model.alarms.filter.text(),
            texts.iter().map(String::as_str).enumerate(),
        );
        model.alarms.rows = rows;
    }
}
