//! The parts of the model that belong to the view on screen.
use std::sync::Arc;

use payops_core::domain::rollout::Rollout;

use super::{
    ClusterState, Cursor, Filter, ItemKey, Model, Need, RolloutId, Route, alarm_item, audit_text,
    payment_item, queue_item,
};

impl Model {
    pub(crate) fn filter(&self) -> Option<&Filter> {
        match self.route() {
            Route::Rollouts => Some(&self.rollouts.filter),
            Route::Queues => Some(&self.queues.filter),
            Route::DeadLetters => Some(&self.dead_letters.filter),
            Route::Payments => Some(&self.payments.filter),
            Route::Alarms => Some(&self.alarms.filter),
            Route::Audit => Some(&self.audit.filter),
            _ => None,
        }
    }

    pub(crate) fn filter_mut(&mut self) -> Option<&mut Filter> {
        match self.route() {
            Route::Rollouts => Some(&mut self.rollouts.filter),
            Route::Queues => Some(&mut self.queues.filter),
            Route::DeadLetters => Some(&mut self.dead_letters.filter),
            Route::Payments => Some(&mut self.payments.filter),
            Route::Alarms => Some(&mut self.alarms.filter),
            Route::Audit => Some(&mut self.audit.filter),
            _ => None,
        }
    }

    pub(crate) fn cursor_mut(&mut self) -> &mut Cursor {
        match self.route() {
            Route::Overview => &mut self.overview.cursor,
            Route::Rollouts => &mut self.rollouts.cursor,
            Route::Rollout(_) => &mut self.rollout.cursor,
            Route::Queues => &mut self.queues.cursor,
            Route::DeadLetters => &mut self.dead_letters.cursor,
            Route::DeadLetter(_) => &mut self.dead_letter.cursor,
            Route::Payments => &mut self.payments.cursor,
            Route::Payment(_) => &mut self.payment.cursor,
            Route::Alarms => &mut self.alarms.cursor,
            Route::Audit => &mut self.audit.cursor,
            Route::Tasks => &mut self.task_list.cursor,
        }
    }

    /// The item in a row of the list on screen.
    pub(crate) fn item(&self, row: usize) -> Option<ItemKey> {
        match self.route() {
            Route::Overview => {
                let (item, _) = self.overview.needs.get(row)?;
                Some(ItemKey::clone(item))
            }
            Route::Rollouts => Some(ItemKey::clone(&self.rollouts.row(row)?.item)),
            Route::Rollout(_) => {
                let (item, _) = self.rollout.nodes.get(row)?;
                Some(ItemKey::clone(item))
            }
            Route::Queues => {
                let env = self.env()?;
                let queue = env.queue_stats().get(*self.queues.matching.get(row)?)?;
                Some(queue_item(&env.info.name, &queue.name))
            }
            Route::DeadLetters => {
                let state = &self.dead_letters;
                let place = *state.matching.get(row)?;
                if state.grouped {
                    let cause = state.causes.get(place)?;
                    let key = format!("cause:{} {}", cause.class, cause.fingerprint);
                    return Some(ItemKey::from(key));
                }
                let letter = state.letters().get(place)?;
                Some(ItemKey::from(format!(
                    "letter:{}",
                    letter.message.message_id
                )))
            }
            Route::DeadLetter(_) => Some(ItemKey::from(format!("line:{row}"))),
            Route::Payments => Some(payment_item(self.payments.docs().get(row)?)),
            Route::Payment(_) => {
                let event = self.payment.payment_details()?.events.get(row)?;
                Some(ItemKey::from(format!("event:{}", event.seq)))
            }
            Route::Alarms => Some(alarm_item(&self.alarms.row(row)?.alarm)),
            Route::Audit => {
                let entry = self.audit.entry(row)?;
                let key = format!("audit:{} {}", entry.at, audit_text(entry));
                Some(ItemKey::from(key))
            }
            Route::Tasks => Some(ItemKey::from(format!("task:{}", self.tasks.get(row)?.id))),
        }
    }

    /// The place of the environment that the screen is about: a rollout has its own.
    pub(crate) fn env_on_screen(&self) -> Option<usize> {
        if let Route::Rollout(id) = self.route() {
            self.envs.iter().position(|env| env.info.name == id.env)
        } else {
            Some(self.active)
        }
    }

    pub(crate) fn find_cluster(&self, id: &RolloutId) -> Option<&ClusterState> {
        self.env_named(&id.env)?
            .clusters
            .iter()
            .find(|cluster| cluster.name == id.cluster)
    }

    pub(crate) fn find_rollout(&self, id: &RolloutId) -> Option<Arc<Rollout>> {
        self.find_cluster(id)?.rollouts.get(&id.key).cloned()
    }

    pub(crate) fn rollout_route(&self) -> Option<&RolloutId> {
        if let Route::Rollout(id) = self.route() {
            Some(id)
        } else {
            None
        }
    }

    /// The rollout that is open, or selected in the list on screen.
    pub(crate) fn selected_rollout(&self) -> Option<RolloutId> {
        match self.route() {
            Route::Rollout(id) => Some(id.clone()),
            Route::Rollouts => self.rollouts.selected().map(|row| row.id.clone()),
            Route::Overview => match self.overview.selected()? {
                Need::Rollout(place) => self.rollouts.rows.get(*place).map(|row| row.id.clone()),
                Need::DeadLetters { .. } | Need::Alarm(_) => None,
            },
            _ => None,
        }
    }
}
