//! What queues do: rights that end, entries that fail, receives that find nothing, attributes, and
//! dead-letter queues of several sources.

use std::time::Duration;

use payops_core::domain::bus::PROJECTIONS;
use payops_core::domain::bus::{WORK, dead_letter_queue};
use payops_core::domain::replay::{Disposition, JournalEntry, Progress};
use payops_core::domain::work_item::attribute;
use payops_core::port::{Attributes, ErrorKind, Outgoing, PortError};
use payops_core::usecase::{ReplayError, ReplaySummary};
use payops_testkit::replay::{Notes, Steer};

use super::fate::Before;
use super::support::{Moves, Rig, asked, letter};

/// The visibility of what is in hand ends before it is moved, once: it is received again and sent
/// once.
#[tokio::test]
async fn a_right_that_ended_is_taken_again() {
    for moves in [Moves::Atomic, Moves::InSteps] {
        let rig = Rig::sqlite().await;
        rig.litter(WORK, 25, "mended").await;
        rig.litter(WORK, 5, "other").await;
        let plan = rig.plan(WORK, "mended").await;
        let (before, notes) = (Before::of(&rig, &plan).await, Notes::new());
        let times = std::sync::atomic::AtomicUsize::new(0);
        let control = Steer::new().on_pace(|_| {
            if times.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2 {
                rig.clock().advance(Duration::from_secs(21));
            }
            Box::pin(std::future::ready(()))
        });
        let replayer = rig.replayer(rig.queues(moves), 2);
        let summary = replayer
            .execute(&plan, &Progress::default(), &notes, &control)
            .await
            .expect("it runs");
        assert_eq!(
            (summary.sent, summary.failed.len()),
            (25, 0),
            "{moves:?}: {summary:?}"
        );
        before.check(&rig, &plan, &notes).await;
        assert_eq!(rig.browse(WORK).await.len(), 25, "each once");
    }
}

/// Somebody else receives and deletes what is in hand: it is said, and nothing is sent.
#[tokio::test]
async fn what_somebody_else_took_is_not_sent() {
    let rig = Rig::sqlite().await;
    rig.litter(WORK, 3, "mended").await;
    let plan = rig.plan(WORK, "mended").await;
    let notes = Notes::new();
    let control = Steer::new().on_pace(|_| {
        Box::pin(async {
            rig.clock().advance(Duration::from_secs(21));
            rig.clear(&dead_letter_queue(WORK)).await;
        })
    });
    let replayer = rig.replayer(rig.queues(Moves::InSteps), 2);
    let summary = replayer
        .execute(&plan, &Progress::default(), &notes, &control)
        .await
        .expect("it runs");
    assert_eq!(
        (summary.sent, summary.failed.len(), summary.remaining),
        (0, 3, 0),
        "{summary:?}"
    );
    check_reasons(&summary, |reason| {
        reason.contains("not found: already moved")
    });
    assert_eq!(rig.browse(WORK).await.len(), 0);
}

/// Every message that failed did so for the right reason.
#[track_caller]
fn check_reasons(summary: &ReplaySummary, is_right: impl Fn(&str) -> bool) {
    let mut reasons = summary.failed.values();
    assert!(reasons.all(|reason| is_right(reason)), "{summary:?}");
}

fn refuses(
    word: &'static str,
    kind: ErrorKind,
) -> impl Fn(&str, &Outgoing) -> Option<PortError> + Send + Sync + 'static {
    move |queue, message| {
        (queue == PROJECTIONS && message.body.contains(word))
            .then(|| PortError::new(kind, format!("{word} is refused on purpose")))
    }
}

