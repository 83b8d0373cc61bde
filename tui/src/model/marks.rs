//! Values that just changed, marked for a second.

use std::collections::HashMap;
use std::time::Duration;

use payops_core::Timestamp;

use super::cursor::ItemKey;
use super::pane::after;

const MARKED: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Default)]
pub(crate) struct Marks(HashMap<(ItemKey, &'static str), Timestamp>);

impl Marks {
    pub(crate) fn mark(&mut self, item: &ItemKey, field: &'static str, now: Timestamp) {
        self.0
            .insert((ItemKey::clone(item), field), after(now, MARKED));
    }

    pub(crate) fn is_marked(&self, item: &str, field: &'static str) -> bool {
        !self.0.is_empty() && self.0.contains_key(&(ItemKey::from(item), field))
    }

    pub(crate) fn remove_expired(&mut self, now: Timestamp) {
        self.0.retain(|_, until| *until > now);
    }

    /// When the first mark ends.
    pub(crate) fn next_end(&self) -> Option<Timestamp> {
        self.0.values().min().copied()
    }
}
