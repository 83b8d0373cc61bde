//! How long to wait after a failure: longer each time, and not for all at the same moment.

use std::time::Duration;

use payops_core::domain::backoff::{self, jitter};

use crate::api::Timing;

/// The longest wait that a server may ask for: what asks for more is broken, or means harm.
const ASKED_MAX: Duration = Duration::from_mins(5);

#[derive(Debug)]
pub(crate) struct Backoff {
    turns: backoff::Backoff,
    last: Duration,
    min: Duration,
}

impl Backoff {
    pub(crate) fn new(timing: &Timing) -> Self {
        Self {
            turns: backoff::Backoff::new(timing.backoff_min, timing.backoff_max),
            last: Duration::ZERO,
            min: timing.backoff_min,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.turns.reset();
    }

    /// What was tried after the last wait went well for `lasted`. If that is long against the wait,
    /// the next failure is a new one; if not, it is the same one again.
    pub(crate) fn note_success(&mut self, lasted: Duration) {
        if lasted >= self.last.saturating_mul(4).max(self.min) {
            self.reset();
        }
    }

    /// The next wait: up to half as long again as its turn, and as much longer than what the server
    /// asked for, so that not all who were told the same come back at the same moment.
    pub(crate) fn wait(&mut self, asked: Option<Duration>) -> Duration {
        let turn = self.turns.next_delay();
        let extra = jitter(turn.min(ASKED_MAX) / 2, rand::random());
        let least = asked.unwrap_or_default().min(ASKED_MAX).max(turn);
        self.last = least.saturating_add(extra);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::new(&Timing::default());
        let turns: Vec<Duration> = (0..10).map(|_| backoff.wait(None)).collect();
        for (place, turn) in turns.iter().enumerate() {
            let least = Duration::from_millis(800 << place).min(Duration::from_secs(30));
            assert!(
                *turn >= least && *turn <= least * 3 / 2,
                "{place}: {turn:?}"
            );
        }
        backoff.reset();
        assert!(backoff.wait(None) < Duration::from_millis(1200));
        let asked = backoff.wait(Some(Duration::from_secs(90)));
        assert!(
            asked >= Duration::from_secs(90) && asked < Duration::from_secs(91),
            "{asked:?}"
        );
        let absurd = backoff.wait(Some(Duration::MAX));
        assert!(
            absurd >= ASKED_MAX && absurd < ASKED_MAX + Duration::from_secs(2),
            "{absurd:?}"
        );
    }

    #[test]
    fn a_failure_is_new_when_all_was_well_for_long() {
        let mut backoff = Backoff::new(&Timing::default());
        for _ in 0..4 {
            backoff.wait(None);
        }
        backoff.note_success(Duration::from_secs(5));
        assert!(
            backoff.wait(None) >= Duration::from_millis(12_800),
            "the same failure again"
        );
        backoff.note_success(Duration::from_secs(100));
        assert!(
            backoff.wait(None) < Duration::from_millis(1200),
            "a new one"
        );
    }
}
