//! A replay that is killed (kill -9) at points that seeds have, and gone on with: what must be true
//! of it on any queues.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use payops_core::domain::bus::WORK;
use payops_core::domain::replay::JournalEntry;
use payops_core::domain::work_item::attribute;
use payops_core::port::{Attributes, Outgoing, Queues, Random as _};
use payops_testkit::SeededRandom;

use super::embedded::DEAD;

/// Kills, each of a process: `PAYOPS_KILLS`, else so many.
pub(crate) fn kills(usual: u64) -> u64 {
    std::env::var("PAYOPS_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(usual)
}

pub(crate) async fn add_dead_letter(queues: &dyn Queues, names: std::ops::Range<usize>) {
    let names: Vec<usize> = names.collect();
    for some in names.chunks(10) {
        let letter = |name: &usize| {
            let attributes = Attributes::from([
                ("name".to_owned(), name.to_string()),
                (attribute::CLASS.to_owned(), "timeout".to_owned()),
            ]);
            Outgoing {
                body: format!("letter {name}"),
                attributes,
                ..Outgoing::default()
            }
        };
        let sent = queues
            .send_batch(DEAD, some.iter().map(letter).collect())
            .await
            .unwrap();
        assert!(sent.iter().all(Result::is_ok));
    }
}

/// Takes all out of the target: how often each letter came, by its name among the dead.
pub(crate) async fn delivered(queues: &dyn Queues) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    loop {
        let some = queues
            .receive(
                WORK,
                10,
                Duration::from_mins(10),
                Duration::from_millis(200),
            )
            .await
            .unwrap();
        if some.is_empty() {
            return out;
        }
        let receipts: Vec<String> = some.iter().map(|message| message.receipt.clone()).collect();
        queues.delete(WORK, &receipts).await.unwrap();
        for message in some {
            let name = &message.attributes["name"];
            assert_eq!(
                message.body,
                format!("letter {name}"),
                "bodies and attributes are kept"
            );
            out.entry(message.attributes[attribute::REPLAY_OF].clone())
                .or_default()
                .push(name.clone());
        }
    }
}

/// Starts a replay again and again and kills it, until it was killed often enough; how often it
/// came to its end by itself before. `refill` brings more letters then. A process lives for
/// `spread_ms` at most after it wrote the first line to a journal in `journals`.
pub(crate) fn kill(
    (wanted, seed, spread_ms): (u64, u64, u64),
    journals: &Path,
    mut start: impl FnMut() -> Child,
    mut refill: impl FnMut(),
) -> u64 {
    let dice = SeededRandom::new(seed);
    let (mut kills, mut ended) = (0, 0);
    while kills < wanted {
        let before = written(journals);
        let mut child = start();
        while written(journals) == before && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(dice.next_u64() % spread_ms));
        if let Some(status) = child.try_wait().unwrap() {
            let output = child.wait_with_output().unwrap();
            // All of a plan, or all but what killed processes still hide.
            assert!(
                matches!(status.code(), Some(0 | 6)),
                "{status}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            ended += 1;
            refill();
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    ended
}

fn written(journals: &Path) -> u64 {
    let files = std::fs::read_dir(journals).into_iter().flatten();
    files
        .filter_map(|file| Some(file.ok()?.metadata().ok()?.len()))
        .sum()
}

/// A child whose words are read only if it ends by itself.
pub(crate) fn silent(command: &mut std::process::Command) -> Child {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Messages that the journals in a folder name as perhaps sent twice.
pub(crate) fn named(journals: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(journals)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let lines = files
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        });
    lines
        .filter_map(|line| match serde_json::from_str(&line).unwrap() {
            JournalEntry::SentTwice { message_id }
            | JournalEntry::SentNotDeleted { message_id, .. } => Some(message_id),
            JournalEntry::Failed { message_id, reason }
                if reason.contains("may have been sent") =>
            {
                Some(message_id)
            }
            _ => None,
        })
        .collect()
}

/// Every letter came; one that came more than once is named.
#[track_caller]
pub(crate) fn check(
    letters: usize,
    delivered: &BTreeMap<String, Vec<String>>,
    named: &BTreeSet<String>,
) {
    let came: BTreeSet<&String> = delivered.values().flatten().collect();
    assert_eq!(
        (came.len(), delivered.len()),
        (letters, letters),
        "every letter came"
    );
    for (id, times) in delivered {
        assert!(
            times.len() == 1 || named.contains(id),
            "{id} came {} times, and no journal says so",
            times.len()
        );
    }
}
