//! What a replay needs beside queues: a journal in memory, something that steers it, and causes
//! that letters died of.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use payops_core::domain::replay::{JournalEntry, Progress};
use payops_core::port::{Journal, PortResult};
use payops_core::usecase::{Control, ReplaySummary};

/// A journal in memory. What was appended outlives a replay that "died".
#[derive(Debug, Default)]
pub struct Notes {
    entries: Mutex<Vec<JournalEntry>>,
}

impl Notes {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn entries(&self) -> Vec<JournalEntry> {
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress::read(&self.entries())
    }
}

#[async_trait]
impl Journal for Notes {
    async fn append(&self, entries: &[JournalEntry]) -> PortResult<()> {
        // A disk takes its time.
        tokio::task::yield_now().await;
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(entries);
        Ok(())
    }
}

/// Causes of dead letters, each as class and reason; what stands for `{n}` differs from letter to letter.
pub const CAUSES: [(&str, &str); 5] = [
    (
        "schema_error",
        "detail.amount: expected an integer, got \"{n}.50\"",
    ),
    ("provider_timeout", "no answer to charge ch_{n} in 30000 ms"),
    ("provider_error", "the provider answered 503 to request {n}"),
    ("conflict", "version {n} was expected, another was found"),
    (
        "internal",
        "thread 'worker-{n}' panicked at src/charge.rs:117",
    ),
];

/// Class and reason of the `n`th dead letter: one of [`CAUSES`] in turn.
#[must_use]
pub fn cause_of(n: usize) -> (&'static str, String) {
    let (class, reason) = CAUSES[n % CAUSES.len()];
    (class, reason.replace("{n}", &(1_000 + n * 7).to_string()))
}

type Hook<'a, T> = Box<dyn Fn(T) -> BoxFuture<'a, ()> + Send + Sync + 'a>;

/// Steers a replay as a test wants it. Nothing waits unless it is told to.
#[derive(Default)]
pub struct Steer<'a> {
    pace: Option<Hook<'a, usize>>,
    pause: Option<Hook<'a, usize>>,
    alarm: Option<(usize, String)>,
    stop_at: Option<usize>,
    stopped: AtomicBool,
    pauses: AtomicUsize,
    told: Mutex<Option<ReplaySummary>>,
}

impl<'a> Steer<'a> {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn on_pace(mut self, hook: impl Fn(usize) -> BoxFuture<'a, ()> + Send + Sync + 'a) -> Self {
        self.pace = Some(Box::new(hook));
        self
    }

    /// Does this between two looks at a canary; it is given how many there were.
    #[must_use]
    pub fn on_pause(
        mut self,
        hook: impl Fn(usize) -> BoxFuture<'a, ()> + Send + Sync + 'a,
    ) -> Self {
        self.pause = Some(Box::new(hook));
        self
    }

    /// From that look at a canary on, an alarm rings.
    #[must_use]
    pub fn alarm_at(mut self, look: usize, words: &str) -> Self {
        self.alarm = Some((look, words.to_owned()));
        self
    }

    /// Stops, as Ctrl-C does, when so many were sent.
    #[must_use]
    pub fn stop_at(mut self, sent: usize) -> Self {
        self.stop_at = Some(sent);
        self
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    #[must_use]
    pub fn last_summary(&self) -> Option<ReplaySummary> {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    #[must_use]
    pub fn looks(&self) -> usize {
        self.pauses.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Control for Steer<'_> {
    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    async fn pace(&self, messages: usize) {
        if let Some(hook) = &self.pace {
            hook(messages).await;
        }
    }

    async fn pause(&self, _: Duration) {
        let looks = self.pauses.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(hook) = &self.pause {
            hook(looks).await;
        }
    }

    fn on_progress(&self, summary: &ReplaySummary) {
        if self.stop_at.is_some_and(|sent| summary.sent >= sent) {
            self.stop();
        }
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(summary.clone());
    }

    async fn alarms(&self) -> Vec<String> {
        let rings = |(look, _): &&(usize, String)| self.looks() >= *look;
        self.alarm
            .iter()
            .filter(rings)
            .map(|(_, words)| words.clone())
            .collect()
    }
}
