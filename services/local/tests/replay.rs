//! Replays that are cut off anywhere, on queues that move in one transaction and on queues that do not:
//! nothing is lost, what was sent twice is named, and what is not of the plan is left as it was.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it finds by panicking")]

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use payops_core::domain::bus::{NOTIFICATIONS, WORK, dead_letter_queue, parking_queue};
use payops_core::domain::letter::causes;
use payops_core::domain::replay::{JournalEntry, Plan as Replay, Progress};
use payops_core::domain::work::attribute;
use payops_core::port::{Attributes, Outgoing, Queues};
use payops_core::usecase::{PlanRequest, Replayer};
use payops_testkit::fault::{Chances, Plan};
use world::World;
use world::replay::{Free, Memory, Moving};

const CAUSES: [(&str, &str); 5] = [
    ("schema_error", "amount: expected an integer, got"),
    ("provider_timeout", "no answer of the provider to"),
    ("provider_error", "the provider answered 503 to"),
    ("conflict", "changed at the same time:"),
    ("db", "deadlock on row"),
];

/// Dead letters of five causes, in turn; each with attributes of its own.
async fn bury(queues: &dyn Queues, queue: &str, count: usize) {
    for first in (0..count).step_by(10) {
        let letter = |n: usize| {
            let (class, reason) = CAUSES[n % 5];
            let reason = format!("{reason} {n}");
            let n = n.to_string();
            let pairs = [(attribute::CLASS, class), (attribute::REASON, &reason), (attribute::RECEIVES, "5"), ("trace-id", &n)];
            let attributes: Attributes = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            Outgoing { body: format!("{{\"n\":{n}}}"), attributes, ..Outgoing::default() }
        };
        let batch = (first..count.min(first + 10)).map(letter).collect();
        queues.send_batch(&dead_letter_queue(queue), batch).await.expect("sent");
    }
}

async fn planned(replayer: &Replayer, world: &World, queue: &str, class: &str) -> Replay {
    let mut letters = world.letters(queue).await;
    letters.retain(|letter| class.is_empty() || letter.class == class);
    let request = PlanRequest { env: "prod".to_owned(), queue: queue.to_owned(), by: "anna".to_owned(), ..PlanRequest::default() };
    replayer.plan(request, &letters).await.expect("a plan")
}

/// How often each planned message stands in the target, by the name it had among the dead.
async fn delivered(queues: &dyn Queues, queue: &str) -> BTreeMap<String, usize> {
    let mut out = BTreeMap::new();
    for message in queues.browse(queue, 1_000_000).await.expect("looked").messages {
        let origin = message.attributes.get(attribute::REPLAY_OF).expect("it says what it was").clone();
        let n = message.attributes.get("trace-id").expect("attributes of others are kept");
        assert_eq!(message.body, format!("{{\"n\":{n}}}"));
        assert!(attribute::OF_DEATH.iter().all(|name| !message.attributes.contains_key(*name)), "{:?}", message.attributes);
        *out.entry(origin).or_insert(0) += 1;
    }
    out
}

/// What a replay that came to its end must have left behind.
async fn violations(world: &World, plan: &Replay, before: &BTreeSet<String>, journal: &Memory) -> Vec<String> {
    let queues = &*world.stores.ports.queues;
    let mut found = Vec::new();
    let delivered = delivered(queues, &plan.target).await;
    let planned: BTreeSet<String> = plan.messages.iter().map(|message| message.message_id.clone()).collect();
    let twice: BTreeSet<String> = journal
        .entries()
        .into_iter()
        .filter_map(|entry| match entry {
            JournalEntry::SentTwice { message_id } | JournalEntry::SentNotDeleted { message_id, .. } => Some(message_id),
            _ => None,
        })
        .collect();
    for id in &planned {
        match delivered.get(id) {
            None => found.push(format!("{id} was not delivered")),
            Some(1) => {}
            Some(times) if twice.contains(id) => assert!(*times < 10),
            Some(times) => found.push(format!("{id} was delivered {times} times, and the journal does not say so")),
        }
    }
    found.extend(delivered.keys().filter(|id| !planned.contains(*id)).map(|id| format!("{id} was sent and not planned")));
    // At once, by anybody: nothing of the others is hidden any more.
    let left = queues.stats(&plan.queue).await.expect("stats");
    let expected = u64::try_from(before.len() - planned.len()).expect("small");
    if left.visible != expected || left.in_flight != 0 {
        found.push(format!("{} visible and {} in flight are left, and not {expected}", left.visible, left.in_flight));
    }
    found
}

fn replayer(world: &World, is_atomic: bool, lanes: usize) -> Replayer {
    let queues: Arc<dyn Queues> = Arc::new(Moving(Arc::clone(&world.ports.queues), is_atomic));
    Replayer { queues, lanes, ..world.replayer() }
}

