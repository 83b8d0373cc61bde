//! Journals, and how far they say a replay got.

use super::*;

fn id(text: &str) -> String {
    text.to_owned()
}

#[test]
fn a_cut_off_journal_says_what_is_unclear() {
    let entries = [
        JournalEntry::Sending {
            message_id: id("a"),
        },
        JournalEntry::Sent {
            message_id: id("a"),
            new_message_id: None,
        },
        JournalEntry::Sending {
            message_id: id("b"),
        },
    ];
    let progress = Progress::read(&entries);
    assert_eq!(
        (progress.sent, progress.unclear, progress.finished),
        (BTreeSet::from([id("a")]), BTreeSet::from([id("b")]), false)
    );
}

#[test]
fn every_outcome_settles_its_message() {
    let entries = [
        JournalEntry::Parked {
            message_id: id("a"),
            new_message_id: Some(id("p")),
        },
        JournalEntry::Skipped {
            message_id: id("b"),
            reason: id("final"),
        },
        JournalEntry::Sending {
            message_id: id("c"),
        },
        JournalEntry::Discarded {
            message_id: id("c"),
            reason: id("test data"),
            body_sha256: id("00"),
        },
        JournalEntry::Edited {
            message_id: id("d"),
            old_sha256: id("01"),
            new_sha256: id("02"),
        },
        JournalEntry::Sending {
            message_id: id("d"),
        },
        JournalEntry::Failed {
            message_id: id("e"),
            reason: id("gone"),
        },
    ];
    let progress = Progress::read(&entries);
    let settled: Vec<bool> = ["a", "b", "c", "d", "e"]
        .iter()
        .map(|id| progress.is_settled(id))
        .collect();
    assert_eq!(settled, [true, true, true, false, false]);
    assert_eq!(progress.unclear, BTreeSet::from([id("d")]));
    assert_eq!(progress.edited, BTreeMap::from([(id("d"), id("02"))]));
}

#[test]
fn what_was_skipped_or_failed_may_be_sent_later() {
    let entries = [
        JournalEntry::Skipped {
            message_id: id("a"),
            reason: id("final"),
        },
        JournalEntry::Failed {
            message_id: id("b"),
            reason: id("held"),
        },
        JournalEntry::Sending {
            message_id: id("a"),
        },
        JournalEntry::Sent {
            message_id: id("a"),
            new_message_id: None,
        },
        JournalEntry::Sent {
            message_id: id("b"),
            new_message_id: None,
        },
    ];
    let progress = Progress::read(&entries);
    assert_eq!(
        (
            progress.sent.len(),
            progress.skipped.len(),
            progress.failed.len()
        ),
        (2, 0, 0)
    );
}

#[test]
fn the_last_word_on_the_canary_counts() {
    let stopped = JournalEntry::CanaryStopped {
        sent: 5,
        re_arrived: vec![id("a")],
        why: id("1 of 5 came back"),
    };
    let progress = Progress::read(&[stopped.clone(), JournalEntry::CanaryPassed { sent: 5 }]);
    assert_eq!(progress.canary, Some(Canary::Passed { sent: 5 }));
    assert!(matches!(
        Progress::read(&[stopped]).canary,
        Some(Canary::Stopped { .. })
    ));
}

#[test]
fn lines_have_the_form_that_is_on_disk() {
    let line = |entry: &JournalEntry| serde_json::to_string(entry).expect("JSON");
    assert_eq!(
        line(&JournalEntry::Parked {
            message_id: id("a"),
            new_message_id: None
        }),
        r#"{"entry":"parked","message_id":"a","new_message_id":null}"#
    );
    assert_eq!(
        line(&JournalEntry::CanaryPassed { sent: 5 }),
        r#"{"entry":"canary_passed","sent":5}"#
    );
    assert_eq!(
        line(&JournalEntry::CanaryStopped {
            sent: 5,
            re_arrived: vec![id("a")],
            why: id("alarm")
        }),
        r#"{"entry":"canary_stopped","sent":5,"re_arrived":["a"],"why":"alarm"}"#
    );
    assert_eq!(
        line(&JournalEntry::Edited {
            message_id: id("a"),
            old_sha256: id("1"),
            new_sha256: id("2")
        }),
        r#"{"entry":"edited","message_id":"a","old_sha256":"1","new_sha256":"2"}"#
    );
}

/// As the first released version wrote it.
const OLD: &str = r#"{"entry":"plan","id":"1-x","env":"prod","queue":"payments-work-dlq","target":"payments-work","by":"anna","reason":"fixed","at":"1970-01-01T00:00:00Z","messages":[{"message_id":"a","body_sha256":"00","payment_id":"pay_01KAM6RRDG0000000000000007","class":"timeout","preflight":"safe"}]}
{"entry":"sending","message_id":"a"}
{"entry":"sent","message_id":"a","new_message_id":"n"}
{"entry":"finished","at":"1970-01-01T00:00:01Z"}"#;

#[test]
fn old_journals_are_read() {
    let entries: Vec<JournalEntry> = OLD
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line"))
        .collect();
    let JournalEntry::Plan(plan) = &entries[0] else {
        panic!("no plan")
    };
    assert_eq!(
        (plan.replays_max, plan.account.as_ref(), plan.edits.len()),
        (3, None, 0)
    );
    assert_eq!(
        (
            plan.messages[0].replays,
            plan.messages[0].disposition.clone()
        ),
        (0, crate::domain::replay::Disposition::Send)
    );
    let progress = Progress::read(&entries);
    assert!(progress.finished && progress.is_settled("a"));
}
