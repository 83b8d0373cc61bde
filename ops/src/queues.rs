//! Queues as a whole: how deep they are, and emptying one.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::try_join_all;
use payops_core::domain::access::{AccessLevel, Action};
use payops_core::domain::bus::{is_parking_queue, source_of};
use payops_core::port::{Browsed, Ports, QueueStats};

use crate::act::{Act, Done};
use crate::equivalent;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// All queues of an environment, by name.
pub async fn list(ports: &Ports) -> OpsResult<Vec<QueueStats>> {
    let to_error = |error| OpsError::port("cannot read the queues", error);
    let names = ports.queue_admin.names().await.map_err(to_error)?;
    try_join_all(names.iter().map(|name| ports.queue_admin.stats(name)))
        .await
        .map_err(to_error)
}

/// How many messages each queue holds, waiting and in flight.
#[must_use]
pub fn depths(stats: &[QueueStats]) -> BTreeMap<&str, u64> {
    let depth = |stats: &QueueStats| stats.visible.saturating_add(stats.in_flight);
    stats
        .iter()
        .map(|stats| (stats.name.as_str(), depth(stats)))
        .collect()
}

/// Refuses a queue that does not exist.
pub async fn check_exists(ports: &Ports, queue: &str) -> OpsResult<()> {
    let names = ports
        .queue_admin
        .names()
        .await
        .map_err(|error| OpsError::port("cannot read the queues", error))?;
    if names.iter().any(|name| name == queue) {
        return Ok(());
    }
    Err(OpsError::not_found(format!("queue {queue} not found"))
        .hint(format!("queues are {}", names.join(", "))))
}

/// Looks at messages of a queue. In AWS the role that looks may receive from dead-letter queues
/// alone; parking queues are looked at by those who operate, and other queues, where looking takes
/// work from a consumer, with break-glass.
pub async fn peek(session: &Arc<Session>, queue: &str, limit: usize) -> OpsResult<Browsed> {
    let to_error = |error| OpsError::port(format!("cannot peek at {queue}"), error);
    let ports = session.ports().await?;
    check_exists(ports, queue).await?;
    if session.is_embedded() || source_of(queue).is_some() {
        return ports
            .queue_admin
            .browse(queue, limit)
            .await
            .map_err(to_error);
    }
    let needed = if is_parking_queue(queue) {
        AccessLevel::Operate
    } else {
        AccessLevel::BreakGlass
    };
    let has = session.access_level()?;
    if has < needed {
        let (env, login) = (session.name(), login_command(session.name(), needed));
        return Err(OpsError::refused(format!(
            "looking at {queue} in {env} requires the access level {needed}; yours is {has}"
        ))
        .hint(login));
    }
    let act = Act::new(Action::DlqPeek)
        .subject(queue)
        .reason(session.operator.reason.as_deref());
    session
        .act(act, async |permit| {
            let ports = permit.ports().await?;
            let browsed = ports.queue_admin.browse(queue, limit).await;
            Ok(Done::new(browsed.map_err(to_error)?))
        })
        .await
}

/// How one gets an access level.
fn login_command(env: &str, level: AccessLevel) -> String {
    format!("payops account login --env {env} --access {level} --reason TEXT")
}

/// A queue that is about to be emptied.
#[derive(Clone, Debug)]
pub struct PurgePlan {
    pub queue: String,
    /// Messages in it, those in flight and delayed included.
    pub messages: u64,
    pub equivalent: String,
}

/// What the policy is asked for a purge.
#[must_use]
pub fn purge_act(queue: &str, reason: Option<&str>) -> Act {
    Act {
        count: None,
        ..Act::new(Action::QueuePurge)
            .subject(queue)
            .reason(reason)
            .equivalent(equivalent::purge(queue))
    }
}

/// Looks at what a purge would delete.
pub async fn plan_purge(session: &Session, queue: &str) -> OpsResult<PurgePlan> {
    let ports = session.ports().await?;
    let stats = ports
        .queue_admin
        .stats(queue)
        .await
        .map_err(|error| OpsError::port(format!("{queue} did not answer"), error))?;
    Ok(PurgePlan {
        queue: queue.to_owned(),
        messages: stats
            .visible
            .saturating_add(stats.in_flight)
            .saturating_add(stats.delayed),
        equivalent: equivalent::purge(queue),
    })
}

/// Deletes every message of a queue, unread.
pub async fn purge(session: &Arc<Session>, plan: &PurgePlan, reason: &str) -> OpsResult<()> {
    let queue = plan.queue.as_str();
    let act = purge_act(queue, Some(reason)).detail("messages", plan.messages.to_string());
    session
        .act(act, async |permit| {
            let ports = permit.ports().await?;
            ports
                .queue_admin
                .purge(queue)
                .await
                .map_err(|error| OpsError::port(format!("{queue} was not emptied"), error))?;
            Ok(Done::new(()))
        })
        .await
}