#[tokio::test]
async fn ten_thousand_of_five_causes_are_grouped_and_one_cause_is_replayed_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::open(folder.path(), 1).await;
    bury(&*world.stores.ports.queues, NOTIFICATIONS, 10_000).await;
    let letters = world.letters(NOTIFICATIONS).await;
    let groups: Vec<(String, u64)> =
        causes(letters.iter().map(payops_core::usecase::Letter::sighting)).into_iter().map(|cause| (cause.class, cause.count)).collect();
    assert_eq!(groups.len(), 5, "{groups:?}");
    assert!(groups.iter().all(|(_, count)| *count == 2_000), "{groups:?}");
    let before: BTreeSet<String> = letters.iter().map(|letter| letter.message.message_id.clone()).collect();
    let replayer = replayer(&world, true, 4);
    let plan = planned(&replayer, &world, NOTIFICATIONS, "conflict").await;
    let journal = Memory::default();
    let summary = replayer.execute(&plan, &Progress::default(), &journal, &Free::default()).await.expect("replayed");
    assert_eq!((summary.sent, summary.failed.len(), summary.remaining), (2_000, 0, 0));
    assert_eq!(violations(&world, &plan, &before, &journal).await, Vec::<String>::new());
    let left = world.letters(NOTIFICATIONS).await;
    assert!(left.len() == 8_000 && left.iter().all(|letter| letter.class != "conflict"));
}

/// One replay, cut off again and again at random calls, and gone on with.
async fn killed(seed: u64, is_atomic: bool) -> (usize, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::open(folder.path(), seed).await;
    bury(&*world.stores.ports.queues, NOTIFICATIONS, 60).await;
    let before: BTreeSet<String> = world.letters(NOTIFICATIONS).await.into_iter().map(|letter| letter.message.message_id).collect();
    let replayer = replayer(&world, is_atomic, 2);
    let plan = planned(&replayer, &world, NOTIFICATIONS, "db").await;
    let journal = Memory::default();
    let chances = Chances { fail: 0, throttle: 0, lose_answer: 0, crash_before: 40, crash_after: 40 };
    world.chaos.set(Plan::Dice { chances, seed });
    let mut kills = 0;
    loop {
        let progress = journal.progress();
        let free = Free::default();
        if let Some(summary) = world.chaos.until_crash(replayer.execute(&plan, &progress, &journal, &free)).await {
            let summary = summary.expect("no faults but crashes");
            assert_eq!(summary.remaining, 0, "seed {seed}");
            break;
        }
        kills += 1;
        assert!(kills < 200, "seed {seed}: it does not come to an end");
        world.chaos.restart();
        // What the dead process held comes back when its time is over.
        world.clock.advance(Duration::from_mins(6));
    }
    world.chaos.calm();
    (kills, violations(&world, &plan, &before, &journal).await)
}

#[tokio::test]
async fn fifty_seeded_kills_lose_nothing_and_name_what_was_sent_twice() {
    let mut kills = [0, 0];
    for seed in 1..=25 {
        for (place, is_atomic) in [true, false].into_iter().enumerate() {
            let (killed, found) = killed(seed, is_atomic).await;
            assert!(found.is_empty(), "seed {seed}, one transaction: {is_atomic}: {found:#?}");
            kills[place] += killed;
        }
    }
    println!("50 seeded replays: {} kills with moves in one transaction, {} without", kills[0], kills[1]);
    assert!(kills.iter().all(|kills| *kills > 25), "{kills:?}");
}

#[tokio::test]
async fn every_call_of_a_replay_can_be_the_last() {
    for is_atomic in [true, false] {
        let mut at = 0;
        loop {
            let folder = tempfile::tempdir().expect("a folder");
            let world = World::open(folder.path(), 7).await;
            bury(&*world.stores.ports.queues, NOTIFICATIONS, 10).await;
            let before: BTreeSet<String> = world.letters(NOTIFICATIONS).await.into_iter().map(|letter| letter.message.message_id).collect();
            let replayer = replayer(&world, is_atomic, 1);
            let plan = planned(&replayer, &world, NOTIFICATIONS, "db").await;
            let journal = Memory::default();
            world.chaos.set(Plan::CrashAt { call: at / 2, after: at % 2 == 1 });
            let progress = Progress::default();
            let first = world.chaos.until_crash(replayer.execute(&plan, &progress, &journal, &Free::default())).await;
            world.chaos.calm();
            if first.is_some() {
                break;
            }
            world.clock.advance(Duration::from_mins(6));
            let progress = journal.progress();
            replayer.execute(&plan, &progress, &journal, &Free::default()).await.expect("goes on");
            let found = violations(&world, &plan, &before, &journal).await;
            assert!(found.is_empty(), "cut at {at}, one transaction: {is_atomic}: {found:#?}");
            at += 1;
        }
        println!("{at} cuts, moves in one transaction: {is_atomic}");
        assert!(at >= 8, "{at}");
    }
}