#[tokio::test]
async fn a_message_that_the_target_never_takes_stops_no_other() {
    let (rig, queues) = Rig::memory().await;
    rig.litter(PROJECTIONS, 30, "mended").await;
    let plan = rig.plan(PROJECTIONS, "mended").await;
    queues.refuse(refuses("\"mended\": 7}", ErrorKind::Permanent));
    let (before, notes) = (Before::of(&rig, &plan).await, Notes::new());
    let summary = rig.run(&plan, 3, &notes, &Steer::new()).await;
    assert_eq!(
        (summary.sent, summary.failed.len(), summary.remaining),
        (29, 1, 0),
        "{summary:?}"
    );
    check_reasons(&summary, |reason| reason.contains("refused on purpose"));
    before.check(&rig, &plan, &notes).await;
    let left = rig.receivable(&plan.queue).await;
    assert_eq!(
        (left.len(), left[0].body.as_str()),
        (1, "{\"mended\": 7}"),
        "it can be received at once"
    );
}

/// An entry that is throttled was surely not sent: the replay stops, says so, and sends it once
/// later.
#[tokio::test]
async fn a_throttled_entry_stops_the_replay_and_is_sent_later() {
    for (kind, named) in [(ErrorKind::Throttled, 0), (ErrorKind::Ambiguous, 1)] {
        let (rig, queues) = Rig::memory().await;
        rig.litter(PROJECTIONS, 10, "mended").await;
        let plan = rig.plan(PROJECTIONS, "mended").await;
        queues.refuse(refuses("\"mended\": 7}", kind));
        let (before, notes) = (Before::of(&rig, &plan).await, Notes::new());
        let replayer = rig.plain_replayer(1);
        let stopped = replayer
            .execute(&plan, &Progress::default(), &notes, &Steer::new())
            .await
            .expect_err("it stops");
        assert!(
            matches!(&stopped, ReplayError::Port(error) if error.kind == kind),
            "{stopped:?}"
        );
        assert_eq!(
            (notes.progress().sent.len(), notes.progress().finished),
            (9, false)
        );
        queues.refuse(|_, _| None);
        let summary = rig
            .go_on(&plan, &notes.progress(), 1, &notes, &Steer::new())
            .await;
        assert_eq!((summary.sent, summary.failed.len()), (10, 0), "{summary:?}");
        before.check(&rig, &plan, &notes).await;
        let twice = notes
            .entries()
            .iter()
            .filter(|entry| matches!(entry, JournalEntry::SentTwice { .. }))
            .count();
        assert_eq!(
            twice, named,
            "{kind:?}: only what may have been sent twice is named"
        );
    }
}

/// SQS may answer that there is nothing though there is.
#[tokio::test]
async fn receives_that_find_nothing_do_not_end_a_replay() {
    for lies in [1, 3, 9] {
        let (rig, queues) = Rig::memory().await;
        rig.litter(PROJECTIONS, 25, "mended").await;
        let plan = rig.plan(PROJECTIONS, "mended").await;
        let lying = Steer::new().on_pace(|_| {
            queues.lie(lies);
            Box::pin(std::future::ready(()))
        });
        queues.lie(lies);
        let summary = rig.run(&plan, 1, &Notes::new(), &lying).await;
        assert_eq!(
            (summary.sent, summary.failed.len()),
            (25, 0),
            "{lies} lies: {summary:?}"
        );
    }
}

