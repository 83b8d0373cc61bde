//! Lines of the record, sent over a bus. A put can fail in part: what failed is put again, and what
//! is told to be there is an unbroken beginning, so that nothing in between is forgotten.

use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::audit::{SHIP_DETAIL_TYPE, SHIP_SOURCE, ShippedLine};
use crate::domain::bus::BusEvent;
use crate::port::{AuditPlace, Bus, ErrorKind, PortError, Taken};

const EVENTS_MAX: usize = 10;
/// Bytes that one put takes, and so the most of one event.
const BYTES_MAX: usize = 256 * 1024;
/// What an event weighs beside its detail: its source, its type, its time.
const FRAME_BYTES: usize = SHIP_SOURCE.len() + SHIP_DETAIL_TYPE.len() + 14;
/// How often a part that failed is put, the first time included.
const PUTS_MAX: usize = 3;

#[derive(Clone)]
pub struct OverBus {
    bus: Arc<dyn Bus>,
}

impl OverBus {
    /// Over this bus. It keeps nothing itself: rules of it must lead the events to where they are
    /// kept.
    #[must_use]
    pub fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus }
    }

    /// How many of the first of `events` are on the bus.
    async fn put(&self, events: &[BusEvent]) -> Taken {
        let mut waiting: Vec<usize> = (0..events.len()).collect();
        let mut error = None;
        for _ in 0..PUTS_MAX {
            let again: Vec<BusEvent> = waiting
                .iter()
                .filter_map(|place| events.get(*place).cloned())
                .collect();
            let results = match self.bus.put(&again).await {
                Ok(results) => results,
                Err(failed) => {
                    error = Some(failed);
                    break;
                }
            };
            (waiting, error) = split_failures(&waiting, results);
            if !error.as_ref().is_some_and(PortError::is_transient) {
                break;
            }
        }
        Taken {
            count: waiting.first().copied().unwrap_or(events.len()),
            error,
        }
    }
}

/// Which of those that were put failed, and how the first of them did.
fn split_failures(
    put: &[usize],
    results: Vec<Result<(), PortError>>,
) -> (Vec<usize>, Option<PortError>) {
    let mut results = results.into_iter();
    let (mut failed, mut first) = (Vec::new(), None);
    for place in put {
        let untold = || {
            Err(PortError::new(
                ErrorKind::Ambiguous,
                "the bus did not report the result of an event",
            ))
        };
        if let Err(error) = results.next().unwrap_or_else(untold) {
            failed.push(*place);
            first = first.or(Some(error));
        }
    }
    (failed, first)
}

#[async_trait]
impl AuditPlace for OverBus {
    async fn take(&self, lines: &[ShippedLine]) -> Taken {
        let events: Vec<BusEvent> = lines
            .iter()
            .map(|line| line.event(BYTES_MAX.saturating_sub(FRAME_BYTES)))
            .collect();
        let mut count = 0_usize;
        let mut rest = events.as_slice();
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(count_fitting(rest).min(rest.len()));
            let Taken { count: put, error } = self.put(batch).await;
            count = count.saturating_add(put);
            if put < batch.len() {
                return Taken { count, error };
            }
            rest = after;
        }
        Taken { count, error: None }
    }
}

