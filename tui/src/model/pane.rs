//! What one pane knows: its value, its age, the request that is pending, and what went wrong.

use std::time::Duration;

use jiff::SignedDuration;
use payops_core::Timestamp;
use payops_core::domain::backoff::exponential;
use payops_core::port::ErrorKind;

use crate::fault::Fault;

const BACKOFF_FIRST: Duration = Duration::from_secs(2);
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// A value that is requested, and requested again when it is old.
#[derive(Clone, Debug)]
pub(crate) struct Pane<T> {
    value: Option<T>,
    at: Option<Timestamp>,
    pending: Option<u64>,
    fault: Option<(Fault, Timestamp)>,
    tries: u32,
    stale: bool,
}

#[derive(Debug)]
pub(crate) enum PaneState<'a, T> {
    Loading,
    Failed {
        fault: &'a Fault,
        retry_at: Timestamp,
    },
    Ready {
        value: &'a T,
        at: Timestamp,
        /// Why the refresh failed, and when it is tried again.
        fault: Option<(&'a Fault, Timestamp)>,
    },
}

// Derived implementations would require `T: Clone`, though only references are copied.
impl<T> Clone for PaneState<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for PaneState<'_, T> {}

impl<T> Default for Pane<T> {
    fn default() -> Self {
        Self {
            value: None,
            at: None,
            pending: None,
            fault: None,
            tries: 0,
            stale: false,
        }
    }
}

impl<T> Pane<T> {
    pub(crate) fn ready(value: T, at: Timestamp) -> Self {
        Self {
            value: Some(value),
            at: Some(at),
            ..Self::default()
        }
    }

    /// Notes the request that was sent for it; answers to earlier ones are late.
    pub(crate) fn start(&mut self, request: u64) {
        self.pending = Some(request);
        self.stale = false;
    }

    /// Takes an answer. `false` when it is late: another request was sent since.
    pub(crate) fn answer(
        &mut self,
        request: u64,
        answer: Result<T, Fault>,
        now: Timestamp,
    ) -> bool {
        if self.pending != Some(request) {
            return false;
        }
        self.pending = None;
        match answer {
            Ok(value) => {
                self.value = Some(value);
                self.at = Some(now);
                self.fault = None;
                self.tries = 0;
            }
            // The settings do not change while the screen is open.
            Err(fault) if fault.kind == ErrorKind::NotSetUp => {
                self.fault = Some((fault, Timestamp::MAX));
            }
            Err(fault) => {
                let wait = backoff(&fault, self.tries);
                self.tries = self.tries.saturating_add(1);
                self.fault = Some((fault, after(now, wait)));
            }
        }
        true
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    pub(crate) fn at(&self) -> Option<Timestamp> {
        self.at
    }

    pub(crate) fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// Makes it due now, however young the value is.
    pub(crate) fn refresh(&mut self) {
        self.stale = true;
        if let Some((_, at)) = &mut self.fault {
            *at = Timestamp::MIN;
        }
    }

    /// Changes the value, and not its age.
    pub(crate) fn change_value(&mut self, change: impl FnOnce(&mut T)) {
        self.value.as_mut().map(change);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// When to request it, if the value is to be no older than `every`; `None` when a request is
    /// pending or the value may be of any age.
    pub(crate) fn due_at(&self, every: Option<Duration>) -> Option<Timestamp> {
        if self.pending.is_some() {
            return None;
        }
        if let Some((_, retry_at)) = &self.fault {
            return Some(*retry_at);
        }
        match (self.at, self.stale) {
            (None, _) | (_, true) => Some(Timestamp::MIN),
            (Some(at), false) => every.map(|every| after(at, every)),
        }
    }

    pub(crate) fn is_due(&self, now: Timestamp, every: Option<Duration>) -> bool {
        self.due_at(every).is_some_and(|at| at <= now)
    }

    /// Whether it has an answer: a value, or that the environment has no such part.
    pub(crate) fn is_answered(&self) -> bool {
        let fault = self.fault.as_ref();
        self.value.is_some() || fault.is_some_and(|(fault, _)| fault.kind == ErrorKind::NotSetUp)
    }

    pub(crate) fn state(&self) -> PaneState<'_, T> {
        match (&self.value, self.at, &self.fault) {
            (Some(value), Some(at), fault) => PaneState::Ready {
                value,
                at,
                fault: fault.as_ref().map(|(fault, retry_at)| (fault, *retry_at)),
            },
            (_, _, Some((fault, retry_at))) => PaneState::Failed {
                fault,
                retry_at: *retry_at,
            },
            _ => PaneState::Loading,
        }
    }
}

pub(crate) fn after(at: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| at.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

fn backoff(fault: &Fault, tries: u32) -> Duration {
    match fault.kind {
        ErrorKind::Unavailable | ErrorKind::Ambiguous => {
            exponential(BACKOFF_FIRST, BACKOFF_MAX, tries)
        }
        _ => BACKOFF_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn late_answers_are_dropped() {
        let mut pane = Pane::default();
        pane.start(1);
        pane.start(2);
        assert!(!pane.answer(1, Ok("old"), T0));
        assert!(matches!(pane.state(), PaneState::Loading));
        assert!(pane.answer(2, Ok("new"), T0));
        assert!(!pane.answer(2, Ok("again"), T0));
        assert_eq!(pane.value(), Some(&"new"));
    }

    #[test]
    fn failures_are_tried_again_later_and_later() {
        let mut pane = Pane::<()>::default();
        let mut waits = Vec::new();
        for request in 0..6 {
            pane.start(request);
            pane.answer(request, Err(Fault::new(ErrorKind::Unavailable, "down")), T0);
            waits.push(pane.due_at(None).expect("tried again").as_second());
        }
        assert_eq!(waits, [2, 4, 8, 16, 30, 30]);
        pane.refresh();
        assert!(pane.is_due(T0, None));
    }

    #[test]
    fn a_value_is_refreshed_when_it_is_old() {
        let pane = Pane::ready(1, T0);
        let every = Some(Duration::from_secs(2));
        assert!(!pane.is_due(T0, every));
        assert!(pane.is_due(after(T0, Duration::from_secs(2)), every));
        assert!(!pane.is_due(Timestamp::MAX, None));
    }
}