/// Eight attributes of ours and two of others come along as they should; an eleventh is refused in
/// words.
#[tokio::test]
async fn attributes_are_kept_and_their_limit_is_said() {
    let with = |n: usize, foreign: usize| {
        let mut one = letter(PROJECTIONS, "mended", n);
        one.attributes.retain(|name, _| name.starts_with("payops-"));
        one.attributes
            .insert(attribute::REPLAYS.to_owned(), "1".to_owned());
        one.attributes
            .insert(attribute::REPLAY_OF.to_owned(), "earlier".to_owned());
        one.attributes
            .extend((0..foreign).map(|n| (format!("other-{n}"), format!("ünï {n}"))));
        one
    };
    let (rig, _) = Rig::memory().await;
    let full = with(1, 2);
    assert_eq!(full.attributes.len(), 10, "eight of ours");
    // As the queue service itself moves it when its consumer never saw it: nothing of ours on it.
    let mut foreign = with(2, 9);
    foreign
        .attributes
        .retain(|name, _| name.starts_with("other-"));
    rig.send(&dead_letter_queue(PROJECTIONS), vec![full, foreign])
        .await;
    let plan = rig.plan(PROJECTIONS, "").await;
    let (before, notes) = (Before::of(&rig, &plan).await, Notes::new());
    let summary = rig.run(&plan, 1, &notes, &Steer::new()).await;
    assert_eq!((summary.sent, summary.failed.len()), (1, 1), "{summary:?}");
    let reason = summary.failed.values().next().expect("a reason");
    assert!(
        reason.contains("11 attributes, over the limit of 10"),
        "{reason}"
    );
    before.check(&rig, &plan, &notes).await;
    let sent = rig.browse(PROJECTIONS).await.remove(0).attributes;
    assert_eq!(
        (
            sent.len(),
            sent[attribute::REPLAYS].as_str(),
            sent["other-1"].as_str()
        ),
        (5, "2", "ünï 1"),
        "{sent:?}"
    );
    assert!(sent.contains_key(attribute::FIRST_SEEN) && sent.contains_key(attribute::REPLAY_OF));
    assert_eq!(
        rig.receivable(&plan.queue).await.len(),
        1,
        "the other stays, and can be received"
    );
}

/// Two queues with one dead-letter queue: each message goes back to its own, or stays.
#[tokio::test]
async fn what_died_in_another_queue_stays() {
    let rig = Rig::sqlite().await;
    let dlq = dead_letter_queue(WORK);
    let untold = Outgoing {
        attributes: Attributes::new(),
        ..letter(WORK, "mended", 3)
    };
    rig.send(
        &dlq,
        vec![
            letter(WORK, "mended", 1),
            letter("billing", "mended", 2),
            untold,
        ],
    )
    .await;
    let letters = rig.letters(WORK).await;
    let plan = rig.plan_of(asked(WORK), &letters).await;
    let verdicts: Vec<Disposition> = plan
        .messages
        .iter()
        .map(|message| message.disposition.clone())
        .collect();
    let skip = Disposition::Skip {
        why: "it comes from another queue, billing".to_owned(),
    };
    assert_eq!(
        verdicts,
        [Disposition::Send, skip, Disposition::Send],
        "one that names no queue is taken for ours"
    );
    let (before, notes) = (Before::of(&rig, &plan).await, Notes::new());
    let summary = rig.run(&plan, 2, &notes, &Steer::new()).await;
    assert_eq!(
        (summary.sent, summary.skipped, summary.remaining),
        (2, 1, 0),
        "{summary:?}"
    );
    before.check(&rig, &plan, &notes).await;
    assert_eq!(rig.receivable(&dlq).await.len(), 1);
}

/// Somebody else has letters in hand: a discard waits for them, and says of those that do not come
/// that they are hidden.
#[tokio::test]
async fn a_discard_waits_for_what_is_hidden_and_never_calls_it_gone() {
    let dlq = dead_letter_queue(WORK);
    for (hidden, discarded) in [(Duration::from_secs(30), 5), (Duration::from_mins(5), 0)] {
        let rig = Rig::sqlite().await;
        rig.litter(WORK, 5, "mended").await;
        let plan = rig.plan(WORK, "mended").await;
        assert_eq!(
            rig.plain
                .receive(&dlq, 10, hidden, Duration::ZERO)
                .await
                .expect("received")
                .len(),
            5
        );
        let replayer = rig.plain_replayer(1);
        let summary = replayer
            .discard(&plan, "on purpose", &Notes::new(), &Steer::new())
            .await
            .expect("it runs");
        assert_eq!(
            (summary.sent, summary.failed.len()),
            (discarded, 5 - discarded),
            "{summary:?}"
        );
        check_reasons(&summary, |reason| reason.starts_with("hidden: "));
        assert_eq!(
            rig.browse(&dlq).await.len(),
            5 - discarded,
            "what is hidden stays"
        );
    }
    let rig = Rig::sqlite().await;
    rig.litter(WORK, 5, "mended").await;
    let plan = rig.plan(WORK, "mended").await;
    rig.clear(&dlq).await;
    let summary = rig
        .plain_replayer(1)
        .discard(&plan, "on purpose", &Notes::new(), &Steer::new())
        .await
        .expect("it runs");
    assert!(
        summary
            .failed
            .values()
            .all(|reason| reason == "not found: already moved, or held by another consumer"),
        "{summary:?}"
    );
    assert_eq!(summary.failed.len(), 5);
}

