//! Redrives: the queue service itself moves a whole dead-letter queue back, unread.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use payops_core::domain::access::Action;
use payops_core::domain::audit::AuditOutcome;
use payops_core::domain::display::count;
use payops_core::port::{Ports, QueueStats, REDRIVE_RATE_MAX, Redrive, RedriveStatus};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::claim::claim_free_queue;
use super::queue::{find_queue_and_source, last_redrive, redrive_hint};
use crate::act::{Act, Done, Permit};
use crate::equivalent;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

const POLL: Duration = Duration::from_millis(500);
/// For how long a redrive that was canceled is waited for to end.
const CANCEL_WAIT: Duration = Duration::from_secs(10);

/// A redrive, as scripts read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RedriveReport {
    pub queue: String,
    pub target: Option<String>,
    pub status: &'static str,
    pub moved: u64,
    pub planned: Option<u64>,
    pub rate_per_second: Option<u32>,
    pub started_at: Timestamp,
    pub reason: Option<String>,
}

impl RedriveReport {
    fn new(queue: &str, task: &Redrive) -> Self {
        Self {
            queue: queue.to_owned(),
            target: task.target.clone(),
            status: task.status.as_str(),
            moved: task.moved,
            planned: task.planned,
            rate_per_second: task.rate_per_second,
            started_at: task.started_at,
            reason: task.reason.clone(),
        }
    }

    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.status == RedriveStatus::Completed.as_str()
    }
}

/// A dead-letter queue that is to be moved whole.
#[derive(Clone, Debug)]
pub struct RedrivePlan {
    pub queue: String,
    pub target: String,
    pub stats: QueueStats,
    pub rate_per_second: Option<u32>,
}

impl RedrivePlan {
    /// The plan in lines, to show before it is carried out.
    #[must_use]
    pub fn describe(&self, session: &Session) -> String {
        let (queue, target, stats) = (&self.queue, &self.target, &self.stats);
        let about = if stats.approximate { "about " } else { "" };
        let rate = self.rate_per_second.unwrap_or(REDRIVE_RATE_MAX);
        format!(
            "{queue} -> {target} in {}: {about}{}, at most {rate}/s, at least {} s\n  \
                warning     moves every message unread: payments are not checked, and there is no \
                canary, no replay limit and no journal\n  \
                instead     {} does all of this\n  \
                equivalent  {}",
            session.name(),
            count(stats.visible, "message"),
            stats.visible.div_ceil(u64::from(rate)),
            session.command(&format!("dlq replay {queue}")),
            equivalent::redrive(queue, target, self.rate_per_second)
        )
    }

    /// How it stands right after its start, when the queue service does not list it yet.
    fn started_now(&self) -> RedriveReport {
        RedriveReport {
            queue: self.queue.clone(),
            target: Some(self.target.clone()),
            status: RedriveStatus::Running.as_str(),
            moved: 0,
            planned: Some(self.stats.visible),
            rate_per_second: self.rate_per_second,
            started_at: Timestamp::now(),
            reason: None,
        }
    }
}

/// Whether a redrive is waited for, and who hears of its progress meanwhile.
pub enum RedriveWait<'a> {
    No,
    UntilEnd(&'a (dyn Fn(&RedriveReport) + Send + Sync)),
}

/// Finds what would be moved; an error when the queue is empty, or is being moved already.
pub async fn plan_redrive(
    session: &Session,
    queue: &str,
    rate_per_second: Option<u32>,
) -> OpsResult<RedrivePlan> {
    let (queue, target) = find_queue_and_source(session, queue).await?;
    let ports = session.ports().await?;
    let stats = ports
        .queue_admin
        .stats(&queue)
        .await
        .map_err(|error| OpsError::port(format!("cannot read {queue}"), error))?;
    let last = last_redrive(ports, &queue).await?;
    if last.is_some_and(|task| !task.status.is_over()) {
        return Err(
            OpsError::refused(format!("a redrive of {queue} is already running"))
                .hint(redrive_hint(session, &queue)),
        );
    }
    if stats.visible == 0 && stats.in_flight == 0 {
        return Err(OpsError::not_found(format!(
            "{queue} is empty; nothing to move"
        )));
    }
    Ok(RedrivePlan {
        queue,
        target,
        stats,
        rate_per_second,
    })
}

/// Begins a redrive and waits for its end, or not. When it is told to stop, or the environment is
/// frozen, the queue service is asked to cancel it; what is moved by then stays moved.
pub async fn redrive(
    session: &Arc<Session>,
    plan: &RedrivePlan,
    reason: Option<&str>,
    stop: CancellationToken,
    wait: RedriveWait<'_>,
) -> OpsResult<RedriveReport> {
    // Given back at once: from here on a replay sees that the queue is being moved.
    drop(claim_free_queue(session, &plan.queue).await?);
    let (queue, target) = (plan.queue.as_str(), plan.target.as_str());
    let act = Act {
        count: Some(plan.stats.visible),
        ..Act::new(Action::DlqRedrive)
            .subject(queue)
            .reason(reason)
            .detail("messages", plan.stats.visible.to_string())
            .equivalent(equivalent::redrive(queue, target, plan.rate_per_second))
    };
    let work = async |permit: Permit| {
        let ports = permit.ports().await?;
        let handle = ports
            .queue_admin
            .start_redrive(queue, target, plan.rate_per_second)
            .await
            .map_err(|error| {
                OpsError::port(format!("cannot start the redrive of {queue}"), error)
            })?;
        let on_progress = match wait {
            RedriveWait::UntilEnd(on_progress) => on_progress,
            RedriveWait::No => {
                let task = last_redrive(&ports, queue).await.ok().flatten();
                let report = task.map_or_else(
                    || plan.started_now(),
                    |task| RedriveReport::new(queue, &task),
                );
                return Ok(Done::new(report).summary("started; did not wait for it to finish"));
            }
        };
        end(wait_for_end(&ports, queue, &handle, &permit.stop, on_progress).await?)
    };
    session.act_until(act, stop, work).await
}