/// How many of the first of `events` fit into one put; one at least.
fn count_fitting(events: &[BusEvent]) -> usize {
    let mut bytes = 0_usize;
    let fits = |event: &&BusEvent| {
        bytes = bytes
            .saturating_add(event.detail.to_string().len())
            .saturating_add(FRAME_BYTES);
        bytes <= BYTES_MAX
    };
    events
        .iter()
        .take(EVENTS_MAX)
        .take_while(fits)
        .count()
        .max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::FutureExt as _;

    use super::*;
    use crate::Timestamp;
    use crate::domain::audit::{AuditEntry, Head, chain};
    use crate::port::PortResult;

    /// How a put ends: which places of it fail, and how; or all of it.
    type End = PortResult<Vec<(usize, ErrorKind)>>;

    /// A bus on which the puts end as a script says: for each put the places that fail, and how.
    struct Script {
        puts: Mutex<Vec<Vec<u64>>>,
        script: Mutex<Vec<End>>,
    }

    #[async_trait]
    impl Bus for Script {
        async fn put(&self, events: &[BusEvent]) -> PortResult<Vec<PortResult<()>>> {
            assert!(
                events
                    .iter()
                    .map(|event| event.detail.to_string().len() + FRAME_BYTES)
                    .sum::<usize>()
                    <= BYTES_MAX
            );
            let numbers = events
                .iter()
                .filter_map(|event| event.detail["entry"]["seq"].as_u64())
                .collect();
            self.puts.lock().expect("not poisoned").push(numbers);
            let failing = self
                .script
                .lock()
                .expect("not poisoned")
                .pop()
                .unwrap_or_else(|| Ok(Vec::new()))?;
            let result = |place: usize| match failing.iter().find(|(failing, _)| *failing == place)
            {
                Some((_, kind)) => Err(PortError::new(*kind, format!("place {place}"))),
                None => Ok(()),
            };
            Ok((0..events.len()).map(result).collect())
        }
    }

    fn lines(count: usize, reason: &str) -> Vec<ShippedLine> {
        let mut last: Option<Head> = None;
        let line = |_| {
            let entry =
                AuditEntry::new(Timestamp::UNIX_EPOCH, "anna", "prod", "refund").reason(reason);
            let (line, head) = chain(&entry, last.as_ref()).expect("a line");
            let after = last.replace(head.clone());
            ShippedLine {
                chain: String::new(),
                after,
                head,
                entry,
                line,
            }
        };
        (0..count).map(line).collect()
    }

    fn taken(script: Vec<End>, lines: &[ShippedLine]) -> (Taken, Vec<Vec<u64>>) {
        let bus = Arc::new(Script {
            puts: Mutex::default(),
            script: Mutex::new(script.into_iter().rev().collect()),
        });
        let taken = OverBus::new(bus.clone())
            .take(lines)
            .now_or_never()
            .expect("nothing is waited for");
        let puts = bus.puts.lock().expect("not poisoned").clone();
        (taken, puts)
    }

    #[test]
    fn ten_go_at_once_and_what_failed_goes_again() {
        let script = vec![
            Ok(vec![(2, ErrorKind::Throttled), (7, ErrorKind::Unavailable)]),
            Ok(vec![(1, ErrorKind::Ambiguous)]),
        ];
        let (taken, puts) = taken(script, &lines(12, "short"));
        assert!(taken.count == 12 && taken.error.is_none(), "{taken:?}");
        assert_eq!(
            puts,
            [
                vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
                vec![3, 8],
                vec![8],
                vec![11, 12]
            ]
        );
    }

    #[test]
    fn what_is_told_to_be_there_has_no_gaps() {
        let stays = || Ok(vec![(0, ErrorKind::Throttled)]);
        let (taken, puts) = taken(
            vec![Ok(vec![(4, ErrorKind::Throttled)]), stays(), stays()],
            &lines(12, "short"),
        );
        assert_eq!(
            (taken.count, taken.error.map(|error| error.kind)),
            (4, Some(ErrorKind::Throttled))
        );
        assert_eq!(puts.len(), 3, "the eleventh waits");
    }

    #[test]
    fn what_is_refused_for_good_is_not_put_again() {
        let (refused, puts) = taken(
            vec![Ok(vec![(4, ErrorKind::Permanent)])],
            &lines(8, "short"),
        );
        assert_eq!(
            (
                refused.count,
                refused.error.map(|error| error.kind),
                puts.len()
            ),
            (4, Some(ErrorKind::Permanent), 1)
        );
        let gone = Err(PortError::new(ErrorKind::Unavailable, "no bus"));
        let (none, puts) = taken(vec![gone], &lines(8, "short"));
        assert_eq!(
            (
                none.count,
                none.error.map(|error| error.message),
                puts.len()
            ),
            (0, Some("no bus".to_owned()), 1)
        );
    }

    #[test]
    fn a_put_is_no_heavier_than_the_bus_takes() {
        // Each line stands in its event twice.
        let (taken, puts) = taken(Vec::new(), &lines(5, &"x".repeat(60_000)));
        assert_eq!(
            (taken.count, puts),
            (5, vec![vec![1, 2], vec![3, 4], vec![5]])
        );
        let (one, puts) = self::taken(Vec::new(), &lines(1, &"x".repeat(300_000)));
        assert_eq!((one.count, puts), (1, vec![vec![1]]));
    }
}
