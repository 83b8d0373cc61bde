//! Alarms that follow from what is known already: queues, dead letters, rollouts, environments
//! that do not answer.

use std::time::Duration;

use super::bus::source_queue;
use super::rollout::{Phase, Rollout, RolloutKey, Waiting};
use crate::Timestamp;

/// A queue whose oldest message is older than this is not being worked off.
pub const OLDEST_MAX: Duration = Duration::from_mins(5);
/// A canary that waits for a human for longer than this is forgotten, or nobody dares.
pub const WAITING_MAX: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Somebody has to act now.
    Critical,
    /// Somebody has to look.
    Warning,
}

/// What it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The environment itself.
    Environment,
    /// A queue, by name.
    Queue(String),
    /// A rollout.
    Rollout(RolloutKey),
}

/// One alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// What is wrong, with the value and its limit.
    pub what: String,
    /// Since when, if that is known.
    pub since: Option<Timestamp>,
}

/// How a queue stands, as far as alarms need it.
#[derive(Clone, Copy, Debug)]
pub struct QueueDepth<'a> {
    /// Its name.
    pub name: &'a str,
    /// Messages in it, in flight ones included.
    pub depth: u64,
    /// Age of the oldest.
    pub oldest: Option<Duration>,
}

/// Alarms of one environment at `now`, the worst first. `fault` says why it does not answer.
#[must_use]
pub fn alarms<'a>(
    fault: Option<&str>,
    queues: impl Iterator<Item = QueueDepth<'a>>,
    rollouts: impl Iterator<Item = &'a Rollout>,
    now: Timestamp,
) -> Vec<Alarm> {
    let away = |why: &str| Alarm {
        severity: Severity::Critical,
        subject: Subject::Environment,
        what: format!("does not answer: {why}"),
        since: None,
    };
    let mut out: Vec<Alarm> = fault.map(away).into_iter().collect();
    out.extend(queues.filter_map(|queue| queue_alarm(queue, now)));
    out.extend(rollouts.filter_map(|rollout| rollout_alarm(rollout, now)));
    out.sort_by(|a, b| (a.severity, &a.subject).cmp(&(b.severity, &b.subject)));
    out
}

fn queue_alarm(queue: QueueDepth<'_>, now: Timestamp) -> Option<Alarm> {
    let since = queue.oldest.and_then(|oldest| now.checked_sub(oldest).ok());
    let alarm = |severity, what| Some(Alarm { severity, subject: Subject::Queue(queue.name.to_owned()), what, since });
    if source_queue(queue.name).is_some() {
        let letters = if queue.depth == 1 { "letter" } else { "letters" };
        return if queue.depth > 0 { alarm(Severity::Critical, format!("{} dead {letters} > 0", queue.depth)) } else { None };
    }
    let oldest = queue.oldest.filter(|oldest| *oldest > OLDEST_MAX)?;
    alarm(Severity::Warning, format!("oldest message {} s > {} s", oldest.as_secs(), OLDEST_MAX.as_secs()))
}

fn rollout_alarm(rollout: &Rollout, now: Timestamp) -> Option<Alarm> {
    let alarm = |severity, what: String, since| Some(Alarm { severity, subject: Subject::Rollout(rollout.key.clone()), what, since });
    let (phase, message) = rollout.phase();
    if rollout.aborted || phase == Phase::Degraded {
        let message = if message.is_empty() { "no reason told" } else { message };
        return alarm(Severity::Critical, format!("degraded: {message}"), rollout.aborted_at);
    }
    match rollout.waiting() {
        Waiting::Human { why, since } if since.is_some_and(|since| now.duration_since(since) > WAITING_MAX) => {
            alarm(Severity::Warning, format!("{why} for more than {} min", WAITING_MAX.as_mins()), since)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T15:00:00Z".parse().expect("a time")
    }

    fn queue(name: &str, depth: u64, oldest_seconds: u64) -> QueueDepth<'_> {
        QueueDepth { name, depth, oldest: Some(Duration::from_secs(oldest_seconds)) }
    }

    #[track_caller]
    fn check(fault: Option<&str>, queues: &[QueueDepth<'_>], expected: &[(Severity, &str)]) {
        let found = alarms(fault, queues.iter().copied(), std::iter::empty(), now());
        let found: Vec<(Severity, &str)> = found.iter().map(|alarm| (alarm.severity, alarm.what.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_dead_letter_is_an_alarm_and_a_long_queue_is_none() {
        check(None, &[queue("payments-work", 10_000, 300), queue("payments-work-dlq", 0, 0)], &[]);
        check(
            None,
            &[queue("payments-work", 3, 301), queue("payments-work-dlq", 1, 20)],
            &[(Severity::Critical, "1 dead letter > 0"), (Severity::Warning, "oldest message 301 s > 300 s")],
        );
    }

    #[test]
    fn an_environment_that_is_away_is_one() {
        check(Some("the session has expired"), &[], &[(Severity::Critical, "does not answer: the session has expired")]);
    }
}
