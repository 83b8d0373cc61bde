//! Building the search index of an environment anew from its payments.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use payops_core::domain::access::Action;
use payops_core::domain::backoff::Backoff;
use payops_core::domain::doc::PaymentDoc;
use payops_core::port::{ErrorKind, Index as _, PortError, PortResult, Ports};
use payops_search::{OpenSearchIndex, UnfinishedIndex};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::act::{Act, Done, Permit};
use crate::backend::{aws, local};
use crate::environment::{AwsConfig, Backend, Part};
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

const PAGE: usize = 500;
/// After how many pages the progress is noted: a resumed rebuild writes as many again at most.
const PAGES_NOTED: u32 = 10;
/// How often a write is tried that the service has no room for.
const TRIES_MAX: u32 = 8;
/// Clocks of the services and of this machine may differ by so much.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(15);

/// How far a rebuild has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RebuildStep {
    /// Another run began this index, and wrote so many payments.
    Resumed {
        index: String,
        payments: u64,
    },
    Written(u64),
    /// So many payments changed meanwhile, and were written again.
    CaughtUp(usize),
}

/// A search index that was built anew.
#[derive(Clone, Debug, Serialize)]
pub struct RebuiltIndex {
    pub payments: u64,
    /// The index before it: a path, or names in OpenSearch. It may be deleted.
    pub set_aside: Option<String>,
}

/// Builds the search index of an environment anew. In OpenSearch a new index is filled under the
/// alias while payments go on; interrupted, it is gone on with by the next run. An embedded index
/// is rebuilt while no platform runs, and its next start goes on.
pub async fn rebuild(
    session: &Arc<Session>,
    reason: Option<&str>,
    on_step: &(dyn Fn(RebuildStep) + Send + Sync),
) -> OpsResult<RebuiltIndex> {
    let act = Act::new(Action::IndexRebuild).reason(reason);
    match &session.env.target {
        Backend::Embedded { data_dir, name } => {
            let act = act.subject(name);
            session
                .act(act, async |permit| {
                    rebuild_embedded(data_dir, name, &permit.stop).await
                })
                .await
        }
        Backend::Kubernetes(_) => Err(no_index(session)),
        Backend::Aws(aws) => {
            let index = aws::search_index(session.name(), aws)?.ok_or_else(|| no_index(session))?;
            let act = act.subject(alias(aws));
            session
                .act(act, async |permit| {
                    Box::pin(rebuild_remote(session, &index, permit, on_step)).await
                })
                .await
        }
    }
}

fn no_index(session: &Session) -> OpsError {
    let missing = session.env.missing(Part::SearchIndex);
    missing.unwrap_or_else(|| OpsError::usage(format!("{} has no search index", session.name())))
}

fn alias(aws: &AwsConfig) -> String {
    aws.index.clone().unwrap_or_default()
}

async fn rebuild_embedded(
    data_dir: &Path,
    name: &str,
    stop: &CancellationToken,
) -> OpsResult<Done<RebuiltIndex>> {
    let rebuilt = tokio::select! {
        biased;
        rebuilt = Box::pin(local::reindex(data_dir, name)) => rebuilt?,
        () = stop.cancelled() => return Err(OpsError::interrupted()),
    };
    let summary = format!("{} payments", rebuilt.payments);
    let rebuilt = RebuiltIndex {
        payments: rebuilt.payments,
        set_aside: rebuilt.aside.map(|path| path.display().to_string()),
    };
    Ok(Done::new(rebuilt).summary(summary))
}

async fn rebuild_remote(
    session: &Session,
    index: &OpenSearchIndex,
    permit: Permit,
    on_step: &(dyn Fn(RebuildStep) + Send + Sync),
) -> OpsResult<Done<RebuiltIndex>> {
    let ports = permit.ports().await?;
    let failed = |error| {
        OpsError::port(
            format!("cannot rebuild the search index of {}", session.name()),
            error,
        )
        .hint("run the same command again to go on")
    };
    let mut unfinished = index
        .begin_rebuild(ports.clock.now())
        .await
        .map_err(failed)?;
    if unfinished.is_resumed {
        on_step(RebuildStep::Resumed {
            index: unfinished.name.clone(),
            payments: unfinished.progress.payments,
        });
    }
    let run = Run {
        ports: &ports,
        index,
        stop: &permit.stop,
        on_step,
    };
    if !run.finish(&mut unfinished).await.map_err(failed)? {
        return Err(OpsError::interrupted().hint("run the same command again to go on"));
    }
    let progress = unfinished.progress;
    let summary = format!("{} payments in {}", progress.payments, unfinished.name);
    let rebuilt = RebuiltIndex {
        payments: progress.payments,
        set_aside: Some(progress.replaced.join(", ")).filter(|names| !names.is_empty()),
    };
    Ok(Done::new(rebuilt).summary(summary))
}

