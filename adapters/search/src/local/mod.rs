//! The search index in one folder, by tantivy: one process writes, any number read.

mod error;
mod fields;
mod open;
mod query;
mod read;
mod read_only;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::id::PaymentId;
use payops_core::domain::search::SearchQuery;
use payops_core::port::{
    ErrorKind, Freshness, Hits, Index, IndexPage, PortError, PortResult, UpsertOutcome,
};
use tantivy::{IndexReader, Searcher};
use tokio::sync::oneshot;

use error::{file_error, port_error};
use fields::{Fields, schema};
use writer::{Write, WriteRequest, Writer};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexOptions {
    /// How long documents are collected for one commit. Zero commits at once what has come
    /// meanwhile.
    pub commit_every: Duration,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self {
            commit_every: Duration::from_millis(200),
        }
    }
}

/// The search index in one folder.
///
/// Dropping a writing one waits for its commit under way and lets go of the folder.
pub struct TantivyIndex {
    view: Arc<View>,
    writer: Option<WriterThread>,
}

struct WriterThread {
    jobs: Option<Sender<WriteRequest>>,
    thread: Option<JoinHandle<()>>,
}

struct View {
    reader: IndexReader,
    fields: Fields,
    /// Set where another process writes: the file that it replaces, and what it held at the last
    /// reload.
    watched: Option<(PathBuf, Mutex<Vec<u8>>)>,
    /// The last answer, and the snapshot it is of: finding the newest document looks at all of
    /// them.
    freshness: Mutex<Option<(u64, Freshness)>>,
}

impl std::fmt::Debug for TantivyIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TantivyIndex")
            .field("writes", &self.writer.is_some())
            .finish_non_exhaustive()
    }
}

impl TantivyIndex {
    /// Opens the folder for writing and reading, making it and an empty index if they are not
    /// there.
    ///
    /// [`ErrorKind::Unavailable`] while another process has it open so, [`ErrorKind::Corrupt`] for
    /// an index of another schema version, and for any other content that cannot be used: a folder
    /// that is to be set aside. What is not there or not writable for other reasons is told as
    /// that.
    pub async fn open(dir: &Path, options: IndexOptions) -> PortResult<Self> {
        let dir = dir.to_owned();
        let opened = tokio::task::spawn_blocking(move || -> PortResult<Self> {
            let (index, lock) = open::open(&dir)?;
            let writer = writer::acquire(&index)?;
            drop(lock);
            let reader = open::reader(&index)?;
            let fields = schema().1;
            let work = Writer {
                dir,
                index,
                fields,
                reader: reader.clone(),
                native: Some(writer),
                commit_every: options.commit_every,
            };
            let (jobs, received) = channel();
            let thread = std::thread::Builder::new()
                .name("payops-search".to_owned())
                .spawn(move || work.run(&received));
            let thread = thread.map_err(|error| file_error("start its writer", error))?;
            let view = View {
                reader,
                fields,
                watched: None,
                freshness: Mutex::new(None),
            };
            Ok(Self {
                view: Arc::new(view),
                writer: Some(WriterThread {
                    jobs: Some(jobs),
                    thread: Some(thread),
                }),
            })
        });
        match opened.await {
            // What is missing is made, so what is not found is a file that a commit names.
            Ok(Err(error)) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Permanent) => {
                Err(PortError::because(
                    ErrorKind::Corrupt,
                    "the search index is damaged",
                    error,
                ))
            }
            Ok(opened) => opened,
            // tantivy trusts its files, and trips over some that it should not have trusted.
            Err(error) if error.is_panic() => Err(PortError::new(
                ErrorKind::Corrupt,
                "the search index is damaged: reading it panicked",
            )),
            Err(error) => Err(PortError::because(
                ErrorKind::Unavailable,
                "the search index could not be opened",
                error,
            )),
        }
    }

    /// Whether the folder holds an index, whole or not.
    #[must_use]
    pub fn has_index(dir: &Path) -> bool {
        dir.join(open::META_FILE).exists()
    }

    /// Opens the folder for reading, while another process may write to it; its commits are seen by
    /// the next search. Every upsert is [`ErrorKind::NotWritable`].
    ///
    /// [`ErrorKind::NotFound`] when there is no index yet.
    pub async fn open_reader(dir: &Path) -> PortResult<Self> {
        let dir = dir.to_owned();
        blocking(move || {
            let index = open::open_existing(&dir)?;
            let watched = Some((dir.join(open::META_FILE), Mutex::new(Vec::new())));
            let view = View {
                reader: open::reader(&index)?,
                fields: schema().1,
                watched,
                freshness: Mutex::new(None),
            };
            Ok(Self {
                view: Arc::new(view),
                writer: None,
            })
        })
        .await
    }

    /// Waits until everything handed in is written, and lets go of the folder. Dropping does the
    /// same, but blocks its thread meanwhile.
    pub async fn close(self) {
        // Nothing is lost by a thread that was not waited for: what was answered is on the disk.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }

    /// Deletes every document of a payment, whatever its version. Does damage: for tests of what
    /// finds it.
    #[doc(hidden)]
    pub async fn delete(&self, payment: &PaymentId) -> PortResult<()> {
        self.write(Write::Delete(payment.clone())).await.map(|_| ())
    }

    /// Adds a document beside what there is, without looking. Does damage: for tests of what finds
    /// it.
    #[doc(hidden)]
    pub async fn put_raw(&self, doc: &PaymentDoc) -> PortResult<()> {
        self.write(Write::PutRaw(Box::new(doc.clone())))
            .await
            .map(|_| ())
    }

    fn jobs(&self) -> PortResult<&Sender<WriteRequest>> {
        let jobs = self.writer.as_ref().and_then(|writer| writer.jobs.as_ref());
        jobs.ok_or_else(|| {
            PortError::new(
                ErrorKind::NotWritable,
                "the search index is open for reading only",
            )
        })
    }

    /// Hands work to the writer and waits for its commit.
    async fn write(&self, work: Write) -> PortResult<Vec<UpsertOutcome>> {
        let (reply, outcomes) = oneshot::channel();
        let ended = |kind| PortError::new(kind, "the search index writer has stopped");
        self.jobs()?
            .send(WriteRequest { work, reply })
            .map_err(|_| ended(ErrorKind::Unavailable))?;
        outcomes
            .await
            .unwrap_or_else(|_| Err(ended(ErrorKind::Ambiguous)))
    }

    /// Runs `ask` on the newest snapshot, away from the runtime's own threads.
    async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Searcher, &Fields) -> PortResult<T> + Send + 'static,
    ) -> PortResult<T> {
        let view = Arc::clone(&self.view);
        blocking(move || ask(&view.searcher()?, &view.fields)).await
    }
}

