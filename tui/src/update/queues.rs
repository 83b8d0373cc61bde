//! Queues: polled for every view that shows them, with samples of their depths.

use payops_core::Timestamp;
use payops_core::port::QueueStats;

use super::controller::{Controller, next_second};
use super::{dead_letters, navigate};
use crate::effect::{Effect, Request};
use crate::fault::Fault;
use crate::keymap::Command;
use crate::model::{
    EnvState, Model, Tab, dead_letter_queue_of, is_dead_letter_queue, match_places, queue_depth,
    queue_item,
};
use crate::theme::Tone;
use crate::views::troubles;

/// Samples of a queue's depth that are kept: one every two seconds.
pub(super) const SAMPLES_MAX: usize = 20;

/// Takes an answer: notes depths for the trend, and marks numbers that changed.
pub(super) fn handle_answer(
    model: &mut Model,
    request_id: u64,
    name: &str,
    result: Result<Vec<QueueStats>, Fault>,
) {
    let now = model.now;
    let Some(env) = model.envs.iter_mut().find(|env| env.info.name == name) else {
        return;
    };
    let before = env.queues.value().cloned();
    let fine = result.is_ok();
    if !env.queues.answer(request_id, result, now) || !fine {
        return;
    }
    for queue in env.queue_stats() {
        let depths = model
            .queues
            .depths
            .entry((name.to_owned(), queue.name.clone()))
            .or_default();
        depths.push_back((now, queue_depth(queue)));
        if depths.len() > SAMPLES_MAX {
            depths.pop_front();
        }
        let Some(was) = before.iter().flatten().find(|was| was.name == queue.name) else {
            continue;
        };
        let key = queue_item(name, &queue.name);
        let fields = [
            ("visible", was.visible != queue.visible),
            ("in flight", was.in_flight != queue.in_flight),
        ];
        for (field, _) in fields.into_iter().filter(|(_, differs)| *differs) {
            model.marks.mark(&key, field, now);
        }
    }
}

/// Requests the queues of all environments where they are due.
pub(super) fn poll_all(model: &mut Model) -> Vec<Effect> {
    (0..model.envs.len())
        .filter_map(|place| poll_env(model, place))
        .collect()
}

fn poll_env(model: &mut Model, place: usize) -> Option<Effect> {
    let (now, id) = (model.now, model.next_request());
    let env = model.envs.get_mut(place).filter(|env| env.is_open())?;
    if !env.queues.is_due(now, Some(EnvState::QUEUES_EVERY)) {
        return None;
    }
    env.queues.start(id);
    Some(Effect::request(id, env.info.name.clone(), Request::Queues))
}

/// When the queues of any environment are due, or ages on screen change.
pub(super) fn wake_all_at(model: &Model) -> Option<Timestamp> {
    let due = model
        .envs
        .iter()
        .filter(|env| env.is_open())
        .filter_map(|env| env.queues.due_at(Some(EnvState::QUEUES_EVERY)))
        .min();
    // Ages are on screen as soon as anything is known.
    let shows_ages = model.envs.iter().any(EnvState::is_open) || !troubles(model).is_empty();
    [due, shows_ages.then(|| next_second(model))]
        .into_iter()
        .flatten()
        .min()
}

pub(super) fn refresh_all(model: &mut Model) {
    for env in &mut model.envs {
        env.queues.refresh();
    }
}

pub(super) struct QueuesController;

impl Controller for QueuesController {
    fn run(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(queue) = model.selected_queue().cloned() else {
            return Vec::new();
        };
        match command {
            Command::Copy => return vec![Effect::Copy(queue.name)],
            Command::Enter => match model.selected_dead_letter_queue() {
                Some((name, 1..)) => {
                    dead_letters::show_only(model, Some(name));
                    navigate::go(model, vec![Tab::Queues.route(), Tab::DeadLetters.route()]);
                }
                Some((name, 0)) => {
                    model.notify(Tone::Good, format!("✔ {name} is empty: no dead letters"));
                }
                None => model.notify(
                    Tone::Warn,
                    format!("{} has no dead-letter queue", queue.name),
                ),
            },
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        poll_env(model, model.active).into_iter().collect()
    }

    fn wake_at(&self, model: &Model) -> Option<Timestamp> {
        let env = model.env()?;
        let due = env
            .is_open()
            .then(|| env.queues.due_at(Some(EnvState::QUEUES_EVERY)))
            .flatten();
        [due, Some(next_second(model))].into_iter().flatten().min()
    }

    fn refresh(&self, model: &mut Model) {
        if let Some(env) = model.envs.get_mut(model.active) {
            env.queues.refresh();
        }
    }

    fn prepare(&self, model: &mut Model) {
        let Some(env) = model.envs.get(model.active) else {
            return;
        };
        let queues = env.queue_stats();
        // A dead-letter queue is a column of its source; one without a source has its own row.
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
        let mut matching = match_places(model.queues.filter.text(), texts);
        // Those with dead letters come first; else names keep their order.
        matching.sort_by_key(|place| {
            let queue = queues.get(*place);
            let dead = queue.map_or(0, |queue| {
                if is_dead_letter_queue(queue) {
                    queue_depth(queue)
                } else {
                    dead_letter_queue_of(queue, queues).map_or(0, queue_depth)
                }
            });
            dead == 0
        });
        model.queues.matching = matching;
    }
}
