//! Queues with the semantics of SQS, all of one environment in one SQLite file.

mod limits;
mod operations;
mod redrives;
mod rows;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use payops_core::port::{
    Browsed, Clock, ErrorKind, Move, MoveResult, Outgoing, PortError, PortResult, QueueAdmin,
    QueueStats, Queues, Random, Received, Redrive, SendResult, TransferOutcome,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::sqlite::{File, Schema, int, ms, query_error};
use crate::ulids::new_ulid;
use operations::{Arrival, Config};

static SCHEMA: Schema = Schema {
    kind: "queue file",
    application: 0x7061_7902,
    scripts: &[include_str!("schema.sql"), include_str!("schema_2.sql")],
};

/// How often a waiting receive looks for what it is not told of: messages that another process
/// sent, and those whose delay or visibility ends.
const LOOK: Duration = Duration::from_millis(100);

const WAIT_MAX: Duration = Duration::from_hours(1);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// Its dead-letter queue, which must be there, and after how many receives a message goes
    /// there.
    pub dlq: Option<(String, u32)>,
    /// Whether groups are delivered in order and doubles are refused; the name must then end in
    /// `.fifo`.
    pub fifo: bool,
    pub retention: Duration,
}

impl QueueConfig {
    /// A source queue: messages are kept for 4 days and go to `dlq` after `max_receives` receives.
    #[must_use]
    pub fn source(dlq: impl Into<String>, max_receives: u32) -> Self {
        Self {
            dlq: Some((dlq.into(), max_receives)),
            fifo: false,
            retention: Duration::from_hours(4 * 24),
        }
    }

    /// A dead-letter queue: messages are kept for 14 days.
    #[must_use]
    pub fn dead_letters() -> Self {
        Self {
            dlq: None,
            fifo: false,
            retention: Duration::from_hours(14 * 24),
        }
    }
}

/// Queues in one SQLite file that several processes may use at once.
pub struct SqliteQueues {
    file: File,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Wakes receives of this process that wait on a queue.
    arrivals: Mutex<HashMap<String, Arc<Notify>>>,
}

impl SqliteQueues {
    /// Opens the file at `path`; makes it if it is not there. A file of a newer version is
    /// refused ([`ErrorKind::Corrupt`]). Must be called on a tokio runtime, which the queues
    /// then write on.
    pub async fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> PortResult<Self> {
        Ok(Self {
            file: File::open(path, &SCHEMA).await?,
            clock,
            random,
            arrivals: Mutex::default(),
        })
    }

    /// Opens the file at `path` to look into; everything that changes a queue, receiving too,
    /// then fails ([`ErrorKind::NotWritable`]).
    pub async fn open_read_only(
        path: &Path,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> PortResult<Self> {
        Ok(Self {
            file: File::open_read_only(path, &SCHEMA).await?,
            clock,
            random,
            arrivals: Mutex::default(),
        })
    }

    /// Makes a queue, or changes what it is like; its messages stay.
    pub async fn create_queue(&self, name: &str, config: QueueConfig) -> PortResult<()> {
        limits::queue(name, &config)?;
        let name = name.to_owned();
        self.file
            .write(move |connection| {
                async move { operations::create_queue(connection, &name, &config).await }.boxed()
            })
            .await
    }

    /// Makes the three queues of the platform, their dead-letter queues and those for what was
    /// replayed too often, unless they are there.
    pub async fn create_platform_queues(&self, max_receives: u32) -> PortResult<()> {
        for queue in payops_core::domain::bus::QUEUES {
            let dlq = payops_core::domain::bus::dead_letter_queue(queue);
            self.create_queue(&dlq, QueueConfig::dead_letters()).await?;
            self.create_queue(queue, QueueConfig::source(dlq, max_receives))
                .await?;
            self.create_queue(
                &payops_core::domain::bus::parking_queue(queue),
                QueueConfig::dead_letters(),
            )
            .await?;
        }
        Ok(())
    }

    /// Waits until every write handed in is done and closes the file.
    pub async fn close(&self) {
        self.file.close().await;
    }

    fn arrival(&self, message: Outgoing) -> Arrival {
        Arrival {
            message_id: new_ulid(&*self.clock, &*self.random),
            message,
            now: self.clock.now(),
        }
    }

    fn arrival_notify(&self, queue: &str) -> Arc<Notify> {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notify) = arrivals.get(queue) {
            return Arc::clone(notify);
        }
        Arc::clone(arrivals.entry(queue.to_owned()).or_default())
    }

