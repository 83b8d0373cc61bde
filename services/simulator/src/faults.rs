//! Injected faults, and counts of requests, for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::ApiError;

/// How a watch learns that its version is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchFault {
    /// The request is answered with status 410.
    Gone,
    /// The request is answered with 200, and an `ERROR` event of code 410 is all that comes.
    ErrorEvent,
}

#[derive(Default)]
struct State {
    watches: Vec<WatchFault>,
    busy: Option<(u64, u64)>,
    unauthorized: u64,
    token: Option<String>,
    stall: Option<Duration>,
    requests: BTreeMap<(String, String), u64>,
    /// Verbs and resources that nobody may use.
    denied: Vec<(String, String)>,
}

pub struct Faults {
    state: Mutex<State>,
    cut: watch::Sender<u64>,
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
            cut: watch::Sender::new(0),
        }
    }

    /// Breaks the connections of all watches, as a dying load balancer does.
    pub fn cut_watches(&self) {
        self.cut.send_modify(|count| *count += 1);
    }

    /// Makes the next `count` watches fail.
    pub fn fail_watches(&self, count: usize, fault: WatchFault) {
        self.state().watches = vec![fault; count];
    }

    /// Answers the next `count` requests with 429 and `Retry-After: retry_after_s`.
    pub fn too_many_requests(&self, count: u64, retry_after_s: u64) {
        self.state().busy = Some((count, retry_after_s));
    }

    /// Answers the next `count` requests with 401, whatever token they carry.
    pub fn unauthorized(&self, count: u64) {
        self.state().unauthorized = count;
    }

    /// Answers 401 to requests without this bearer token; `None` allows all requests.
    pub fn require_token(&self, token: Option<&str>) {
        self.state().token = token.map(ToOwned::to_owned);
    }

    /// Denies a `verb` on a `resource`, such as `patch` on `rollouts/status`, to everybody.
    pub fn deny(&self, verb: &str, resource: &str) {
        self.state()
            .denied
            .push((verb.to_owned(), resource.to_owned()));
    }

    pub(crate) fn is_denied(&self, verb: &str, resource: &str) -> bool {
        let state = self.state();
        let mut denied = state.denied.iter();
        denied.any(|(of, on)| of == verb && on == resource)
    }

    /// Delays every response; `None` ends that.
    pub fn stall(&self, wait: Option<Duration>) {
        self.state().stall = wait;
    }

    /// Counts requests of a `verb` (`get`, `list`, `watch`, `create`, `update`, `patch`, `delete`)
    /// on a `resource` (`pods`, `rollouts/status`), refused ones included.
    #[must_use]
    pub fn count(&self, verb: &str, resource: &str) -> u64 {
        self.state()
            .requests
            .get(&(verb.to_owned(), resource.to_owned()))
            .copied()
            .unwrap_or(0)
    }

    #[must_use]
    pub fn requests(&self) -> BTreeMap<(String, String), u64> {
        self.state().requests.clone()
    }

    pub fn reset_counts(&self) {
        self.state().requests.clear();
    }

    pub(crate) fn count_request(&self, verb: &str, resource: &str) {
        *self
            .state()
            .requests
            .entry((verb.to_owned(), resource.to_owned()))
            .or_default() += 1;
    }

    pub(crate) fn stall_duration(&self) -> Option<Duration> {
        self.state().stall
    }

    /// Refuses the request if a fault or a missing `token` says so.
    pub(crate) fn check_request(&self, token: Option<&str>) -> Result<(), ApiError> {
        let mut state = self.state();
        if state.unauthorized > 0 {
            state.unauthorized -= 1;
            return Err(ApiError::unauthorized());
        }
        if state.token.is_some() && state.token.as_deref() != token {
            return Err(ApiError::unauthorized());
        }
        match &mut state.busy {
            Some((left, retry_after_s)) if *left > 0 => {
                *left -= 1;
                Err(ApiError::too_many_requests(*retry_after_s))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn take_watch_fault(&self) -> Option<WatchFault> {
        self.state().watches.pop()
    }

    pub(crate) fn subscribe_cuts(&self) -> watch::Receiver<u64> {
        self.cut.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
