//! One look into dead-letter queues, kept as a snapshot for browsing.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use payops_core::domain::access::Action;
use payops_core::usecase::DeadLetters;
use serde::Serialize;

use super::snapshot::{KEPT, Snapshots};
use crate::act::{Act, Done, Permit};
use crate::equivalent;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// What a look into one queue came to, as scripts read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeekReport {
    pub queue: String,
    pub seen: usize,
    pub complete: bool,
    pub doubt: Option<String>,
    /// Receives spent: each raised a message's receive count by one.
    pub receives_spent: u64,
    /// For how long each message was hidden from others at most, in seconds.
    pub hidden_seconds: u64,
    pub groups_locked: u64,
    /// When the queue drops the first of them.
    pub first_expiry: Option<Timestamp>,
    pub snapshot: String,
    pub expires_at: Timestamp,
}

/// Looks into one dead-letter queue or all, at most `limit` messages of each, and keeps what was
/// seen for a while.
pub async fn peek(
    session: &Arc<Session>,
    queue: Option<&str>,
    limit: usize,
    keep: Option<SignedDuration>,
) -> OpsResult<Vec<PeekReport>> {
    let dead_letters = DeadLetters::from(session.ports().await?);
    let queues = dead_letters.queues(queue).await?;
    let subject = match queues.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    };
    let act = Act {
        subject,
        ..Act::new(Action::DlqPeek)
    }
    .reason(session.operator.reason.as_deref())
    .equivalent(equivalent::look(queue));
    let work = async |permit: Permit| {
        let snapshots = Snapshots::of(&session.records_dir(), session.name());
        let mut reports = Vec::new();
        for queue in queues {
            let look = dead_letters.look(std::slice::from_ref(&queue), limit);
            let seen = permit
                .stop
                .run_until_cancelled(look)
                .await
                .ok_or_else(OpsError::interrupted)?
                .map_err(|error| OpsError::port(format!("cannot look at {queue}"), error))?;
            let (now, keep) = (Timestamp::now(), keep.unwrap_or(KEPT));
            let (snapshot, path) = snapshots.keep(session.name(), &queue, seen, now, keep)?;
            let seen = &snapshot.seen;
            let expiries = seen.letters.iter().filter_map(|letter| letter.expires_at);
            reports.push(PeekReport {
                queue,
                seen: seen.letters.len(),
                complete: seen.complete,
                doubt: seen.doubts.first().cloned(),
                receives_spent: seen.receives_spent,
                hidden_seconds: seen.hidden.as_secs(),
                groups_locked: seen.groups_locked,
                first_expiry: expiries.min(),
                snapshot: path.display().to_string(),
                expires_at: snapshot.expires_at,
            });
        }
        let spent: u64 = reports.iter().map(|report| report.receives_spent).sum();
        Ok(Done::new(reports).summary(format!("receives spent: {spent}")))
    };
    session.act(act, work).await
}
