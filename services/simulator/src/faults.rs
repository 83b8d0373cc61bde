//! Faults on demand, and a count of what was asked for: a test's handle on the server.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::ApiError;

/// How a watch is told that its version is too old.
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

    /// Cuts all watches off in mid-stream, as a dying load balancer does.
    pub fn cut_watches(&self) {
        self.cut.send_modify(|count| *count += 1);
    }

    /// The next `count` watches fail in that way.
    pub fn fail_watches(&self, count: usize, fault: WatchFault) {
        self.state().watches = vec![fault; count];
    }

    /// The next `count` requests answer 429 with `Retry-After: retry_after_s`.
    pub fn too_many_requests(&self, count: u64, retry_after_s: u64) {
        self.state().busy = Some((count, retry_after_s));
    }

    /// The next `count` requests answer 401, whatever token they carry.
    pub fn unauthorized(&self, count: u64) {
        self.state().unauthorized = count;
    }

    /// From now on requests must carry this bearer token, or answer 401; `None` lets all in.
    pub fn require_token(&self, token: Option<&str>) {
        self.state().token = token.map(ToOwned::to_owned);
    }

    /// Every answer is held back that long; `None` ends that.
    pub fn stall(&self, wait: Option<Duration>) {
        self.state().stall = wait;
    }

    /// How often `verb` (`get`, `list`, `watch`, `create`, `update`, `patch`, `delete`) was asked
    /// of `resource` (`pods`, `rollouts/status`). Refused requests count too.
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

    pub(crate) fn note(&self, verb: &str, resource: &str) {
        *self
            .state()
            .requests
            .entry((verb.to_owned(), resource.to_owned()))
            .or_default() += 1;
    }

    pub(crate) fn stalled(&self) -> Option<Duration> {
        self.state().stall
    }

    /// The refusal of a request that carries `token`, if it is to be refused.
    pub(crate) fn refusal(&self, token: Option<&str>) -> Option<ApiError> {
        let mut state = self.state();
        if state.unauthorized > 0 {
            state.unauthorized -= 1;
            return Some(ApiError::unauthorized());
        }
        if state.token.is_some() && state.token.as_deref() != token {
            return Some(ApiError::unauthorized());
        }
        match &mut state.busy {
            Some((left, retry_after_s)) if *left > 0 => {
                *left -= 1;
                Some(ApiError::too_many_requests(*retry_after_s))
            }
            _ => None,
        }
    }

    pub(crate) fn watch_fault(&self) -> Option<WatchFault> {
        self.state().watches.pop()
    }

    pub(crate) fn cuts(&self) -> watch::Receiver<u64> {
        self.cut.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
