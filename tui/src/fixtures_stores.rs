//! Payments, dead letters and an audit to test with. Every text that comes from outside holds
//! personal data or a card number, so that a screen which shows one fails its test.

use std::collections::BTreeMap;

use payops_core::domain::audit::AuditEntry;
use payops_core::domain::bus::{envelope, object_created};
use payops_core::domain::dead_letter::{archived_layer, body_layers};
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::event::{Event, EventKind};
use payops_core::domain::id::{PaymentId, RefundId};
use payops_core::domain::money::{Currency, Money};
use payops_core::domain::payment::{
    ArchiveRef, Card, Charge, DeadMark, Payment, Refund, RefundState, Status,
};
use payops_core::domain::privacy::Privacy;
use payops_core::domain::work_item::archive_key;
use payops_core::port::{Freshness, Received};
use payops_core::usecase::{DeadLetter, DeadLetterContents, DeadLetterList, SearchResult};
use serde_json::json;

use crate::fixtures::ago;
use crate::model::PaymentDetails;
use crate::msg::Answer;

/// What must never be on a screen: the customer, and the number of their card.
pub(crate) const SECRETS: [&str; 4] = [
    "anna.berg",
    "@example.com",
    "4242424242424242",
    "4242 4242 4242 4242",
];

const EMAIL: &str = "anna.berg@example.com";

pub(crate) fn payment_id(number: u64) -> PaymentId {
    PaymentId::from_parts(
        1_763_800_000_000 + number,
        u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
    )
}

fn euro() -> Currency {
    "EUR".parse().expect("a currency")
}

pub(crate) fn doc(number: u64, status: Status, seconds_ago: i64) -> PaymentDoc {
    PaymentDoc {
        id: payment_id(number),
        version: 3,
        merchant: "acme".parse().expect("a merchant"),
        live: true,
        status,
        amount_minor: 1_250 + i64::try_from(number).expect("small") * 100,
        currency: euro(),
        refunded_minor: 0,
        email: EMAIL.to_owned(),
        reference: Some(format!("INV-2026-{number:04}")),
        brand: Some("visa".to_owned()),
        last4: Some("4242".to_owned()),
        failure: (status == Status::Failed).then(|| "card_declined".to_owned()),
        dead: false,
        created_at: ago(seconds_ago),
        updated_at: ago(seconds_ago / 2),
    }
}

pub(crate) fn search_result() -> SearchResult {
    let docs = vec![
        doc(9, Status::Processing, 3),
        PaymentDoc {
            dead: true,
            failure: Some("schema_error".to_owned()),
            ..doc(8, Status::Processing, 120)
        },
        doc(7, Status::Completed, 240),
        doc(6, Status::Failed, 700),
        doc(5, Status::Review, 4_000),
        PaymentDoc {
            reference: Some(format!("for {EMAIL}")),
            ..doc(4, Status::PartiallyRefunded, 90_000)
        },
        doc(3, Status::Canceled, 200_000),
    ];
    SearchResult {
        total: 4_512,
        docs,
        freshness: freshness(),
        from_store: false,
        parts: Vec::new(),
    }
}

pub(crate) fn freshness() -> Freshness {
    Freshness {
        store: "tantivy",
        newest: Some(ago(2)),
        documents: 4_512,
    }
}

pub(crate) fn empty_result(parts: &[(&str, u64)]) -> SearchResult {
    let parts = parts
        .iter()
        .map(|(part, total)| ((*part).to_owned(), *total))
        .collect();
    SearchResult {
        docs: Vec::new(),
        total: 0,
        freshness: freshness(),
        from_store: false,
        parts,
    }
}

pub(crate) fn payment() -> Payment {
    let id = payment_id(7);
    Payment {
        merchant: "acme".parse().expect("a merchant"),
        live: true,
        status: Status::PartiallyRefunded,
        version: 5,
        fence: 1,
        event_seq: 9,
        money: Money::new(1_950, euro()).expect("money"),
        source: "tok_visa".parse().expect("a source"),
        reference: Some("INV-2026-0007".parse().expect("a reference")),
        email: EMAIL.parse().expect("an address"),
        metadata: BTreeMap::new(),
        created_at: ago(2_280),
        updated_at: ago(600),
        due_at: None,
        redrives: 1,
        archive: ArchiveRef {
            key: archive_key(&id),
            sha256: "0".repeat(64),
            bytes: 120,
        },
        lease: None,
        attempt: None,
        charge: Some(Charge {
            id: "ch_1".to_owned(),
            card: Some(Card {
                brand: "visa".to_owned(),
                last4: "4242".to_owned(),
            }),
            at: ago(2_270),
        }),
        failure: None,
        dead: None,
        refunds: vec![Refund {
            id: RefundId::from_parts(1_763_800_000_001, 1),
            minor: 500,
            reason: Some(format!("asked by {EMAIL}")),
            by: "anna".to_owned(),
            at: ago(610),
            state: RefundState::Succeeded,
            first_sent_at: Some(ago(608)),
            provider_id: Some("re_1".to_owned()),
        }],
        refundable_minor: 1_450,
        id,
    }
}

pub(crate) fn dead_payment() -> Payment {
    let dead = DeadMark {
        at: ago(120),
        queue: "payments-work".to_owned(),
        message_id: "m-00".to_owned(),
        class: "schema_error".to_owned(),
        reason: format!("amount: expected integer, got \"12.50\" from {EMAIL}"),
    };
    Payment {
        status: Status::Processing,
        charge: None,
        refunds: Vec::new(),
        refundable_minor: 0,
        dead: Some(dead),
        ..payment()
    }
}

