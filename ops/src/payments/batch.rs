//! Sending many lines at once: a bounded number side by side, lines with the same key strictly
//! one after the other and in the order of the file.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::input::{LineError, PaymentLine, ReadLine};
use crate::backend::payments_api::{Created, Problem};

/// Most lines that wait for an earlier one with their key.
const HELD_MAX: usize = 10_000;
/// How long answers that are on their way are waited for after an interruption.
const GRACE: Duration = Duration::from_secs(5);

/// A line that has a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedLine {
    pub line: u64,
    pub id: String,
    pub replayed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LoadHalt {
    Interrupted,
    NotAllowed(Problem),
    NoAnswer { rate_limited: bool, last: String },
}

/// What came of the lines that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadTally {
    /// Lines read, blank ones not counted.
    pub lines: u64,
    pub accepted: Vec<AcceptedLine>,
    pub errors: Vec<LineError>,
    pub(super) halt: Option<LoadHalt>,
}

impl LoadTally {
    /// Lines that were read and have no definite answer.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        let answered = self.accepted.len().saturating_add(self.errors.len());
        self.lines
            .saturating_sub(u64::try_from(answered).unwrap_or(u64::MAX))
    }

    fn take(&mut self, line: u64, created: Created) {
        match created {
            Created::Accepted { id, replayed, .. } => {
                self.accepted.push(AcceptedLine { line, id, replayed });
            }
            Created::Refused(problem) => {
                self.errors.push(LineError::new(
                    line,
                    &problem.code,
                    problem.message,
                    problem.param.as_deref(),
                ));
            }
            Created::NotAllowed(problem) => self.stop(LoadHalt::NotAllowed(problem)),
            Created::NoAnswer { rate_limited, last } => {
                self.stop(LoadHalt::NoAnswer { rate_limited, last });
            }
            Created::Stopped => self.stop(LoadHalt::Interrupted),
        }
    }

    fn stop(&mut self, halt: LoadHalt) {
        self.halt.get_or_insert(halt);
    }
}

/// Sends every line that arrives; `on_answer` hears of each answer. Ends when the lines do, or early
/// with [`LoadTally::halt`]; every line sent either has its answer in the tally or counts as
/// unanswered.
pub(super) async fn send_lines<F, A>(
    mut lines: mpsc::Receiver<ReadLine>,
    concurrency: usize,
    stop: &CancellationToken,
    send: F,
    mut on_answer: impl FnMut(&LoadTally),
) -> LoadTally
where
    F: Fn(PaymentLine) -> A,
    A: Future<Output = Created>,
{
    let mut tally = LoadTally::default();
    let mut running = FuturesUnordered::new();
    let start = |line: PaymentLine| {
        let (number, key) = (line.number, line.key.clone());
        let sending = send(line);
        async move { (number, key, sending.await) }
    };
    // A key is in here while a line with it is under way, with the lines that wait for it.
    let mut held: HashMap<String, VecDeque<PaymentLine>> = HashMap::new();
    let (mut held_count, mut open) = (0_usize, true);
    let deadline = grace(stop);
    tokio::pin!(deadline);
    loop {
        let reads = open
            && tally.halt.is_none()
            && running.len() < concurrency.max(1)
            && held_count < HELD_MAX;
        if running.is_empty() && !reads {
            break;
        }
        tokio::select! {
            biased;
            () = stop.cancelled(), if tally.halt.is_none() => tally.stop(LoadHalt::Interrupted),
            () = &mut deadline => break,
            Some((number, key, created)) = running.next(), if !running.is_empty() => {
                tally.take(number, created);
                on_answer(&tally);
                let next = if tally.halt.is_none() { held.get_mut(&key).and_then(VecDeque::pop_front) } else { None };
                match next {
                    Some(line) => {
                        held_count = held_count.saturating_sub(1);
                        running.push(start(line));
                    }
                    None => drop(held.remove(&key)),
                }
            }
            read = lines.recv(), if reads => match read {
                None => open = false,
                Some(Err(error)) => {
                    tally.lines = tally.lines.saturating_add(1);
                    tally.errors.push(error);
                    on_answer(&tally);
                }
                Some(Ok(line)) => {
                    tally.lines = tally.lines.saturating_add(1);
                    if let Some(waiting) = held.get_mut(&line.key) {
                        waiting.push_back(line);
                        held_count = held_count.saturating_add(1);
                    } else {
                        held.insert(line.key.clone(), VecDeque::new());
                        running.push(start(line));
                    }
                }
            },
        }
    }
    tally.errors.sort_by_key(|error| error.line);
    tally.accepted.sort_by_key(|line| line.line);
    tally
}

