//! What every payment store does.

mod accept;
mod commit;
mod read;

use payops_core::domain::apikey::Caller;
use payops_core::domain::outbox::OutboxEvent;
use payops_core::domain::payment::Payment;
use payops_core::port::{Accepted, PaymentStore};

use super::{number, word};
use crate::{ManualClock, sample};

pub async fn suite(store: &dyn PaymentStore, salt: u64) {
    let kit = Kit { store, salt };
    Box::pin(accept::suite(&kit)).await;
    Box::pin(commit::suite(&kit)).await;
    Box::pin(read::suite(&kit)).await;
}

/// A store under test, and what tells this run's rows from others'.
struct Kit<'a> {
    store: &'a dyn PaymentStore,
    salt: u64,
}

impl Kit<'_> {
    /// A number of its own for each area of checks.
    fn n(&self, area: u64) -> u64 {
        number(self.salt, area)
    }

    fn caller(&self, name: &str, live: bool) -> Caller {
        Caller {
            merchant: format!("{name}-{}", word(self.salt))
                .parse()
                .expect("a merchant"),
            live,
        }
    }

    /// Accepts a new payment and gives it as it is read back.
    async fn accepted(&self, n: u64) -> Payment {
        self.accepted_of(&sample::caller(), n).await
    }

    async fn accepted_of(&self, caller: &Caller, n: u64) -> Payment {
        let acceptance = sample::acceptance_of(caller, n, ManualClock::start());
        assert_eq!(
            self.store.accept(&acceptance).await.expect("accept"),
            Accepted::New
        );
        self.get(&acceptance.payment).await
    }

    async fn get(&self, payment: &Payment) -> Payment {
        self.store
            .get(&payment.id)
            .await
            .expect("get")
            .expect("the payment is there")
    }

    /// Outbox rows of the payment that are not done. May be behind.
    async fn outbox(&self, payment: &Payment) -> Vec<OutboxEvent> {
        let rows = self
            .store
            .outbox_pending(payment.id.shard(), 100_000)
            .await
            .expect("outbox_pending");
        rows.into_iter()
            .filter(|row| row.payment == payment.id)
            .collect()
    }

    /// Timeline numbers, which must be 1, 2, 3 … and end at the payment's `event_seq`.
    async fn check_timeline(&self, payment: &Payment) -> usize {
        let events = self.store.events(&payment.id).await.expect("events");
        let numbers: Vec<u64> = events.iter().map(|event| event.seq).collect();
        let expected: Vec<u64> = (1..=u64::try_from(events.len()).expect("few")).collect();
        assert_eq!(numbers, expected, "event numbers have gaps or doubles");
        assert_eq!(
            self.get(payment).await.event_seq,
            expected.last().copied().unwrap_or(0),
            "event_seq is not the last event's number"
        );
        events.len()
    }
}
