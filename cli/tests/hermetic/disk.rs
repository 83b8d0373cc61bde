//! Data directories that are full, read-only, or damaged in a place that is not the payments.
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::common::{Place, eventually};

/// A small file system in memory, gone with the test.
struct Medium(PathBuf);

impl Medium {
    /// Mounts it; `None`, said plainly, where this user may not mount.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted = run(
            "mount",
            &[
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size}"),
                "tmpfs",
                at.to_str().unwrap(),
            ],
        );
        if !mounted {
            eprintln!("NOT RUN: this user may not mount a file system");
        }
        mounted.then(|| Self(at.to_owned()))
    }

    fn remount(&self, how: &str) {
        assert!(
            run(
                "mount",
                &["-o", &format!("remount,{how}"), self.0.to_str().unwrap()]
            ),
            "remounted {how}"
        );
    }
}

impl Drop for Medium {
    fn drop(&mut self) {
        run("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

fn run(program: &str, args: &[&str]) -> bool {
    let status = Command::new(program)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

const CREATE: [&str; 13] = [
    "payment",
    "create",
    "--amount",
    "12.50",
    "--currency",
    "EUR",
    "--source",
    "tok_visa",
    "--email",
    "anna@example.com",
    "--wait",
    "-o",
    "json",
];

/// Asks the API by hand: status, body and whether it says when to come back.
fn ask(url: &str, args: &[&str]) -> (u16, Value, bool) {
    let client = reqwest::Client::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let request = match args {
            [key, idempotency] => {
                let body = serde_json::json!({
                    "amount": 100, "currency": "EUR", "source": "tok_visa", "customer": {"email": "a@example.com"},
                    "metadata": {"filler": "x".repeat(400)},
                });
                client.post(format!("{url}/v1/payments")).bearer_auth(key).header("idempotency-key", *idempotency).json(&body)
            }
            _ => client.get(format!("{url}/readyz")),
        };
        let answer = request.send().await.unwrap();
        let (status, later) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default(), later)
    })
}

/// The lines that a running platform has written to stderr.
fn heard(up: &mut crate::common::Up) -> Arc<Mutex<Vec<String>>> {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let (all, stderr) = (lines.clone(), BufReader::new(up.stderr()));
    std::thread::spawn(move || {
        stderr
            .lines()
            .map_while(Result::ok)
            .for_each(|line| all.lock().unwrap().push(line));
    });
    lines
}

fn count(lines: &Mutex<Vec<String>>, words: &str) -> usize {
    lines
        .lock()
        .unwrap()
        .iter()
        .filter(|line| line.contains(words))
        .count()
}

#[test]
fn a_full_disk_is_named_and_nothing_accepted_is_lost() {
    let place = Place::new();
    let Some(_medium) = Medium::mount(&place.data_dir(), "64m") else {
        return;
    };
    let mut up = place.up(&[]);
    let lines = heard(&mut up);
    let prod = &up.ready["environments"][0];
    let (url, key) = (
        prod["api_url"].as_str().unwrap().to_owned(),
        prod["api_key"].as_str().unwrap().to_owned(),
    );
    assert_eq!(ask(&url, &[]).0, 200);
    place.run(&CREATE).exits(0);
    let hog = place.data_dir().join("hog");
    run(
        "dd",
        &["if=/dev/zero", &format!("of={}", hog.display()), "bs=4k"],
    );
    let mut accepted = 1;
    let mut number = 0;
    let problem = eventually("a payment is refused for want of space", || {
        // What room is left in files that are there may take some more.
        for _ in 0..50 {
            number += 1;
            match ask(&url, &[&key, &format!("full-{number}")]) {
                (202, ..) => accepted += 1,
                (503, body, true) if body["code"] == "storage_full" => return Some(body),
                (503, ..) => {}
                other => unreachable!("{other:?}"),
            }
        }
        None
    });
    assert_eq!(problem["retryable"], true);
    let text = problem.to_string();
    assert!(
        text.contains("disk") && !text.contains(place.data_dir().to_str().unwrap()),
        "{text}"
    );
    let ready = eventually("the platform is not ready", || {
        Some(ask(&url, &[])).filter(|answer| answer.0 == 503)
    });
    assert_eq!(ready.1["code"], "storage_full");
    assert!(
        ready.1["detail"]
            .as_str()
            .unwrap()
            .contains("payment store"),
        "{}",
        ready.1
    );
    eventually("the operator is told", || {
        Some(()).filter(|()| count(&lines, "data directory is full") > 0)
    });
    fs::remove_file(&hog).unwrap();
    eventually("it is ready again", || {
        Some(()).filter(|()| ask(&url, &[]).0 == 200)
    });
    // What was refused is accepted now, under the same key; what was accepted comes to its end.
    for again in 1..=number {
        let answer = eventually("taken", || {
            Some(ask(&url, &[&key, &format!("full-{again}")])).filter(|answer| answer.0 == 202)
        });
        assert_eq!(answer.0, 202);
    }
    assert!(accepted <= number + 1);
    eventually("all are completed", || {
        let status = place
            .run(&["local", "status", "-o", "json"])
            .exits(0)
            .json();
        (status["environments"][0]["counts"]["completed"].as_u64() == Some(number + 1))
            .then_some(())
    });
    eventually("the stores agree", || {
        (place.run(&["payment", "reconcile", "--settle", "0"]).code == 0).then_some(())
    });
    assert_eq!(
        (
            count(&lines, "data directory is full"),
            count(&lines, "writable again")
        ),
        (1, 1),
        "once each: {lines:?}"
    );
}

#[test]
fn a_read_only_data_directory_can_be_read_and_not_started_on() {
    let place = Place::new();
    let Some(medium) = Medium::mount(&place.data_dir(), "256m") else {
        return;
    };
    let up = place.up(&[]);
    let id = place.run(&CREATE).exits(0).json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let found = || {
        place
            .run(&["payment", "search", &id, "-o", "json"])
            .exits(0)
            .json()
            .as_array()
            .unwrap()
            .len()
    };
    eventually("the index hears of it", || (found() == 1).then_some(()));
    assert_eq!(up.stop(), 0);
    medium.remount("ro");
    let refused = place.run(&["local", "up"]).exits(1);
    assert!(
        refused.err.contains("is not writable") && refused.err.contains("hint: make it writable"),
        "{}",
        refused.err
    );
    let read = |args: &[&str]| place.run(args).exits(0);
    assert!(read(&["payment", "get", &id]).out.contains(&id));
    assert!(read(&["payment", "timeline", &id]).out.contains("accepted"));
    assert_eq!(found(), 1);
    assert!(read(&["queue", "list"]).out.contains("payments-work"));
    read(&["dlq", "list", "payments-work"]);
    read(&["payment", "reconcile", "--settle", "0"]);
    // After a kill the log and its index are there, and are read.
    medium.remount("rw");
    let up = place.up(&[]);
    let late = place.run(&CREATE).exits(0).json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    drop(up);
    medium.remount("ro");
    assert!(
        read(&["payment", "get", &late]).out.contains(&late),
        "what stands in the log alone is seen"
    );
}

/// A platform that has stopped with a payment in its index.
fn with_a_payment(place: &Place) -> String {
    let _up = place.up(&[]);
    let id = place.run(&CREATE).exits(0).json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    eventually("the index hears of it", || finds(place, &id).then_some(()));
    place.run(&["local", "down"]).exits(0);
    id
}

fn finds(place: &Place, id: &str) -> bool {
    let hits = place.run(&["payment", "search", id, "-o", "json"]);
    hits.code == 0 && hits.json().as_array().unwrap().len() == 1
}

fn folders(place: &Place, prefix: &str) -> usize {
    let entries = fs::read_dir(place.data_dir().join("prod")).unwrap();
    entries
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with(prefix)
        })
        .count()
}