#[tokio::test]
async fn a_checker_that_can_fail_finds_a_loss_and_a_double() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::open(folder.path(), 1).await;
    let queues = Arc::clone(&world.stores.ports.queues);
    bury(&*queues, NOTIFICATIONS, 10).await;
    let before: BTreeSet<String> = world.letters(NOTIFICATIONS).await.into_iter().map(|letter| letter.message.message_id).collect();
    let replayer = replayer(&world, true, 1);
    let plan = planned(&replayer, &world, NOTIFICATIONS, "db").await;
    let journal = Memory::default();
    replayer.execute(&plan, &Progress::default(), &journal, &Free::default()).await.expect("replayed");
    assert!(violations(&world, &plan, &before, &journal).await.is_empty());
    let sent = queues.receive(NOTIFICATIONS, 1, Duration::from_secs(30), Duration::ZERO).await.expect("received").remove(0);
    queues
        .send(NOTIFICATIONS, Outgoing { body: sent.body.clone(), attributes: sent.attributes.clone(), ..Outgoing::default() })
        .await
        .expect("sent");
    assert_eq!(violations(&world, &plan, &before, &journal).await.len(), 1, "a double that nobody named");
    let other = queues.receive(&plan.queue, 1, Duration::from_secs(30), Duration::ZERO).await.expect("received").remove(0);
    assert_eq!(violations(&world, &plan, &before, &journal).await.len(), 2, "one that is still hidden");
    queues.delete(&plan.queue, &[other.receipt]).await.expect("deleted");
    assert_eq!(violations(&world, &plan, &before, &journal).await.len(), 2, "one that is gone");
}

#[tokio::test]
async fn an_interruption_leaves_an_exact_remainder_and_the_loop_guard_parks() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::open(folder.path(), 1).await;
    let queues = Arc::clone(&world.stores.ports.queues);
    bury(&*queues, NOTIFICATIONS, 30).await;
    let worn: Attributes = [(attribute::REPLAYS.to_owned(), "3".to_owned()), ("trace-id".to_owned(), "99".to_owned())].into();
    queues
        .send(&dead_letter_queue(NOTIFICATIONS), Outgoing { body: "{\"n\":99}".to_owned(), attributes: worn, ..Outgoing::default() })
        .await
        .expect("sent");
    let replayer = replayer(&world, true, 1);
    let plan = planned(&replayer, &world, NOTIFICATIONS, "").await;
    let journal = Memory::default();
    // Two lines for each batch: before and after.
    let control = Free { batches: 2, ..Free::default() };
    let summary = replayer.execute(&plan, &Progress::default(), &journal, &control).await.expect("stopped");
    assert_eq!((summary.sent, summary.remaining), (10, 21));
    let progress = journal.progress();
    assert!(!progress.finished);
    let summary = replayer.execute(&plan, &progress, &journal, &Free::default()).await.expect("goes on");
    assert_eq!((summary.sent, summary.parked, summary.remaining, summary.failed.len()), (30, 1, 0, 0));
    assert_eq!(queues.stats(&parking_queue(NOTIFICATIONS)).await.expect("stats").visible, 1);
}

/// A payment whose message is dead, of a source that fails until it is mended.
async fn dead_payments(world: &World, count: usize) {
    for n in 0..count {
        let source = world::request("tok_poison", 100);
        world.accept(&format!("k{n}"), &source).await.expect("accepted");
    }
    world.drain().await;
    assert_eq!(world.letters(WORK).await.len(), count);
}

#[tokio::test]
async fn a_canary_stops_on_an_alarm_and_on_payments_that_do_not_come_to_an_end() {
    for (alarm, words) in [(Some("worker is degraded"), "an alarm: worker is degraded"), (None, "have not come to an end")] {
        let folder = tempfile::tempdir().expect("a folder");
        let world = World::open(folder.path(), 1).await;
        dead_payments(&world, 6).await;
        let replayer = replayer(&world, true, 2);
        let mut plan = planned(&replayer, &world, WORK, "").await;
        plan.canary = Some(2);
        let journal = Memory::default();
        let control = Free { alarm, ..Free::default() };
        let summary = replayer.execute(&plan, &Progress::default(), &journal, &control).await.expect("stopped by itself");
        assert!(summary.stopped.as_deref().is_some_and(|why| why.contains(words)), "{summary:?}");
        assert_eq!((summary.sent, summary.remaining), (2, 4));
        assert_eq!(world.letters(WORK).await.len(), 4, "the rest is where it was");
        let stopped = journal.entries().into_iter().any(|entry| matches!(entry, JournalEntry::CanaryStopped { sent: 2, .. }));
        assert!(stopped && journal.progress().finished);
    }
}
