//! Seeded kills: the process dies at a random call, before or after its effect, or its future is
//! dropped at a random await; the replay goes on from its journal, and every message has come to
//! its place.

use std::sync::Arc;
use std::time::Duration;

use payops_core::domain::bus::{PROJECTIONS, WORK, dead_letter_queue};
use payops_core::domain::payment::Status;
use payops_core::domain::replay::{Canary, JournalEntry, ReplayPlan};
use payops_core::port::{Journal, Random as _};
use payops_core::usecase::Replayer;
use payops_testkit::SeededRandom;
use payops_testkit::fault::{Plan as Faults, faulty};
use payops_testkit::replay::{Notes, Steer};

use super::fate::{Before, named};
use super::support::{Moves, Rig, cut};
use crate::world::checker::{Answers, violations};

const ALL_SHOWN: Duration = Duration::from_secs(301);
/// Calls and awaits of a whole replay of this size, roughly.
const SPAN: u64 = 60;

/// Runs `plan`, killed up to three times as `seed` has it, until it has come to its end; the
/// journal, and how often it was killed.
pub(crate) async fn killed_and_gone_on_with(
    rig: &Rig,
    replayer: &Replayer,
    plan: &ReplayPlan,
    seed: u64,
) -> (Vec<JournalEntry>, u64) {
    let notes = Arc::new(Notes::new());
    let journal: Arc<dyn Journal> = faulty(Arc::clone(&notes), &rig.world.chaos);
    let kills = run(rig, replayer, plan, seed, (&notes, &*journal)).await;
    (notes.entries(), kills)
}

/// The same with a journal of the caller's, beside what it has on disk.
pub(crate) async fn run(
    rig: &Rig,
    replayer: &Replayer,
    plan: &ReplayPlan,
    seed: u64,
    (disk, journal): (&Notes, &dyn Journal),
) -> u64 {
    let (dice, chaos) = (SeededRandom::new(seed), &rig.world.chaos);
    let (wanted, mut kills) = (1 + dice.next_u64() % 3, 0);
    loop {
        let progress = disk.progress();
        if progress.finished {
            return kills;
        }
        let control = Steer::new();
        let work = async {
            replayer
                .execute(plan, &progress, journal, &control)
                .await
                .expect("only kills go wrong")
        };
        let ended = if kills >= wanted {
            chaos.calm();
            Some(work.await)
        } else if dice.next_u64().is_multiple_of(3) {
            chaos.calm();
            cut(dice.next_u64() % (2 * SPAN), work).await
        } else {
            let call = usize::try_from(dice.next_u64() % SPAN).expect("small");
            chaos.set(Faults::CrashAt {
                call,
                after: dice.next_u64().is_multiple_of(2),
            });
            chaos.until_crash(work).await
        };
        chaos.calm();
        if ended.is_none() {
            kills += 1;
            rig.clock().advance(ALL_SHOWN);
        }
    }
}

async fn seeded(moves: Moves) {
    let rig = Rig::sqlite().await;
    let (mut answers, mut twice, mut killed) = (Answers::new(), 0, 0);
    let seeds: Vec<u64> = match std::env::var("PAYOPS_SEED") {
        Ok(seed) => vec![seed.parse().expect("PAYOPS_SEED is a number")],
        Err(_) => (1..=25).collect(),
    };
    for (place, seed) in seeds.iter().enumerate() {
        println!("{moves:?}: seed {seed} (again: PAYOPS_SEED={seed})");
        rig.litter(WORK, 25, "other").await;
        let ids = rig.dead_payments(14, "mended", &mut answers).await;
        let plan = rig.plan(WORK, "mended").await;
        assert_eq!(plan.to_send(), 14);
        let before = Before::of(&rig, &plan).await;
        let replayer = rig.replayer(rig.queues(moves), 3);
        let (entries, kills) = killed_and_gone_on_with(&rig, &replayer, &plan, *seed).await;
        let found = before.violations(&rig, &plan, &entries).await;
        assert!(
            found.is_empty(),
            "seed {seed}, killed {kills} times: {found:#?}\n{entries:#?}"
        );
        twice += named(&entries).len();
        killed += kills;
        rig.clear(&dead_letter_queue(WORK)).await;
        rig.world.drain().await;
        for id in ids {
            assert_eq!(
                rig.world.payment(&id).await.status,
                Status::Completed,
                "seed {seed}: {id}"
            );
        }
        // Each payment's timeline too: no state follows a final one, and nobody was charged twice.
        if place % 10 == 9 || place + 1 == seeds.len() {
            let found = violations(&rig.world, &answers).await;
            assert!(found.is_empty(), "up to seed {seed}: {found:#?}");
        }
    }
    println!("{moves:?}: killed {killed} times, {twice} messages named as perhaps sent twice");
    if seeds.len() > 1 {
        assert!(
            killed >= 25 && (moves == Moves::Atomic) == (twice == 0),
            "killed {killed}, sent twice {twice}"
        );
    }
}

/// Fifty in all, with those where moves are made in steps.
#[tokio::test]
async fn seeded_kills_where_moves_are_one_transaction() {
    seeded(Moves::Atomic).await;
}

#[tokio::test]
async fn seeded_kills_where_moves_are_made_in_steps() {
    seeded(Moves::InSteps).await;
}

/// The same on queues in memory, with a canary, and gone on with at once: what the dead process had
/// in hand is still hidden.
#[tokio::test]
async fn two_hundred_kills_gone_on_with_at_once() {
    let (rig, _) = Rig::memory().await;
    for seed in 1..=200 {
        rig.litter(PROJECTIONS, 15, "other").await;
        rig.litter(PROJECTIONS, 30, "mended").await;
        let plan = ReplayPlan {
            canary: Some(4),
            ..rig.plan(PROJECTIONS, "mended").await
        };
        let before = Before::of(&rig, &plan).await;
        let replayer = rig.plain_replayer(4);
        let notes = Notes::new();
        let dice = SeededRandom::new(seed);
        for kill in 0.. {
            let progress = notes.progress();
            if progress.finished {
                break;
            }
            let control = Steer::new();
            let work = replayer.execute(&plan, &progress, &notes, &control);
            let polls = if kill < 3 {
                dice.next_u64() % 150
            } else {
                u64::MAX
            };
            drop(cut(polls, work).await);
        }
        // What the dead processes hid of others shows itself.
        rig.clock().advance(ALL_SHOWN);
        let entries = notes.entries();
        let found = before.violations(&rig, &plan, &entries).await;
        assert!(found.is_empty(), "seed {seed}: {found:#?}\n{entries:#?}");
        assert_eq!(
            notes.progress().canary,
            Some(Canary::Passed { sent: 4 }),
            "seed {seed}"
        );
        rig.clear(&plan.queue).await;
        rig.clear(&plan.target).await;
    }
}