impl View {
    fn searcher(&self) -> PortResult<Searcher> {
        if let Some((file, last)) = &self.watched {
            // A few kilobytes that name the commit and its segments. Times of files are too coarse
            // to tell commits apart.
            let held = std::fs::read(file).map_err(|error| file_error("be read", error))?;
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            // Read before the reload: a commit in between is found by the next search.
            if *last != held {
                self.reader
                    .reload()
                    .map_err(|error| port_error("be read", error))?;
                *last = held;
            }
        }
        Ok(self.reader.searcher())
    }

    fn freshness(&self) -> PortResult<Freshness> {
        let searcher = self.searcher()?;
        let generation = searcher.generation().generation_id();
        let mut last = self
            .freshness
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, freshness)) = last.as_ref().filter(|(known, _)| *known == generation) {
            return Ok(freshness.clone());
        }
        let freshness = read::freshness(&searcher, &self.fields)?;
        *last = Some((generation, freshness.clone()));
        Ok(freshness)
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> PortResult<T> + Send + 'static,
) -> PortResult<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(PortError::because(
            ErrorKind::Unavailable,
            "the search index could not be read",
            error,
        )),
    }
}

#[async_trait]
impl Index for TantivyIndex {
    async fn upsert(&self, docs: &[PaymentDoc]) -> PortResult<Vec<UpsertOutcome>> {
        self.jobs()?;
        if docs.is_empty() {
            return Ok(Vec::new());
        }
        self.write(Write::Upsert(docs.to_vec())).await
    }

    async fn search(&self, query: &SearchQuery, offset: usize, limit: usize) -> PortResult<Hits> {
        let query = query.clone();
        self.read(move |searcher, fields| read::search(searcher, fields, &query, offset, limit))
            .await
    }

    async fn of_payments(&self, payments: &[PaymentId]) -> PortResult<Vec<PaymentDoc>> {
        let payments = payments.to_vec();
        self.read(move |searcher, fields| read::of_payments(searcher, fields, &payments))
            .await
    }

    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<IndexPage> {
        let from = from.map(str::to_owned);
        self.read(move |searcher, fields| read::scan(searcher, fields, from.as_deref(), limit))
            .await
    }

    async fn freshness(&self) -> PortResult<Freshness> {
        let view = Arc::clone(&self.view);
        blocking(move || view.freshness()).await
    }
}
