//! Replays of dead letters against an SQS emulator: one cause of five replayed by eight lanes. Not
//! run without `PAYOPS_LIVE_AWS_ENDPOINT`; `live/run` starts the emulator.

#![expect(
    clippy::expect_used,
    reason = "tests say what they expect by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use payops_aws::setup::{self, Names};
use payops_aws::{AwsConfig, Clients, DynamoStore, EventBridgeBus, S3Archive, SqsQueues, load};
use payops_core::domain::bus::{PROJECTIONS, dead_letter_queue};
use payops_core::domain::dead_letter::causes;
use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::replay::{JournalEntry, ReplayPlan};
use payops_core::domain::work_item::attribute;
use payops_core::port::{Attributes, Outgoing, Queues, Received};
use payops_core::usecase::{DeadLetter, DeadLetters, Dispatcher, PlanRequest, Replayer};
use payops_system::SystemClock;
use payops_testkit::replay::{CAUSES, Notes, Steer, cause_of};
use payops_testkit::{SeededRandom, fresh_salt};

const LETTERS: usize = 10_000;
const OF_CAUSE: usize = LETTERS / CAUSES.len();

#[expect(
    clippy::print_stdout,
    reason = "a suite that was not run must say so, and a kill where it was"
)]
fn say(words: &str) {
    println!("{words}");
}

struct Rig {
    queues: Arc<dyn Queues>,
    letters: DeadLetters,
    replayer: Replayer,
}

async fn rig(endpoint: &str) -> Rig {
    let config = AwsConfig {
        region: "eu-west-1".to_owned(),
        endpoint_url: Some(endpoint.to_owned()),
        ..AwsConfig::default()
    };
    let clients: Clients = load(&config).await;
    let (salt, random) = (fresh_salt(), Arc::new(SeededRandom::new(fresh_salt())));
    let names = Names {
        table: format!("payments-r{salt:x}"),
        bucket: format!("archive-r{salt:x}"),
        bus: format!("bus-r{salt:x}"),
        queue_prefix: format!("r{salt:x}-"),
        max_receives: 5,
    };
    setup::create_all(&clients, &names)
        .await
        .expect("create_all");
    let queues = SqsQueues::with_prefix(clients.sqs.clone(), names.queue_prefix, None);
    let queue_admin = Arc::new(queues.clone());
    let queues: Arc<dyn Queues> = Arc::new(queues);
    let store = Arc::new(DynamoStore::new(
        clients.dynamo.clone(),
        names.table,
        random.clone(),
    ));
    let archive = Arc::new(S3Archive::new(clients.s3.clone(), names.bucket, None));
    let bus = Arc::new(EventBridgeBus::new(clients.events.clone(), names.bus));
    let clock = Arc::new(SystemClock);
    let dispatcher = Dispatcher {
        store: store.clone(),
        archive: archive.clone(),
        bus,
        queues: Arc::clone(&queues),
        clock: clock.clone(),
    };
    Rig {
        letters: DeadLetters {
            queue_admin: queue_admin.clone(),
            store: store.clone(),
            archive,
        },
        replayer: Replayer {
            store,
            queues: Arc::clone(&queues),
            queue_admin,
            dispatcher: Some(dispatcher),
            clock,
            random,
            limits: PaymentLimits::default(),
            lanes: 8,
        },
        queues,
    }
}

fn letter(n: usize) -> Outgoing {
    let (class, reason) = cause_of(n);
    let attributes = [
        (attribute::CLASS, class),
        (attribute::REASON, &reason),
        (attribute::QUEUE, PROJECTIONS),
        (attribute::RECEIVES, "5"),
        (attribute::CONSUMER, "projector 1.0.0"),
        (attribute::FIRST_SEEN, "2026-11-22T11:00:00Z"),
        ("trace", "t-1"),
        ("tenant", "ünï"),
    ];
    let attributes: Attributes = attributes
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    Outgoing {
        body: format!("{{\"n\": {n}}}"),
        attributes,
        ..Outgoing::default()
    }
}

impl Rig {
    /// Looks until all `count` dead letters were seen: one look may miss some, and says so.
    async fn look(&self, queue: &str, count: usize) -> Vec<DeadLetter> {
        let dlq = [dead_letter_queue(queue)];
        let mut all: BTreeMap<String, DeadLetter> = BTreeMap::new();
        for _ in 0..20 {
            let seen = self.letters.look(&dlq, 2 * LETTERS).await.expect("letters");
            all.extend(
                seen.letters
                    .into_iter()
                    .map(|letter| (letter.message.message_id.clone(), letter)),
            );
            if all.len() >= count {
                break;
            }
        }
        all.into_values().collect()
    }

    async fn plan(&self, queue: &str, letters: &[DeadLetter], class: &str) -> ReplayPlan {
        let chosen: Vec<DeadLetter> = letters
            .iter()
            .filter(|letter| letter.class == class)
            .cloned()
            .collect();
        let request = PlanRequest {
            env: "live".to_owned(),
            queue: queue.to_owned(),
            ..PlanRequest::default()
        };
        self.replayer.plan(request, &chosen).await.expect("a plan")
    }

