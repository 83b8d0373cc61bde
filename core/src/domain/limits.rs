//! The numbers that decisions depend on, in one place, so that a service, the demo and a test
//! can each choose theirs.

use std::time::Duration;

use jiff::SignedDuration;

use super::backoff::{exponential, jitter};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentLimits {
    /// How long a worker may hold a payment before another may claim it.
    pub lease: SignedDuration,
    /// After how long without an end the sweeper sends a payment's message again;
    /// doubled with each time it has.
    pub sweep_after: SignedDuration,
    /// How often the sweeper sends a message again before the payment goes to review.
    pub redrives_max: u32,
    /// How long the provider surely knows an idempotency key. Stripe prunes keys after 24 h;
    /// past the window the same key may be a new charge, so it is only asked about.
    pub provider_window: SignedDuration,
    /// How many attempts (keys) one payment gets; a new one only after a soft decline.
    pub attempts_max: u32,
    /// After how many receives a message that keeps failing goes to the dead-letter queue.
    pub receives_max: u32,
    /// The first retry delay of a message; doubled with each receive, plus jitter.
    pub retry_first: SignedDuration,
    pub retry_max: SignedDuration,
    /// How often a mail may be tried while nobody knows whether it went out.
    pub mail_tries_max: u32,
}

impl Default for PaymentLimits {
    fn default() -> Self {
        Self {
            lease: SignedDuration::from_secs(60),
            sweep_after: SignedDuration::from_mins(3),
            redrives_max: 8,
            provider_window: SignedDuration::from_hours(23),
            attempts_max: 3,
            receives_max: 5,
            retry_first: SignedDuration::from_secs(2),
            retry_max: SignedDuration::from_mins(15),
            mail_tries_max: 2,
        }
    }
}

impl PaymentLimits {
    /// How long to wait before a message that was received `receives` times is tried again:
    /// exponential, with up to a quarter of jitter taken from `random`.
    #[must_use]
    pub fn retry_delay(&self, receives: u32, random: u64) -> SignedDuration {
        let doublings = receives.saturating_sub(1);
        let delay = exponential(
            self.retry_first.unsigned_abs(),
            self.retry_max.unsigned_abs(),
            doublings,
        );
        let quarter = delay.checked_div(4).unwrap_or_default();
        signed(delay.saturating_add(jitter(quarter, random)))
    }

    /// How long after now the sweeper should look again at a payment it has sent `redrives` times.
    #[must_use]
    pub fn sweep_delay(&self, redrives: u32) -> SignedDuration {
        let longest = self.sweep_after.unsigned_abs().saturating_mul(1 << 10);
        signed(exponential(
            self.sweep_after.unsigned_abs(),
            longest,
            redrives,
        ))
    }
}

fn signed(delay: Duration) -> SignedDuration {
    SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_and_stop_growing() {
        let limits = PaymentLimits::default();
        assert_eq!(limits.retry_delay(1, 0), SignedDuration::from_secs(2));
        assert_eq!(limits.retry_delay(3, 0), SignedDuration::from_secs(8));
        assert_eq!(limits.retry_delay(60, 0), limits.retry_max);
        assert!(limits.retry_delay(1, u64::MAX) < SignedDuration::from_millis(2500));
        assert!(limits.retry_delay(1, u64::MAX) > SignedDuration::from_millis(2400));
    }
}
