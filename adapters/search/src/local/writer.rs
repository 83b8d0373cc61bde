//! The one thread that writes. It collects what comes within a tick into one commit, because a
//! commit costs far more than a document, and answers when the commit is durable and can be
//! searched.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::id::PaymentId;
use payops_core::port::{PortError, PortResult, UpsertOutcome};
use payops_system::private_file;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::{Index, IndexReader, IndexWriter, Searcher};
use tokio::sync::oneshot;

use super::error::{commit_failed, not_writable, port_error};
use super::fields::{Fields, VERSION};
use super::read::addresses;

const ARENA_BYTES: usize = 30_000_000;
/// Documents of one commit at most, unless a single call brings more.
const BATCH_DOCS_MAX: usize = 20_000;
/// A segment with a greater share of replaced documents is written anew.
const DELETED_SHARE_MAX: f32 = 0.3;
/// Segments with fewer documents than this count as equally small, and are merged with each other
/// whatever their sizes. tantivy's own 10,000 had a segment of thousands of documents written anew
/// with every eight commits of a few dozen.
const SMALL_DOCS: u32 = 1_000;

pub(super) enum Write {
    Upsert(Vec<PaymentDoc>),
    Delete(PaymentId),
    PutRaw(Box<PaymentDoc>),
}

/// One call, and where its outcomes go after the commit.
pub(super) struct WriteRequest {
    pub(super) work: Write,
    pub(super) reply: oneshot::Sender<PortResult<Vec<UpsertOutcome>>>,
}

pub(super) struct Writer {
    pub(super) dir: PathBuf,
    pub(super) index: Index,
    pub(super) fields: Fields,
    pub(super) reader: IndexReader,
    /// Gone after a failure; the next batch asks for a new one.
    pub(super) native: Option<IndexWriter>,
    pub(super) commit_every: Duration,
}

/// The right to write, held by one process at a time. The kernel takes it back from a process that
/// dies.
pub(super) fn acquire(index: &Index) -> PortResult<IndexWriter> {
    // One indexing thread: documents are small, and more threads make more segments per commit.
    let options = IndexWriterOptions::builder()
        .num_worker_threads(1)
        .memory_budget_per_thread(ARENA_BYTES)
        .num_merge_threads(1)
        .build();
    let writer = index
        .writer_with_options(options)
        .map_err(|error| port_error("be opened for writing", error))?;
    let mut policy = LogMergePolicy::default();
    policy.set_del_docs_ratio_before_merge(DELETED_SHARE_MAX);
    policy.set_min_layer_size(SMALL_DOCS);
    writer.set_merge_policy(Box::new(policy));
    Ok(writer)
}

impl Writer {
    /// Works until every sender is gone, and what they sent is done.
    pub(super) fn run(mut self, jobs: &Receiver<WriteRequest>) {
        let mut tick = Instant::now();
        while let Ok(first) = jobs.recv() {
            let batch = collect(first, jobs, tick);
            tick = Instant::now() + self.commit_every;
            let (works, replies): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|job| (job.work, job.reply)).unzip();
            let outcomes = self.write(&works).map_err(|error| {
                // What was not committed goes with the writer, and so does a broken one.
                self.native = None;
                let error = not_writable(&self.dir).unwrap_or(error);
                tracing::warn!(
                    error = error.chain(),
                    calls = replies.len(),
                    "a batch could not be written to the search index"
                );
                error
            });
            for (reply, outcome) in replies.into_iter().zip(share_outcomes(outcomes)) {
                // Whoever went away learns the outcome by writing again.
                let _ = reply.send(outcome);
            }
        }
    }

    /// Writes a batch in one commit. An error means that none of it counts as written.
    fn write(&mut self, works: &[Write]) -> PortResult<Vec<Vec<UpsertOutcome>>> {
        let writer = if let Some(writer) = &mut self.native {
            writer
        } else {
            // A commit that failed may be there all the same: versions are compared with what is.
            let writer = acquire(&self.index)?;
            self.reader
                .reload()
                .map_err(|error| port_error("be read", error))?;
            self.native.insert(writer)
        };
        let searcher = self.reader.searcher();
        let mut batch = Batch {
            writer,
            fields: &self.fields,
            searcher: &searcher,
            pending: HashMap::new(),
        };
        let outcomes = works
            .iter()
            .map(|work| batch.apply(work))
            .collect::<PortResult<_>>()?;
        if !batch.pending.is_empty() {
            writer.commit().map_err(commit_failed)?;
            // The commit is a renamed file: the name has to be on the disk as well.
            private_file::sync_dir(&self.dir).map_err(|error| commit_failed(error.into()))?;
            self.reader.reload().map_err(commit_failed)?;
        }
        Ok(outcomes)
    }
}

