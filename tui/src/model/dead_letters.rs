//! The dead letters of one environment: by cause, or one by one.

use std::collections::BTreeSet;

use payops_core::Timestamp;
use payops_core::domain::dead_letter::{Cause, fingerprint};
use payops_core::usecase::{DeadLetter, DeadLetterList};

use super::{Cursor, Filter, Model, Pane, Route};

#[derive(Debug, Default)]
pub(crate) struct DeadLettersState {
    pub(crate) list: Pane<DeadLetterList>,
    /// Environment and queue that were browsed last; all queues when `None`.
    pub(crate) browsed: Option<(String, Option<String>)>,
    /// Whether they are to be browsed again: by a key, never by the clock.
    pub(crate) refresh_requested: bool,
    /// The dead-letter queue that is listed; all when `None`.
    pub(crate) queue: Option<String>,
    /// Class and fingerprint of the only cause that is listed.
    pub(crate) cause: Option<(String, String)>,
    /// Whether causes are listed, and not dead letters.
    pub(crate) grouped: bool,
    pub(crate) cursor: Cursor,
    pub(crate) filter: Filter,
    pub(crate) causes: Vec<Cause>,
    /// What each dead letter is searched by: computed once for a list, not for each key.
    pub(crate) search_texts: Vec<String>,
    /// Places of what is listed, among causes or dead letters.
    pub(crate) matching: Vec<usize>,
    /// What `causes` and `matching` were computed from.
    pub(crate) inputs: Option<ListInputs>,
    /// The dead letter that is selected, and since when.
    pub(crate) selected_since: Option<(String, Timestamp)>,
    /// Message ids that were picked for an action.
    pub(crate) picked: BTreeSet<String>,
    /// How often dead letters were taken off the list.
    pub(crate) removals: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListInputs {
    pub(crate) list: (Option<Timestamp>, u64),
    pub(crate) filter: String,
    pub(crate) queue: Option<String>,
    pub(crate) cause: Option<(String, String)>,
    pub(crate) grouped: bool,
}

impl DeadLettersState {
    pub(crate) fn letters(&self) -> &[DeadLetter] {
        self.list
            .value()
            .map_or(&[], |list| list.letters.as_slice())
    }

    /// How many dead letters the list holds; those of all causes while it is grouped.
    pub(crate) fn listed(&self) -> usize {
        if self.grouped {
            self.letters().len()
        } else {
            self.matching.len()
        }
    }

    pub(crate) fn find(&self, message_id: &str) -> Option<&DeadLetter> {
        self.letters()
            .iter()
            .find(|letter| letter.message.message_id == message_id)
    }

    /// The dead letter under the cursor; `None` while causes are listed.
    pub(crate) fn selected(&self) -> Option<&DeadLetter> {
        let place = self
            .matching
            .get(self.cursor.row)
            .filter(|_| !self.grouped)?;
        self.letters().get(*place)
    }

    pub(crate) fn selected_cause(&self) -> Option<&Cause> {
        let place = self
            .matching
            .get(self.cursor.row)
            .filter(|_| self.grouped)?;
        self.causes.get(*place)
    }

    /// The dead letters of a cause, in the queue that is listed.
    pub(crate) fn with_cause(&self, class: &str, print: &str) -> Vec<&DeadLetter> {
        let queue = self.queue.as_ref();
        let fits = |letter: &&DeadLetter| {
            queue.is_none_or(|queue| letter.queue == *queue)
                && letter.class == class
                && fingerprint(&letter.reason) == print
        };
        self.letters().iter().filter(fits).collect()
    }

    pub(crate) fn clear_picked(&mut self) {
        self.picked.clear();
    }
}

impl Model {
    /// The dead letters that an action applies to: those that were picked, else the one that is
    /// selected or open, else those of the selected cause.
    pub(crate) fn target_dead_letters(&self) -> Vec<&DeadLetter> {
        let state = &self.dead_letters;
        match self.route() {
            Route::DeadLetter(id) => return state.find(id).into_iter().collect(),
            Route::DeadLetters => {}
            _ => return Vec::new(),
        }
        if !state.picked.is_empty() {
            return state
                .letters()
                .iter()
                .filter(|letter| state.picked.contains(&letter.message.message_id))
                .collect();
        }
        match (state.selected(), state.selected_cause()) {
            (Some(letter), _) => vec![letter],
            (None, Some(cause)) => state.with_cause(&cause.class, &cause.fingerprint),
            (None, None) => Vec::new(),
        }
    }

    /// The dead-letter queue that is listed, or that holds the selected dead letter.
    pub(crate) fn target_dead_letter_queue(&self) -> Option<String> {
        self.dead_letters.queue.clone().or_else(|| {
            self.target_dead_letters()
                .first()
                .map(|letter| letter.queue.clone())
        })
    }
}
