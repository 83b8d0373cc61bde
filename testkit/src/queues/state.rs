//! The messages of a queue in memory, and what may be done with them at a point in time.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use payops_core::Timestamp;
use payops_core::port::{Outgoing, QueueStats, Received};

use super::MemoryQueue;

const DEDUPE: Duration = Duration::from_mins(5);

struct StoredMessage {
    message: Received,
    /// Until when it cannot be received.
    until: Timestamp,
    /// Which receive its receipt is of; none before the first.
    taken: Option<u64>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) config: MemoryQueue,
    messages: HashMap<u64, StoredMessage>,
    visible: BTreeSet<u64>,
    hidden: BTreeSet<(Timestamp, u64)>,
    busy: HashMap<String, usize>,
    dedupes: HashMap<String, (Timestamp, String)>,
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).expect("within range")
}

impl State {
    /// Takes a message in under `seq`; the name it has, or that of the one that it is a double of.
    pub(super) fn put(&mut self, seq: u64, message: Outgoing, now: Timestamp) -> String {
        let message_id = format!(
            "{:08x}-7a11-4d0c-8000-{seq:012x}",
            seq.wrapping_mul(0x9e37_79b9) & 0xffff_ffff
        );
        if let Some(dedupe) = &message.dedupe {
            self.dedupes.retain(|_, (until, _)| *until > now);
            if let Some((_, first)) = self.dedupes.get(dedupe) {
                return first.clone();
            }
            self.dedupes
                .insert(dedupe.clone(), (later(now, DEDUPE), message_id.clone()));
        }
        let Outgoing {
            body,
            attributes,
            delay,
            group,
            dedupe,
        } = message;
        let message = Received {
            message_id: message_id.clone(),
            receipt: String::new(),
            body,
            attributes,
            receive_count: 0,
            sent_at: now,
            first_received_at: None,
            group,
            dedupe,
        };
        self.insert(
            seq,
            StoredMessage {
                message,
                until: later(now, delay),
                taken: None,
            },
            now,
        );
        message_id
    }

    fn insert(&mut self, seq: u64, held: StoredMessage, now: Timestamp) {
        if held.until > now {
            self.hidden.insert((held.until, seq));
        } else {
            self.visible.insert(seq);
        }
        self.messages.insert(seq, held);
    }

    fn pass(&mut self, now: Timestamp) {
        while let Some((until, seq)) = self
            .hidden
            .first()
            .copied()
            .filter(|(until, _)| *until <= now)
        {
            self.hidden.remove(&(until, seq));
            self.visible.insert(seq);
            self.unlock_group(seq);
        }
    }

    fn unlock_group(&mut self, seq: u64) {
        let group = self
            .messages
            .get(&seq)
            .filter(|held| held.taken.is_some())
            .and_then(|held| held.message.group.as_ref());
        if let Some(count) = group.and_then(|group| self.busy.get_mut(group)) {
            *count = count.saturating_sub(1);
        }
    }

    /// Receives; `number` gives receipts. The second part are messages that were received too
    /// often.
    pub(super) fn take(
        &mut self,
        max: usize,
        now: Timestamp,
        until: Timestamp,
        number: &mut u64,
    ) -> (Vec<Received>, Vec<(u64, Outgoing)>) {
        self.pass(now);
        let open = |held: &StoredMessage| {
            held.message
                .group
                .as_ref()
                .is_none_or(|group| self.busy.get(group).copied().unwrap_or(0) == 0)
        };
        let chosen: Vec<u64> = self
            .visible
            .iter()
            .copied()
            .filter(|seq| self.messages.get(seq).is_some_and(open))
            .take(max)
            .collect();
        let limit = self.config.dlq.as_ref().map_or(u32::MAX, |(_, max)| *max);
        let (mut taken, mut spent) = (Vec::new(), Vec::new());
        for seq in chosen {
            self.visible.remove(&seq);
            let held = self
                .messages
                .get_mut(&seq)
                .expect("chosen among those there are");
            if held.message.receive_count >= limit {
                let Received {
                    body,
                    attributes,
                    group,
                    dedupe,
                    ..
                } = self.messages.remove(&seq).expect("it is there").message;
                spent.push((
                    seq,
                    Outgoing {
                        body,
                        attributes,
                        delay: Duration::ZERO,
                        group,
                        dedupe,
                    },
                ));
                continue;
            }
            *number += 1;
            held.taken = Some(*number);
            held.until = until;
            held.message.receive_count += 1;
            held.message.first_received_at.get_or_insert(now);
            if let Some(group) = &held.message.group {
                *self.busy.entry(group.clone()).or_default() += 1;
            }
            taken.push(Received {
                receipt: format!("{seq}-{number}"),
                ..held.message.clone()
            });
            self.hidden.insert((until, seq));
        }
        // Hidden for no time at all is not hidden.
        self.pass(now);
        (taken, spent)
    }

    fn by_receipt(&self, receipt: &str) -> Option<u64> {
        let (seq, number) = receipt.split_once('-')?;
        let seq = seq.parse().ok()?;
        let held = self.messages.get(&seq)?;
        (held.taken == Some(number.parse().ok()?)).then_some(seq)
    }

    /// As on SQS: a message whose visibility ended, and that nobody received since, is deleted too.
    pub(super) fn delete(&mut self, receipt: &str, now: Timestamp) -> bool {
        self.pass(now);
        let Some(seq) = self.by_receipt(receipt) else {
            return false;
        };
        if !self.visible.remove(&seq) {
            self.unlock_group(seq);
        }
        let held = self.messages.remove(&seq).expect("it is there");
        self.hidden.remove(&(held.until, seq));
        true
    }

    /// As on SQS, only a message in flight has a visibility to change.
    pub(super) fn hide(&mut self, receipt: &str, now: Timestamp, until: Timestamp) -> bool {
        self.pass(now);
        let Some(seq) = self
            .by_receipt(receipt)
            .filter(|seq| !self.visible.contains(seq))
        else {
            return false;
        };
        let held = self.messages.get_mut(&seq).expect("it is there");
        self.hidden.remove(&(held.until, seq));
        held.until = until;
        self.hidden.insert((until, seq));
        self.pass(now);
        true
    }

    pub(super) fn browse(&self, limit: usize) -> Vec<Received> {
        let mut seqs: Vec<u64> = self.messages.keys().copied().collect();
        seqs.sort_unstable();
        seqs.iter()
            .take(limit)
            .filter_map(|seq| self.messages.get(seq))
            .map(|held| held.message.clone())
            .collect()
    }

    pub(super) fn stats(&mut self, name: &str, now: Timestamp) -> QueueStats {
        self.pass(now);
        let count = |count: usize| u64::try_from(count).expect("small");
        let delayed = self
            .hidden
            .iter()
            .filter(|(_, seq)| {
                self.messages
                    .get(seq)
                    .is_some_and(|held| held.taken.is_none())
            })
            .count();
        let (dlq, max_receives) = self.config.dlq.clone().unzip();
        QueueStats {
            name: name.to_owned(),
            visible: count(self.visible.len()),
            in_flight: count(self.hidden.len() - delayed),
            delayed: count(delayed),
            oldest_age: None,
            dlq,
            max_receives,
            approximate: true,
            retention: Some(Duration::from_hours(14 * 24)),
        }
    }
}