    async fn config(&self, queue: &str) -> PortResult<Config> {
        let mut connection = self
            .file
            .readers()
            .acquire()
            .await
            .map_err(|error| query_error("reading a queue's configuration", error))?;
        operations::config(&mut connection, queue).await
    }

    /// Whether a receive would find something, asked of a reader: waiting costs no write.
    async fn has_visible(&self, queue: &str) -> PortResult<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM messages WHERE queue = ?1 AND visible_ms <= ?2)";
        let found = sqlx::query_scalar(sql)
            .bind(queue)
            .bind(ms(self.clock.now()))
            .fetch_one(self.file.readers())
            .await;
        found.map_err(|error| query_error("looking for messages", error))
    }

    async fn receive_now(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
    ) -> PortResult<Vec<Received>> {
        let (queue, now) = (queue.to_owned(), self.clock.now());
        let until = limits::add_visibility(now, visibility)?;
        self.file
            .write(move |connection| {
                async move { operations::receive(connection, &queue, max, now, until).await }
                    .boxed()
            })
            .await
    }
}

#[async_trait]
impl Queues for SqliteQueues {
    async fn send(&self, queue: &str, message: Outgoing) -> PortResult<String> {
        let sent = self.send_batch(queue, vec![message]).await?;
        sent.into_iter()
            .next()
            .unwrap_or_else(|| Err(PortError::new(ErrorKind::Permanent, "nothing was sent")))
    }

