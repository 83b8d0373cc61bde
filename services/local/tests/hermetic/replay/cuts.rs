//! The literal form of a kill: the future of a small replay is dropped after k polls, for every k,
//! and the replay goes on from its journal.

use payops_core::domain::bus::{PROJECTIONS, WORK, dead_letter_queue};
use payops_core::domain::payment::Status;
use payops_testkit::replay::{Notes, Steer};
use std::time::Duration;

use super::fate::Before;
use super::support::{Moves, Rig, cut};
use crate::world::checker::{Answers, violations};

async fn every_await(moves: Moves) {
    let rig = Rig::sqlite().await;
    let mut answers = Answers::new();
    let mut polls = 0_u64;
    loop {
        rig.litter(WORK, 2, "other").await;
        let ids = rig.dead_payments(3, "mended", &mut answers).await;
        let plan = rig.plan(WORK, "mended").await;
        let (before, notes) = (Before::of(&rig, &plan).await, Notes::new());
        let replayer = rig.replayer(rig.queues(moves), 2);
        let (none, control) = (notes.progress(), Steer::new());
        let done = cut(polls, replayer.execute(&plan, &none, &notes, &control)).await;
        if done.is_none() {
            rig.clock().advance(Duration::from_secs(301));
            replayer
                .execute(&plan, &notes.progress(), &notes, &control)
                .await
                .expect("it goes on");
        }
        let found = before.violations(&rig, &plan, &notes.entries()).await;
        assert!(
            found.is_empty(),
            "dropped after {polls} polls: {found:#?}\n{:#?}",
            notes.entries()
        );
        rig.clear(&dead_letter_queue(WORK)).await;
        rig.world.drain().await;
        for id in ids {
            assert_eq!(
                rig.world.payment(&id).await.status,
                Status::Completed,
                "dropped after {polls} polls"
            );
        }
        if done.is_some() {
            break;
        }
        polls += 1;
    }
    assert_eq!(violations(&rig.world, &answers).await, Vec::<String>::new());
    assert!(polls > 20, "only {polls} awaits were reached");
    println!("{moves:?}: awaits at which the future was dropped: {polls}");
}

#[tokio::test]
async fn dropped_at_every_await_where_moves_are_one_transaction() {
    every_await(Moves::Atomic).await;
}

#[tokio::test]
async fn dropped_at_every_await_where_moves_are_made_in_steps() {
    every_await(Moves::InSteps).await;
}

/// Gone on with at once, so that what the dead process held is still hidden, for up to a minute;
/// its counts lag as those of SQS may.
#[tokio::test]
async fn dropped_at_every_await_and_gone_on_with_at_once() {
    let (rig, _) = Rig::memory().await;
    for polls in 0_u64.. {
        rig.litter(PROJECTIONS, 3, "other").await;
        rig.litter(PROJECTIONS, 12, "mended").await;
        let plan = rig.plan(PROJECTIONS, "mended").await;
        let (before, notes) = (Before::of(&rig, &plan).await, Notes::new());
        let (none, control) = (notes.progress(), Steer::new());
        let replayer = rig.plain_replayer(3);
        let done = cut(polls, replayer.execute(&plan, &none, &notes, &control)).await;
        if done.is_none() {
            rig.go_on(&plan, &notes.progress(), 3, &notes, &control)
                .await;
            // What the dead process hid of others shows itself.
            rig.clock().advance(Duration::from_secs(301));
        }
        let found = before.violations(&rig, &plan, &notes.entries()).await;
        assert!(
            found.is_empty(),
            "dropped after {polls} polls: {found:#?}\n{:#?}",
            notes.entries()
        );
        rig.clear(&plan.queue).await;
        rig.clear(&plan.target).await;
        if done.is_some() {
            assert!(polls > 20, "only {polls} awaits were reached");
            println!("awaits at which the future was dropped: {polls}");
            return;
        }
    }
}
