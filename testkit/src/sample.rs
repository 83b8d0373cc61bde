//! Sample values of core's domain, each a function of a number.

use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::apikey::{ApiKeyRow, Caller};
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::event::{EventKind, NewEvent};
use payops_core::domain::id::PaymentId;
use payops_core::domain::ledger::{Transaction, expected_transactions};
use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::machine::{Command, decide};
use payops_core::domain::mail::{Mail, MailKind};
use payops_core::domain::outbox::{OutboxEvent, OutboxKind};
use payops_core::domain::payment::{Card, Charge, Payment};
use payops_core::domain::request::CreatePayment;
use payops_core::domain::sha256_hex;
use payops_core::port::{
    Acceptance, Change, IdempotencyRow, IdempotencyScope, KeyedRequest, Precondition,
};
use serde_json::json;

use crate::ManualClock;
use crate::random::mix;

/// The payment id of that number. The low 20 bits order ids; the rest only tells them apart.
#[must_use]
pub fn payment_id(n: u64) -> PaymentId {
    let start_ms = u64::try_from(ManualClock::start().as_millisecond()).expect("after 1970");
    let at_ms = start_ms.saturating_add(n & 0xf_ffff);
    PaymentId::from_parts(at_ms, (u128::from(mix(n)) << 16) | u128::from(n & 0xffff))
}

/// The caller of samples: merchant `acme`, test mode.
#[must_use]
pub fn caller() -> Caller {
    Caller {
        merchant: "acme".parse().expect("a merchant"),
        live: false,
    }
}

/// A request for 10.00 EUR and up to ten more.
#[must_use]
pub fn create(n: u64) -> CreatePayment {
    let body = json!({
        "amount": 1000_u64.saturating_add(n % 1000), "currency": "EUR", "source": "tok_visa",
        "reference": format!("INV-{}", letters(n)),
        "customer": {"email": format!("anna.{}@example.com", letters(n))},
        "metadata": {"order": letters(n), "städte": "Köln"},
    });
    CreatePayment::parse(body.to_string().as_bytes()).expect("a good request")
}

/// The number in letters: in digits it could look like a card number, which requests refuse.
fn letters(n: u64) -> String {
    format!("{n:x}")
        .bytes()
        .map(|b| {
            char::from(if b.is_ascii_digit() {
                b + b'G' - b'0'
            } else {
                b - b'a' + b'A'
            })
        })
        .collect()
}

/// A payment as it stands when it was just accepted, at the start of [`ManualClock`].
#[must_use]
pub fn payment(n: u64) -> Payment {
    payment_of(&caller(), n, ManualClock::start())
}

/// A payment of `caller` as it stands when it was just accepted at `now`.
#[must_use]
pub fn payment_of(caller: &Caller, n: u64, now: Timestamp) -> Payment {
    Payment::new_accepted(
        payment_id(n),
        caller,
        &create(n),
        now,
        &PaymentLimits::default(),
    )
    .0
}

/// Everything that accepting `payment(n)` at `now` writes; the idempotency key is `key-n`.
#[must_use]
pub fn acceptance(n: u64, now: Timestamp) -> Acceptance {
    acceptance_of(&caller(), n, now)
}

/// Everything that accepting a payment of `caller` at `now` writes; the idempotency key is `key-n`.
#[must_use]
pub fn acceptance_of(caller: &Caller, n: u64, now: Timestamp) -> Acceptance {
    accept_payment(&payment_of(caller, n, now), &format!("key-{n}"), now)
}

/// Everything that accepting `payment` under `key` writes: one event, one outbox row, one
/// idempotency row that lives for a day.
#[must_use]
pub fn accept_payment(payment: &Payment, key: &str, now: Timestamp) -> Acceptance {
    let mut outbox = OutboxEvent::new(&payment.id, 1, OutboxKind::PaymentAccepted, now);
    outbox.payload =
        Some(json!({"id": payment.id, "source": payment.source, "note": "ünï🦀"}).to_string());
    Acceptance {
        payment: payment.clone(),
        events: vec![NewEvent::new(
            now,
            EventKind::Accepted,
            json!({"amount": payment.money.minor()}),
        )],
        outbox: vec![outbox],
        idempotency: idempotency(payment, key, now),
        now,
    }
}

