//! Which dead letters a command is about: of a queue, by cause, filter, class or id, from a look or
//! from a snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use clap::Args;
use payops_core::domain::access::Action;
use payops_core::domain::dead_letter::{classes, consumer_of};
use payops_core::domain::filter::{Filter, PaymentFacts, Subject};
use payops_core::domain::id::PaymentId;
use payops_core::domain::payment::Payment;
use payops_core::port::Ports;
use payops_core::usecase::{DeadLetter, DeadLetterList, DeadLetters};

use super::{filters, not_read};
use crate::access;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::output::count;
use crate::settings::EnvTarget;
use crate::snapshot::Snapshots;

/// How many letters of a queue are looked at when nobody says.
const LOOK_MAX: usize = 1_000_000;

/// Which letters.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct SelectArgs {
    /// Only those that died of this cause; several are joined (ids: payops dlq causes)
    #[arg(long, value_name = "ID")]
    pub(super) cause: Vec<String>,
    /// Only those of which this is true, such as `class == "timeout" && age > duration("1h")`;
    /// `@NAME` for a saved one
    #[arg(long, value_name = "EXPR")]
    pub(super) filter: Vec<String>,
    /// Only those that died of this class
    #[arg(long, value_name = "CLASS")]
    pub(super) class: Option<String>,
    /// Only this message; may be given several times
    #[arg(long, value_name = "ID")]
    pub(super) message: Vec<String>,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: Option<u32>,
    /// From the last peek, without asking the queue
    #[arg(long)]
    pub(super) snapshot: bool,
}

impl SelectArgs {
    /// Whether anything but all letters is meant.
    pub(super) fn is_narrow(&self) -> bool {
        self.limit.is_some() || self.chooses()
    }

    fn chooses(&self) -> bool {
        !(self.cause.is_empty()
            && self.filter.is_empty()
            && self.class.is_none()
            && self.message.is_empty())
    }

    pub(super) fn words(&self) -> Option<String> {
        let cause = self
            .cause
            .iter()
            .map(|cause| format!("cause == \"{cause}\""))
            .collect::<Vec<_>>()
            .join(" || ");
        let class = self
            .class
            .as_ref()
            .map(|class| format!("class == \"{class}\""));
        let parts: Vec<String> = [cause]
            .into_iter()
            .filter(|cause| !cause.is_empty())
            .chain(self.filter.iter().cloned())
            .chain(class)
            .collect();
        (!parts.is_empty()).then(|| {
            parts
                .iter()
                .map(|part| format!("({part})"))
                .collect::<Vec<_>>()
                .join(" && ")
        })
    }
}

/// Dead letters that were chosen, and what looking at them came to.
pub(super) struct Selected {
    pub(super) letters: Vec<DeadLetter>,
    pub(super) complete: bool,
}

pub(super) async fn select(
    context: &Context,
    target: &EnvTarget,
    ports: &Ports,
    queue: Option<&str>,
    args: &SelectArgs,
) -> CliResult<Selected> {
    let filters = filters::all(context, &args.filter)?;
    if !args.snapshot {
        // A look may cost receives: who may not peek may not list either.
        access::permit(
            context,
            target,
            &access::Wanted::new(Action::DlqPeek).because(context.reason.as_deref()),
        )
        .await?;
    }
    let letters = DeadLetters::from(ports);
    let queues = letters.queues(queue).await.map_err(not_read)?;
    let seen = look(context, target, &letters, &queues, args).await?;
    tell(context, target, &seen, args.snapshot);
    let mut chosen = chosen(ports, seen.letters, args, &filters).await?;
    if let Some(unknown) = unknown_cause(args, &chosen) {
        context.talk.warn(format!(
            "no dead letter here died of cause {unknown}: payops dlq causes lists them"
        ));
    }
    chosen.truncate(
        args.limit
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(usize::MAX),
    );
    Ok(Selected {
        letters: chosen,
        complete: seen.complete,
    })
}

