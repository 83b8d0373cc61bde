//! What bounds a replay: how often, how fast, until when, and who else is at it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use payops_core::domain::bus::{PROJECTIONS, WORK, dead_letter_queue, parking_queue};
use payops_core::domain::replay::{Disposition, JournalEntry, Progress, ReplayPlan};
use payops_core::domain::work_item::attribute;
use payops_core::port::{Clock as _, Journal, PortResult, Queues};
use payops_core::usecase::{Control, ReplaySummary};
use payops_testkit::ManualClock;
use payops_testkit::queues::{Order, Steps};
use payops_testkit::replay::{Notes, Steer};

use super::fate::Before;
use super::support::{Moves, Rig};

/// A message that dies again and again is replayed three times, then put aside with what it died
/// of.
#[tokio::test]
async fn what_comes_back_again_and_again_is_parked() {
    let rig = Rig::sqlite().await;
    rig.litter(WORK, 2, "mended").await;
    for replays in 1..=3 {
        let plan = rig.plan(WORK, "mended").await;
        assert_eq!(plan.to_send(), 2, "replay {replays}");
        assert_eq!(
            rig.run(&plan, 2, &Notes::new(), &Steer::new()).await.sent,
            2
        );
        let counts: Vec<String> = rig
            .browse(WORK)
            .await
            .iter()
            .map(|message| message.attributes[attribute::REPLAYS].clone())
            .collect();
        assert_eq!(counts, [replays.to_string(), replays.to_string()]);
        rig.mark_dead("mended").await;
    }
    let plan = rig.plan(WORK, "mended").await;
    let parking = parking_queue(WORK);
    assert_eq!(
        (plan.parking.as_deref(), plan.to_send()),
        (Some(parking.as_str()), 0)
    );
    assert!(plan.messages.iter().all(|message| matches!(&message.disposition, Disposition::Park { why } if why.contains("already replayed 3 times"))));
    let notes = Notes::new();
    let summary = rig.run(&plan, 2, &notes, &Steer::new()).await;
    assert_eq!((summary.parked, summary.sent, summary.remaining), (2, 0, 0));
    assert!(notes.entries().iter().any(|entry| matches!(
        entry,
        JournalEntry::Parked {
            new_message_id: Some(_),
            ..
        }
    )));
    assert_eq!(
        (
            rig.browse(WORK).await.len(),
            rig.browse(&plan.queue).await.len()
        ),
        (0, 0)
    );
    let parked = rig.receivable(&parking).await;
    assert_eq!(parked.len(), 2);
    for message in parked {
        let of = |name: &str| message.attributes.get(name).map(String::as_str);
        assert_eq!(
            (of(attribute::REASON), of(attribute::REPLAYS), of("trace")),
            (Some("mended"), Some("3"), Some("t-1"))
        );
    }
}

/// Lets messages go at a rate, by a clock to turn, and keeps when how many went.
struct Paced {
    clock: ManualClock,
    rate: u32,
    next_ms: Mutex<i64>,
    went: Mutex<Vec<(i64, usize)>>,
}

#[async_trait]
impl Control for Paced {
    fn is_stopped(&self) -> bool {
        false
    }

    async fn pace(&self, messages: usize) {
        let at = {
            let mut next = self.next_ms.lock().unwrap_or_else(PoisonError::into_inner);
            let at = self.clock.now().as_millisecond().max(*next);
            *next = at + 1_000 * i64::try_from(messages).expect("small") / i64::from(self.rate);
            at
        };
        // The others claim theirs in the meantime.
        while self.clock.now().as_millisecond() < at {
            tokio::task::yield_now().await;
            self.clock.advance(Duration::from_millis(10));
        }
        self.went
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((at, messages));
    }

    async fn pause(&self, _: Duration) {}

    fn on_progress(&self, _: &ReplaySummary) {}

    async fn alarms(&self) -> Vec<String> {
        Vec::new()
    }
}

/// However slow the rate and however many the lanes: what is in hand goes before its visibility
/// ends.
#[tokio::test]
async fn a_rate_is_kept_and_costs_no_message() {
    for (rate, count) in [(1, 60), (7, 150), (200, 1_000)] {
        let (rig, _) = Rig::memory().await;
        rig.litter(PROJECTIONS, count, "mended").await;
        let plan = ReplayPlan {
            rate_per_second: Some(rate),
            ..rig.plan(PROJECTIONS, "mended").await
        };
        let control = Paced {
            clock: rig.clock().clone(),
            rate,
            next_ms: Mutex::new(0),
            went: Mutex::default(),
        };
        let (before, notes) = (Before::of(&rig, &plan).await, Notes::new());
        let summary = rig.run(&plan, 8, &notes, &control).await;
        assert_eq!(
            (summary.sent, summary.failed.len()),
            (count, 0),
            "{rate} a second: {summary:?}"
        );
        let lost = notes
            .entries()
            .iter()
            .filter(|entry| matches!(entry, JournalEntry::Failed { .. }))
            .count();
        assert_eq!(lost, 0, "{rate} a second: the right to no message ended");
        before.check(&rig, &plan, &notes).await;
        let went = control
            .went
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let most = usize::try_from(rate).expect("small") + 10;
        for (start, _) in &went {
            let within: usize = went
                .iter()
                .filter(|(at, _)| (*start..*start + 1_000).contains(at))
                .map(|(_, count)| count)
                .sum();
            assert!(within <= most, "{within} in one second at a rate of {rate}");
        }
    }
}

