//! Watches that are cut in every way, with paused time and counted requests.

use std::time::Duration;

use futures::StreamExt;
use payops_core::port::{Rollouts, Watched};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::server::{Answer, Server};
use crate::told::line;

fn item(name: &str, version: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "pay", "resourceVersion": version}})
}

fn list(version: &str, names: &[&str]) -> Answer {
    let items: Vec<Value> = names.iter().map(|name| item(name, version)).collect();
    Answer::json(
        200,
        &json!({"metadata": {"resourceVersion": version}, "items": items}),
    )
}

fn event(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

async fn told(server: &Server, count: usize) -> Vec<String> {
    let told = server
        .rollouts()
        .watch()
        .take(count)
        .map(|told| line(&told))
        .collect();
    timeout(Duration::from_hours(1), told)
        .await
        .expect("told within an hour")
}

fn is_watch(path: &str) -> bool {
    path.contains("watch=1")
}

#[tokio::test(start_paused = true)]
async fn a_cut_watch_goes_on_at_its_place() {
    let mut watches = 0;
    let server = Server::new(move |asked| {
        if !is_watch(&asked.path) {
            return list("5", &["a"]);
        }
        watches += 1;
        match watches {
            1 => Answer::lines(
                &[
                    event("ADDED", &item("b", "6")),
                    event("BOOKMARK", &item("", "9")),
                ],
                true,
            ),
            _ => Answer::lines(&[event("DELETED", &item("a", "12"))], false),
        }
    });
    let told = told(&server, 5).await;
    let cut = "cut cluster prod: watch rollouts: the connection was lost";
    assert_eq!(
        told,
        ["all a", "changed b", cut, "all a,b", "gone a"],
        "that it is mended is told without another list"
    );
    assert_eq!(
        server
            .asked()
            .iter()
            .filter(|asked| !is_watch(&asked.path))
            .count(),
        1
    );
    let watches: Vec<String> = server
        .asked()
        .into_iter()
        .map(|asked| asked.path)
        .filter(|path| is_watch(path))
        .collect();
    assert!(
        watches[0].contains("resourceVersion=5") && watches[0].contains("allowWatchBookmarks=true"),
        "{watches:?}"
    );
    assert!(watches[1].contains("resourceVersion=9"), "{watches:?}");
}

#[tokio::test(start_paused = true)]
async fn an_expired_place_is_listed_anew() {
    let (mut lists, mut watches) = (0, 0);
    let server = Server::new(move |asked| {
        if !is_watch(&asked.path) {
            lists += 1;
            return list(&lists.to_string(), if lists == 1 { &["a"] } else { &["b"] });
        }
        watches += 1;
        match watches {
            1 => Answer::lines(
                &[event(
                    "ERROR",
                    &json!({"kind": "Status", "code": 410, "message": "too old"}),
                )],
                true,
            ),
            2 => Answer::status(410),
            _ => Answer::lines(&[], false),
        }
    });
    let told = told(&server, 4).await;
    let cut = "cut cluster prod: watch rollouts: answered 410";
    assert_eq!(
        (&told[..2], told[2].starts_with(cut), told[3].as_str()),
        (
            ["all a".to_owned(), "all b".to_owned()].as_slice(),
            true,
            "all b"
        ),
        "a list follows at once; only when that does not help it is a cut: {told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_back_is_read_at_once() {
    // What the API server of a real cluster answers after it was killed: nothing, then that its
    // store is not ready, then that the place is too old.
    let mut asked_before = 0;
    let mut back_at = None;
    let server = Server::new(move |asked| {
        asked_before += 1;
        match asked_before {
            1 => list("5", &["a"]),
            2 => Answer::lines(&[], true),
            3..=11 => Answer::refused(),
            12 => {
                back_at = Some(Instant::now());
                Answer {
                    retry_after: Some(5),
                    ..Answer::status(503)
                }
            }
            13 => Answer {
                retry_after: Some(1),
                ..Answer::status(429)
            },
            _ if is_watch(&asked.path) && asked.path.contains("resourceVersion=5") => {
                Answer::status(410)
            }
            _ if is_watch(&asked.path) => Answer::lines(&[], false),
            _ => {
                let waited = back_at.expect("it was away").elapsed();
                assert!(waited <= Duration::from_secs(3), "{waited:?}");
                list("900", &["a", "b"])
            }
        }
    });
    let told: Vec<Watched<_, _>> = timeout(
        Duration::from_hours(1),
        server.rollouts().watch().take(14).collect(),
    )
    .await
    .expect("told within an hour");
    let waits: Vec<Duration> = told
        .iter()
        .filter_map(|told| match told {
            Watched::Cut { retry_in, .. } => Some(*retry_in),
            _ => None,
        })
        .collect();
    assert_eq!(waits.len(), 12, "{told:?}");
    assert!(
        waits.iter().all(|wait| *wait <= Duration::from_secs(2)),
        "{waits:?}"
    );
    assert_eq!(line(&told[13]), "all a,b", "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_given_the_time_it_asks_for() {
    let mut lists = 0;
    let server = Server::new(move |_| {
        lists += 1;
        if lists == 1 {
            Answer {
                retry_after: Some(17),
                ..Answer::status(429)
            }
        } else {
            list("1", &[])
        }
    });
    let begun = Instant::now();
    let mut watch = server.rollouts().watch();
    let Some(Watched::Cut { retry_in, .. }) = watch.next().await else {
        panic!("not cut")
    };
    assert!(
        retry_in >= Duration::from_secs(17) && retry_in < Duration::from_secs(18),
        "{retry_in:?}"
    );
    assert!(matches!(watch.next().await, Some(Watched::All(_))));
    assert!(begun.elapsed() >= Duration::from_secs(17));
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_is_cut_and_begun_again() {
    let server = Server::new(|asked| {
        if is_watch(&asked.path) {
            Answer::lines(&[], false)
        } else {
            list("1", &[])
        }
    });
    let begun = Instant::now();
    let told = told(&server, 2).await;
    assert_eq!(
        told[1],
        "cut cluster prod: watch rollouts: no response within 65 s"
    );
    assert_eq!(begun.elapsed().as_secs(), 65);
}

#[tokio::test(start_paused = true)]
async fn no_failure_makes_a_hot_loop() {
    for code in [401, 403, 404, 410, 429, 500, 503] {
        let server = Server::new(move |asked| {
            if is_watch(&asked.path) {
                Answer::status(code)
            } else {
                list("1", &[])
            }
        });
        let mut watch = server.rollouts().watch();
        let _ = timeout(Duration::from_mins(5), async {
            while watch.next().await.is_some() {}
        })
        .await;
        let asked = server.asked().len();
        assert!(
            (8..45).contains(&asked),
            "{asked} requests in five minutes of {code}"
        );
    }
    let server = Server::new(|asked| {
        if is_watch(&asked.path) {
            Answer::lines(&[], true)
        } else {
            list("1", &[])
        }
    });
    let mut watch = server.rollouts().watch();
    let _ = timeout(Duration::from_mins(5), async {
        while watch.next().await.is_some() {}
    })
    .await;
    let before = server.asked().len();
    assert!((8..45).contains(&before), "{before} requests");
    drop(watch);
    tokio::time::advance(Duration::from_mins(5)).await;
    assert_eq!(
        server.asked().len(),
        before,
        "nothing is asked once nobody looks"
    );
}

#[tokio::test(start_paused = true)]
async fn where_the_cluster_may_not_be_watched_its_namespaces_are() {
    let server = Server::new(|asked| {
        if asked
            .path
            .starts_with("/apis/argoproj.io/v1alpha1/rollouts")
            || asked.path.contains("/namespaces/shut/")
        {
            return Answer::status(403);
        }
        if is_watch(&asked.path) {
            Answer::lines(&[event("MODIFIED", &item("a", "2"))], false)
        } else {
            list("1", &["a", "b"])
        }
    });
    let rollouts = server
        .rollouts()
        .with_namespaces(["pay".to_owned(), "shut".to_owned()]);
    assert_eq!(rollouts.list().await.expect("a list").len(), 2);
    let told: Vec<String> = rollouts
        .watch()
        .take(3)
        .map(|told| line(&told))
        .collect()
        .await;
    let all = told.iter().position(|told| told == "all a,b").expect("all");
    let changed = told
        .iter()
        .position(|told| told == "changed a")
        .expect("changed");
    assert!(
        all < changed
            && told
                .iter()
                .any(|told| told.contains("watch rollouts in shut: answered 403")),
        "{told:?}"
    );
    assert!(
        server.rollouts().list().await.is_err(),
        "without namespaces it is a refusal"
    );
}

#[tokio::test(start_paused = true)]
async fn a_place_that_the_server_does_not_have_is_given_up() {
    // After a backup was brought back, the version of the list before is one that is still to come.
    let mut lists = 0;
    let server = Server::new(move |asked| {
        if !is_watch(&asked.path) {
            lists += 1;
            return if lists == 1 {
                list("900", &["a"])
            } else {
                list("5", &["b"])
            };
        }
        if asked.path.contains("resourceVersion=900") {
            Answer::status(504)
        } else {
            Answer::lines(&[event("MODIFIED", &item("b", "6"))], false)
        }
    });
    let told = told(&server, 6).await;
    let cut = "cut cluster prod: watch rollouts: answered 504: scripted 504";
    assert_eq!(told, ["all a", cut, cut, cut, "all b", "changed b"]);
}

#[tokio::test(start_paused = true)]
async fn who_may_list_and_not_watch_looks_again() {
    let mut lists = 0;
    let server = Server::new(move |asked| {
        if is_watch(&asked.path) {
            return Answer::status(403);
        }
        lists += 1;
        list("1", if lists < 3 { &["a"] } else { &["a", "b"] })
    });
    let told = told(&server, 5).await;
    assert_eq!(
        (told[0].as_str(), told[2].as_str(), told[4].as_str()),
        ("all a", "all a", "all a,b"),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn many_events_in_one_piece_and_one_event_in_many() {
    let events: Vec<String> = (2..5_002)
        .map(|version| event("MODIFIED", &item("a", &version.to_string())).to_string())
        .collect();
    let events = events.join("\n") + "\n";
    let server = Server::new(move |asked| {
        if !is_watch(&asked.path) {
            return list("1", &["a"]);
        }
        let (whole, parts) = (
            events.clone(),
            event("DELETED", &item("a", "9000")).to_string(),
        );
        let pieces: Vec<bytes::Bytes> = parts
            .as_bytes()
            .chunks(7)
            .map(bytes::Bytes::copy_from_slice)
            .collect();
        let body = futures::stream::iter(
            [bytes::Bytes::from(whole)]
                .into_iter()
                .chain(pieces)
                .chain([bytes::Bytes::from("\n\n")]),
        );
        Answer {
            is_refused: false,
            code: 200,
            retry_after: None,
            body: body.chain(futures::stream::pending()).boxed(),
        }
    });
    let told = told(&server, 5_002).await;
    assert!(told[1..=5_000].iter().all(|told| told == "changed a"));
    assert_eq!(told[5_001], "gone a");
}
