//! How long to wait after a failure: longer each time, and not for all at the same moment.
//!
//! A server that says when to come back is taken at its word, and one that cannot be reached is
//! tried again soon, however long it has been away: when it is back, that is noticed at once.
//! Neither makes the wait after another failure longer.

use std::time::Duration;

use payops_core::domain::backoff::{self, jitter};

use crate::api::Timing;
use crate::api::fail::{Cause, Failure};

/// The longest wait that a server may ask for: what asks for more is broken, or means harm.
const ASKED_MAX: Duration = Duration::from_mins(5);

/// The longest wait for a connection: with what a server asks for while it starts, and with a list,
/// the first row is there 3 s after it answers.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// How often a server that was lost or could not be reached may say that it is not ready before it counts as
/// one that is busy.
const STARTING_MAX: u32 = 10;

#[derive(Debug)]
pub(crate) struct Backoff {
    turns: backoff::Backoff,
    connecting: backoff::Backoff,
    last: Duration,
    min: Duration,
    /// How many refusals more are those of a server that has just come back.
    starting: u32,
}

impl Backoff {
    pub(crate) fn new(timing: &Timing) -> Self {
        Self {
            turns: backoff::Backoff::new(timing.backoff_min, timing.backoff_max),
            connecting: backoff::Backoff::new(timing.backoff_min, CONNECT_MAX),
            last: Duration::ZERO,
            min: timing.backoff_min,
            starting: 0,
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

    /// The wait after `failure`.
    pub(crate) fn wait_after(&mut self, failure: &Failure) -> Duration {
        if matches!(failure.cause, Cause::Lost(_)) {
            // It may be back before anybody finds it away.
            self.starting = STARTING_MAX;
        }
        match (&failure.cause, failure.retry_after()) {
            // It asks for more than it needs while it installs its paths.
            (Cause::Answer { code: 503, .. }, _) if self.starting > 0 => {
                let left = self.starting.saturating_sub(1);
                let wait = self.wait_to_connect();
                self.starting = left;
                wait
            }
            // Who says "at once" again and again says nothing.
            (_, Some(asked)) if !asked.is_zero() => self.wait_as_asked(asked),
            (Cause::Connect { .. }, _) => self.wait_to_connect(),
            _ => self.wait(),
        }
    }

    /// The next wait: up to half as long again as its turn.
    fn wait(&mut self) -> Duration {
        self.connecting.reset();
        let turn = self.turns.next_delay();
        self.last = turn.saturating_add(jitter(turn.min(ASKED_MAX) / 2, rand::random()));
        self.last
    }

    /// The wait that the server asked for, and a little more, so that not all who were told the
    /// same come back at the same moment.
    fn wait_as_asked(&mut self, asked: Duration) -> Duration {
        self.connecting.reset();
        let least = asked.clamp(self.min, ASKED_MAX);
        least.saturating_add(jitter(self.min / 2, rand::random()))
    }

    /// The wait before the next try to connect.
    fn wait_to_connect(&mut self) -> Duration {
        self.starting = STARTING_MAX;
        let turn = self.connecting.next_delay();
        turn.saturating_add(jitter(turn / 2, rand::random()))
            .min(CONNECT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::new(&Timing::default());
        let turns: Vec<Duration> = (0..10).map(|_| backoff.wait()).collect();
        for (place, turn) in turns.iter().enumerate() {
            let least = Duration::from_millis(800 << place).min(Duration::from_secs(30));
            assert!(
                *turn >= least && *turn <= least * 3 / 2,
                "{place}: {turn:?}"
            );
        }
        backoff.reset();
        assert!(backoff.wait() < Duration::from_millis(1200));
        let asked = backoff.wait_as_asked(Duration::from_secs(90));
        assert!(
            asked >= Duration::from_secs(90) && asked < Duration::from_secs(91),
            "{asked:?}"
        );
        let absurd = backoff.wait_as_asked(Duration::MAX);
        assert!(
            absurd >= ASKED_MAX && absurd < ASKED_MAX + Duration::from_secs(2),
            "{absurd:?}"
        );
    }

    #[test]
    fn what_cannot_be_reached_is_tried_again_soon() {
        let mut backoff = Backoff::new(&Timing::default());
        for _ in 0..100 {
            assert!(backoff.wait_to_connect() <= Duration::from_secs(1));
        }
        let asked = backoff.wait_as_asked(Duration::from_secs(1));
        assert!(
            asked >= Duration::from_secs(1) && asked < Duration::from_millis(1500),
            "{asked:?}"
        );
        assert!(
            backoff.wait() < Duration::from_millis(1200),
            "neither lengthens the wait after another failure"
        );
    }

    #[test]
    fn a_server_that_is_back_at_once_is_not_waited_for_as_long_as_it_asks() {
        let failure = |cause| Failure {
            what: "watch rollouts".to_owned(),
            writes: false,
            cause,
        };
        let mut backoff = Backoff::new(&Timing::default());
        backoff.wait_after(&failure(Cause::Lost("reset".into())));
        let starting = failure(Cause::Answer {
            code: 503,
            message: String::new(),
            retry_after: Some(Duration::from_secs(5)),
        });
        for _ in 0..STARTING_MAX {
            assert!(backoff.wait_after(&starting) <= CONNECT_MAX);
        }
        assert!(
            backoff.wait_after(&starting) >= Duration::from_secs(5),
            "by then it is busy"
        );
    }

    #[test]
    fn a_failure_is_new_when_all_was_well_for_long() {
        let mut backoff = Backoff::new(&Timing::default());
        for _ in 0..4 {
            backoff.wait();
        }
        backoff.note_success(Duration::from_secs(5));
        assert!(
            backoff.wait() >= Duration::from_millis(12_800),
            "the same failure again"
        );
        backoff.note_success(Duration::from_secs(100));
        assert!(backoff.wait() < Duration::from_millis(1200), "a new one");
    }
}