/// What happened to [`payment`].
pub(crate) fn events() -> Vec<Event> {
    let event = |seq, seconds, kind, detail| Event {
        seq,
        at: ago(seconds),
        kind,
        version: seq,
        detail,
    };
    vec![
        event(
            1,
            2_280,
            EventKind::Accepted,
            json!({"amount": 1950, "currency": "EUR", "reference": "INV-2026-0007"}),
        ),
        event(
            2,
            2_279,
            EventKind::Archived,
            json!({"key": "payments/7.json", "bytes": 120}),
        ),
        event(
            3,
            2_278,
            EventKind::Queued,
            json!({"queue": "payments-work", "receives": 1}),
        ),
        event(
            4,
            2_277,
            EventKind::Attempt,
            json!({"number": 1, "key": "7:1"}),
        ),
        event(
            5,
            2_275,
            EventKind::AttemptFailed,
            json!({"code": "provider_timeout", "message": format!("no answer about {EMAIL}")}),
        ),
        event(
            6,
            2_270,
            EventKind::Completed,
            json!({"charge": "ch_1", "note": "card 4242 4242 4242 4242"}),
        ),
        event(
            7,
            2_268,
            EventKind::Ledger,
            json!({"postings": 2, "reference": "7:charge"}),
        ),
        event(8, 2_267, EventKind::Receipt, json!({"to": EMAIL})),
        event(
            9,
            600,
            EventKind::RefundSucceeded,
            json!({"minor": 500, "by": "anna"}),
        ),
    ]
}

/// [`payment`] as it was read.
pub(crate) fn payment_answer(payment: Payment) -> Answer {
    Answer::Payment(Ok(Some(Box::new(PaymentDetails {
        payment,
        events: events(),
    }))))
}

pub(crate) fn letter(number: u64, queue: &str, class: &str, reason: &str) -> DeadLetter {
    let payment = payment_id(number);
    let sent_at = ago(120 + i64::try_from(number).expect("small") * 60);
    let message = Received {
        message_id: format!("m-{number:02}"),
        receipt: String::new(),
        body: envelope(
            "e-1",
            &object_created("archive", &archive_key(&payment), 120, sent_at),
        ),
        attributes: BTreeMap::from([
            ("payops-class".to_owned(), class.to_owned()),
            ("sender".to_owned(), EMAIL.to_owned()),
        ]),
        receive_count: 5,
        sent_at,
        first_received_at: Some(sent_at),
        group: None,
        dedupe: None,
    };
    DeadLetter {
        queue: queue.to_owned(),
        message,
        payment: Some(payment),
        class: class.to_owned(),
        reason: reason.to_owned(),
        first_seen: sent_at,
        receive_count: 5,
        expires_at: None,
    }
}

/// Dead letters of two causes in one queue, and of one in another.
pub(crate) fn letters(receives_spent: u64) -> DeadLetterList {
    let mut letters: Vec<DeadLetter> = (0..14)
        .map(|number| {
            letter(
                number,
                "payments-work-dlq",
                "schema_error",
                &format!("amount: expected integer, got \"{number}.50\" for {EMAIL}"),
            )
        })
        .collect();
    letters.extend((14..17).map(|number| {
        letter(
            number,
            "payments-work-dlq",
            "provider_timeout",
            "no answer from the provider after 30 s",
        )
    }));
    letters.push(letter(
        17,
        "notifications-dlq",
        "rejected",
        &format!("550 no such user {EMAIL}"),
    ));
    DeadLetterList {
        letters,
        complete: receives_spent == 0,
        receives_spent,
        ..DeadLetterList::default()
    }
}

pub(crate) fn contents(letter: &DeadLetter) -> DeadLetterContents {
    let request = json!({
        "amount": "12.50", "currency": "EUR", "customer": {"email": EMAIL, "name": "Anna Berg"},
        "card": "4242424242424242", "source": "tok_visa",
    });
    let mut layers = body_layers(&letter.message.body, Privacy::default());
    layers.push(archived_layer(
        "payments/7.json",
        Some(request.to_string().as_bytes()),
        Privacy::default(),
    ));
    DeadLetterContents {
        layers,
        payment: Some(dead_payment()),
        events: events(),
    }
}

pub(crate) fn audit() -> Vec<AuditEntry> {
    let entry =
        |seconds, who: &str, action: &str, subject: Option<String>, reason: Option<&str>| {
            AuditEntry {
                at: ago(seconds),
                who: who.to_owned(),
                env: "prod".to_owned(),
                action: action.to_owned(),
                subject,
                reason: reason.map(str::to_owned),
                ..AuditEntry::default()
            }
        };
    vec![
        entry(
            40,
            "anna",
            "rollout promote",
            Some("eks-prod/payments/payments-api".to_owned()),
            Some("latency is fine again"),
        ),
        entry(
            4_000,
            "ben",
            "refund",
            Some(payment_id(7).to_string()),
            Some(&format!("ticket 4711, asked by {EMAIL}")),
        ),
        entry(
            90_000,
            "carla",
            "reveal",
            Some(payment_id(5).to_string()),
            None,
        ),
    ]
}
