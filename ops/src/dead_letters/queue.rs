//! The dead-letter queue that is meant, and what lies in it.

use std::sync::Arc;

use payops_core::domain::access::Action;
use payops_core::domain::bus::source_of;
use payops_core::port::{ErrorKind, Ports, Redrive};
use payops_core::usecase::{DeadLetter, DeadLetters, DeadLettersError, ReplayError};

use crate::act::{Act, Done};
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// How many dead letters of a queue are searched for one id.
const SEARCHED_MAX: usize = 100_000;

/// The dead-letter queue of that name, or of the queue of that name.
pub async fn find_queue(session: &Session, queue: &str) -> OpsResult<String> {
    let ports = session.ports().await?;
    let mut queues = DeadLetters::from(ports).queues(Some(queue)).await?;
    queues
        .pop()
        .ok_or_else(|| OpsError::not_found(format!("{queue} has no dead-letter queue")))
}

/// The same with the queue that its messages came from.
pub(super) async fn find_queue_and_source(
    session: &Session,
    queue: &str,
) -> OpsResult<(String, String)> {
    let dlq = find_queue(session, queue).await?;
    let source = source_of(&dlq).ok_or_else(|| {
        OpsError::not_found(format!("{dlq} is not the dead-letter queue of any queue"))
    })?;
    Ok((dlq, source))
}

/// The dead letter of that id, searched for in all queues or in one.
pub async fn find_dead_letter(
    session: &Arc<Session>,
    queue: Option<&str>,
    message_id: &str,
) -> OpsResult<DeadLetter> {
    check_may_look(session).await?;
    let dead_letters = DeadLetters::from(session.ports().await?);
    let queues = dead_letters.queues(queue).await?;
    let found = dead_letters
        .find(&queues, message_id, SEARCHED_MAX)
        .await
        .map_err(|error| OpsError::port("cannot read the dead letters", error))?;
    match found {
        Some(letter) => Ok(letter),
        None => Err(no_dead_letter(session, message_id).await),
    }
}

/// That the environment has no such dead letter, and which other embedded environment has it. On
/// AWS only the one that was asked for is looked into, because a look costs receives.
async fn no_dead_letter(session: &Session, message_id: &str) -> OpsError {
    let message = format!("dead letter {message_id} not found in {}", session.name());
    for (other, ports) in session.other_embedded().await {
        let dead_letters = DeadLetters::from(&ports);
        let Ok(queues) = dead_letters.queues(None).await else {
            continue;
        };
        let found = dead_letters.find(&queues, message_id, SEARCHED_MAX).await;
        if matches!(found, Ok(Some(_))) {
            return OpsError::not_found(format!("{message}; it is in {other}"))
                .hint(format!("add --env {other}"));
        }
    }
    OpsError::not_found(message).hint(format!(
        "check --env; it may have been replayed: {}",
        session.command("audit list --action dlq.replay")
    ))
}

/// Looking may cost receives: whoever may not peek may not list either. Only a refusal is recorded.
pub(super) async fn check_may_look(session: &Arc<Session>) -> OpsResult<()> {
    let act = Act::new(Action::DlqPeek).reason(session.operator.reason.as_deref());
    if session.would_refuse(&act).await?.is_none() {
        return Ok(());
    }
    session.act(act, async |_| Ok(Done::new(()))).await
}

/// The last redrive of a dead-letter queue by the queue service.
pub(super) async fn last_redrive(ports: &Ports, dlq: &str) -> OpsResult<Option<Redrive>> {
    let redrives = ports.queue_admin.redrives(dlq).await;
    let redrives = redrives
        .map_err(|error| OpsError::port(format!("cannot list the redrives of {dlq}"), error))?;
    Ok(redrives.into_iter().next())
}

/// Refuses while the queue service redrives a queue. A queue service that cannot list its redrives
/// is taken to have none.
pub async fn refuse_while_redriving(session: &Session, dlq: &str) -> OpsResult<()> {
    let ports = session.ports().await?;
    let redrives = match ports.queue_admin.redrives(dlq).await {
        Ok(redrives) => redrives,
        // A queue service without redrives.
        Err(error) if error.kind == ErrorKind::Permanent => Vec::new(),
        Err(error) => {
            let what = format!("cannot read whether {dlq} is being redriven; nothing was done");
            return Err(OpsError::port(what, error));
        }
    };
    if redrives.first().is_some_and(|task| !task.status.is_over()) {
        return Err(OpsError::refused(format!("a redrive of {dlq} is running"))
            .hint(redrive_hint(session, dlq)));
    }
    Ok(())
}

pub(super) fn redrive_hint(session: &Session, dlq: &str) -> String {
    format!(
        "see its progress with: {}; stop it with: {}",
        session.command(&format!("dlq redrives {dlq}")),
        session.command(&format!("dlq redrive-cancel {dlq}"))
    )
}

impl From<DeadLettersError> for OpsError {
    fn from(error: DeadLettersError) -> Self {
        let message = error.to_string();
        match error {
            DeadLettersError::NotADeadLetterQueue { known, .. } => Self::not_found(message)
                .hint(format!("queues with dead letters are {}", known.join(", "))),
            DeadLettersError::Port(error) => Self::port(message, error),
        }
    }
}

impl From<ReplayError> for OpsError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::NotADeadLetterQueue { .. } => {
                Self::not_found(error.to_string()).hint("payops queue list")
            }
            ReplayError::Port(error) => Self::port("the replay stopped", error),
        }
    }
}