async fn find_last(ports: &Ports, queue: &str) -> OpsResult<Redrive> {
    last_redrive(ports, queue).await?.ok_or_else(|| {
        OpsError::failed(format!(
            "the queue service no longer lists the redrive of {queue}"
        ))
    })
}

async fn wait_for_end(
    ports: &Ports,
    queue: &str,
    handle: &str,
    stop: &CancellationToken,
    on_progress: &(dyn Fn(&RedriveReport) + Send + Sync),
) -> OpsResult<RedriveReport> {
    let mut canceled: Option<Instant> = None;
    loop {
        let report = RedriveReport::new(queue, &find_last(ports, queue).await?);
        on_progress(&report);
        let is_running = [RedriveStatus::Running, RedriveStatus::Canceling]
            .iter()
            .any(|status| report.status == status.as_str());
        if !is_running || canceled.is_some_and(|at| at.elapsed() > CANCEL_WAIT) {
            return Ok(report);
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = stop.cancelled(), if canceled.is_none() => {
                cancel(ports, queue, handle).await?;
                canceled = Some(Instant::now());
            }
        }
    }
}

fn end(report: RedriveReport) -> OpsResult<Done<RedriveReport>> {
    let words = format!("{}: {} moved", report.status, report.moved);
    if report.status == RedriveStatus::Failed.as_str() {
        let why = report.reason.as_deref().unwrap_or("no reason given");
        return Err(OpsError::failed(format!(
            "the redrive failed after {} moved: {why}",
            report.moved
        ))
        .hint("messages already moved stay moved; the rest is still in the dead-letter queue"));
    }
    let is_completed = report.is_completed();
    Ok(Done::new(report)
        .summary(words)
        .outcome(if is_completed {
            AuditOutcome::Done
        } else {
            AuditOutcome::Failed
        })
        .unfinished(!is_completed))
}

async fn cancel(ports: &Ports, queue: &str, handle: &str) -> OpsResult<u64> {
    let moved = ports.queue_admin.cancel_redrive(queue, handle).await;
    moved.map_err(|error| {
        OpsError::port(
            format!("cannot cancel the redrive of {queue}; it continues"),
            error,
        )
    })
}

/// The redrives of a dead-letter queue, the last one first.
pub async fn list_redrives(session: &Session, queue: &str) -> OpsResult<Vec<RedriveReport>> {
    let (queue, _) = find_queue_and_source(session, queue).await?;
    let ports = session.ports().await?;
    let tasks =
        ports.queue_admin.redrives(&queue).await.map_err(|error| {
            OpsError::port(format!("cannot list the redrives of {queue}"), error)
        })?;
    let reports = tasks.iter().map(|task| RedriveReport::new(&queue, task));
    Ok(reports.collect())
}

/// A redrive that is to be canceled.
#[derive(Clone, Debug)]
pub struct RedriveCancel {
    pub queue: String,
    /// How far it is.
    pub report: RedriveReport,
    handle: String,
    task: Redrive,
}

impl RedriveCancel {
    /// What will be done, after "This will".
    #[must_use]
    pub fn describe(&self) -> String {
        let of = self.report.planned.map_or_else(
            || "an unknown number of".to_owned(),
            |planned| format!("about {planned}"),
        );
        format!(
            "cancel the redrive of {}, which has moved {} of {of} messages; they stay moved",
            self.queue, self.report.moved
        )
    }
}

/// Finds the redrive that is running.
pub async fn plan_redrive_cancel(session: &Session, queue: &str) -> OpsResult<RedriveCancel> {
    let (queue, _) = find_queue_and_source(session, queue).await?;
    let last = last_redrive(session.ports().await?, &queue).await?;
    let running = last.and_then(|task| Some((task.handle.clone()?, task)));
    let (handle, task) = running.ok_or_else(|| {
        OpsError::not_found(format!("no redrive of {queue} is running"))
            .hint(session.command(&format!("dlq redrives {queue}")))
    })?;
    Ok(RedriveCancel {
        report: RedriveReport::new(&queue, &task),
        queue,
        handle,
        task,
    })
}

/// Cancels a redrive: how many messages it had moved, and how it stands now, also where the service
/// forgets canceled redrives. A freeze does not stop this.
pub async fn cancel_redrive(
    session: &Arc<Session>,
    plan: &RedriveCancel,
    reason: Option<&str>,
) -> OpsResult<(u64, RedriveReport)> {
    let queue = plan.queue.as_str();
    let act = Act::new(Action::DlqRedriveCancel)
        .subject(queue)
        .reason(reason)
        .count(0)
        .equivalent(equivalent::cancel_redrive());
    let work = async |permit: Permit| {
        let ports = permit.ports().await?;
        let moved = cancel(&ports, queue, &plan.handle).await?;
        Ok(Done::new((moved, ports)).summary(format!("canceled: {moved} moved")))
    };
    let (moved, ports) = session.act(act, work).await?;
    // A handle is told only of a redrive that runs: it is known by its beginning.
    let last = last_redrive(&ports, queue).await?;
    let task = last
        .filter(|task| task.started_at == plan.task.started_at)
        .unwrap_or_else(|| Redrive {
            status: RedriveStatus::Canceled,
            moved,
            ..plan.task.clone()
        });
    Ok((moved, RedriveReport::new(queue, &task)))
}
