//! Answers find the pane that asked; late ones are dropped there, by their number.

use super::{elevate, fleet, letters, rollout};
use crate::effect::Effect;
use crate::model::{ClusterState, Model, TaskState};
use crate::msg::{Answer, OpenedInfo, TaskUpdate};
use crate::views;

pub(crate) fn answer(model: &mut Model, request: u64, env: &str, answer: Answer) -> Vec<Effect> {
    let now = model.now;
    match answer {
        Answer::Opened(result) => return opened(model, request, env, result),
        Answer::Related(result) => {
            if let Some(result) = views::alarms::answered(model, request, result) {
                model.rollout.related.answer(request, result, now);
            }
        }
        Answer::Executed(result) => return rollout::executed(model, request, env, result),
        Answer::Queues(result) => {
            views::queues::answered(model, request, env, result);
        }
        Answer::DeadLetters(result) => {
            views::dead_letters::answered(model, request, result);
        }
        Answer::Letter(result) => {
            model
                .letter
                .opened
                .answer(request, result.map(|opened| *opened), now);
        }
        Answer::Search(result) => {
            views::payments::answered(model, request, result.map(|found| *found));
        }
        Answer::Payment(result) => {
            model
                .payment
                .seen
                .answer(request, result.map(|seen| seen.map(|seen| *seen)), now);
        }
        Answer::Standing(result) => elevate::answered(model, request, env, result),
        Answer::Lowered(result) => elevate::lowered(model, env, result),
        Answer::ReplayPlanned(result) => letters::planned(model, request, result),
        Answer::PlanSaved(result) => letters::saved(model, result),
        Answer::Audit(result) => {
            model.audit.seen.answer(request, result, now);
        }
    }
    Vec::new()
}

/// An environment was opened, or not: its clusters are watched from now on.
fn opened(
    model: &mut Model,
    request: u64,
    name: &str,
    result: Result<OpenedInfo, crate::fault::Fault>,
) -> Vec<Effect> {
    let now = model.now;
    let Some(env) = model.env_named_mut(name) else {
        return Vec::new();
    };
    if !env.opened.answer(request, result, now) {
        return Vec::new();
    }
    let Some(opened) = env.opened.value() else {
        return Vec::new();
    };
    let known: Vec<String> = env
        .clusters
        .iter()
        .map(|cluster| cluster.name.clone())
        .collect();
    let new = opened
        .clusters
        .iter()
        .filter(|(cluster, ..)| !known.contains(cluster));
    let new: Vec<ClusterState> = new
        .map(|(cluster, driver, can)| ClusterState::new(cluster, driver, can))
        .collect();
    let effects = new
        .iter()
        .map(|cluster| Effect::Watch {
            env: name.to_owned(),
            cluster: cluster.name.clone(),
        })
        .collect();
    env.clusters.extend(new);
    fleet::touch(model);
    effects
}

pub(crate) fn task(model: &mut Model, id: u64, update: TaskUpdate) {
    let now = model.now;
    let Some(task) = model.tasks.iter_mut().find(|task| task.id == id) else {
        return;
    };
    if let TaskUpdate::Progress { done, .. } = &update {
        task.step(*done, now);
    }
    task.state = match (update, &task.state) {
        (TaskUpdate::Progress { done, total, note }, TaskState::Running { stopping, .. }) => {
            TaskState::Running {
                done,
                total,
                note,
                stopping: *stopping,
            }
        }
        // Progress of a task that is over is late.
        (TaskUpdate::Progress { .. }, TaskState::Over { .. }) => return,
        (end, _) => {
            let (tone, words) = views::tasks::ended(&task.what, &end);
            let state = TaskState::Over { end, at: now };
            task.state = state;
            let (writes, env) = (task.writes, task.env.clone());
            if writes {
                elevate::again(model, &env);
            }
            model.say(crate::model::Notice::new(tone, words, now));
            return;
        }
    };
}
