//! Which dead letters are meant: of a queue, by cause, filter, class or id, from a look or from a
//! snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use payops_core::domain::dead_letter::{classes, consumer_of};
use payops_core::domain::display::count;
use payops_core::domain::filter::{Filter, FilterSubject, PaymentFacts};
use payops_core::domain::id::PaymentId;
use payops_core::domain::payment::Payment;
use payops_core::domain::privacy::Privacy;
use payops_core::port::Ports;
use payops_core::usecase::{DeadLetter, DeadLetterList, DeadLetters};

use super::filters::SavedFilters;
use super::queue::check_may_look;
use super::snapshot::Snapshots;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// How many dead letters of a queue are looked at when nobody says.
const LOOK_MAX: usize = 1_000_000;
/// Payments that are read at once.
const PAYMENTS_AT_ONCE: usize = 100;

/// Which dead letters.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Those of any of these causes.
    pub causes: Vec<String>,
    /// Those of which all of these expressions hold; `@NAME` for a saved one.
    pub filters: Vec<String>,
    pub class: Option<String>,
    pub messages: Vec<String>,
    /// How many at most.
    pub limit: Option<usize>,
    /// Whether they are those of the last snapshot, without asking the queue.
    pub from_snapshot: bool,
}

impl Selection {
    #[must_use]
    pub fn of_message(id: &str) -> Self {
        Self {
            messages: vec![id.to_owned()],
            ..Self::default()
        }
    }

    /// Whether anything but all dead letters is meant.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        self.limit.is_some() || self.has_criteria()
    }

    fn has_criteria(&self) -> bool {
        !(self.causes.is_empty()
            && self.filters.is_empty()
            && self.class.is_none()
            && self.messages.is_empty())
    }

    /// The same as one expression, for the plan.
    #[must_use]
    pub fn expression(&self) -> Option<String> {
        let causes: Vec<String> = self
            .causes
            .iter()
            .map(|cause| format!("cause == \"{cause}\""))
            .collect();
        let causes = (!causes.is_empty()).then(|| causes.join(" || "));
        let class = self
            .class
            .as_ref()
            .map(|class| format!("class == \"{class}\""));
        let parts: Vec<String> = causes
            .into_iter()
            .chain(self.filters.iter().cloned())
            .chain(class)
            .map(|part| format!("({part})"))
            .collect();
        (!parts.is_empty()).then(|| parts.join(" && "))
    }
}

/// Dead letters that were selected, and what looking at them came to.
#[derive(Clone, Debug)]
pub struct Selected {
    pub letters: Vec<DeadLetter>,
    pub look: Look,
}

/// What looking came to, before anything was selected.
#[derive(Clone, Debug)]
pub struct Look {
    pub seen: usize,
    /// How many of them were selected, before the limit.
    pub matched: usize,
    /// How many of each class were seen, in words.
    pub classes: String,
    pub complete: bool,
    pub doubts: Vec<String>,
    /// Zero when a snapshot was read.
    pub receives_spent: u64,
    /// For how long each message was hidden from others at most.
    pub hidden: Duration,
    pub groups_locked: u64,
    /// A cause that was asked for and that no dead letter has.
    pub unknown_cause: Option<String>,
}

impl Selected {
    /// What looking came to, in one line: `0 of 15 dead letters match (provider_timeout 15)`.
    #[must_use]
    pub fn describe(&self, selection: &Selection, privacy: Privacy) -> String {
        let (look, shown) = (&self.look, self.letters.len());
        let total = count(look.seen, "dead letter");
        let classes = privacy.text(&look.classes);
        let is_cut = selection.limit == Some(shown) && !look.complete;
        let has_more = is_cut && look.receives_spent == 0 && !selection.from_snapshot;
        let mut text = if selection.has_criteria() && look.seen > 0 {
            let verb = if look.matched == 1 || look.seen == 1 {
                "matches"
            } else {
                "match"
            };
            let classes = classes.replace('(', " ").replace(") ", ", ");
            let classes = classes.trim_end_matches(')');
            let mut text = format!("{} of {total} {verb} ({classes})", look.matched);
            if shown < look.matched {
                let _ = write!(text, "; showing the first {shown}");
            }
            text
        } else if shown < look.seen {
            format!("first {shown} of {total}")
        } else if has_more {
            format!("first {}", total.trim_start_matches("1 "))
        } else if look.seen > 0 {
            format!("{total}: {classes}")
        } else {
            total
        };
        // Where looking costs no receives, the limit is all that hides the rest.
        if has_more && !selection.has_criteria() {
            let queues: BTreeSet<&str> = self
                .letters
                .iter()
                .map(|each| each.queue.as_str())
                .collect();
            let queue = queues.first().filter(|_| queues.len() == 1);
            let _ = write!(text, "; {} has more", queue.unwrap_or(&"a queue"));
        } else if !look.complete {
            text.push_str("; there may be more");
        }
        for doubt in look.doubts.iter().filter(|_| !has_more) {
            let _ = write!(text, "; {doubt}");
        }
        if look.receives_spent > 0 {
            let _ = write!(
                text,
                "; this cost {} and hid each message for up to {} s",
                count(look.receives_spent, "receive"),
                look.hidden.as_secs()
            );
            if look.groups_locked > 0 {
                let groups = count(look.groups_locked, "FIFO group");
                let _ = write!(text, " and blocked {groups}");
            }
        }
        text
    }
}

