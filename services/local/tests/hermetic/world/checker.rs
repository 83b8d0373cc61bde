//! The invariants of the platform at rest, checked from outside, store by store.

use std::collections::{BTreeMap, BTreeSet};

use payops_core::domain::bus::{QUEUES, dead_letter_queue};
use payops_core::domain::event::{Event, EventKind};
use payops_core::domain::payment::{Payment, Status};
use payops_core::domain::work_item::parse;
use payops_core::usecase::Answer;

use super::World;

pub(crate) type Answers = BTreeMap<String, Answer>;

pub(crate) async fn violations(world: &World, answers: &Answers) -> Vec<String> {
    let ports = &world.stores.ports;
    let mut found = Vec::new();
    let payments = ports
        .store
        .scan(None, 1_000_000)
        .await
        .expect("payments")
        .payments;
    let by_id: BTreeMap<_, _> = payments
        .iter()
        .map(|payment| (payment.id.clone(), payment))
        .collect();
    for (key, answer) in answers {
        if !by_id.contains_key(&answer.payment) {
            found.push(format!(
                "the payment {} that key {key} was told of is gone",
                answer.payment
            ));
        }
    }
    let told: BTreeSet<_> = answers
        .values()
        .map(|answer| answer.payment.clone())
        .collect();
    if told.len() != answers.len() {
        found.push("two keys were told of one payment".to_owned());
    }
    let dead = dead_letters(world).await;
    for payment in &payments {
        let events = ports.store.events(&payment.id).await.expect("events");
        one(
            world,
            payment,
            &events,
            dead.contains(payment.id.as_str()),
            &mut found,
        )
        .await;
    }
    one_payment_a_key(world, &payments, answers, &mut found);
    let report = world.reconciler().run(&|_| {}).await.expect("a report");
    found.extend(report.breaks.iter().map(|found| format!("{found:?}")));
    for transaction in ports
        .ledger
        .scan(None, 1_000_000)
        .await
        .expect("transactions")
        .transactions
    {
        if transaction.sum() != 0 {
            found.push(format!(
                "postings of {} sum to {}",
                transaction.payment,
                transaction.sum()
            ));
        }
    }
    found
}

async fn dead_letters(world: &World) -> BTreeSet<String> {
    let mut dead = BTreeSet::new();
    for queue in QUEUES {
        let browsed = world
            .stores
            .ports
            .queue_admin
            .browse(&dead_letter_queue(queue), 100_000)
            .await
            .expect("dead letters");
        dead.extend(
            browsed
                .messages
                .iter()
                .filter_map(|message| parse(&message.body).ok())
                .map(|job| job.payment().to_string()),
        );
    }
    dead
}

async fn one(
    world: &World,
    payment: &Payment,
    events: &[Event],
    dead: bool,
    found: &mut Vec<String>,
) {
    let id = &payment.id;
    let mut bad = |what: String| found.push(format!("{id}: {what}"));
    if payment.status == Status::Processing && !dead {
        bad("processing, at rest, and in no dead-letter queue".to_owned());
    }
    let charges = world
        .stores
        .ports
        .provider
        .as_ref()
        .expect("a provider")
        .charges(id)
        .await
        .expect("charges");
    if charges.len() > 1 {
        bad(format!("charged {} times", charges.len()));
    }
    if matches!(payment.status, Status::Failed | Status::Canceled) && !charges.is_empty() {
        bad(format!(
            "{} and charged: what is ambiguous was taken for a failure",
            payment.status
        ));
    }
    history(events, &mut bad);
    let count = |kind: EventKind| events.iter().filter(|event| event.kind == kind).count();
    let of_receipt = |event: &&Event| {
        event
            .detail
            .get("mail")
            .and_then(serde_json::Value::as_str)
            .is_some_and(|mail| mail.starts_with("mail:receipt:"))
    };
    let unconfirmed = events
        .iter()
        .filter(|event| event.kind == EventKind::MailUnconfirmed)
        .filter(of_receipt)
        .count();
    let receipts = count(EventKind::Receipt) + unconfirmed;
    if payment.status.is_charged() && receipts == 0 {
        bad("charged and no receipt".to_owned());
    }
    if !payment.status.is_charged() && receipts > 0 {
        bad("a receipt, and not charged".to_owned());
    }
    if payment.refunded_minor() > payment.money.minor() {
        bad("more refunded than captured".to_owned());
    }
}

/// Each status is reached from one that may become it, and claims carry rising fences.
fn history(events: &[Event], bad: &mut impl FnMut(String)) {
    let mut status: Option<Status> = None;
    let mut fence = 0;
    for event in events {
        let next = match event.kind {
            EventKind::Accepted => Status::Processing,
            EventKind::Completed => Status::Completed,
            EventKind::Failed => Status::Failed,
            EventKind::Canceled => Status::Canceled,
            EventKind::Review => Status::Review,
            EventKind::Attempt => {
                if let Some(claimed) = event
                    .detail
                    .get("fence")
                    .and_then(serde_json::Value::as_u64)
                {
                    if claimed <= fence {
                        bad(format!(
                            "event {} claims with fence {claimed} after {fence}",
                            event.seq
                        ));
                    }
                    fence = claimed;
                }
                continue;
            }
            _ => continue,
        };
        if status.is_some_and(|status| !status.may_become(next))
            || (status.is_none() && next != Status::Processing)
        {
            bad(format!(
                "event {} goes from {status:?} to {next}",
                event.seq
            ));
        }
        status = Some(next);
    }
}

/// A key makes at most one payment. Which key made a payment is kept in the test's reference.
fn one_payment_a_key(_: &World, payments: &[Payment], answers: &Answers, found: &mut Vec<String>) {
    let told: BTreeSet<_> = answers.values().map(|answer| &answer.payment).collect();
    let untold = payments
        .iter()
        .filter(|payment| !told.contains(&payment.id))
        .count();
    if untold > 0 && !answers.is_empty() {
        found.push(format!(
            "{untold} payments that no client was told of, although every client \
            asked again until it was"
        ));
    }
}