/// Ends some time after an interruption; never without one.
async fn grace(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    fn line(number: u64, key: &str) -> PaymentLine {
        PaymentLine {
            number,
            key: key.to_owned(),
            body: String::new(),
        }
    }

    fn accepted(line: &PaymentLine) -> Created {
        Created::Accepted {
            id: format!("pay-{}", line.key),
            body: serde_json::Value::Null,
            replayed: false,
        }
    }

    fn feed(reads: Vec<ReadLine>) -> mpsc::Receiver<ReadLine> {
        let (sender, receiver) = mpsc::channel(reads.len().max(1));
        for read in reads {
            sender.try_send(read).expect("room");
        }
        receiver
    }

    #[tokio::test]
    async fn lines_of_one_key_go_in_order_and_others_side_by_side() {
        let reads = (1..=300)
            .map(|number| {
                Ok(line(
                    number,
                    ["a", "b", "c"][usize::try_from(number % 3).expect("small")],
                ))
            })
            .collect();
        let (begun, ended, now, most) = (
            RefCell::new(Vec::new()),
            RefCell::new(Vec::new()),
            Cell::new(0_usize),
            Cell::new(0_usize),
        );
        let send = |line: PaymentLine| {
            let (begun, ended, now, most) = (&begun, &ended, &now, &most);
            async move {
                begun.borrow_mut().push((line.key.clone(), line.number));
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                // Later lines take fewer turns, so that order is not by chance.
                for _ in 0..(7 - line.number % 7) {
                    tokio::task::yield_now().await;
                }
                now.set(now.get() - 1);
                ended.borrow_mut().push((line.key.clone(), line.number));
                accepted(&line)
            }
        };
        let tally = send_lines(feed(reads), 16, &CancellationToken::new(), send, |_| {}).await;
        assert_eq!(
            (
                tally.lines,
                tally.accepted.len(),
                tally.unanswered(),
                &tally.halt
            ),
            (300, 300, 0, &None)
        );
        assert_eq!(most.get(), 3, "three keys go side by side");
        for key in ["a", "b", "c"] {
            let of = |log: &RefCell<Vec<(String, u64)>>| {
                log.borrow()
                    .iter()
                    .filter(|(k, _)| k == key)
                    .map(|(_, n)| *n)
                    .collect::<Vec<_>>()
            };
            let (begun, ended) = (of(&begun), of(&ended));
            assert!(begun.is_sorted() && begun == ended, "{key}: {begun:?}");
        }
        assert!(tally.accepted.is_sorted_by_key(|line| line.line));
    }

    #[tokio::test]
    async fn no_more_than_the_given_number_at_once() {
        let reads = (1..=100)
            .map(|number| Ok(line(number, &number.to_string())))
            .collect();
        let (now, most) = (Cell::new(0_usize), Cell::new(0_usize));
        let send = |line: PaymentLine| {
            let (now, most) = (&now, &most);
            async move {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                tokio::task::yield_now().await;
                now.set(now.get() - 1);
                accepted(&line)
            }
        };
        send_lines(feed(reads), 4, &CancellationToken::new(), send, |_| {}).await;
        assert_eq!(most.get(), 4);
    }

    #[tokio::test]
    async fn bad_lines_and_refusals_are_counted_and_the_rest_goes_on() {
        let bad = Err(LineError::new(2, "invalid_json", "no", None));
        let problem = Problem {
            code: "invalid_amount".into(),
            message: "no".into(),
            param: Some("amount".into()),
        };
        let send = |line: PaymentLine| {
            let refused = Created::Refused(problem.clone());
            async move {
                if line.number == 1 {
                    refused
                } else {
                    accepted(&line)
                }
            }
        };
        let tally = send_lines(
            feed(vec![Ok(line(1, "a")), bad, Ok(line(3, "b"))]),
            2,
            &CancellationToken::new(),
            send,
            |_| {},
        )
        .await;
        let errors: Vec<(u64, &str)> = tally
            .errors
            .iter()
            .map(|error| (error.line, error.code.as_str()))
            .collect();
        assert_eq!(
            (tally.lines, tally.accepted.len(), errors),
            (3, 1, vec![(1, "invalid_amount"), (2, "invalid_json")])
        );
    }

    #[tokio::test]
    async fn an_interruption_leaves_an_exact_account() {
        let stop = CancellationToken::new();
        let reads = (1..=50)
            .map(|number| Ok(line(number, &number.to_string())))
            .collect();
        let send = |line: PaymentLine| {
            let stop = stop.clone();
            async move {
                if line.number == 10 {
                    stop.cancel();
                }
                tokio::task::yield_now().await;
                accepted(&line)
            }
        };
        let tally = send_lines(feed(reads), 4, &stop, send, |_| {}).await;
        assert_eq!(tally.halt, Some(LoadHalt::Interrupted));
        let answered = u64::try_from(tally.accepted.len()).expect("small");
        assert!((9..20).contains(&answered), "{answered}");
        assert_eq!(
            (tally.lines, tally.unanswered()),
            (answered, 0),
            "what was under way was waited for"
        );
    }

    #[tokio::test]
    async fn an_api_that_is_gone_ends_the_run() {
        let reads = (1..=50).map(|number| Ok(line(number, "same"))).collect();
        let send = |_: PaymentLine| async {
            Created::NoAnswer {
                rate_limited: false,
                last: "refused".into(),
            }
        };
        let tally = send_lines(feed(reads), 4, &CancellationToken::new(), send, |_| {}).await;
        assert!(matches!(
            tally.halt,
            Some(LoadHalt::NoAnswer {
                rate_limited: false,
                ..
            })
        ));
        assert!(tally.accepted.is_empty() && tally.unanswered() == tally.lines);
    }
}
