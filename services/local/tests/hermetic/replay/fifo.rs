//! FIFO queues: order within a group, what blocks it, and the five minutes in which doubles are
//! dropped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use payops_core::domain::bus::dead_letter_queue;
use payops_core::domain::replay::Disposition;
use payops_core::port::{ErrorKind, Outgoing, PortError, Queues as _, Received};
use payops_testkit::queues::MemoryQueues;
use payops_testkit::replay::{Notes, Steer};

use super::fate::Before;
use super::kills::killed_and_gone_on_with;
use super::support::{FIFO, Moves, Rig, letter};

/// Message `n` of a group.
fn ordered(group: &str, n: usize, word: &str) -> Outgoing {
    let dedupe = Some(format!("{group}-{n}"));
    Outgoing {
        body: format!("{group} {n:03}"),
        group: Some(group.to_owned()),
        dedupe,
        ..letter(FIFO, word, n)
    }
}

async fn sixty() -> (Rig, Arc<MemoryQueues>) {
    let (rig, queues) = Rig::memory().await;
    let mut next: BTreeMap<&str, usize> = BTreeMap::new();
    let mixed = (0..60).map(|n| ["a", "b", "a", "c", "a"][n * 7 % 5]);
    let messages = mixed.map(|group| {
        let n = next.entry(group).or_default();
        *n += 1;
        ordered(group, *n, "mended")
    });
    rig.send(&dead_letter_queue(FIFO), messages.collect()).await;
    (rig, queues)
}

fn of_group(messages: &[Received], group: &str) -> Vec<String> {
    messages
        .iter()
        .filter(|message| message.group.as_deref() == Some(group))
        .map(|message| message.body.clone())
        .collect()
}

#[track_caller]
fn in_order(messages: &[Received]) {
    for group in ["a", "b", "c"] {
        let bodies = of_group(messages, group);
        assert!(bodies.is_sorted(), "group {group} came as {bodies:?}");
    }
}

#[tokio::test]
async fn groups_keep_their_order() {
    for lanes in [1, 4, 16] {
        let (rig, _) = sixty().await;
        let plan = rig.plan(FIFO, "mended").await;
        let (before, notes) = (Before::of(&rig, &plan).await, Notes::new());
        let summary = rig.run(&plan, lanes, &notes, &Steer::new()).await;
        assert_eq!(
            (summary.sent, summary.failed.len()),
            (60, 0),
            "{lanes} lanes: {summary:?}"
        );
        before.check(&rig, &plan, &notes).await;
        in_order(&rig.browse(FIFO).await);
    }
}

#[tokio::test]
async fn order_is_kept_over_kills() {
    for seed in 1..=30 {
        let (rig, _) = sixty().await;
        let plan = rig.plan(FIFO, "mended").await;
        let before = Before::of(&rig, &plan).await;
        let replayer = rig.replayer(rig.queues(Moves::InSteps), 3);
        let (entries, kills) = killed_and_gone_on_with(&rig, &replayer, &plan, seed).await;
        let found = before.violations(&rig, &plan, &entries).await;
        assert!(
            found.is_empty(),
            "seed {seed}, killed {kills} times: {found:#?}"
        );
        in_order(&rig.browse(FIFO).await);
    }
}

/// The fourth of group a is refused: none of a behind it may overtake it, all others go. Once it is
/// taken, the rest follows in order.
#[tokio::test]
async fn one_that_fails_blocks_those_behind_it() {
    for lanes in [1, 4] {
        let (rig, queues) = sixty().await;
        let plan = rig.plan(FIFO, "mended").await;
        queues.refuse(|queue, message| {
            let is_it = queue == FIFO && message.body == "a 004";
            is_it.then(|| PortError::new(ErrorKind::Permanent, "refused on purpose"))
        });
        let (before, notes) = (Before::of(&rig, &plan).await, Notes::new());
        let summary = rig.run(&plan, lanes, &notes, &Steer::new()).await;
        let sent = rig.browse(FIFO).await;
        assert_eq!(
            of_group(&sent, "a"),
            ["a 001", "a 002", "a 003"],
            "{lanes} lanes"
        );
        assert_eq!(
            (of_group(&sent, "b").len(), of_group(&sent, "c").len()),
            (12, 12),
            "{lanes} lanes"
        );
        assert_eq!(
            (summary.sent, summary.failed.len(), summary.remaining),
            (27, 33, 0)
        );
        let behind = |reason: &&String| {
            reason.contains("a message before it in its group was not sent")
                || reason.contains("an earlier message of its group stays")
        };
        assert_eq!(
            summary.failed.values().filter(behind).count(),
            32,
            "{summary:?}"
        );
        before.check(&rig, &plan, &notes).await;

        queues.refuse(|_, _| None);
        let again = rig.plan(FIFO, "mended").await;
        assert_eq!(
            rig.run(&again, lanes, &Notes::new(), &Steer::new())
                .await
                .sent,
            33
        );
        in_order(&rig.browse(FIFO).await);
    }
}