async fn look(
    context: &Context,
    target: &EnvTarget,
    letters: &DeadLetters,
    queues: &[String],
    args: &SelectArgs,
) -> CliResult<DeadLetterList> {
    if !args.snapshot {
        let limit = args
            .limit
            .filter(|_| !args.chooses())
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(LOOK_MAX);
        return letters
            .look(queues, limit)
            .await
            .map_err(|error| CliError::port("the dead letters could not be looked at", error));
    }
    let snapshots = Snapshots::of(&context.records_dir(target), &target.name);
    let mut all = DeadLetterList {
        complete: true,
        ..DeadLetterList::default()
    };
    let (mut found, mut missing) = (false, None);
    for queue in queues {
        match snapshots.read(queue, Context::now()) {
            Ok(snapshot) => {
                found = true;
                all.complete &= snapshot.seen.complete;
                all.letters.extend(snapshot.seen.letters);
                all.doubts
                    .push(format!("{queue}: as of {}", snapshot.taken_at));
            }
            Err(error) => missing = missing.or(Some(error)),
        }
    }
    match missing {
        Some(error) if !found || queues.len() == 1 => Err(error),
        _ => Ok(all),
    }
}

fn tell(context: &Context, target: &EnvTarget, seen: &DeadLetterList, is_snapshot: bool) {
    let mut told = format!(
        "{}: {}",
        target.name,
        count(seen.letters.len(), "dead letter")
    );
    if !seen.letters.is_empty() {
        let _ = write!(
            told,
            ": {}",
            context.privacy.text(&classes(
                seen.letters.iter().map(|letter| letter.class.as_str())
            ))
        );
    }
    if !seen.complete {
        told.push_str("; there may be more");
    }
    for doubt in &seen.doubts {
        let _ = write!(told, "; {doubt}");
    }
    if seen.receives_spent > 0 && !is_snapshot {
        let _ = write!(
            told,
            "; the look cost {}, and hid each for up to {} s",
            count(seen.receives_spent, "receive"),
            seen.hidden.as_secs()
        );
        if seen.groups_locked > 0 {
            let _ = write!(
                told,
                ", {} locked meanwhile",
                count(seen.groups_locked, "FIFO group")
            );
        }
    }
    context.talk.say(told);
}

fn unknown_cause<'a>(args: &'a SelectArgs, chosen: &[DeadLetter]) -> Option<&'a str> {
    let causes: BTreeSet<String> = if args.cause.is_empty() {
        BTreeSet::new()
    } else {
        chosen
            .iter()
            .map(|letter| letter.sighting().cause_id())
            .collect()
    };
    args.cause
        .iter()
        .map(String::as_str)
        .find(|cause| !causes.contains(*cause))
}

async fn chosen(
    ports: &Ports,
    letters: Vec<DeadLetter>,
    args: &SelectArgs,
    filters: &[Filter],
) -> CliResult<Vec<DeadLetter>> {
    if !args.chooses() {
        return Ok(letters);
    }
    let needs_payment = filters.iter().any(Filter::needs_payment);
    let payments = if needs_payment {
        payments(ports, &letters).await?
    } else {
        BTreeMap::new()
    };
    let now = Context::now();
    let mut out = Vec::new();
    for letter in letters {
        let cause = letter.sighting().cause_id();
        let fits = (args.cause.is_empty() || args.cause.contains(&cause))
            && args
                .class
                .as_ref()
                .is_none_or(|class| letter.class == *class)
            && (args.message.is_empty() || args.message.contains(&letter.message.message_id));
        if fits && holds(&letter, &cause, &payments, filters, now)? {
            out.push(letter);
        }
    }
    Ok(out)
}

fn holds(
    letter: &DeadLetter,
    cause: &str,
    payments: &BTreeMap<PaymentId, Payment>,
    filters: &[Filter],
    now: jiff::Timestamp,
) -> CliResult<bool> {
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
    let subject = Subject {
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
        let held = filter.matches(&subject);
        if !held.map_err(|error| {
            CliError::usage(format!(
                "the filter `{filter}` cannot be asked of every letter"
            ))
            .because(error)
        })? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn payments(
    ports: &Ports,
    letters: &[DeadLetter],
) -> CliResult<BTreeMap<PaymentId, Payment>> {
    let ids: BTreeSet<PaymentId> = letters
        .iter()
        .filter_map(|letter| letter.payment.clone())
        .collect();
    let ids: Vec<PaymentId> = ids.into_iter().collect();
    let mut out = BTreeMap::new();
    for some in ids.chunks(100) {
        let found = ports
            .store
            .get_many(some)
            .await
            .map_err(|error| CliError::port("the payments could not be read", error))?;
        out.extend(
            found
                .into_iter()
                .map(|payment| (payment.id.clone(), payment)),
        );
    }
    Ok(out)
}
