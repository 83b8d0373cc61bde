//! Canaries: the first messages go, what becomes of them is watched, and the rest follows or does
//! not.

use std::sync::Arc;
use std::time::Duration;

use payops_core::domain::bus::{PROJECTIONS, WORK, dead_letter_queue};
use payops_core::domain::payment::Status;
use payops_core::domain::replay::{Canary, ReplayPlan};
use payops_core::usecase::ReplaySummary;
use payops_testkit::replay::{Notes, Steer};
use tokio::sync::Notify;

use super::fate::Before;
use super::support::Rig;
use crate::world::checker::{Answers, violations};

/// Ten dead payments and a plan that sends three first.
async fn ten(answers: &mut Answers) -> (Rig, ReplayPlan) {
    let rig = Rig::sqlite().await;
    rig.dead_payments(10, "mended", answers).await;
    let plan = ReplayPlan {
        canary: Some(3),
        ..rig.plan(WORK, "mended").await
    };
    (rig, plan)
}

async fn sent(rig: &Rig) -> usize {
    10 - rig.browse(&dead_letter_queue(WORK)).await.len()
}

async fn work_off(rig: &Rig) {
    rig.world.work_off().await.expect("the consumers work");
}

/// The run ended at its canary: three were sent, seven lie, and can be received.
async fn check_stopped(rig: &Rig, notes: &Notes, summary: &ReplaySummary, words: &str) {
    assert!(
        summary
            .stopped
            .as_deref()
            .is_some_and(|why| why.contains(words)),
        "{summary:?}"
    );
    assert_eq!(
        (summary.sent, summary.remaining, summary.failed.len()),
        (3, 7, 0),
        "{summary:?}"
    );
    assert!(notes.progress().finished, "another plan is needed");
    let told = notes.progress().canary;
    assert!(
        matches!(&told, Some(Canary::Stopped { sent: 3, why, .. }) if why.contains(words)),
        "{told:?}"
    );
    let planned = rig.receivable(&dead_letter_queue(WORK)).await;
    assert!(
        planned.len() >= 7,
        "what was not sent can be received: {}",
        planned.len()
    );
}