/// Looks into `queue`, or all dead-letter queues, and selects.
pub async fn select(
    session: &Arc<Session>,
    queue: Option<&str>,
    selection: &Selection,
) -> OpsResult<Selected> {
    let filters = SavedFilters::of(&session.operator.settings).resolve(&selection.filters)?;
    let seen = if selection.from_snapshot {
        read_snapshots(session, queue).await?
    } else {
        check_may_look(session).await?;
        look(session, queue, selection).await?
    };
    let mut look = Look {
        seen: seen.letters.len(),
        matched: 0,
        classes: classes(seen.letters.iter().map(|letter| letter.class.as_str())),
        complete: seen.complete,
        doubts: seen.doubts,
        receives_spent: seen.receives_spent,
        hidden: seen.hidden,
        groups_locked: seen.groups_locked,
        unknown_cause: None,
    };
    let ports = session.ports().await?;
    let mut letters = keep_matching(ports, seen.letters, selection, &filters).await?;
    look.matched = letters.len();
    look.unknown_cause = find_unknown_cause(selection, &letters);
    letters.truncate(selection.limit.unwrap_or(usize::MAX));
    Ok(Selected { letters, look })
}

async fn look(
    session: &Session,
    queue: Option<&str>,
    selection: &Selection,
) -> OpsResult<DeadLetterList> {
    let dead_letters = DeadLetters::from(session.ports().await?);
    let queues = dead_letters.queues(queue).await?;
    // What is selected further may be behind what a limit would show.
    let limit = selection.limit.filter(|_| !selection.has_criteria());
    dead_letters
        .look(&queues, limit.unwrap_or(LOOK_MAX))
        .await
        .map_err(|error| OpsError::port("cannot read the dead letters", error))
}

async fn read_snapshots(session: &Session, queue: Option<&str>) -> OpsResult<DeadLetterList> {
    let queues = DeadLetters::from(session.ports().await?)
        .queues(queue)
        .await?;
    let snapshots = Snapshots::of(&session.records_dir(), session.name());
    let mut all = DeadLetterList {
        complete: true,
        ..DeadLetterList::default()
    };
    let (mut has_any, mut missing) = (false, None);
    for queue in &queues {
        let peek = session.command(&format!("dlq peek {queue}"));
        match snapshots.read(queue, Timestamp::now(), &peek) {
            Ok(snapshot) => {
                has_any = true;
                all.complete &= snapshot.seen.complete;
                all.letters.extend(snapshot.seen.letters);
                all.doubts
                    .push(format!("{queue}: as of {}", snapshot.taken_at));
            }
            Err(error) => missing = missing.or(Some(error)),
        }
    }
    match missing {
        Some(error) if !has_any || queues.len() == 1 => Err(error),
        _ => Ok(all),
    }
}

fn find_unknown_cause(selection: &Selection, letters: &[DeadLetter]) -> Option<String> {
    let causes: BTreeSet<String> = if selection.causes.is_empty() {
        BTreeSet::new()
    } else {
        letters
            .iter()
            .map(|letter| letter.sighting().cause_id())
            .collect()
    };
    selection
        .causes
        .iter()
        .find(|cause| !causes.contains(*cause))
        .cloned()
}

async fn keep_matching(
    ports: &Ports,
    letters: Vec<DeadLetter>,
    selection: &Selection,
    filters: &[Filter],
) -> OpsResult<Vec<DeadLetter>> {
    if !selection.has_criteria() {
        return Ok(letters);
    }
    let payments = if filters.iter().any(Filter::needs_payment) {
        read_payments(ports, &letters).await?
    } else {
        BTreeMap::new()
    };
    let now = Timestamp::now();
    let mut out = Vec::new();
    for letter in letters {
        let cause = letter.sighting().cause_id();
        let fits = (selection.causes.is_empty() || selection.causes.contains(&cause))
            && selection
                .class
                .as_ref()
                .is_none_or(|class| letter.class == *class)
            && (selection.messages.is_empty()
                || selection.messages.contains(&letter.message.message_id));
        if fits && matches_all(&letter, &cause, &payments, filters, now)? {
            out.push(letter);
        }
    }
    Ok(out)
}

