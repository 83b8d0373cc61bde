//! Ten thousand dead letters of five causes: grouped, and one of them replayed while the others
//! lie.

use std::collections::BTreeSet;

use payops_core::domain::bus::{PROJECTIONS, WORK, dead_letter_queue};
use payops_core::domain::dead_letter::causes;
use payops_core::domain::work_item::attribute;
use payops_core::port::Outgoing;
use payops_core::usecase::DeadLetter;
use payops_testkit::replay::{CAUSES, Notes, Steer, cause_of};

use super::fate::Before;
use super::support::{Moves, Rig, asked, letter};

fn letters(count: usize) -> Vec<Outgoing> {
    let one = |n: usize| {
        let (class, reason) = cause_of(n);
        let mut one = letter(WORK, "unused", n);
        one.attributes
            .insert(attribute::CLASS.to_owned(), class.to_owned());
        one.attributes.insert(attribute::REASON.to_owned(), reason);
        one
    };
    (0..count).map(one).collect()
}

#[tokio::test]
async fn of_ten_thousand_letters_one_cause_is_replayed_and_no_other_touched() {
    const COUNT: usize = 10_000;
    let rig = Rig::sqlite().await;
    let (all, dlq) = (letters(COUNT), dead_letter_queue(WORK));
    futures::future::join_all(all.chunks(500).map(|some| rig.send(&dlq, some.to_vec()))).await;
    let seen = rig.letters(WORK).await;
    let groups = causes(seen.iter().map(DeadLetter::sighting));
    let told: BTreeSet<(&str, u64)> = groups
        .iter()
        .map(|cause| (cause.class.as_str(), cause.count))
        .collect();
    assert_eq!(
        told,
        CAUSES.map(|(class, _)| (class, 2_000)).into(),
        "{groups:#?}"
    );

    let wanted = &groups
        .iter()
        .find(|cause| cause.class == "provider_timeout")
        .expect("a cause")
        .id;
    let chosen: Vec<DeadLetter> = seen
        .iter()
        .filter(|letter| letter.sighting().cause_id() == *wanted)
        .cloned()
        .collect();
    let plan = rig.plan_of(asked(WORK), &chosen).await;
    assert_eq!(
        (plan.messages.len(), plan.causes.len(), plan.to_send()),
        (2_000, 1, 2_000)
    );
    let (before, notes) = (Before::of(&rig, &plan).await, Notes::new());
    let replayer = rig.replayer(rig.queues(Moves::Atomic), 8);
    let summary = replayer
        .execute(&plan, &notes.progress(), &notes, &Steer::new())
        .await
        .expect("it runs");
    assert_eq!(
        (summary.sent, summary.failed.len(), summary.remaining),
        (2_000, 0, 0)
    );
    before.check(&rig, &plan, &notes).await;
    let left = rig.receivable(&plan.queue).await;
    assert_eq!(
        left.len(),
        COUNT - 2_000,
        "the others can be received at once"
    );
    assert!(
        left.iter()
            .all(|message| message.attributes[attribute::CLASS] != "provider_timeout")
    );
    assert_eq!(rig.browse(WORK).await.len(), 2_000);
}

/// More letters of others lie before ours than receipts are kept: ours are found all the same.
#[tokio::test]
async fn a_few_letters_behind_very_many_others_are_found() {
    let (rig, _) = Rig::memory().await;
    rig.litter(PROJECTIONS, 25_000, "other").await;
    rig.litter(PROJECTIONS, 10, "ours").await;
    let plan = rig.plan(PROJECTIONS, "ours").await;
    let notes = Notes::new();
    let summary = rig.run(&plan, 8, &notes, &Steer::new()).await;
    assert_eq!((summary.sent, summary.failed.len()), (10, 0), "{summary:?}");
    assert_eq!(rig.browse(&plan.queue).await.len(), 25_000);
}
