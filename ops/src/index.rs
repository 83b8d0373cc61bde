//! Building the search index of an environment anew from its payments.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use payops_core::domain::access::Action;
use payops_core::domain::backoff::Backoff;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::id::PaymentId;
use payops_core::port::{ErrorKind, Index, PaymentStore, PortError, PortResult, Ports};
use payops_search::{OpenSearchIndex, UnfinishedIndex};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::act::{Act, Done, Permit};
use crate::backend::{aws, local};
use crate::environment::{AwsConfig, Backend};
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

const PAGE: usize = 500;
/// After how many pages the progress is noted: a resumed rebuild writes as many again at most.
const PAGES_NOTED: u32 = 10;
/// How often a write is tried that the service has no room for.
const TRIES_MAX: u32 = 8;
/// Writes to the old index that were under way when the alias changed.
const CATCH_UP_PAUSE: Duration = Duration::from_secs(1);
const CATCH_UPS_MAX: u32 = 60;
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
    /// The alias means the new index; so many payments changed meanwhile.
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
        Backend::Aws(aws) => {
            let index = aws::search_index(session.name(), aws)?
                .ok_or_else(|| OpsError::usage(aws::no_index(session.name())))?;
            let act = act.subject(alias(aws));
            session
                .act(act, async |permit| {
                    Box::pin(rebuild_remote(session, &index, permit, on_step)).await
                })
                .await
        }
    }
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
    let is_whole = fill(&ports, index, &mut unfinished, &permit.stop, on_step)
        .await
        .map_err(failed)?;
    if !is_whole {
        return Err(OpsError::interrupted().hint("run the same command again to go on"));
    }
    let old = index.finish_rebuild(&unfinished).await.map_err(failed)?;
    catch_up(&ports, index, &unfinished, &old, on_step)
        .await
        .map_err(failed)?;
    let payments = unfinished.progress.payments;
    let summary = format!("{payments} payments in {}", unfinished.name);
    let rebuilt = RebuiltIndex {
        payments,
        set_aside: Some(old.join(", ")).filter(|names| !names.is_empty()),
    };
    Ok(Done::new(rebuilt).summary(summary))
}

/// Writes every payment into the new index; whether all of them were written.
async fn fill(
    ports: &Ports,
    index: &OpenSearchIndex,
    unfinished: &mut UnfinishedIndex,
    stop: &CancellationToken,
    on_step: &(dyn Fn(RebuildStep) + Send + Sync),
) -> PortResult<bool> {
    let into = index.at(&unfinished.name);
    let mut pages = 0_u32;
    loop {
        let from = unfinished.progress.from.as_deref();
        let page = ports.store.scan(from, PAGE).await?;
        let docs: Vec<PaymentDoc> = page.payments.iter().map(PaymentDoc::from).collect();
        write(&into, &docs).await?;
        let count = u64::try_from(docs.len()).unwrap_or(u64::MAX);
        let progress = &mut unfinished.progress;
        progress.payments = progress.payments.saturating_add(count);
        on_step(RebuildStep::Written(progress.payments));
        let Some(next) = page.next else {
            return Ok(true);
        };
        progress.from = Some(next);
        pages = pages.saturating_add(1);
        let stops = stop.is_cancelled();
        if stops || pages.is_multiple_of(PAGES_NOTED) {
            index.note_progress(unfinished).await?;
        }
        if stops {
            return Ok(false);
        }
    }
}

/// Writes what changed in the old indexes since the rebuild began, until nothing more comes.
/// Versions decide, so that no write undoes another.
async fn catch_up(
    ports: &Ports,
    index: &OpenSearchIndex,
    unfinished: &UnfinishedIndex,
    old: &[String],
    on_step: &(dyn Fn(RebuildStep) + Send + Sync),
) -> PortResult<()> {
    let began = unfinished.progress.started_at;
    let since = began.checked_sub(CLOCKS_APART).unwrap_or(began);
    let mut written: BTreeMap<PaymentId, u64> = BTreeMap::new();
    for pass in 0..CATCH_UPS_MAX {
        let mut changed = Vec::new();
        for name in old {
            changed.extend(index.updated_since(name, since).await?);
        }
        let docs = read_changed(&*ports.store, &changed, &written).await?;
        write(index, &docs).await?;
        written.extend(docs.iter().map(|doc| (doc.id.clone(), doc.version)));
        on_step(RebuildStep::CaughtUp(written.len()));
        if docs.is_empty() && pass > 0 {
            break;
        }
        tokio::time::sleep(CATCH_UP_PAUSE).await;
    }
    Ok(())
}

async fn read_changed(
    store: &dyn PaymentStore,
    changed: &[PaymentId],
    written: &BTreeMap<PaymentId, u64>,
) -> PortResult<Vec<PaymentDoc>> {
    let mut docs = Vec::new();
    for ids in changed.chunks(PAGE) {
        let payments = store.get_many(ids).await?;
        docs.extend(payments.iter().map(PaymentDoc::from));
    }
    docs.retain(|doc| {
        written
            .get(&doc.id)
            .is_none_or(|version| *version < doc.version)
    });
    Ok(docs)
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