/// Ctrl-C: what is in hand is ended, the rest lies where it was, and the next run sends exactly
/// that.
#[tokio::test]
async fn an_interruption_leaves_an_exact_remainder() {
    for (moves, at) in [
        (Moves::Atomic, 1),
        (Moves::Atomic, 23),
        (Moves::InSteps, 57),
        (Moves::InSteps, 100),
    ] {
        let rig = Rig::sqlite().await;
        rig.litter(WORK, 100, "mended").await;
        rig.litter(WORK, 20, "other").await;
        let plan = rig.plan(WORK, "mended").await;
        let (before, notes, control) = (
            Before::of(&rig, &plan).await,
            Notes::new(),
            Steer::new().stop_at(at),
        );
        let replayer = rig.replayer(rig.queues(moves), 4);
        let summary = replayer
            .execute(&plan, &Progress::default(), &notes, &control)
            .await
            .expect("it stops");
        assert!(summary.sent >= at && summary.sent <= at + 40, "{summary:?}");
        assert_eq!(
            (summary.sent + summary.remaining, summary.failed.len()),
            (100, 0),
            "{summary:?}"
        );
        let left: Vec<_> = rig.receivable(&plan.queue).await;
        assert_eq!(
            left.len(),
            summary.remaining + 20,
            "what was not sent can be received at once"
        );
        assert_eq!(rig.browse(WORK).await.len(), summary.sent);
        assert!(!notes.progress().finished && notes.progress().unclear.is_empty());

        let summary = replayer
            .execute(&plan, &notes.progress(), &notes, &Steer::new())
            .await
            .expect("it goes on");
        assert_eq!((summary.sent, summary.remaining), (100, 0), "{summary:?}");
        before.check(&rig, &plan, &notes).await;
        assert_eq!(rig.browse(WORK).await.len(), 100, "each once");
    }
}

/// Stopped while messages wait for their turn: they are not sent in a burst, but shown again.
#[tokio::test]
async fn an_interruption_does_not_wait_for_the_rate() {
    let rig = Rig::sqlite().await;
    rig.litter(WORK, 50, "mended").await;
    let plan = ReplayPlan {
        rate_per_second: Some(1),
        ..rig.plan(WORK, "mended").await
    };
    let (notes, control) = (Notes::new(), Arc::new(Mutex::new(None::<Arc<Steer<'_>>>)));
    let stop = Arc::clone(&control);
    let steer = Arc::new(Steer::new().on_pace(move |_| {
        if let Some(steer) = stop.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            steer.stop();
        }
        Box::pin(std::future::ready(()))
    }));
    *control.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&steer));
    let summary = rig.run(&plan, 4, &notes, &*steer).await;
    assert_eq!(
        (summary.sent, summary.remaining, notes.entries().len()),
        (0, 50, 0),
        "{summary:?}"
    );
    assert_eq!(rig.receivable(&plan.queue).await.len(), 50);
    assert_eq!(rig.run(&plan, 4, &notes, &Steer::new()).await.sent, 50);
}

/// Two operators replay the same letters at the same time, each with a journal of their own.
#[tokio::test]
async fn two_replays_at_once_send_nothing_twice() {
    for moves in [Moves::Atomic, Moves::InSteps] {
        let rig = Rig::sqlite().await;
        rig.litter(WORK, 300, "mended").await;
        let plan = rig.plan(WORK, "mended").await;
        // On the real time of the queues: nobody's waiting ends the other's right to a message.
        let queues = Arc::clone(&rig.world.stores.ports.queues);
        let queues: Arc<dyn Queues> = if moves == Moves::Atomic {
            queues
        } else {
            Arc::new(Steps::new(queues, Order::SendFirst))
        };
        let (one, two) = (
            rig.replayer(Arc::clone(&queues), 3),
            rig.replayer(queues, 3),
        );
        let (notes, others) = (Notes::new(), Notes::new());
        let (none, steer) = (Progress::default(), Steer::new());
        let (first, second) = futures::join!(
            one.execute(&plan, &none, &notes, &steer),
            two.execute(&plan, &none, &others, &steer)
        );
        let (first, second) = (first.expect("it runs"), second.expect("it runs"));
        assert_eq!(
            first.sent + second.sent,
            300,
            "{moves:?}: {} and {}",
            first.sent,
            second.sent
        );
        assert_eq!(
            (first.failed.len(), second.failed.len()),
            (300 - first.sent, 300 - second.sent),
            "each says what it did not send"
        );
        let delivered = rig.browse(WORK).await;
        assert_eq!(
            (
                delivered.len(),
                rig.browse(&dead_letter_queue(WORK)).await.len()
            ),
            (300, 0),
            "{moves:?}"
        );
    }
}

/// A journal that counts who waits for it at the same time.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl Journal for Crowd {
    async fn append(&self, _: &[JournalEntry]) -> PortResult<()> {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Lanes hand in their lines without waiting for each other, so that one flush serves many.
#[tokio::test]
async fn lanes_hand_in_their_lines_at_the_same_time() {
    let (rig, _) = Rig::memory().await;
    rig.litter(PROJECTIONS, 400, "mended").await;
    let plan = rig.plan(PROJECTIONS, "mended").await;
    let crowd = Crowd::default();
    assert_eq!(rig.run(&plan, 8, &crowd, &Steer::new()).await.sent, 400);
    assert!(
        crowd.most.load(Ordering::Relaxed) >= 6,
        "{} of 8 lanes at the same time",
        crowd.most.load(Ordering::Relaxed)
    );
}