    /// Takes everything out of the target, by the letter that it is a replay of.
    async fn delivered(&self, queue: &str) -> BTreeMap<String, Vec<Received>> {
        let mut all: BTreeMap<String, Vec<Received>> = BTreeMap::new();
        loop {
            let some = self
                .queues
                .receive(queue, 10, Duration::from_mins(5), Duration::from_secs(1))
                .await
                .expect("received");
            if some.is_empty() {
                return all;
            }
            let receipts: Vec<String> =
                some.iter().map(|message| message.receipt.clone()).collect();
            self.queues.delete(queue, &receipts).await.expect("deleted");
            for message in some {
                all.entry(message.attributes[attribute::REPLAY_OF].clone())
                    .or_default()
                    .push(message);
            }
        }
    }
}

/// Every message of the plan came at least once and whole; what came twice is named; nothing else
/// came.
#[track_caller]
fn check(
    plan: &ReplayPlan,
    letters: &[DeadLetter],
    delivered: &BTreeMap<String, Vec<Received>>,
    entries: &[JournalEntry],
) {
    let named: BTreeSet<&String> = entries
        .iter()
        .filter_map(|entry| match entry {
            JournalEntry::SentTwice { message_id }
            | JournalEntry::SentNotDeleted { message_id, .. } => Some(message_id),
            JournalEntry::Failed { message_id, reason }
                if reason.contains("may have been sent") =>
            {
                Some(message_id)
            }
            _ => None,
        })
        .collect();
    let planned: BTreeSet<&String> = plan
        .messages
        .iter()
        .map(|message| &message.message_id)
        .collect();
    assert_eq!(
        delivered.keys().collect::<BTreeSet<_>>(),
        planned,
        "these and no others"
    );
    let by_id: BTreeMap<&str, &DeadLetter> = letters
        .iter()
        .map(|letter| (letter.message.message_id.as_str(), letter))
        .collect();
    for (id, messages) in delivered {
        assert!(
            messages.len() == 1 || named.contains(id),
            "{id} came {} times, and the journal does not say so",
            messages.len()
        );
        let letter = by_id[id.as_str()];
        let kept = ["trace", "tenant", attribute::FIRST_SEEN];
        for message in messages {
            assert_eq!(
                (&message.body, message.attributes.len()),
                (&letter.message.body, 5),
                "{:?}",
                message.attributes
            );
            assert!(
                kept.iter()
                    .all(|name| message.attributes.get(*name)
                        == letter.message.attributes.get(*name))
            );
        }
    }
}

/// The emulator's address; `None`, said aloud, when there is none.
fn endpoint() -> Option<String> {
    let endpoint = std::env::var("PAYOPS_LIVE_AWS_ENDPOINT")
        .ok()
        .filter(|endpoint| !endpoint.is_empty());
    if endpoint.is_none() {
        say("not run: PAYOPS_LIVE_AWS_ENDPOINT is unset (start with live/run)");
    }
    endpoint
}

impl Rig {
    async fn mark_dead(&self, queue: &str, count: usize) {
        for first in (0..count).step_by(10) {
            let sent = self
                .queues
                .send_batch(
                    &dead_letter_queue(queue),
                    (first..first + 10).map(letter).collect(),
                )
                .await
                .expect("sent");
            assert!(sent.iter().all(Result::is_ok));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_thousand_letters_one_cause_is_replayed_and_no_other_touched() {
    let Some(endpoint) = endpoint() else { return };
    let rig = rig(&endpoint).await;
    rig.mark_dead(PROJECTIONS, LETTERS).await;
    let letters = rig.look(PROJECTIONS, LETTERS).await;
    let groups = causes(letters.iter().map(DeadLetter::sighting));
    let told: BTreeSet<(&str, u64)> = groups
        .iter()
        .map(|cause| (cause.class.as_str(), cause.count))
        .collect();
    assert_eq!(
        told,
        CAUSES
            .map(|(class, _)| (class, u64::try_from(OF_CAUSE).expect("small")))
            .into(),
        "{groups:#?}"
    );

    // Eight lanes, to the end: the others can be received at once, as they were.
    let (plan, notes) = (
        rig.plan(PROJECTIONS, &letters, "conflict").await,
        Notes::new(),
    );
    let summary = rig
        .replayer
        .execute(&plan, &notes.progress(), &notes, &Steer::new())
        .await
        .expect("it runs");
    assert_eq!(
        (summary.sent, summary.failed.len(), summary.remaining),
        (OF_CAUSE, 0, 0),
        "{summary:?}"
    );
    check(
        &plan,
        &letters,
        &rig.delivered(PROJECTIONS).await,
        &notes.entries(),
    );
    let of = |letter: &DeadLetter| {
        (
            letter.message.message_id.clone(),
            letter.message.body.clone(),
            letter.message.attributes.clone(),
        )
    };
    let others: BTreeSet<_> = letters
        .iter()
        .filter(|letter| letter.class != "conflict")
        .map(of)
        .collect();
    let left = rig.look(PROJECTIONS, LETTERS - OF_CAUSE).await;
    assert_eq!(
        left.iter().map(of).collect::<BTreeSet<_>>(),
        others,
        "untouched"
    );
}
