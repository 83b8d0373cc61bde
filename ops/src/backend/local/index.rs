//! The search index of an environment: opening it, and building it anew from the payments.
//!
//! It is derived, so that a damaged one must keep nobody from starting. It is set aside, never
//! deleted, and a new one is filled while the platform already runs. A mark in the environment's
//! folder, written first and removed last, says that the new one is not whole yet: a rebuild that
//! was cut off is done again at the next start.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use payops_core::Timestamp;
use payops_core::domain::backoff::Backoff;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::id::PaymentId;
use payops_core::domain::search::SearchQuery;
use payops_core::port::{
    ErrorKind, Freshness, Hits, Index, IndexPage, PaymentStore, PortResult, UpsertOutcome,
};
use payops_embedded::SqliteStore;
use payops_search::{IndexOptions, TantivyIndex};
use tokio_util::sync::CancellationToken;

use super::data_dir::DataDir;
use super::error::LocalError;
use super::surroundings::Surroundings;

const FOLDER: &str = "index";
const MARK: &str = "index-rebuild";
/// The first pause after a rebuild that failed, and the longest.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_mins(1);
const PAGE: usize = 1000;

/// That an environment's index has to be built from its payments.
#[derive(Clone, Debug)]
pub struct Rebuild {
    mark: PathBuf,
    /// Where the one before lies, if there was one that could not be opened.
    pub aside: Option<PathBuf>,
}

/// Opens the index in an environment's folder for writing. One that is missing or damaged is made
/// anew, and then has to be filled, unless there are no payments at all.
pub(super) async fn open(
    dir: &Path,
    env: &str,
    options: IndexOptions,
    any_payments: bool,
    now: Timestamp,
) -> Result<(TantivyIndex, Option<Rebuild>), LocalError> {
    let folder = dir.join(FOLDER);
    if any_payments && !TantivyIndex::has_index(&folder) {
        mark(dir)?;
    }
    let mut aside = None;
    let index = match TantivyIndex::open(&folder, options).await {
        Err(error) if error.kind == ErrorKind::Corrupt => {
            tracing::warn!(
                env,
                error = error.chain(),
                "the search index is damaged; it is set aside and rebuilt"
            );
            mark(dir)?;
            aside = Some(set_aside(dir, "damaged", now)?);
            TantivyIndex::open(&folder, options).await
        }
        opened => opened,
    };
    let index = index.map_err(LocalError::store("index", env))?;
    let rebuild = is_being_rebuilt(dir).then(|| Rebuild {
        mark: dir.join(MARK),
        aside,
    });
    Ok((index, rebuild))
}

pub(super) async fn open_reader(dir: &Path) -> PortResult<Box<dyn Index>> {
    let index = TantivyIndex::open_reader(&dir.join(FOLDER)).await?;
    Ok(if is_being_rebuilt(dir) {
        Box::new(Partial(index))
    } else {
        Box::new(index)
    })
}

fn is_being_rebuilt(dir: &Path) -> bool {
    dir.join(MARK).exists()
}

fn mark(dir: &Path) -> Result<(), LocalError> {
    let made = File::create(dir.join(MARK))
        .and_then(|file| file.sync_all())
        .and_then(|()| File::open(dir)?.sync_all());
    made.map_err(|error| LocalError::io(dir, "marking the search index as incomplete", error))
}

fn set_aside(dir: &Path, why: &str, now: Timestamp) -> Result<PathBuf, LocalError> {
    let aside = dir.join(format!(
        "{FOLDER}.{why}-{}",
        now.strftime("%Y%m%dT%H%M%S%3fZ")
    ));
    let moved = fs::rename(dir.join(FOLDER), &aside).and_then(|()| File::open(dir)?.sync_all());
    moved.map_err(|error| {
        LocalError::io(
            dir,
            format!("setting the search index aside as {}", aside.display()),
            error,
        )
    })?;
    Ok(aside)
}

