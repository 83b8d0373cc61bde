//! Journals cut at every byte, damaged, and locked.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use payops_core::domain::replay::{PlannedMessage, Preflight};
use payops_core::port::Journal as _;

use super::*;
use crate::error::Kind;

fn plan(id: &str) -> ReplayPlan {
    let message = |id: &str| PlannedMessage {
        message_id: id.to_owned(),
        body_sha256: "00".to_owned(),
        payment_id: None,
        class: "unknown".to_owned(),
        preflight: Preflight::Unknown,
        ..PlannedMessage::default()
    };
    ReplayPlan {
        id: id.to_owned(),
        env: "prod".to_owned(),
        queue: "payments-work-dlq".to_owned(),
        target: "payments-work".to_owned(),
        by: "anna".to_owned(),
        reason: "fixed".to_owned(),
        at: jiff::Timestamp::UNIX_EPOCH,
        messages: ["a", "b", "c"].map(message).to_vec(),
        ..ReplayPlan::default()
    }
}

fn sent(id: &str) -> JournalEntry {
    JournalEntry::Sent {
        message_id: id.to_owned(),
        new_message_id: None,
    }
}

fn sending(id: &str) -> JournalEntry {
    JournalEntry::Sending {
        message_id: id.to_owned(),
    }
}

fn journals() -> (tempfile::TempDir, Journals) {
    let temp = tempfile::tempdir().expect("a folder");
    let journals = Journals::open(temp.path().join("replays/prod")).expect("opened");
    (temp, journals)
}

#[tokio::test]
async fn an_interrupted_replay_is_found_with_its_torn_last_line() {
    let (_temp, journals) = journals();
    let journal = journals.create(&plan("1-x")).expect("made");
    journal
        .append(&[sending("a"), sent("a"), sending("b")])
        .await
        .expect("written");
    let path = journal.path().to_owned();
    drop(journal);
    let whole = fs::read(&path).expect("read");
    let mut torn = whole.clone();
    torn.extend_from_slice(b"{\"entry\":\"sent\",\"mess");
    fs::write(&path, &torn).expect("written");

    let found = journals
        .unfinished("prod", "payments-work-dlq")
        .expect("read")
        .expect("found");
    assert_eq!(found.plan, plan("1-x"));
    assert_eq!(
        (found.progress.sent, found.progress.unclear),
        (
            BTreeSet::from(["a".to_owned()]),
            BTreeSet::from(["b".to_owned()])
        )
    );
    found.journal.append(&[sent("b")]).await.expect("written");
    let after = fs::read_to_string(&path).expect("read");
    assert!(
        after.as_bytes().starts_with(&whole)
            && after.ends_with("\"message_id\":\"b\",\"new_message_id\":null}\n"),
        "{after}"
    );
    assert_eq!(read(&path).expect("whole again").0.len(), 5);
}

#[tokio::test]
async fn every_cut_of_a_journal_can_be_resumed() {
    let (_temp, journals) = journals();
    let journal = journals.create(&plan("1-x")).expect("made");
    journal
        .append(&[sending("a"), sent("a"), sending("b"), sent("b")])
        .await
        .expect("written");
    let path = journal.path().to_owned();
    let whole = fs::read(&path).expect("read");
    for cut in 0..=whole.len() {
        fs::write(&path, whole.get(..cut).unwrap_or_default()).expect("written");
        match journals
            .unfinished("prod", "payments-work-dlq")
            .expect("read")
        {
            Some(found) => {
                let lines = whole
                    .get(..cut)
                    .unwrap_or_default()
                    .split(|byte| *byte == b'\n')
                    .count()
                    - 1;
                assert_eq!(
                    read(found.journal.path()).expect("read").0.len(),
                    lines,
                    "cut at {cut}"
                );
            }
            None => assert!(
                !path.exists(),
                "a journal without a plan is removed (cut at {cut})"
            ),
        }
    }
}

#[tokio::test]
async fn finished_and_foreign_journals_are_left_alone() {
    let (_temp, journals) = journals();
    let done = journals.create(&plan("1-x")).expect("made");
    done.append(&[JournalEntry::Finished {
        at: jiff::Timestamp::UNIX_EPOCH,
    }])
    .await
    .expect("written");
    journals
        .create(&ReplayPlan {
            env: "test".to_owned(),
            ..plan("2-x")
        })
        .expect("made");
    assert!(
        journals
            .unfinished("prod", "payments-work-dlq")
            .expect("read")
            .is_none()
    );
    assert!(
        journals
            .unfinished("test", "payments-work-dlq")
            .expect("read")
            .is_some()
    );
    assert!(
        journals
            .unfinished("prod", "projections-dlq")
            .expect("read")
            .is_none()
    );
}

#[test]
fn damage_in_the_middle_is_an_error_and_not_skipped() {
    let (_temp, journals) = journals();
    let journal = journals.create(&plan("1-x")).expect("made");
    let mut text = fs::read(journal.path()).expect("read");
    text.extend_from_slice(b"{\"entry\":\n{\"entry\":\"sending\",\"message_id\":\"a\"}\n");
    fs::write(journal.path(), text).expect("written");
    let error = journals
        .unfinished("prod", "payments-work-dlq")
        .expect_err("refused");
    assert!(
        error.message.contains("damaged at line 2"),
        "{}",
        error.message
    );
}

#[test]
fn journals_are_private_and_one_replay_runs_at_a_time() {
    let (_temp, journals) = journals();
    let journal = journals.create(&plan("1-x")).expect("made");
    assert_eq!(
        fs::metadata(journal.path())
            .expect("there")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let lock = journals.lock("payments-work-dlq").expect("locked");
    assert_eq!(
        journals
            .lock("payments-work-dlq")
            .expect_err("refused")
            .kind,
        Kind::Refused
    );
    journals.lock("projections-dlq").expect("another queue");
    drop(lock);
    journals.lock("payments-work-dlq").expect("free again");
}

#[test]
fn whether_a_replay_was_interrupted_is_asked_without_a_trace() {
    let (temp, journals) = journals();
    let dir = temp.path().join("replays/prod");
    let is_interrupted = |dir: PathBuf, env: &str| {
        Journals::is_interrupted(dir, env, "payments-work-dlq").expect("read")
    };
    let nowhere = temp.path().join("nowhere");
    assert!(!is_interrupted(nowhere.clone(), "prod") && !nowhere.exists());
    let lock = journals.lock("payments-work-dlq").expect("locked");
    drop(journals.create(&plan("1-x")).expect("made"));
    assert!(!is_interrupted(dir.clone(), "prod"), "it is running");
    drop(lock);
    assert!(is_interrupted(dir.clone(), "prod"));
    assert!(!is_interrupted(dir, "test"));
}