/// An idempotency row for `payment` under `key` that lives for a day.
#[must_use]
pub fn idempotency(payment: &Payment, key: &str, now: Timestamp) -> IdempotencyRow {
    IdempotencyRow {
        scope: IdempotencyScope {
            merchant: payment.merchant.clone(),
            live: payment.live,
            request: KeyedRequest::CreatePayment,
            key: key.parse().expect("a key"),
        },
        fingerprint: sha256_hex(payment.id.as_str().as_bytes()),
        payment: payment.id.clone(),
        response: format!("{{\n  \"id\" : \"{}\", \"s\":\"ünï 🦀\" }}\n", payment.id),
        expires_at: now
            .checked_add(Duration::from_hours(24))
            .expect("within range"),
    }
}

/// What `command` at `now` does to `payment`, to be committed on its version and fence.
///
/// # Panics
/// When the state machine refuses the command.
#[must_use]
pub fn change(payment: &Payment, command: Command, now: Timestamp) -> Change {
    let decision =
        decide(payment, command, now, &PaymentLimits::default()).expect("the machine allows it");
    Change {
        payment: decision.payment,
        expect: Precondition {
            version: payment.version,
            fence: payment.fence,
        },
        events: decision.events,
        outbox: decision.outbox,
        idempotency: None,
        now,
    }
}

/// A claim of `payment` by `owner`.
#[must_use]
pub fn claim(owner: &str) -> Command {
    Command::Claim {
        owner: owner.to_owned(),
        hop: json!({"message_id": "m-1", "queue": "payments-work", "receive_count": 1}),
    }
}

#[must_use]
pub fn charge(n: u64, at: Timestamp) -> Charge {
    Charge {
        id: format!("ch_{n}"),
        card: Some(Card {
            brand: "visa".to_owned(),
            last4: "4242".to_owned(),
        }),
        at,
    }
}

/// `payment(n)` after it was claimed and charged: version 3, fence 1.
#[must_use]
pub fn completed(n: u64) -> Payment {
    let now = ManualClock::start();
    let claimed = change(&payment(n), claim("worker-1"), now).payment;
    change(&claimed, Command::Approved(charge(n, now)), now).payment
}

/// The ledger transaction of [`completed`].
#[must_use]
pub fn transaction(n: u64) -> Transaction {
    expected_transactions(&completed(n))
        .into_iter()
        .next()
        .expect("a charge has one")
}

/// The search document of [`completed`].
#[must_use]
pub fn doc(n: u64) -> PaymentDoc {
    PaymentDoc::from(&completed(n))
}

/// A receipt whose subject and text hold `mail-n`.
#[must_use]
pub fn mail(n: u64) -> Mail {
    Mail {
        kind: MailKind::Receipt,
        name: payment_id(n).to_string(),
        to: format!("björn.{}@example.com", n % 100_000)
            .parse()
            .expect("an address"),
        subject: format!("Receipt: 12.50 EUR for mail-{n}"),
        text: format!("Your payment went through.\n\nAmount: 12.50 €\nReference: mail-{n}\n"),
    }
}

#[must_use]
pub fn api_key(n: u64) -> ApiKeyRow {
    ApiKeyRow {
        hash: sha256_hex(&n.to_be_bytes()),
        prefix: "sk_test_0707".to_owned(),
        merchant: caller().merchant,
        live: false,
        created_at: ManualClock::start(),
        revoked_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_gives_the_same_value() {
        assert_eq!(payment(7), payment(7));
        assert_ne!(payment(7).id, payment(8).id);
        assert!(payment(7).id < payment(8).id);
        assert_eq!(completed(7).version, 3);
        assert_eq!(transaction(7).sum(), 0);
    }
}
