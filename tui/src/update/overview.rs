//! The overview: what needs somebody, in any environment.

use payops_core::Timestamp;
use payops_core::domain::alarm::AlarmSubject;
use payops_core::domain::bus::source_queue;

use super::controller::Controller;
use super::{dead_letters, navigate, queues, rollout_explanation, rollouts};
use crate::effect::Effect;
use crate::keymap::Command;
use crate::model::{
    ItemKey, Model, Need, Route, Tab, alarm_item, is_dead_letter_queue, queue_alarms,
};

fn find_needs(model: &Model) -> Vec<(ItemKey, Need)> {
    let human = model
        .rollouts
        .rows
        .iter()
        .enumerate()
        .take_while(|(_, row)| row.waits_for_human);
    let mut out: Vec<(ItemKey, Need)> = human
        .map(|(place, row)| (ItemKey::clone(&row.item), Need::Rollout(place)))
        .collect();
    for env in &model.envs {
        for queue in env
            .queue_stats()
            .iter()
            .filter(|queue| is_dead_letter_queue(queue) && queue.visible > 0)
        {
            let need = Need::DeadLetters {
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
    // Dead letters and rollouts have lines of their own.
    let alarms = model
        .envs
        .iter()
        .flat_map(|env| queue_alarms(env, model.now))
        .filter(|alarm| match &alarm.subject {
            AlarmSubject::Queue(name) => source_queue(name).is_none(),
            AlarmSubject::Index => true,
            AlarmSubject::Environment | AlarmSubject::Rollout(_) => false,
        });
    out.extend(alarms.map(|alarm| (alarm_item(&alarm), Need::Alarm(Box::new(alarm)))));
    out
}

pub(super) struct OverviewController;

impl Controller for OverviewController {
    fn run(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(need) = model.overview.selected().cloned() else {
            return Vec::new();
        };
        match (command, need, model.selected_rollout()) {
            (Command::Enter, Need::Rollout(_), Some(id)) => {
                navigate::push(model, Route::Rollout(id));
            }
            (Command::Enter, Need::DeadLetters { env, queue, .. }, _) => {
                navigate::switch_env(model, &env);
                dead_letters::show_only(model, Some(queue));
                navigate::go(model, vec![Tab::DeadLetters.route()]);
            }
            (Command::Why, Need::Rollout(_), Some(id)) => rollout_explanation::explain(model, &id),
            (Command::Enter, Need::Alarm(alarm), _) => {
                navigate::switch_env(model, &alarm.env);
                let tab = if alarm.subject == AlarmSubject::Index {
                    Tab::Payments
                } else {
                    Tab::Queues
                };
                navigate::go(model, vec![tab.route()]);
            }
            (Command::Copy, Need::Alarm(alarm), _) => {
                return vec![Effect::Copy(format!("{}: {}", alarm.env, alarm.what))];
            }
            (Command::Copy, Need::Rollout(_), Some(id)) => {
                return vec![Effect::Copy(id.key.to_string())];
            }
            (Command::Copy, Need::DeadLetters { queue, .. }, _) => {
                return vec![Effect::Copy(queue)];
            }
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        queues::poll_all(model)
    }

    fn wake_at(&self, model: &Model) -> Option<Timestamp> {
        queues::wake_all_at(model)
    }

    fn refresh(&self, model: &mut Model) {
        queues::refresh_all(model);
    }

    fn prepare(&self, model: &mut Model) {
        rollouts::prepare(model);
        model.overview.needs = find_needs(model);
    }
}