    async fn send_batch(
        &self,
        queue: &str,
        messages: Vec<Outgoing>,
    ) -> PortResult<Vec<SendResult>> {
        limits::batch(messages.len())?;
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let fifo = self.config(queue).await?.fifo;
        let arrivals: Vec<PortResult<Arrival>> = messages
            .into_iter()
            .map(|message| limits::message(&message, fifo).map(|()| self.arrival(message)))
            .collect();
        let name = queue.to_owned();
        let sent = self
            .file
            .write(move |connection| {
                async move { operations::send(connection, &name, arrivals).await }.boxed()
            })
            .await?;
        let waiting = self.arrival_notify(queue);
        for _ in sent.iter().filter(|result| result.is_ok()) {
            waiting.notify_one();
        }
        Ok(sent)
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> PortResult<Vec<Received>> {
        let max = max.min(limits::BATCH_MAX);
        self.config(queue).await?;
        let deadline = Instant::now() + wait.min(WAIT_MAX);
        let arrivals = self.arrival_notify(queue);
        loop {
            // Registered before looking, so that nothing sent in between is missed.
            let arrival = arrivals.notified();
            if max > 0 && self.has_visible(queue).await? {
                let received = self.receive_now(queue, max, visibility).await?;
                if !received.is_empty() {
                    return Ok(received);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Vec::new());
            }
            // Whichever ends first; both lead to another look.
            let _ = tokio::time::timeout(left.min(LOOK), arrival).await;
        }
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        limits::batch(receipts.len())?;
        if receipts.is_empty() {
            return Ok(Vec::new());
        }
        let (queue, receipts) = (queue.to_owned(), receipts.to_vec());
        self.file
            .write(move |connection| {
                async move { operations::delete(connection, &queue, &receipts).await }.boxed()
            })
            .await
    }

    async fn change_visibility(
        &self,
        queue: &str,
        receipt: &str,
        visibility: Duration,
    ) -> PortResult<bool> {
        let (name, receipt, now) = (queue.to_owned(), receipt.to_owned(), self.clock.now());
        let until = limits::add_visibility(now, visibility)?;
        let change = self.file.write(move |connection| {
            async move {
                    operations::change_visibility(connection, &name, &receipt, now, until).await
                }
                .boxed()
        });
        let changed = change.await?;
        if changed && visibility.is_zero() {
            self.arrival_notify(queue).notify_one();
        }
        Ok(changed)
    }

    async fn transfer(
        &self,
        from: &str,
        receipt: &str,
        to: &str,
        message: Outgoing,
    ) -> PortResult<TransferOutcome> {
        limits::message(&message, self.config(to).await?.fifo)?;
        let arrival = self.arrival(message);
        let (source, receipt, target) = (from.to_owned(), receipt.to_owned(), to.to_owned());
        let transfer = self.file.write(move |connection| {
            async move {
                    operations::transfer(connection, &source, &receipt, &target, arrival).await
                }
                .boxed()
        });
        let outcome = transfer.await?;
        self.arrival_notify(to).notify_one();
        Ok(outcome)
    }

    async fn transfer_batch(
        &self,
        from: &str,
        to: &str,
        moves: Vec<Move>,
    ) -> PortResult<Vec<MoveResult>> {
        limits::batch(moves.len())?;
        let fifo = self.config(to).await?.fifo;
        let arrivals: Vec<PortResult<(String, Arrival)>> = moves
            .into_iter()
            .map(|Move { receipt, message }| {
                limits::message(&message, fifo).map(|()| (receipt, self.arrival(message)))
            })
            .collect();
        let (source, target) = (from.to_owned(), to.to_owned());
        let change = self.file.write(move |connection| {
            async move { operations::transfer_all(connection, &source, &target, arrivals).await }
                .boxed()
        });
        let outcomes = change.await?;
        let waiting = self.arrival_notify(to);
        for _ in &outcomes {
            waiting.notify_one();
        }
        Ok(outcomes)
    }

    async fn change_visibilities(
        &self,
        queue: &str,
        receipts: &[String],
        visibility: Duration,
    ) -> PortResult<Vec<bool>> {
        let (name, receipts, now) = (queue.to_owned(), receipts.to_vec(), self.clock.now());
        let until = limits::add_visibility(now, visibility)?;
        let change = self.file.write(move |connection| {
            async move {
                let mut out = Vec::with_capacity(receipts.len());
                for receipt in &receipts {
                    out.push(
                        operations::change_visibility(connection, &name, receipt, now, until)
                            .await?,
                    );
                }
                Ok(out)
            }
            .boxed()
        });
        let changed = change.await?;
        if visibility.is_zero() && changed.contains(&true) {
            self.arrival_notify(queue).notify_one();
        }
        Ok(changed)
    }

    fn transfer_is_atomic(&self) -> bool {
        true
    }
}

#[async_trait]
impl QueueAdmin for SqliteQueues {
    async fn browse(&self, queue: &str, limit: usize) -> PortResult<Browsed> {
        let oldest = self.config(queue).await?.oldest_ms(self.clock.now());
        let sql = "SELECT * FROM messages WHERE queue = ?1 AND +sent_ms > ?2 ORDER BY seq LIMIT ?3";
        let query = sqlx::query(sql)
            .bind(queue)
            .bind(oldest)
            .bind(int(limit).saturating_add(1));
        let found = query
            .fetch_all(self.file.readers())
            .await
            .map_err(|error| query_error("browsing a queue", error))?;
        let mut messages = found
            .iter()
            .map(rows::to_browsed)
            .collect::<PortResult<Vec<_>>>()?;
        let complete = messages.len() <= limit;
        messages.truncate(limit);
        let doubt =
            (!complete).then(|| format!("the queue has more than the requested {limit} messages"));
        Ok(Browsed {
            messages,
            complete,
            doubt,
            ..Browsed::default()
        })
    }