/// Dead letters that keep coming do not keep a discard or a replay that waits for a hidden one.
#[tokio::test]
async fn a_discard_and_a_replay_end_though_new_letters_keep_coming() {
    let dlq = dead_letter_queue(WORK);
    for discards in [true, false] {
        let rig = Rig::sqlite().await;
        rig.litter(WORK, 1, "mended").await;
        let plan = rig.plan(WORK, "mended").await;
        assert_eq!(
            rig.plain
                .receive(&dlq, 1, Duration::from_hours(1), Duration::ZERO)
                .await
                .expect("received")
                .len(),
            1
        );
        let coming = async {
            loop {
                rig.litter(WORK, 1, "new").await;
                rig.clock().advance(Duration::from_secs(1));
            }
        };
        let (replayer, notes, control, done) = (
            rig.plain_replayer(1),
            Notes::new(),
            Steer::new(),
            Progress::default(),
        );
        let work = async {
            if discards {
                replayer
                    .discard(&plan, "on purpose", &notes, &control)
                    .await
            } else {
                replayer.execute(&plan, &done, &notes, &control).await
            }
        };
        let summary = tokio::select! {
            summary = work => summary.expect("it runs"),
            () = coming => panic!("letters come for ever"),
        };
        assert_eq!(
            (summary.sent, summary.failed.len(), summary.remaining),
            (0, 1, 0),
            "{summary:?}"
        );
        check_reasons(&summary, |reason| reason.starts_with("hidden: "));
        assert!(
            rig.receivable(&dlq).await.len() > 1,
            "the others are shown again"
        );
    }
}

/// A message as full as a message may be dies too: marked as dead where there is room for that.
#[tokio::test]
async fn a_full_message_goes_to_its_dead_letter_queue_with_as_much_as_fits() {
    let others = |count: usize| {
        (0..count)
            .map(|n| (format!("other-{n}"), "x".to_owned()))
            .collect::<Attributes>()
    };
    let of_size = |bytes: usize| "x".repeat(bytes);
    let most = 1024 * 1024;
    for (body, attributes, marked) in [
        ("small".to_owned(), others(9), true),
        ("small".to_owned(), others(10), false),
        (of_size(most - 100), others(0), true),
        (of_size(most), others(0), false),
    ] {
        let rig = Rig::sqlite().await;
        rig.send(
            WORK,
            vec![Outgoing {
                body: body.clone(),
                attributes: attributes.clone(),
                ..Outgoing::default()
            }],
        )
        .await;
        rig.mark_dead("no room").await;
        let dead = rig.browse(&dead_letter_queue(WORK)).await;
        assert_eq!((dead.len(), rig.browse(WORK).await.len()), (1, 0));
        assert_eq!(
            (
                dead[0].body == body,
                dead[0].attributes.contains_key(attribute::CLASS)
            ),
            (true, marked),
            "{}",
            attributes.len()
        );
        assert!(
            attributes
                .iter()
                .all(|(name, value)| dead[0].attributes.get(name) == Some(value)),
            "all attributes are kept"
        );
    }
}
