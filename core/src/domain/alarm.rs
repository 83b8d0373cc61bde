//! Alarms that follow from what is known already: environments that do not answer, queues, the
//! search index, rollouts. Metrics are not looked at here.

use std::time::Duration;

use jiff::SignedDuration;

use super::bus::{PROJECTIONS, source_queue};
use super::display;
use super::rollout::{AnalysisRun, Phase, Rollout, RolloutKey, Waiting};
use crate::Timestamp;

/// A queue whose oldest message is older than this is not being worked off.
pub const OLDEST_MAX: Duration = Duration::from_mins(5);
/// An index that misses a change for longer than this is behind.
pub const INDEX_BEHIND_MAX: Duration = Duration::from_mins(1);
/// A canary that waits for a person for longer than this is forgotten, or nobody dares.
pub const WAITING_MAX: SignedDuration = SignedDuration::from_mins(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Critical,
    Warning,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmSubject {
    Environment,
    Queue(String),
    Index,
    Rollout(RolloutKey),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub env: String,
    pub severity: Severity,
    pub subject: AlarmSubject,
    pub what: String,
    /// Why that is an alarm: the limit, or what was told.
    pub why: String,
    pub since: Option<Timestamp>,
}

/// How a queue stands, as far as alarms need it.
#[derive(Clone, Copy, Debug)]
pub struct QueueDepth<'a> {
    pub name: &'a str,
    pub depth: u64,
    pub approximate: bool,
    pub oldest: Option<Duration>,
}

/// A rollout, with its analysis runs where they are known.
#[derive(Clone, Copy, Debug)]
pub struct RolloutSeen<'a> {
    pub rollout: &'a Rollout,
    pub runs: &'a [AnalysisRun],
}

#[derive(Clone, Debug, Default)]
pub struct EnvSeen<'a> {
    pub env: &'a str,
    /// Parts of it that do not answer, each with its name and why.
    pub faults: Vec<(&'a str, &'a str)>,
    pub queues: Vec<QueueDepth<'a>>,
    pub rollouts: Vec<RolloutSeen<'a>>,
}

/// Alarms of one environment at `now`, the worst first.
#[must_use]
pub fn alarms(seen: &EnvSeen<'_>, now: Timestamp) -> Vec<Alarm> {
    let alarm = |severity, subject, what: String, why: String, since| Alarm {
        env: seen.env.to_owned(),
        severity,
        subject,
        what,
        why,
        since,
    };
    let mut out: Vec<Alarm> = Vec::new();
    for (part, why) in &seen.faults {
        out.push(alarm(
            Severity::Critical,
            AlarmSubject::Environment,
            format!("cannot reach {part}"),
            (*why).to_owned(),
            None,
        ));
    }
    for queue in &seen.queues {
        out.extend(queue_alarms(seen.env, queue, now));
    }
    for rollout in &seen.rollouts {
        let subject = || AlarmSubject::Rollout(rollout.rollout.key.clone());
        out.extend(
            rollout_alarm(rollout.rollout, now)
                .map(|(severity, what, why, since)| alarm(severity, subject(), what, why, since)),
        );
        out.extend(
            rollout
                .runs
                .iter()
                .filter(|run| run.hash == rollout.rollout.current_hash)
                .filter_map(|run| {
                    let why = format!("{}: {}", run.name, run.suspicion()?);
                    let what = format!("{}: suspicious analysis", rollout.rollout.key);
                    Some(alarm(
                        Severity::Warning,
                        subject(),
                        what,
                        why,
                        run.created_at,
                    ))
                }),
        );
    }
    out.sort_by(|a, b| (a.severity, &a.subject).cmp(&(b.severity, &b.subject)));
    out
}

fn queue_alarms(env: &str, queue: &QueueDepth<'_>, now: Timestamp) -> Vec<Alarm> {
    let alarm = |severity, subject, what: String, why: String| Alarm {
        env: env.to_owned(),
        severity,
        subject,
        what,
        why,
        since: queue.oldest.and_then(|oldest| now.checked_sub(oldest).ok()),
    };
    let subject = AlarmSubject::Queue(queue.name.to_owned());
    if source_queue(queue.name).is_some() {
        if queue.depth == 0 {
            return Vec::new();
        }
        let about = if queue.approximate { "~" } else { "" };
        let letters = display::count(queue.depth, "dead letter");
        let what = format!("{}: {about}{letters}", queue.name);
        return vec![alarm(
            Severity::Critical,
            subject,
            what,
            "consumers gave up on these messages".to_owned(),
        )];
    }
    let older = |limit: Duration| queue.oldest.filter(|oldest| *oldest > limit);
    let mut out = Vec::new();
    if let Some(oldest) = older(OLDEST_MAX) {
        let what = format!("{}: oldest message {}", queue.name, age(oldest));
        let why = format!(
            "more than {}: consumers are not keeping up",
            age(OLDEST_MAX)
        );
        out.push(alarm(Severity::Warning, subject, what, why));
    }
    // The index is written from this queue: what waits in it cannot be found yet.
    if let Some(behind) = older(INDEX_BEHIND_MAX).filter(|_| queue.name == PROJECTIONS) {
        let what = format!("search index: {} behind", age(behind));
        let why = format!(
            "more than {}: searches may miss recent changes",
            age(INDEX_BEHIND_MAX)
        );
        out.push(alarm(Severity::Warning, AlarmSubject::Index, what, why));
    }
    out
}

fn age(length: Duration) -> String {
    display::age(SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX))
}

fn rollout_alarm(
    rollout: &Rollout,
    now: Timestamp,
) -> Option<(Severity, String, String, Option<Timestamp>)> {
    let (phase, message) = rollout.phase();
    if rollout.aborted || phase == Phase::Degraded {
        let word = if rollout.aborted {
            "aborted"
        } else {
            "degraded"
        };
        let why = if message.is_empty() {
            "the controller gave no reason"
        } else {
            message
        };
        return Some((
            Severity::Critical,
            format!("{}: {word}", rollout.key),
            why.to_owned(),
            rollout.aborted_at,
        ));
    }
    match rollout.wait_state() {
        Waiting::Human { why, since }
            if since.is_some_and(|since| now.duration_since(since) > WAITING_MAX) =>
        {
            let limit = format!(
                "for more than {} min without a decision",
                WAITING_MAX.as_mins()
            );
            Some((
                Severity::Warning,
                format!("{}: {why}", rollout.key),
                limit,
                since,
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
