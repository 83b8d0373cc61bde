//! The one writer of a file: takes operations that many callers hand in, and commits as many
//! at once as are waiting. One sync to disk then serves all of them.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use payops_core::port::{ErrorKind, PortError, PortResult};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::error::{commit_failed, query_error};

const GROUP_MAX: usize = 128;
/// Operations that may wait; past it, callers wait to hand theirs in.
const WAITING_MAX: usize = 1024;

/// Hands operations to the writer's task. The task ends when this is gone and all is written.
#[derive(Debug)]
pub(super) struct Writer {
    operations: mpsc::Sender<Work>,
}

enum Work {
    Run(Box<dyn Operation>),
    /// Answered when everything handed in before is done and the file is closed.
    Close(oneshot::Sender<()>),
}

trait Operation: Send {
    /// Runs it; how it failed, if it did. Its result waits for the commit.
    fn run<'a>(
        &'a mut self,
        connection: &'a mut SqliteConnection,
    ) -> BoxFuture<'a, Result<(), ErrorKind>>;
    /// Tells the caller: its own result, or how the transaction failed.
    fn answer(self: Box<Self>, transaction: Result<(), &PortError>);
}

struct Typed<T, F> {
    operation: Option<F>,
    result: Option<PortResult<T>>,
    reply: oneshot::Sender<PortResult<T>>,
}

impl<T, F> Operation for Typed<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, PortResult<T>> + Send + 'static,
{
    fn run<'a>(
        &'a mut self,
        connection: &'a mut SqliteConnection,
    ) -> BoxFuture<'a, Result<(), ErrorKind>> {
        async move {
            let Some(operation) = self.operation.take() else {
                return Err(ErrorKind::Unavailable);
            };
            let result = operation(connection).await;
            let outcome = result.as_ref().map(drop).map_err(|error| error.kind);
            self.result = Some(result);
            outcome
        }
        .boxed()
    }

    fn answer(self: Box<Self>, transaction: Result<(), &PortError>) {
        let Self { result, reply, .. } = *self;
        let result = match (result, transaction) {
            // What failed was rolled back, whatever became of the others.
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(PortError::because(error.kind, "writing", error.chain())),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(PortError::new(
                ErrorKind::Unavailable,
                "the operation was not run",
            )),
        };
        // A caller that has gone away cannot be told.
        let _ = reply.send(result);
    }
}

impl Writer {
    pub(super) fn start(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        let (operations, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(
            Task {
                options,
                connection: Some(connection),
            }
            .serve(waiting),
        );
        Self { operations }
    }

    /// Has `operation` run and waits for its commit.
    pub(super) async fn run<T, F>(&self, operation: F) -> PortResult<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, PortResult<T>>
            + Send
            + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let typed = Typed {
            operation: Some(operation),
            result: None,
            reply,
        };
        let closed = |_| PortError::new(ErrorKind::Unavailable, "the file is closed");
        self.operations
            .send(Work::Run(Box::new(typed)))
            .await
            .map_err(closed)?;
        answer.await.unwrap_or_else(|_| {
            Err(PortError::new(
                ErrorKind::Ambiguous,
                "the writer ended before it answered",
            ))
        })
    }

    /// Waits until all that was handed in is done and the file is closed.
    pub(super) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.operations.send(Work::Close(reply)).await.is_ok() {
            let _ = answer.await;
        }
    }
}

struct Task {
    options: SqliteConnectOptions,
    /// `None` after a failure that left the connection in an unknown state.
    connection: Option<SqliteConnection>,
}

impl Task {
    async fn serve(mut self, mut waiting: mpsc::Receiver<Work>) {
        let mut works = Vec::with_capacity(GROUP_MAX);
        while waiting.recv_many(&mut works, GROUP_MAX).await > 0 {
            let mut group = Vec::with_capacity(works.len());
            let mut closing = Vec::new();
            for work in works.drain(..) {
                match work {
                    // Handed in after the close: dropped unrun, like everything still in the
                    // channel.
                    Work::Run(operation) if closing.is_empty() => group.push(operation),
                    Work::Run(operation) => operation.answer(Err(&PortError::new(
                        ErrorKind::Unavailable,
                        "the file is closed",
                    ))),
                    Work::Close(reply) => closing.push(reply),
                }
            }
            if !group.is_empty() {
                self.commit(group).await;
            }
            if !closing.is_empty() {
                waiting.close();
                if let Some(connection) = self.connection.take() {
                    // Closing writes the log back into the file; what it would lose is in the log.
                    let _ = connection.close().await;
                }
                while let Ok(work) = waiting.try_recv() {
                    match work {
                        Work::Run(operation) => operation.answer(Err(&PortError::new(
                            ErrorKind::Unavailable,
                            "the file is closed",
                        ))),
                        Work::Close(reply) => closing.push(reply),
                    }
                }
                for reply in closing {
                    let _ = reply.send(());
                }
                return;
            }
        }
        if let Some(connection) = self.connection.take() {
            let _ = connection.close().await;
        }
    }

    /// One transaction for all of `group`, then the answers.
    async fn commit(&mut self, mut group: Vec<Box<dyn Operation>>) {
        let outcome = self.transaction(&mut group).await;
        if let Err(error) = &outcome {
            tracing::warn!(
                error = error.chain(),
                operations = group.len(),
                "a transaction failed"
            );
            // A connection that failed may hold half a transaction; a new one holds none.
            self.connection = None;
        }
        for operation in group {
            operation.answer(outcome.as_ref().copied());
        }
    }

    async fn transaction(&mut self, group: &mut [Box<dyn Operation>]) -> PortResult<()> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(
                super::connect(&self.options)
                    .await
                    .map_err(|error| query_error("opening the file again", error))?,
            ),
        };
        execute(connection, "BEGIN IMMEDIATE")
            .await
            .map_err(|error| query_error("beginning a transaction", error))?;
        if let [only] = group {
            if only.run(connection).await.is_err() {
                return execute(connection, "ROLLBACK")
                    .await
                    .map_err(|error| query_error("rolling back", error));
            }
        } else {
            for operation in group {
                run_apart(operation.as_mut(), connection).await?;
            }
        }
        execute(connection, "COMMIT").await.map_err(commit_failed)
    }
}

/// Runs one operation of several: what it wrote goes if it fails, and nobody else's.
async fn run_apart(
    operation: &mut dyn Operation,
    connection: &mut SqliteConnection,
) -> PortResult<()> {
    // A full medium makes SQLite roll everything back, savepoints included. Its neighbours are told
    // of the medium, too: they did not fail by themselves, and trying again at once is no use.
    let rolled_back =
        |kind| move |error| PortError::because(kind, "the transaction was rolled back", error);
    execute(connection, "SAVEPOINT operation")
        .await
        .map_err(rolled_back(ErrorKind::Unavailable))?;
    if let Err(kind) = operation.run(connection).await {
        let kind = if kind == ErrorKind::NotWritable {
            kind
        } else {
            ErrorKind::Unavailable
        };
        execute(connection, "ROLLBACK TO operation")
            .await
            .map_err(rolled_back(kind))?;
    }
    execute(connection, "RELEASE operation")
        .await
        .map_err(rolled_back(ErrorKind::Unavailable))
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(connection).await.map(drop)
}
