//! The right to take messages out of a dead-letter queue: one process at a time, and nobody while a
//! replay of it was interrupted, which finds out what it sent by what is left.

use std::path::PathBuf;

use super::journal::{Journals, QueueLock, Unfinished};
use super::queue::refuse_while_redriving;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// Nobody else replays, edits, discards or redrives the queue while this is held.
#[derive(Debug)]
pub struct QueueClaim {
    pub(super) journals: Journals,
    /// The replay of it that was interrupted, which must be finished first.
    pub interrupted: Option<Unfinished>,
    _lock: QueueLock,
}

impl QueueClaim {
    fn refuse_interrupted(&self, session: &Session, dlq: &str) -> OpsResult<()> {
        if self.interrupted.is_none() {
            return Ok(());
        }
        Err(OpsError::refused(format!(
            "an interrupted replay of {dlq} exists, and needs the queue unchanged to find out \
                what it sent"
        ))
        .hint(format!(
            "finish it first with: {}",
            session.command(&format!("dlq replay {dlq}"))
        )))
    }
}

impl Unfinished {
    /// How many messages of the plan are settled.
    #[must_use]
    pub fn settled(&self) -> usize {
        let messages = self.plan.messages.iter();
        messages
            .filter(|message| self.progress.is_settled(&message.message_id))
            .count()
    }
}

fn journals_dir(session: &Session) -> PathBuf {
    session.records_dir().join("replays").join(session.name())
}

/// Claims a dead-letter queue; an error while a replay of it is running.
pub fn claim_queue(session: &Session, dlq: &str) -> OpsResult<QueueClaim> {
    let journals = Journals::open(journals_dir(session))?;
    let lock = journals.lock(dlq)?;
    let interrupted = journals.unfinished(session.name(), dlq)?;
    Ok(QueueClaim {
        journals,
        interrupted,
        _lock: lock,
    })
}

/// The same, refused while a replay of it was interrupted or the queue service redrives it.
pub async fn claim_free_queue(session: &Session, dlq: &str) -> OpsResult<QueueClaim> {
    let claim = claim_queue(session, dlq)?;
    claim.refuse_interrupted(session, dlq)?;
    refuse_while_redriving(session, dlq).await?;
    Ok(claim)
}

/// Whether a replay of the queue was interrupted and is not running. Only looks.
pub fn is_replay_interrupted(session: &Session, dlq: &str) -> OpsResult<bool> {
    Journals::is_interrupted(journals_dir(session), session.name(), dlq)
}
