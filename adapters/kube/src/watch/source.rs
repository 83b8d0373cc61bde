//! One list and the watch that follows it, without end.
//!
//! A watch ends for many reasons: its time is up (no reason to speak of), the stream is reset, the
//! server is busy or gone, its history is too short (410), or nothing comes any more although the
//! connection stands. Each but the first is told, waited out and mended; and when it is mended,
//! that is told too. A history that is too short is mended at once by a list, and is told only when
//! that does not help.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::backoff::Backoff;
use super::lines::Lines;
use crate::api::fail::{Cause, Failure, one_line};
use crate::api::path::{Kind, with_query};
use crate::api::{Api, Timing, requested_wait};
use crate::wire::text;

#[derive(Debug)]
pub(crate) enum Event {
    Listed(Vec<Value>),
    Changed(Value),
    Gone(Value),
    Cut {
        failure: Failure,
        retry_in: Duration,
    },
    /// After a cut, the watch goes on at its place: nothing was missed.
    Back,
}

/// How often in a row a watch may fail at one place before the place is given up: it may be one
/// that the server does not have, such as after a backup was brought back.
const FRUITLESS_MAX: u32 = 3;

enum State {
    List,
    Watch { at: String },
    Open { at: String, lines: Lines },
}

pub(crate) struct Source {
    api: Api,
    verb: String,
    path: String,
    selector: Option<String>,
    state: State,
    backoff: Backoff,
    wait: Option<Duration>,
    opened: Instant,
    /// Refusals of the watch since it last told anything.
    fruitless: u32,
    /// Whether a cut was told, and not yet that it is mended.
    is_cut: bool,
    /// Whether its history was too short since it last told anything.
    is_expired: bool,
}

enum Line {
    Event(Event),
    Nothing,
    Ended(Cause),
    Lost(Cause),
}

impl Source {
    pub(crate) fn new(
        api: &Api,
        kind: Kind,
        namespace: Option<&str>,
        selector: Option<String>,
    ) -> Self {
        let place = namespace
            .map(|namespace| format!(" in {namespace}"))
            .unwrap_or_default();
        Self {
            verb: format!("watch {}{place}", kind.plural()),
            path: kind.collection(namespace),
            selector,
            state: State::List,
            backoff: Backoff::new(&api.timing),
            wait: None,
            opened: Instant::now(),
            fruitless: 0,
            is_cut: false,
            is_expired: false,
            api: api.clone(),
        }
    }

    pub(crate) async fn next(&mut self) -> Event {
        loop {
            if let Some(wait) = self.wait.take() {
                sleep(wait).await;
            }
            match &mut self.state {
                State::List => match self
                    .api
                    .list(&self.verb, &self.path, self.selector.as_deref())
                    .await
                {
                    Ok(listed) => {
                        self.state = State::Watch {
                            at: listed.resource_version,
                        };
                        (self.fruitless, self.is_cut) = (0, false);
                        return Event::Listed(listed.items);
                    }
                    Err(failure) => return self.cut(failure),
                },
                State::Watch { at } => {
                    let at = at.clone();
                    if let Some(failure) = self.open(at).await {
                        if self.lists_at_once(&failure) {
                            continue;
                        }
                        return self.cut(failure);
                    }
                    if std::mem::take(&mut self.is_cut) {
                        return Event::Back;
                    }
                }
                State::Open { at, lines } => {
                    let limit = self
                        .api
                        .timing
                        .watch
                        .saturating_add(self.api.timing.watch_grace);
                    let line = match timeout(limit, lines.next()).await {
                        Err(_) => Line::Ended(Cause::TimedOut(limit)),
                        Ok(Err(cause)) => Line::Ended(cause),
                        Ok(Ok(Some(bytes))) => read(&bytes, at),
                        Ok(Ok(None)) => {
                            Line::Ended(Cause::Lost("the server ended the watch".into()))
                        }
                    };
                    if let Some(event) = self.apply(line) {
                        return event;
                    }
                }
            }
        }
    }