#[tokio::test]
async fn a_canary_that_lives_lets_the_rest_follow() {
    let mut answers = Answers::new();
    let (rig, plan) = ten(&mut answers).await;
    let notes = Notes::new();
    let control = Steer::new().on_pause(|look| {
        let rig = &rig;
        Box::pin(async move {
            assert_eq!(sent(rig).await, 3, "three and no more at look {look}");
            work_off(rig).await;
        })
    });
    let summary = rig.run(&plan, 4, &notes, &control).await;
    assert_eq!(
        (summary.sent, summary.remaining, summary.stopped),
        (10, 0, None)
    );
    assert_eq!(
        (notes.progress().canary, control.looks()),
        (Some(Canary::Passed { sent: 3 }), 4)
    );
    rig.world.drain().await;
    assert_eq!(violations(&rig.world, &answers).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_canary_that_dies_again_stops_the_replay() {
    let mut answers = Answers::new();
    let (rig, plan) = ten(&mut answers).await;
    let notes = Notes::new();
    let control = Steer::new().on_pause(|_| Box::pin(rig.mark_dead("again")));
    let summary = rig.run(&plan, 4, &notes, &control).await;
    check_stopped(
        &rig,
        &notes,
        &summary,
        "3 of 3 failed again, the first is pay_",
    )
    .await;
    let Some(Canary::Stopped { re_arrived, .. }) = notes.progress().canary else {
        panic!("not stopped")
    };
    assert!(
        re_arrived.len() == 3
            && re_arrived
                .iter()
                .all(|id| answers.values().any(|answer| answer.payment.as_str() == id))
    );
}

#[tokio::test]
async fn an_alarm_stops_the_replay() {
    let (rig, plan) = ten(&mut Answers::new()).await;
    let notes = Notes::new();
    let control = Steer::new()
        .on_pause(|_| Box::pin(work_off(&rig)))
        .alarm_at(2, "payments-5xx is in alarm");
    let summary = rig.run(&plan, 4, &notes, &control).await;
    check_stopped(&rig, &notes, &summary, "alarm: payments-5xx is in alarm").await;
}

#[tokio::test]
async fn payments_that_do_not_come_to_an_end_stop_the_replay() {
    let (rig, plan) = ten(&mut Answers::new()).await;
    let notes = Notes::new();
    let control = Steer::new();
    let summary = rig.run(&plan, 4, &notes, &control).await;
    check_stopped(&rig, &notes, &summary, "3 of 3 are not final after 120 s").await;
    assert_eq!(control.looks(), 119);
}

/// Interrupted while it watched, by Ctrl-C or by a kill: no more is sent, and the watch goes on
/// with the same payments.
#[tokio::test]
async fn a_watch_that_was_cut_off_goes_on() {
    for (killed, dies) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut answers = Answers::new();
        let (rig, plan) = ten(&mut answers).await;
        let (before, notes, reached) = (Before::of(&rig, &plan).await, Notes::new(), Notify::new());
        let first = Arc::new(Steer::new().on_pause(|look| {
            let reached = &reached;
            Box::pin(async move {
                if look == 2 {
                    reached.notify_one();
                    if killed {
                        std::future::pending::<()>().await;
                    }
                }
            })
        }));
        tokio::select! {
            () = async { reached.notified().await; if killed { return } first.stop(); std::future::pending::<()>().await } => {}
            summary = rig.run(&plan, 4, &notes, &*first) => assert_eq!((summary.sent, summary.remaining, summary.stopped), (3, 7, None)),
        }
        assert_eq!((sent(&rig).await, notes.progress().finished), (3, false));
        rig.clock().advance(Duration::from_secs(301));
        let second = Steer::new().on_pause(|look| {
            let rig = &rig;
            Box::pin(async move {
                assert!(
                    sent(rig).await <= 3,
                    "no more are sent while their fate is not known"
                );
                match (look > 7, dies) {
                    (false, _) => {}
                    (true, false) => work_off(rig).await,
                    (true, true) => rig.mark_dead("again").await,
                }
            })
        });
        let summary = rig
            .go_on(&plan, &notes.progress(), 4, &notes, &second)
            .await;
        if dies {
            check_stopped(&rig, &notes, &summary, "3 of 3 failed again").await;
            continue;
        }
        assert_eq!(
            (summary.sent, summary.stopped, notes.progress().canary),
            (10, None, Some(Canary::Passed { sent: 3 }))
        );
        drop(before);
        rig.world.drain().await;
        assert!(rig.world.payment(&answers["p0"].payment).await.status == Status::Completed);
        assert_eq!(violations(&rig.world, &answers).await, Vec::<String>::new());
    }
}

/// Where payments do not tell, the queues do: all was worked on, and nothing came back.
#[tokio::test]
async fn queues_tell_where_payments_do_not() {
    for comes_back in [false, true] {
        let (rig, _) = Rig::memory().await;
        rig.litter(PROJECTIONS, 20, "mended").await;
        rig.litter(PROJECTIONS, 5, "other").await;
        let plan = ReplayPlan {
            canary: Some(4),
            ..rig.plan(PROJECTIONS, "mended").await
        };
        let notes = Notes::new();
        let control = Steer::new().on_pause(|look| {
            let rig = &rig;
            Box::pin(async move {
                if look == 8 {
                    if comes_back {
                        rig.litter(PROJECTIONS, 1, "again").await;
                    }
                    rig.clear(PROJECTIONS).await;
                }
            })
        });
        let summary = rig.run(&plan, 4, &notes, &control).await;
        assert!(
            control.looks() >= 8,
            "not before all was worked on: {} looks",
            control.looks()
        );
        if comes_back {
            assert!(
                summary
                    .stopped
                    .as_deref()
                    .is_some_and(|why| why.starts_with("1 more messages in projections-dlq")),
                "{summary:?}"
            );
            assert_eq!((summary.sent, summary.remaining), (4, 16));
        } else {
            assert_eq!(
                (summary.sent, summary.remaining, summary.stopped),
                (20, 0, None)
            );
        }
    }
}