fn matches_all(
    letter: &DeadLetter,
    cause: &str,
    payments: &BTreeMap<PaymentId, Payment>,
    filters: &[Filter],
    now: Timestamp,
) -> OpsResult<bool> {
    let status = letter
        .payment
        .as_ref()
        .and_then(|id| payments.get(id))
        .map(|payment| payment.status.to_string());
    let payment = letter.payment.as_ref().map(|id| {
        let known = payments.get(id);
        PaymentFacts {
            id: id.as_str(),
            status: status.as_deref(),
            amount_minor: known.map(|payment| payment.money.minor()),
            currency: known.map(|payment| payment.money.currency().code()),
        }
    });
    let subject = FilterSubject {
        body: &letter.message.body,
        attributes: &letter.message.attributes,
        payload: None,
        payment,
        age: now.duration_since(letter.first_seen),
        receives: letter.receive_count,
        cause,
        class: &letter.class,
        reason: &letter.reason,
        consumer: consumer_of(&letter.message.attributes),
        queue: &letter.queue,
        message_id: &letter.message.message_id,
        group: letter.message.group.as_deref(),
    };
    for filter in filters {
        let matches = filter.matches(&subject).map_err(|error| {
            OpsError::usage(format!(
                "the filter `{filter}` cannot be evaluated for every dead letter"
            ))
            .because(error)
        })?;
        if !matches {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn read_payments(
    ports: &Ports,
    letters: &[DeadLetter],
) -> OpsResult<BTreeMap<PaymentId, Payment>> {
    let ids: BTreeSet<PaymentId> = letters
        .iter()
        .filter_map(|letter| letter.payment.clone())
        .collect();
    let ids: Vec<PaymentId> = ids.into_iter().collect();
    let mut out = BTreeMap::new();
    for chunk in ids.chunks(PAYMENTS_AT_ONCE) {
        let payments = ports
            .store
            .get_many(chunk)
            .await
            .map_err(|error| OpsError::port("cannot read the payments", error))?;
        out.extend(
            payments
                .into_iter()
                .map(|payment| (payment.id.clone(), payment)),
        );
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASKED: Privacy = Privacy { reveal: false };

    fn letter(queue: &str) -> DeadLetter {
        serde_json::from_value(serde_json::json!({
            "queue": queue,
            "message": {
                "message_id": "m-1",
                "receipt": "",
                "body": "",
                "attributes": {},
                "receive_count": 1,
                "sent_at": "2026-11-22T12:00:00Z",
                "first_received_at": null,
                "group": null,
            },
            "payment": null,
            "class": "provider_timeout",
            "reason": "",
            "first_seen": "2026-11-22T12:00:00Z",
            "receive_count": 1,
        }))
        .expect("a dead letter")
    }

    fn look(seen: usize, matched: usize, complete: bool) -> Look {
        Look {
            seen,
            matched,
            classes: format!("provider_timeout({seen})"),
            complete,
            doubts: Vec::new(),
            receives_spent: 0,
            hidden: Duration::ZERO,
            groups_locked: 0,
            unknown_cause: None,
        }
    }

    fn describe(selection: &Selection, shown: usize, look: Look) -> String {
        let letters = vec![letter("payments-work-dlq"); shown];
        Selected { letters, look }.describe(selection, MASKED)
    }

    #[test]
    fn a_look_says_how_many_match_of_how_many() {
        let all = Selection::default();
        assert_eq!(
            describe(&all, 15, look(15, 15, true)),
            "15 dead letters: provider_timeout(15)"
        );
        let class = Selection {
            class: Some("panic".to_owned()),
            ..Selection::default()
        };
        assert_eq!(
            describe(&class, 0, look(15, 0, true)),
            "0 of 15 dead letters match (provider_timeout 15)"
        );
        assert_eq!(
            describe(&class, 0, look(1, 0, true)),
            "0 of 1 dead letter matches (provider_timeout 1)"
        );
        assert_eq!(describe(&class, 0, look(0, 0, true)), "0 dead letters");
        let mut two = look(3, 1, false);
        two.classes = "a(2) b(1)".to_owned();
        assert_eq!(
            describe(&class, 1, two),
            "1 of 3 dead letters matches (a 2, b 1); there may be more"
        );
        let class = Selection {
            limit: Some(2),
            ..class
        };
        assert_eq!(
            describe(&class, 2, look(15, 4, true)),
            "4 of 15 dead letters match (provider_timeout 15); showing the first 2"
        );
    }

    #[test]
    fn a_limit_says_that_there_is_more() {
        let three = Selection {
            limit: Some(3),
            ..Selection::default()
        };
        assert_eq!(
            describe(&three, 3, look(3, 3, false)),
            "first 3 dead letters; payments-work-dlq has more"
        );
        let one = Selection {
            limit: Some(1),
            ..three.clone()
        };
        assert_eq!(
            describe(&one, 1, look(1, 1, false)),
            "first dead letter; payments-work-dlq has more"
        );
        let mut costly = look(3, 3, false);
        (costly.receives_spent, costly.hidden) = (3, Duration::from_secs(30));
        assert_eq!(
            describe(&three, 3, costly),
            "3 dead letters: provider_timeout(3); there may be more; this cost 3 receives and hid \
             each message for up to 30 s"
        );
        let snapshot = Selection {
            from_snapshot: true,
            ..three
        };
        assert_eq!(
            describe(&snapshot, 3, look(9, 9, true)),
            "first 3 of 9 dead letters"
        );
    }
}