/// A message that is not the one that was planned blocks its group too.
#[tokio::test]
async fn one_that_was_changed_blocks_those_behind_it() {
    let (rig, _) = sixty().await;
    let mut plan = rig.plan(FIFO, "mended").await;
    let second = rig
        .letters(FIFO)
        .await
        .into_iter()
        .find(|letter| letter.message.body == "b 002")
        .expect("there");
    for message in &mut plan.messages {
        if message.message_id == second.message.message_id {
            message.body_sha256 = "00".repeat(32);
        }
    }
    let summary = rig.run(&plan, 3, &Notes::new(), &Steer::new()).await;
    assert_eq!(of_group(&rig.browse(FIFO).await, "b"), ["b 001"]);
    assert_eq!(
        (summary.sent, summary.failed.len()),
        (60 - 11, 11),
        "{summary:?}"
    );
}

/// A message that stays on purpose keeps those behind it from being received beyond a batch: it is
/// said.
#[tokio::test]
async fn what_cannot_be_reached_behind_one_that_stays_is_told() {
    let (rig, _) = Rig::memory().await;
    let messages = (0..40).map(|n| ordered("a", n, if n == 0 { "other" } else { "mended" }));
    rig.send(&dead_letter_queue(FIFO), messages.collect()).await;
    let plan = rig.plan(FIFO, "mended").await;
    assert!(
        plan.messages
            .iter()
            .all(|message| message.disposition == Disposition::Send)
            && plan.messages.len() == 39
    );
    let (before, notes) = (Before::of(&rig, &plan).await, Notes::new());
    let summary = rig.run(&plan, 2, &notes, &Steer::new()).await;
    assert!(
        summary
            .failed
            .values()
            .all(|reason| reason.contains("an earlier message of its group stays")),
        "{summary:?}"
    );
    assert_eq!(summary.sent + summary.failed.len(), 39);
    before.check(&rig, &plan, &notes).await;
    in_order(&rig.browse(FIFO).await);
}

/// Sent, dead and replayed within five minutes, twice: the queue takes none of them for a double.
#[tokio::test]
async fn a_replayed_message_is_never_dropped_as_a_double() {
    let (rig, queues) = Rig::memory().await;
    rig.send(FIFO, vec![ordered("a", 1, "mended")]).await;
    for round in 1..=3 {
        let message = queues
            .receive(FIFO, 1, Duration::from_secs(30), Duration::ZERO)
            .await
            .expect("received")
            .remove(0);
        assert_eq!(message.body, "a 001", "round {round}: it was delivered");
        let Received {
            body,
            attributes,
            group,
            ..
        } = message;
        // Its consumer keeps the dedupe id of the first sending.
        let dedupe = Some(format!("dead-{round}"));
        let dead = Outgoing {
            body,
            attributes,
            group,
            dedupe,
            ..letter(FIFO, "mended", 1)
        };
        let dead = Outgoing {
            attributes: dead
                .attributes
                .into_iter()
                .chain(letter(FIFO, "mended", 1).attributes)
                .collect(),
            ..dead
        };
        queues
            .transfer(FIFO, &message.receipt, &dead_letter_queue(FIFO), dead)
            .await
            .expect("moved");
        let plan = rig.plan(FIFO, "mended").await;
        assert_eq!(
            rig.run(&plan, 1, &Notes::new(), &Steer::new()).await.sent,
            1,
            "round {round}"
        );
        rig.clock().advance(Duration::from_secs(10));
    }
    assert_eq!(rig.browse(FIFO).await.len(), 1);
}

/// A FIFO queue gives a group's next message only when the one before it is gone.
#[tokio::test]
async fn a_group_is_discarded_whole_and_the_others_stay() {
    let (rig, _) = sixty().await;
    let mut plan = rig.plan(FIFO, "mended").await;
    plan.messages
        .retain(|message| message.group.as_deref() == Some("a"));
    assert_eq!(plan.messages.len(), 36, "more than a receive brings");
    let replayer = rig.plain_replayer(1);
    let summary = replayer
        .discard(&plan, "on purpose", &Notes::new(), &Steer::new())
        .await
        .expect("it runs");
    assert_eq!((summary.sent, summary.failed.len()), (36, 0), "{summary:?}");
    let (left, at_once) = (
        rig.browse(&plan.queue).await,
        rig.receivable(&plan.queue).await,
    );
    assert_eq!(
        (left.len(), of_group(&left, "a").len()),
        (24, 0),
        "the others stay"
    );
    assert_eq!(
        at_once.len(),
        10,
        "and can be received at once, ten before their groups are locked"
    );
    in_order(&left);
}