/// What is there already, and what comes until the tick.
fn collect(first: WriteRequest, jobs: &Receiver<WriteRequest>, tick: Instant) -> Vec<WriteRequest> {
    let mut docs = first.work.docs();
    let mut batch = vec![first];
    while docs < BATCH_DOCS_MAX {
        match jobs.recv_timeout(tick.saturating_duration_since(Instant::now())) {
            Ok(job) => {
                docs += job.work.docs();
                batch.push(job);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    batch
}

/// The outcome for each call: its own, or the error that all share.
fn share_outcomes(
    outcomes: PortResult<Vec<Vec<UpsertOutcome>>>,
) -> Box<dyn Iterator<Item = PortResult<Vec<UpsertOutcome>>>> {
    match outcomes {
        Ok(outcomes) => Box::new(outcomes.into_iter().map(Ok)),
        Err(error) => {
            let shared = Arc::new(error);
            Box::new(std::iter::repeat_with(move || {
                Err(PortError {
                    kind: shared.kind,
                    message: shared.message.clone(),
                    source: shared
                        .source
                        .as_ref()
                        .map(|source| source.to_string().into()),
                })
            }))
        }
    }
}

impl Write {
    fn docs(&self) -> usize {
        match self {
            Self::Upsert(docs) => docs.len(),
            Self::Delete(_) | Self::PutRaw(_) => 1,
        }
    }
}

struct Batch<'a> {
    writer: &'a IndexWriter,
    fields: &'a Fields,
    searcher: &'a Searcher,
    /// The version that each payment touched so far will have; `None` when it will have no
    /// document.
    pending: HashMap<PaymentId, Option<u64>>,
}

impl Batch<'_> {
    fn apply(&mut self, work: &Write) -> PortResult<Vec<UpsertOutcome>> {
        match work {
            Write::Upsert(docs) => docs.iter().map(|doc| self.upsert(doc)).collect(),
            Write::Delete(id) => {
                self.writer.delete_term(self.fields.id_term(id));
                self.pending.insert(id.clone(), None);
                Ok(Vec::new())
            }
            Write::PutRaw(doc) => {
                let version = self.current_version(&doc.id)?.max(Some(doc.version));
                self.add(doc)?;
                self.pending.insert(doc.id.clone(), version);
                Ok(Vec::new())
            }
        }
    }

    fn upsert(&mut self, doc: &PaymentDoc) -> PortResult<UpsertOutcome> {
        if self
            .current_version(&doc.id)?
            .is_some_and(|known| known >= doc.version)
        {
            return Ok(UpsertOutcome::Stale);
        }
        self.writer.delete_term(self.fields.id_term(&doc.id));
        self.add(doc)?;
        self.pending.insert(doc.id.clone(), Some(doc.version));
        Ok(UpsertOutcome::Applied)
    }

    fn add(&self, doc: &PaymentDoc) -> PortResult<()> {
        let document = self.fields.to_document(doc)?;
        self.writer
            .add_document(document)
            .map(|_| ())
            .map_err(|error| port_error("take a document", error))
    }

    fn current_version(&self, id: &PaymentId) -> PortResult<Option<u64>> {
        match self.pending.get(id) {
            Some(version) => Ok(*version),
            None => committed_version(self.searcher, self.fields, id),
        }
    }
}

/// The newest version of a payment that is in the index.
fn committed_version(
    searcher: &Searcher,
    fields: &Fields,
    id: &PaymentId,
) -> PortResult<Option<u64>> {
    let mut newest = None;
    for address in addresses(searcher, fields, id)? {
        let segment = searcher.segment_reader(address.segment_ord);
        let column = segment
            .fast_fields()
            .u64(VERSION)
            .map_err(|error| port_error("be read", error))?;
        newest = newest.max(column.first(address.doc_id));
    }
    Ok(newest)
}