/// A rebuild under way. Each step may be cut off, and is done again by the next run.
struct Run<'a> {
    ports: &'a Ports,
    index: &'a OpenSearchIndex,
    stop: &'a CancellationToken,
    on_step: &'a (dyn Fn(RebuildStep) + Send + Sync),
}

impl Run<'_> {
    /// Whether it came to its end, and not to a stop.
    async fn finish(&self, unfinished: &mut UnfinishedIndex) -> PortResult<bool> {
        if !self.index.is_swapped(unfinished).await? {
            // What changed meanwhile comes before anybody reads the new index.
            if !self.fill(unfinished).await? || !self.catch_up(unfinished).await? {
                return Ok(false);
            }
            self.index.swap_index(unfinished).await?;
        }
        // Writes that were under way when the alias changed.
        self.index.close_replaced(unfinished).await?;
        if !self.catch_up(unfinished).await? {
            return Ok(false);
        }
        self.index.end_rebuild(unfinished).await?;
        Ok(true)
    }

    /// Writes every payment into the new index; whether all of them were written.
    async fn fill(&self, unfinished: &mut UnfinishedIndex) -> PortResult<bool> {
        let into = self.index.at(&unfinished.name);
        let mut pages = 0_u32;
        loop {
            let from = unfinished.progress.from.as_deref();
            let page = self.ports.store.scan(from, PAGE).await?;
            let docs: Vec<PaymentDoc> = page.payments.iter().map(PaymentDoc::from).collect();
            write(&into, &docs).await?;
            let count = u64::try_from(docs.len()).unwrap_or(u64::MAX);
            let progress = &mut unfinished.progress;
            progress.payments = progress.payments.saturating_add(count);
            (self.on_step)(RebuildStep::Written(progress.payments));
            let Some(next) = page.next else {
                return Ok(true);
            };
            progress.from = Some(next);
            pages = pages.saturating_add(1);
            let stops = self.stop.is_cancelled();
            if stops || pages.is_multiple_of(PAGES_NOTED) {
                self.index.note_progress(unfinished).await?;
            }
            if stops {
                return Ok(false);
            }
        }
    }

    /// Writes what changed in the old indexes since the last time, as the payments are now; whether
    /// all of it was written. Versions decide, so that no write undoes another.
    async fn catch_up(&self, unfinished: &mut UnfinishedIndex) -> PortResult<bool> {
        let began_at = self.ports.clock.now();
        let progress = &unfinished.progress;
        let last = progress.caught_up_at.unwrap_or(progress.started_at);
        let since = last.checked_sub(CLOCKS_APART).unwrap_or(last);
        let old = if progress.replaced.is_empty() {
            self.index.others(unfinished).await?
        } else {
            progress.replaced.clone()
        };
        let into = self.index.at(&unfinished.name);
        let mut written = 0_usize;
        for name in &old {
            let mut after: Option<String> = None;
            loop {
                if self.stop.is_cancelled() {
                    return Ok(false);
                }
                let page = self.index.changed_since(name, since, after.as_deref());
                let (ids, next) = page.await?;
                let payments = self.ports.store.get_many(&ids).await?;
                let docs: Vec<PaymentDoc> = payments.iter().map(PaymentDoc::from).collect();
                write(&into, &docs).await?;
                written = written.saturating_add(docs.len());
                (self.on_step)(RebuildStep::CaughtUp(written));
                after = next;
                if after.is_none() {
                    break;
                }
            }
        }
        unfinished.progress.caught_up_at = Some(began_at);
        self.index.note_progress(unfinished).await?;
        Ok(true)
    }
}

/// Writes documents; a service that has no room for them is waited for.
async fn write(index: &OpenSearchIndex, docs: &[PaymentDoc]) -> PortResult<()> {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(20));
    let mut tries = 0;
    loop {
        match index.upsert(docs).await {
            Ok(_) => return Ok(()),
            Err(error) if is_passing(&error) && tries < TRIES_MAX => {
                tries += 1;
                tokio::time::sleep(backoff.next_delay()).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_passing(error: &PortError) -> bool {
    matches!(
        error.kind,
        ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::Ambiguous
    )
}