    /// Opens the watch at `at`, or says why not.
    async fn open(&mut self, at: String) -> Option<Failure> {
        let seconds = self.api.timing.watch.as_secs().max(1).to_string();
        let mut query = vec![
            ("watch", "1"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", at.as_str()),
            ("timeoutSeconds", seconds.as_str()),
        ];
        query.extend(
            self.selector
                .as_deref()
                .map(|selector| ("labelSelector", selector)),
        );
        self.opened = Instant::now();
        match self
            .api
            .open(&self.verb, &with_query(&self.path, &query))
            .await
        {
            Ok(body) => {
                self.state = State::Open {
                    at,
                    lines: Lines::new(body),
                };
                None
            }
            Err(failure) => {
                // Who may list and not watch looks again and again.
                if matches!(failure.code(), Some(403 | 405 | 410)) {
                    self.state = State::List;
                }
                Some(failure)
            }
        }
    }

    fn apply(&mut self, line: Line) -> Option<Event> {
        let cause = match line {
            Line::Event(event) => {
                (self.fruitless, self.is_expired) = (0, false);
                return Some(event);
            }
            Line::Nothing => {
                (self.fruitless, self.is_expired) = (0, false);
                return None;
            }
            Line::Lost(cause) => {
                self.state = State::List;
                cause
            }
            Line::Ended(cause) => {
                if let State::Open { at, .. } = &mut self.state {
                    self.state = State::Watch {
                        at: std::mem::take(at),
                    };
                }
                cause
            }
        };
        let lasted = self.opened.elapsed();
        self.backoff.note_success(lasted);
        // The server was asked to end it about now: that is no cut. It is begun again at its place.
        let Timing {
            watch, watch_grace, ..
        } = self.api.timing;
        let in_time = lasted
            >= watch
                .saturating_sub(watch_grace)
                .max(watch / 2)
                .max(Duration::from_millis(500));
        if in_time && matches!(cause, Cause::Lost(_)) {
            return None;
        }
        let failure = self.api.to_failure(&self.verb, false, cause);
        if self.lists_at_once(&failure) {
            return None;
        }
        Some(self.cut(failure))
    }

    /// Whether `failure` says that the history is too short, for the first time in a row: a list
    /// follows at once.
    fn lists_at_once(&mut self, failure: &Failure) -> bool {
        failure.code() == Some(410) && !std::mem::replace(&mut self.is_expired, true)
    }

    fn cut(&mut self, failure: Failure) -> Event {
        self.is_cut = true;
        // Refused at this place for a reason that waiting may not mend: the place is given up.
        if !matches!(self.state, State::List) && !matches!(failure.code(), None | Some(401 | 429)) {
            self.fruitless = self.fruitless.saturating_add(1);
            if self.fruitless >= FRUITLESS_MAX {
                self.state = State::List;
            }
        }
        let retry_in = self.backoff.wait_after(&failure);
        self.wait = Some(retry_in);
        Event::Cut { failure, retry_in }
    }
}

/// Reads one line of a watch; `at` goes on to the version it names.
fn read(line: &[u8], at: &mut String) -> Line {
    let mut event: Value = match serde_json::from_slice(line) {
        Ok(event) => event,
        Err(error) => return Line::Lost(Cause::Unreadable(error.into())),
    };
    let object = event.get_mut("object").map(Value::take).unwrap_or_default();
    let kind = text(&event, "/type");
    if kind == "ERROR" {
        let code = object
            .get("code")
            .and_then(Value::as_u64)
            .and_then(|code| u16::try_from(code).ok())
            .unwrap_or(500);
        let cause = Cause::Answer {
            code,
            message: one_line(text(&object, "/message")),
            retry_after: requested_wait(&object),
        };
        return if code == 410 {
            Line::Lost(cause)
        } else {
            Line::Ended(cause)
        };
    }
    let version = text(&object, "/metadata/resourceVersion");
    if !version.is_empty() {
        version.clone_into(at);
    }
    match kind {
        "ADDED" | "MODIFIED" => Line::Event(Event::Changed(object)),
        "DELETED" => Line::Event(Event::Gone(object)),
        // Bookmarks only move the place; what this version does not know is passed over.
        _ => Line::Nothing,
    }
}
