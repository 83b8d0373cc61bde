//! What became of every message of a replay, checked from outside: queues, journal and plan.

use std::collections::{BTreeMap, BTreeSet};

use payops_core::domain::replay::{Disposition, JournalEntry, Progress, ReplayPlan};
use payops_core::domain::work_item::attribute;
use payops_core::port::Received;
use payops_testkit::replay::Notes;

use super::support::Rig;

pub(crate) struct Before {
    letters: Vec<Received>,
}

struct After {
    receivable: BTreeMap<String, Received>,
    there: BTreeSet<String>,
    delivered: BTreeMap<String, Vec<Received>>,
}

impl After {
    async fn of(rig: &Rig, plan: &ReplayPlan) -> Self {
        let receivable = rig
            .receivable(&plan.queue)
            .await
            .into_iter()
            .map(|message| (message.message_id.clone(), message))
            .collect();
        let there = rig
            .browse(&plan.queue)
            .await
            .into_iter()
            .map(|message| message.message_id)
            .collect();
        let mut delivered: BTreeMap<String, Vec<Received>> = BTreeMap::new();
        for message in rig.browse(&plan.target).await {
            if let Some(of) = message.attributes.get(attribute::REPLAY_OF) {
                delivered.entry(of.clone()).or_default().push(message);
            }
        }
        Self {
            receivable,
            there,
            delivered,
        }
    }
}

impl Before {
    pub(crate) async fn of(rig: &Rig, plan: &ReplayPlan) -> Self {
        Self {
            letters: rig.browse(&plan.queue).await,
        }
    }

    /// All is well after a replay that came to its end.
    pub(crate) async fn check(&self, rig: &Rig, plan: &ReplayPlan, notes: &Notes) {
        let found = self.violations(rig, plan, &notes.entries()).await;
        assert_eq!(found, Vec::<String>::new());
    }

    /// Every violation after a replay that came to its end; none when all is well.
    pub(crate) async fn violations(
        &self,
        rig: &Rig,
        plan: &ReplayPlan,
        entries: &[JournalEntry],
    ) -> Vec<String> {
        let after = After::of(rig, plan).await;
        let (progress, named) = (Progress::read(entries), named(entries));
        let mut found = Vec::new();
        if !progress.finished || !progress.unclear.is_empty() {
            found.push(format!(
                "the journal is not at its end: {:?}",
                progress.unclear
            ));
        }
        let planned: BTreeSet<&str> = plan
            .messages
            .iter()
            .filter(|one| one.disposition == Disposition::Send)
            .map(|one| one.message_id.as_str())
            .collect();
        for letter in &self.letters {
            let id = &letter.message_id;
            let wrong = if planned.contains(id.as_str()) {
                of_planned(letter, &after, &progress, named.contains(id))
            } else {
                of_other(letter, &after)
            };
            found.extend(wrong.into_iter().map(|what| format!("{id}: {what}")));
        }
        found
    }
}

fn of_planned(
    letter: &Received,
    after: &After,
    progress: &Progress,
    is_named: bool,
) -> Vec<&'static str> {
    let id = &letter.message_id;
    let sent = after
        .delivered
        .get(id)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let is_there = after.there.contains(id);
    let rules = [
        (sent.is_empty() && !is_there, "gone"),
        (
            sent.len() > 1 && !is_named,
            "sent twice, and the journal does not say so",
        ),
        (
            !sent.is_empty() && is_there && !is_named,
            "sent, and still among the dead letters, and the journal does not say so",
        ),
        (
            sent.is_empty() && progress.sent.contains(id),
            "the journal says that it was sent, and it was not",
        ),
        (
            !sent.is_empty() && progress.failed.contains_key(id) && !is_named,
            "the journal says that it was not sent, and it was",
        ),
        (
            !sent.iter().all(|sent| as_replayed(letter, sent)),
            "it came with another body or other attributes",
        ),
        (
            !progress.is_settled(id) && !progress.failed.contains_key(id),
            "the journal does not say what became of it",
        ),
    ];
    rules
        .into_iter()
        .filter(|(broken, _)| *broken)
        .map(|(_, what)| what)
        .collect()
}

fn of_other(letter: &Received, after: &After) -> Vec<&'static str> {
    let id = &letter.message_id;
    let now = after.receivable.get(id);
    let rules = [
        (after.delivered.contains_key(id), "not to be sent, and sent"),
        (!after.there.contains(id), "not of the plan, and gone"),
        (
            now.is_none() && after.there.contains(id),
            "not of the plan, and cannot be received at once",
        ),
        (
            now.is_some_and(|now| {
                (&now.body, &now.attributes) != (&letter.body, &letter.attributes)
            }),
            "not of the plan, and changed",
        ),
    ];
    rules
        .into_iter()
        .filter(|(broken, _)| *broken)
        .map(|(_, what)| what)
        .collect()
}

/// Messages of which the journal says that they were, or may have been, sent twice.
pub(crate) fn named(entries: &[JournalEntry]) -> BTreeSet<String> {
    let twice = entries.iter().filter_map(|entry| match entry {
        JournalEntry::SentTwice { message_id }
        | JournalEntry::SentNotDeleted { message_id, .. } => Some(message_id.clone()),
        JournalEntry::Failed { message_id, reason } if reason.contains("may have been sent") => {
            Some(message_id.clone())
        }
        _ => None,
    });
    twice.collect()
}

/// The same body; what tells of its death is gone, the rest is kept, and it says what it is.
fn as_replayed(letter: &Received, sent: &Received) -> bool {
    let mut expected = letter.attributes.clone();
    for name in attribute::OF_DEATH {
        expected.remove(name);
    }
    let replays = letter
        .attributes
        .get(attribute::REPLAYS)
        .and_then(|count| count.parse().ok())
        .unwrap_or(0_u32);
    expected.insert(attribute::REPLAYS.to_owned(), (replays + 1).to_string());
    expected.insert(attribute::REPLAY_OF.to_owned(), letter.message_id.clone());
    sent.body == letter.body && sent.attributes == expected
}