impl Rebuild {
    /// Fills the index, trying again and again, until `stop`; of how many payments, if it came to
    /// the end. A projector may write to the index meanwhile: newer documents stay.
    pub async fn run(
        &self,
        store: &dyn PaymentStore,
        index: &dyn Index,
        stop: &CancellationToken,
    ) -> Option<u64> {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        loop {
            let filled = tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                filled = fill(store, index) => filled,
            };
            match filled {
                Ok(payments) => {
                    if let Err(error) = fs::remove_file(&self.mark) {
                        tracing::warn!(
                            error = error.to_string(),
                            "the search index is whole, but its mark stays; the next start \
                                rebuilds it"
                        );
                    }
                    return Some(payments);
                }
                Err(error) => {
                    tracing::warn!(
                        class = error.class(),
                        error = error.chain(),
                        "rebuilding the search index failed"
                    );
                    tokio::select! {
                        () = stop.cancelled() => return None,
                        () = tokio::time::sleep(backoff.next_delay()) => {}
                    }
                }
            }
        }
    }
}

/// Writes every payment's document; how many payments there are.
async fn fill(store: &dyn PaymentStore, index: &dyn Index) -> PortResult<u64> {
    let (mut from, mut payments) = (None::<String>, 0_u64);
    loop {
        let page = store.scan(from.as_deref(), PAGE).await?;
        let docs: Vec<PaymentDoc> = page.payments.iter().map(PaymentDoc::from).collect();
        index.upsert(&docs).await?;
        payments = payments.saturating_add(u64::try_from(docs.len()).unwrap_or(u64::MAX));
        from = page.next;
        if from.is_none() {
            return Ok(payments);
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reindexed {
    pub payments: u64,
    /// Where the index before lies, if there was one; it may be deleted.
    pub aside: Option<PathBuf>,
}

/// Builds the search index of an environment anew from its payments.
///
/// Only while no platform runs in the data directory ([`LocalError::Locked`] otherwise): a
/// running one writes to the index that is there, and would go on writing to the one set aside.
pub async fn reindex(data_dir: &Path, env: &str) -> Result<Reindexed, LocalError> {
    let data = DataDir::open(data_dir)?;
    let _lock = data.lock()?;
    let (dir, around) = (data.env(env)?, Surroundings::default());
    let path = dir.join("payments.db");
    let payments = SqliteStore::open_read_only(&path, around.clock.clone())
        .await
        .map_err(LocalError::store("payments", env))?;
    mark(&dir)?;
    let aside = dir
        .join(FOLDER)
        .exists()
        .then(|| set_aside(&dir, "replaced", around.clock.now()))
        .transpose()?;
    let options = IndexOptions {
        commit_every: Duration::ZERO,
    };
    let index = TantivyIndex::open(&dir.join(FOLDER), options)
        .await
        .map_err(LocalError::store("index", env))?;
    let filled = fill(&payments, &index).await;
    index.close().await;
    let filled = filled.map_err(LocalError::store("index", env))?;
    fs::remove_file(dir.join(MARK))
        .map_err(|error| LocalError::io(&dir, "marking the search index as whole", error))?;
    Ok(Reindexed {
        payments: filled,
        aside,
    })
}

/// An index that is still being filled: it answers, and says so.
struct Partial(TantivyIndex);

#[async_trait]
impl Index for Partial {
    async fn upsert(&self, docs: &[PaymentDoc]) -> PortResult<Vec<UpsertOutcome>> {
        self.0.upsert(docs).await
    }

    async fn search(&self, query: &SearchQuery, offset: usize, limit: usize) -> PortResult<Hits> {
        self.0.search(query, offset, limit).await
    }

    async fn of_payments(&self, payments: &[PaymentId]) -> PortResult<Vec<PaymentDoc>> {
        self.0.of_payments(payments).await
    }

    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<IndexPage> {
        self.0.scan(from, limit).await
    }

    async fn freshness(&self) -> PortResult<Freshness> {
        Ok(Freshness {
            store: "tantivy (being rebuilt, not everything is found yet)",
            ..self.0.freshness().await?
        })
    }
}