    async fn stats(&self, queue: &str) -> PortResult<QueueStats> {
        let config = self.config(queue).await?;
        let now = self.clock.now();
        let sql = "SELECT COALESCE(SUM(visible_ms <= ?2), 0), COALESCE(SUM(visible_ms > ?2
                AND receipt IS NOT NULL), 0),
            COALESCE(SUM(visible_ms > ?2 AND receipt IS NULL), 0), MIN(sent_ms) FROM messages
            WHERE queue = ?1 AND sent_ms > ?3";
        let query = sqlx::query_as(sql)
            .bind(queue)
            .bind(ms(now))
            .bind(config.oldest_ms(now));
        let (visible, in_flight, delayed, oldest): (i64, i64, i64, Option<i64>) = query
            .fetch_one(self.file.readers())
            .await
            .map_err(|error| query_error("counting messages", error))?;
        let retention = Some(config.retention());
        let age = |sent: i64| {
            Duration::from_millis(u64::try_from(ms(now).saturating_sub(sent)).unwrap_or(0))
        };
        Ok(QueueStats {
            name: queue.to_owned(),
            visible: crate::sqlite::count(visible)?,
            in_flight: crate::sqlite::count(in_flight)?,
            delayed: crate::sqlite::count(delayed)?,
            oldest_age: oldest.map(age),
            dlq: config.dlq.as_ref().map(|(name, _)| name.clone()),
            max_receives: config.dlq.map(|(_, max)| max),
            approximate: false,
            retention,
        })
    }

    async fn start_redrive(
        &self,
        dlq: &str,
        to: &str,
        rate_per_second: Option<u32>,
    ) -> PortResult<String> {
        let (source, target, now) = (dlq.to_owned(), to.to_owned(), self.clock.now());
        let start = self.file.write(move |connection| {
            async move { redrives::start(connection, &source, &target, rate_per_second, now).await }
                .boxed()
        });
        start.await
    }

    async fn redrives(&self, dlq: &str) -> PortResult<Vec<Redrive>> {
        self.config(dlq).await?;
        let asking = |error| query_error("reading redrives", error);
        let runs: bool = sqlx::query_scalar(redrives::RUNS)
            .bind(dlq)
            .fetch_one(self.file.readers())
            .await
            .map_err(asking)?;
        if runs && self.file.is_writable() {
            let names = (0..redrives::STEP_MAX)
                .map(|_| new_ulid(&*self.clock, &*self.random))
                .collect();
            let (source, now) = (dlq.to_owned(), self.clock.now());
            let step = self.file.write(move |connection| {
                async move { redrives::step(connection, &source, names, now).await }.boxed()
            });
            if let Some((target, moved)) = step.await? {
                let waiting = self.arrival_notify(&target);
                (0..moved).for_each(|_| waiting.notify_one());
            }
        }
        let found = sqlx::query(redrives::LAST)
            .bind(dlq)
            .bind(redrives::LISTED_MAX)
            .fetch_all(self.file.readers())
            .await
            .map_err(asking)?;
        found.iter().map(redrives::read).collect()
    }

    async fn cancel_redrive(&self, dlq: &str, handle: &str) -> PortResult<u64> {
        let (source, handle) = (dlq.to_owned(), handle.to_owned());
        self.file
            .write(move |connection| {
                async move { redrives::cancel(connection, &source, &handle).await }.boxed()
            })
            .await
    }

    async fn purge(&self, queue: &str) -> PortResult<()> {
        let queue = queue.to_owned();
        self.file
            .write(move |connection| {
                async move { redrives::purge(connection, &queue).await }.boxed()
            })
            .await
    }

    async fn names(&self) -> PortResult<Vec<String>> {
        let names = sqlx::query_scalar("SELECT name FROM queues ORDER BY name")
            .fetch_all(self.file.readers())
            .await;
        names.map_err(|error| query_error("listing queues", error))
    }
}