#[test]
fn a_damaged_index_is_set_aside_and_rebuilt() {
    let place = Place::new();
    let id = with_a_payment(&place);
    let index = place.data_dir().join("prod/index");
    let meta = fs::read(index.join("meta.json")).unwrap();
    let mut times = 0;
    let mut start = |damage: &dyn Fn()| {
        damage();
        let mut up = place.up(&[]);
        let lines = heard(&mut up);
        eventually("it is rebuilt", || {
            (count(&lines, "prod: the search index was rebuilt from 1 payments") == 1).then_some(())
        });
        assert!(finds(&place, &id), "found again");
        times += 1;
        (
            folders(&place, "index.damaged-"),
            count(&lines, "prod: the search index is damaged"),
            times,
            up.stop(),
        )
    };
    assert_eq!(
        start(&|| fs::write(index.join("meta.json"), &meta[..meta.len() / 2]).unwrap()),
        (1, 1, 1, 0),
        "cut short"
    );
    let segments = || {
        fs::read_dir(&index)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "term"))
    };
    assert_eq!(
        start(&|| segments().for_each(|path| fs::remove_file(path).unwrap())),
        (2, 1, 2, 0),
        "a file is missing"
    );
    assert_eq!(
        start(&|| segments().for_each(|path| fs::write(path, "x").unwrap())),
        (3, 1, 3, 0),
        "a file is cut off"
    );
    assert_eq!(
        start(&|| fs::remove_dir_all(&index).unwrap()),
        (3, 0, 4, 0),
        "all is missing: nothing to set aside"
    );
    // A rebuild that was cut off leaves its mark: search says so, and the next start does it again.
    fs::write(place.data_dir().join("prod/index-rebuild"), "").unwrap();
    let partial = place.run(&["payment", "search", &id]).exits(0);
    assert!(partial.err.contains("being rebuilt"), "{}", partial.err);
    assert_eq!(start(&|| ()), (3, 0, 5, 0));
    let whole = place.run(&["payment", "search", &id]).exits(0);
    assert!(!whole.err.contains("being rebuilt"), "{}", whole.err);
}

