//! A watch of the fleet: what it tells, and how it mends itself. Requests are counted.

use std::time::Duration;

use futures::StreamExt;
use payops_core::port::{RolloutWatch, Rollouts, Watched};
use payops_simulator::{Cluster, Key, Kind, WatchFault};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::support::{TIMING, cluster, rollout, rollouts, tick, told};

fn with(names: &[&str]) -> Cluster {
    let cluster = cluster();
    for name in names {
        cluster.put(rollout(name, json!({}))).expect("put");
    }
    cluster
}

fn remove(cluster: &Cluster, name: &str) {
    cluster.remove_object(&Key::new(Kind::Rollout, "payments", name));
}

fn counts(cluster: &Cluster) -> (u64, u64) {
    (
        cluster.faults().count("list", "rollouts"),
        cluster.faults().count("watch", "rollouts"),
    )
}

/// Waits until `holds`; the paused clock goes on meanwhile.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let waited = timeout(Duration::from_mins(5), async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain until {what}");
}

/// A watch that has told its first list, and is open.
async fn open(cluster: &Cluster) -> RolloutWatch {
    let mut watch = rollouts(cluster).watch();
    assert!(told(&mut watch).await.starts_with("all "));
    watch
}

/// The next thing told, having polled until the server has the watch.
async fn opened(cluster: &Cluster, watch: &mut RolloutWatch, watches: u64) {
    tokio::select! {
        told = told(watch) => panic!("told {told}"),
        () = until("the watch is open", || counts(cluster).1 == watches) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_told_in_order() {
    let cluster = with(&["a", "b"]);
    let mut watch = rollouts(&cluster).watch();
    assert_eq!(told(&mut watch).await, "all a,b");
    // Before the watch is even open: it goes on from the list's own version.
    tick(&cluster, "b");
    assert_eq!(told(&mut watch).await, "changed b");
    cluster.put(rollout("c", json!({}))).expect("put");
    remove(&cluster, "a");
    assert_eq!(
        [told(&mut watch).await, told(&mut watch).await],
        ["changed c", "gone a"]
    );
    assert_eq!(counts(&cluster), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_told_and_mended_and_loses_nothing() {
    let cluster = with(&["a", "b"]);
    let mut watch = open(&cluster).await;
    tick(&cluster, "a");
    assert_eq!(told(&mut watch).await, "changed a");
    cluster.faults().cut_watches();
    assert_eq!(
        told(&mut watch).await,
        "cut watch rollouts: the connection was lost"
    );
    tick(&cluster, "b");
    remove(&cluster, "a");
    assert_eq!(
        told(&mut watch).await,
        "all a,b",
        "that it is back is told at once, even if nothing happens"
    );
    assert_eq!(
        [told(&mut watch).await, told(&mut watch).await],
        ["changed b", "gone a"]
    );
    assert_eq!(
        counts(&cluster),
        (1, 2),
        "the gap is closed without another list"
    );
    tokio::task::yield_now().await;
    cluster.faults().cut_watches();
    assert_eq!(
        told(&mut watch).await,
        "cut watch rollouts: the connection was lost"
    );
    assert_eq!(told(&mut watch).await, "all b");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_in_time_is_no_cut() {
    let cluster = with(&["a"]);
    let mut watch = open(&cluster).await;
    let quiet = timeout(Duration::from_mins(10), watch.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    let (lists, watches) = counts(&cluster);
    assert!(
        lists == 1 && (28..=31).contains(&watches),
        "{lists} lists, {watches} watches of 20 s in ten minutes"
    );
    tick(&cluster, "a");
    assert_eq!(told(&mut watch).await, "changed a");
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_forgotten_is_listed_anew() {
    for fault in [WatchFault::Gone, WatchFault::ErrorEvent] {
        let cluster = with(&["a", "b"]);
        cluster.faults().fail_watches(1, fault);
        let mut watch = open(&cluster).await;
        remove(&cluster, "a");
        assert_eq!(
            told(&mut watch).await,
            "all b",
            "{fault:?}: at once, and it was no cut"
        );
        tick(&cluster, "b");
        assert_eq!(told(&mut watch).await, "changed b");
        assert_eq!(counts(&cluster), (2, 2), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_history_that_went_on_without_us_is_listed_anew() {
    let cluster = with(&["a"]);
    let mut watch = open(&cluster).await;
    opened(&cluster, &mut watch, 1).await;
    // While it is cut, more happens than the history keeps.
    cluster.faults().cut_watches();
    assert!(told(&mut watch).await.starts_with("cut "));
    cluster.put(rollout("b", json!({}))).expect("put");
    cluster.compact();
    let mut seen = Vec::new();
    while !seen.iter().any(|told| told == "all a,b") {
        seen.push(told(&mut watch).await);
        assert!(seen.len() < 6, "{seen:?}");
    }
    tick(&cluster, "b");
    assert_eq!(told(&mut watch).await, "changed b");
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_given_the_time_it_asks_for() {
    let cluster = with(&["a"]);
    cluster.faults().too_many_requests(2, 9);
    let begun = Instant::now();
    let mut watch = rollouts(&cluster).watch();
    for _ in 0..2 {
        let Some(Watched::Cut { why, retry_in }) = watch.next().await else {
            panic!("not cut")
        };
        assert!(why.contains("watch rollouts: answered 429"), "{why}");
        assert!(
            retry_in >= Duration::from_secs(9) && retry_in < Duration::from_secs(10),
            "{retry_in:?}"
        );
    }
    assert_eq!(told(&mut watch).await, "all a");
    assert!(begun.elapsed() >= Duration::from_secs(18));
    assert_eq!(counts(&cluster).0, 3);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up() {
    let cluster = with(&["a"]);
    cluster.faults().stall(Some(Duration::from_hours(1)));
    let mut watch = rollouts(&cluster).watch();
    assert_eq!(
        told(&mut watch).await,
        "cut watch rollouts: no response within 2 s"
    );
    cluster.faults().stall(None);
    assert_eq!(told(&mut watch).await, "all a");
    cluster.faults().stall(Some(Duration::from_hours(1)));
    assert_eq!(
        told(&mut watch).await,
        "cut watch rollouts: no response within 2 s"
    );
    tick(&cluster, "a");
    cluster.faults().stall(None);
    assert_eq!(
        [told(&mut watch).await, told(&mut watch).await],
        ["all a", "changed a"]
    );
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_refused_are_told_and_tried_again() {
    let cluster = with(&["a"]);
    let mut watch = open(&cluster).await;
    opened(&cluster, &mut watch, 1).await;
    cluster.faults().cut_watches();
    cluster.faults().unauthorized(4);
    assert!(told(&mut watch).await.ends_with("the connection was lost"));
    let refused = "cut watch rollouts: 401: the cluster rejected the credentials; sign in again";
    assert_eq!(
        [told(&mut watch).await, told(&mut watch).await],
        [refused, refused]
    );
    assert_eq!(told(&mut watch).await, "all a");
    assert_eq!(
        counts(&cluster),
        (1, 6),
        "each try twice, in case a token ran out"
    );
}

async fn requests_of(fault: impl Fn(&Cluster)) -> u64 {
    let cluster = with(&["a"]);
    fault(&cluster);
    let mut watch = rollouts(&cluster).watch();
    let mut cuts = 0_u64;
    let _ = timeout(Duration::from_mins(5), async {
        loop {
            cuts += u64::from(told(&mut watch).await.starts_with("cut "));
        }
    })
    .await;
    let (lists, watches) = counts(&cluster);
    assert!(cuts >= 40, "{cuts} cuts told");
    drop(watch);
    tokio::time::advance(Duration::from_mins(5)).await;
    assert_eq!(
        counts(&cluster),
        (lists, watches),
        "nothing is asked once nobody looks"
    );
    lists + watches
}

#[tokio::test(start_paused = true)]
async fn no_fault_makes_a_hot_loop() {
    // The longest wait is between 4 and 6 s: no less than 50 tries in five minutes, and no more
    // than 75 but for the first few; where a try is a list and a watch, or is made twice, no more
    // than twice that.
    let busy = requests_of(|cluster| cluster.faults().too_many_requests(u64::MAX, 0)).await;
    assert!((50..=85).contains(&busy), "{busy} of a busy server");
    let refused = requests_of(|cluster| cluster.faults().unauthorized(u64::MAX)).await;
    assert!(
        (100..=170).contains(&refused),
        "{refused} of refused credentials"
    );
    for fault in [WatchFault::Gone, WatchFault::ErrorEvent] {
        let gone = requests_of(|cluster| cluster.faults().fail_watches(10_000, fault)).await;
        assert!((100..=170).contains(&gone), "{gone} of {fault:?}");
    }
    let silent = requests_of(|cluster| cluster.faults().stall(Some(Duration::from_hours(1)))).await;
    assert!((38..=60).contains(&silent), "{silent} of a silent server");
    assert_eq!(TIMING.backoff_max, Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_lasts_and_is_cut_again_and_again_is_soon_back() {
    let cluster = with(&["a"]);
    let mut watch = open(&cluster).await;
    for count in 1..10 {
        opened(&cluster, &mut watch, count).await;
        assert!(
            timeout(Duration::from_secs(8), watch.next()).await.is_err(),
            "it lasts for 8 s"
        );
        cluster.faults().cut_watches();
        let Some(Watched::Cut { retry_in, .. }) = watch.next().await else {
            panic!("not cut")
        };
        assert!(
            retry_in < Duration::from_millis(300),
            "cut {count} is a new failure: {retry_in:?}"
        );
        assert_eq!(told(&mut watch).await, "all a");
    }
}
