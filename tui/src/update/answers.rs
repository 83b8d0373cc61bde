//! Answers go to the pane that requested them; late ones are dropped there, by their number.

use super::{
    access, alarms, clusters, dead_letters, payments, queues, replay, rights, rollout_actions,
    rollout_results,
};
use crate::effect::Effect;
use crate::fault::Fault;
use crate::model::{ClusterState, EnvDetails, Model, TaskStatus, TaskUpdate};
use crate::msg::Answer;
use crate::views;

pub(super) fn handle_answer(model: &mut Model, id: u64, env: &str, answer: Answer) -> Vec<Effect> {
    let now = model.now;
    match answer {
        Answer::OpenEnvironment(result) => return open_environment(model, id, env, result),
        Answer::Related(result) => {
            if let Some(result) = alarms::take_runs(model, id, result) {
                model.rollout.related.answer(id, result, now);
            }
        }
        Answer::ExecuteRollout(result) => rollout_results::handle_answer(model, id, env, result),
        Answer::Equivalent(result) => rollout_actions::set_equivalent(model, id, result),
        Answer::Rights(result) => rights::handle_answer(model, id, result),
        Answer::Queues(result) => queues::handle_answer(model, id, env, result),
        Answer::DeadLetters(result) => dead_letters::handle_answer(model, id, result),
        Answer::DeadLetter(result) => {
            let result = result.map(|contents| *contents);
            model.dead_letter.contents.answer(id, result, now);
        }
        Answer::Search(result) => {
            payments::handle_answer(model, id, result.map(|found| *found));
        }
        Answer::Payment(result) => {
            let result = result.map(|details| details.map(|details| *details));
            model.payment.details.answer(id, result, now);
        }
        Answer::Access(result) => access::handle_answer(model, id, env, result),
        Answer::EndElevation(result) => access::handle_elevation_end(model, env, result),
        Answer::PlanReplay(result) => replay::handle_plan(model, id, result),
        Answer::SavePlan(result) => replay::handle_saved_plan(model, result),
        Answer::Audit(result) => {
            model.audit.record.answer(id, result, now);
        }
    }
    Vec::new()
}

/// Watches the clusters of an environment from the moment it is open.
fn open_environment(
    model: &mut Model,
    id: u64,
    name: &str,
    result: Result<EnvDetails, Fault>,
) -> Vec<Effect> {
    let now = model.now;
    let Some(env) = model.env_named_mut(name) else {
        return Vec::new();
    };
    if !env.details.answer(id, result, now) {
        return Vec::new();
    }
    let Some(details) = env.details.value() else {
        return Vec::new();
    };
    let known = |name: &str| env.clusters.iter().any(|cluster| cluster.name == name);
    let new: Vec<ClusterState> = details
        .clusters
        .iter()
        .filter(|cluster| !known(&cluster.name))
        .map(ClusterState::new)
        .collect();
    let effects = new
        .iter()
        .map(|cluster| Effect::Watch {
            env: name.to_owned(),
            cluster: cluster.name.clone(),
        })
        .collect();
    env.clusters.extend(new);
    clusters::mark_changed(model);
    effects
}

pub(super) fn handle_task_update(model: &mut Model, id: u64, update: TaskUpdate) {
    let now = model.now;
    let Some(task) = model.tasks.iter_mut().find(|task| task.id == id) else {
        return;
    };
    if let TaskUpdate::Progress { done, .. } = &update {
        task.add_sample(*done, now);
    }
    match (update, &mut task.status) {
        (
            TaskUpdate::Progress { done, total, note },
            TaskStatus::Running {
                done: shown_done,
                total: shown_total,
                note: shown_note,
                ..
            },
        ) => (*shown_done, *shown_total, *shown_note) = (done, total, note),
        // Progress of a task that has ended is late.
        (TaskUpdate::Progress { .. }, TaskStatus::Ended { .. }) => {}
        (end, status) => {
            let (tone, words) = views::task_summary(&task.name, &end);
            *status = TaskStatus::Ended { end, at: now };
            if task.writes {
                let env = task.env.clone();
                access::refresh(model, &env);
            }
            model.notify(tone, words);
        }
    }
}