#[test]
fn an_operator_rebuilds_the_index_while_no_platform_runs() {
    let place = Place::new();
    let id = with_a_payment(&place);
    fs::write(place.data_dir().join("prod/index/meta.json"), "{").unwrap();
    let broken = place.run(&["payment", "search", &id]);
    assert!(
        broken.code != 0 && broken.err.contains("payops local reindex"),
        "{}",
        broken.err
    );
    let done = place
        .run(&["local", "reindex", "--env", "prod", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(done["payments"], 1);
    assert!(
        Path::new(done["set_aside"].as_str().unwrap())
            .join("meta.json")
            .exists(),
        "set aside, not deleted"
    );
    assert!(finds(&place, &id));
    place
        .run(&["payment", "reconcile", "--settle", "0"])
        .exits(0);
    let _up = place.up(&[]);
    let refused = place.run(&["local", "reindex", "--env", "prod"]).exits(1);
    assert!(refused.err.contains("payops local down"), "{}", refused.err);
}

#[test]
fn a_running_file_cut_short_is_named_and_the_platform_can_be_stopped() {
    let place = Place::new();
    let up = place.up(&[]);
    let path = place.data_dir().join("running.json");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let status = place.run(&["local", "status"]).exits(1);
    let words = [
        format!("process {}", up.pid()),
        "running.json".to_owned(),
        "payops local down".to_owned(),
    ];
    assert!(
        words.iter().all(|word| status.err.contains(word)),
        "{}",
        status.err
    );
    place.run(&["local", "down"]).exits(0);
    place.run(&["local", "status"]).exits(5);
    drop(up);
}
