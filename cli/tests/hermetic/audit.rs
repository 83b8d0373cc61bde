//! The record, kept in another place too: shipped once, from where it stopped, and never past a
//! line that was changed.
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use payops_core::Timestamp;
use payops_core::domain::audit::{AuditEntry, Head, chain};
use serde_json::{Value, json};

use crate::common::stub::{Answer, Stub};
use crate::common::{Done, Place, read};

/// A place with an embedded environment whose record goes to a folder too.
fn with_folder() -> (Place, PathBuf) {
    let place = Place::new();
    let folder = place.work().join("elsewhere");
    std::fs::create_dir(&folder).expect("made");
    let lab =
        "[environments.lab]\nkind = \"embedded\"\nenv = \"test\"\naudit_dir = \"elsewhere\"\n";
    let other = "[environments.other]\nkind = \"embedded\"\nenv = \"preprod\"\n";
    let text = format!("{lab}{other}");
    place.file("payops.toml", text);
    (place, folder)
}

/// Records two lines: that it begins, and that it is done.
fn lift(place: &Place, env: &str, reason: &str) -> Done {
    place.run(&["freeze", "lift", "--env", env, "--reason", reason])
}

fn copy(folder: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("read")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

fn ship(place: &Place) -> Done {
    place.run(&["audit", "ship", "--env", "lab", "-o", "json"])
}

#[test]
fn a_command_ships_what_it_recorded() {
    let (place, folder) = with_folder();
    lift(&place, "lab", "one").exits(0);
    lift(&place, "other", "of another environment").exits(0);
    lift(&place, "lab", "two").exits(0);
    let record = read(&place.data_dir().join("audit.jsonl"));
    let own: Vec<&str> = record
        .lines()
        .filter(|line| line.contains("\"env\":\"lab\""))
        .collect();
    let file = copy(&folder);
    assert_eq!((read(&file), own.len()), (own.join("\n") + "\n", 4));
    for kept in [file, place.data_dir().join("audit.shipped.json")] {
        assert_eq!(
            std::fs::metadata(kept).expect("there").permissions().mode() & 0o777,
            0o600
        );
    }
    let report = ship(&place).exits(0).json();
    assert_eq!(
        (
            &report[0]["shipped"],
            &report[0]["waiting"],
            &report[0]["last_seq"]
        ),
        (&json!(0), &json!(0), &json!(6))
    );
    // Without the cursor all of it goes again, and the folder keeps each line once.
    std::fs::remove_file(place.data_dir().join("audit.shipped.json")).expect("removed");
    assert_eq!(ship(&place).exits(0).json()[0]["shipped"], 4);
    assert_eq!(read(&copy(&folder)).lines().count(), 4);
}

#[test]
fn what_could_not_be_shipped_waits_and_fails_nothing() {
    let (place, folder) = with_folder();
    std::fs::remove_dir(&folder).expect("removed");
    let done = lift(&place, "lab", "the folder is gone").exits(0);
    assert!(
        !done.err.contains("ship"),
        "two lines are no trouble yet: {}",
        done.err
    );
    let done = ship(&place).exits(5);
    assert!(
        done.err.contains("the directory does not exist") && done.json()[0]["waiting"] == 2,
        "{}",
        done.err
    );
    let entries: Vec<AuditEntry> = (0..100)
        .map(|_| AuditEntry::new(Timestamp::UNIX_EPOCH, "anna", "lab", "reveal"))
        .collect();
    add(&place.data_dir(), &entries);
    let done = lift(&place, "lab", "many wait").exits(0);
    assert!(
        done.err
            .contains("104 entries of the record of lab wait to be shipped"),
        "{}",
        done.err
    );
    let doctor = place.run(&["doctor", "--env", "lab", "-o", "json"]).json();
    let check = doctor
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["check"] == "audit shipped")
        .expect("a check");
    assert!(
        check["ok"] == false
            && check["detail"]
                .as_str()
                .unwrap()
                .contains("104 entries not yet shipped"),
        "{check}"
    );
    std::fs::create_dir(&folder).expect("made");
    let report = ship(&place).exits(0).json();
    assert_eq!(
        (&report[0]["shipped"], &report[0]["waiting"]),
        (&json!(104), &json!(0))
    );
}

#[test]
fn one_process_ships_at_a_time_and_the_others_do_not_wait() {
    let (place, folder) = with_folder();
    lift(&place, "lab", "one").exits(0);
    let lock = std::fs::OpenOptions::new()
        .write(true)
        .open(place.data_dir().join("audit.shipped.lock"))
        .expect("there");
    lock.lock().expect("held");
    lift(&place, "lab", "while another ships").exits(0);
    assert_eq!(
        read(&copy(&folder)).lines().count(),
        2,
        "it goes with the next"
    );
    drop(lock);
    lift(&place, "lab", "next").exits(0);
    assert_eq!(read(&copy(&folder)).lines().count(), 6);
}

#[test]
fn nothing_is_shipped_past_a_line_that_was_changed() {
    let (place, folder) = with_folder();
    lift(&place, "lab", "good").exits(0);
    std::fs::rename(&folder, place.work().join("away")).expect("moved");
    for reason in ["before", "changed", "after"] {
        lift(&place, "lab", reason).exits(0);
    }
    std::fs::rename(place.work().join("away"), &folder).expect("moved back");
    let path = place.data_dir().join("audit.jsonl");
    std::fs::write(
        &path,
        read(&path).replace("\"reason\":\"changed\"", "\"reason\":\"chanted\""),
    )
    .expect("written");
    let done = ship(&place).exits(1);
    assert!(
        done.err
            .contains("line 5: was changed after it was written"),
        "{}",
        done.err
    );
    assert_eq!(done.json()[0]["shipped"], 2, "what was good before it");
    assert_eq!(read(&copy(&folder)).lines().count(), 4);
    let done = lift(&place, "lab", "later").exits(0);
    assert!(
        done.err.contains("is not shipped; run payops audit verify"),
        "{}",
        done.err
    );
    assert_eq!(read(&copy(&folder)).lines().count(), 4);
}

#[test]
fn a_record_written_anew_is_not_what_was_shipped() {
    let (place, folder) = with_folder();
    lift(&place, "lab", "true").exits(0);
    for name in ["audit.jsonl", "audit.head"] {
        std::fs::remove_file(place.data_dir().join(name)).expect("removed");
    }
    let entries: Vec<AuditEntry> = (0..5)
        .map(|_| AuditEntry::new(Timestamp::UNIX_EPOCH, "tester", "lab", "nothing"))
        .collect();
    add(&place.data_dir(), &entries);
    place.run(&["audit", "verify"]).exits(0);
    let done = ship(&place).exits(1);
    assert!(
        done.err.contains("does not match the anchor"),
        "{}",
        done.err
    );
    assert_eq!(read(&copy(&folder)).lines().count(), 2);
}

#[test]
fn an_environment_without_a_place_does_not_pretend() {
    let (place, _folder) = with_folder();
    let done = place.run(&["audit", "ship", "--env", "other"]).exits(2);
    assert!(
        done.out.is_empty()
            && done.err.contains(
                "no shipping destination is configured for the audit record of other; nothing was \
                 shipped"
            ),
        "{}",
        done.err
    );
    let done = place.run(&["audit", "ship"]).exits(0);
    assert!(
        done.err
            .contains("other: no shipping destination is configured"),
        "{}",
        done.err
    );
    Place::new().run(&["audit", "ship"]).exits(2);
}

/// Adds lines to the record in `dir`, as payops does.
fn add(dir: &Path, entries: &[AuditEntry]) {
    let mut text = read(&dir.join("audit.jsonl"));
    let mut head = text
        .lines()
        .last()
        .and_then(|line| Head::of_line(line.as_bytes()));
    for entry in entries {
        let (line, next) = chain(entry, head.as_ref()).expect("a line");
        text.push_str(&line);
        text.push('\n');
        head = Some(next);
    }
    std::fs::create_dir_all(dir).expect("made");
    std::fs::write(dir.join("audit.jsonl"), text).expect("written");
}

/// A bus in AWS that refuses the third event of its first put for a while.
fn bus(number: usize, request: &crate::common::stub::Request) -> Answer {
    if request.head.contains("AWSEvents.PutEvents") {
        let asked: Value = serde_json::from_str(&request.body).expect("JSON");
        let each = |place: usize| {
            if place == 2 && number < 4 {
                json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "slow"})
            } else {
                json!({"EventId": format!("e{place}")})
            }
        };
        let entries: Vec<Value> = (0..asked["Entries"].as_array().map_or(0, Vec::len))
            .map(each)
            .collect();
        let body = json!({"FailedEntryCount": 0, "Entries": entries}).to_string();
        return (
            200,
            vec![("content-type", "application/x-amz-json-1.1".to_owned())],
            body,
        );
    }
    let body = "<GetCallerIdentityResponse \
        xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/t</Arn><UserId>U</UserId><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    (
        200,
        vec![("content-type", "text/xml".to_owned())],
        body.to_owned(),
    )
}

/// An environment on a stub of AWS, and where its record is.
fn in_aws(url: &str) -> (Place, PathBuf) {
    let place = Place::new();
    let text = format!(
        "[environments.live]\nkind = \"aws\"\nregion = \"eu-west-1\"\naccount_id = \
            \"111122223333\"\nendpoint_url = \"{url}\"\ntable = \"t\"\nbus = \
            \"payments\"\naudit_bus = \"records\"\nprotected = false\n"
    );
    place.file("payops.toml", text);
    let state = place.work().join("state");
    (place, state)
}

fn run_in_aws(place: &Place, state: &Path, args: &[&str]) -> Done {
    let mut command = place.command(args);
    command
        .env("XDG_STATE_HOME", state)
        .env("AWS_ACCESS_KEY_ID", "x")
        .env("AWS_SECRET_ACCESS_KEY", "x");
    command.output().expect("started").into()
}

#[test]
fn a_bus_that_does_not_answer_holds_nobody_up() {
    let (held, never) = std::sync::mpsc::channel::<()>();
    let never = std::sync::Mutex::new(never);
    let stub = Stub::new(move |number, request| {
        if request.head.contains("PutEvents") {
            let _ = never.lock().expect("not poisoned").recv();
        }
        let dynamo = request.head.contains("DynamoDB_20120810");
        if dynamo {
            (
                200,
                vec![("content-type", "application/x-amz-json-1.0".to_owned())],
                "{}".to_owned(),
            )
        } else {
            bus(number, request)
        }
    });
    let (place, state) = in_aws(&stub.url);
    let entries: Vec<AuditEntry> = (0..100)
        .map(|_| AuditEntry::new(Timestamp::UNIX_EPOCH, "anna", "live", "reveal"))
        .collect();
    add(&state.join("payops"), &entries);
    let begun = std::time::Instant::now();
    let done = run_in_aws(&place, &state, &["freeze", "lift", "--env", "live"]).exits(0);
    assert!(
        done.err.contains("102 entries of the record of live wait")
            && done.err.contains("(timed out)"),
        "{}",
        done.err
    );
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(20),
        "less than the time-out of a call"
    );
    drop(held);
}

#[test]
fn in_aws_each_environments_lines_go_to_its_bus() {
    let stub = Stub::new(bus);
    let (place, state) = in_aws(&stub.url);
    let entry = |env: &str, account: &str| {
        AuditEntry::new(Timestamp::UNIX_EPOCH, "anna", env, "refund").account(account)
    };
    let own = entry("live", "111122223333");
    let entries = [
        &own,
        &own,
        &entry("live", "999999999999"),
        &own,
        &entry("test", "111122223333"),
        &own,
    ]
    .map(Clone::clone);
    add(&state.join("payops"), &entries);
    let run = || {
        run_in_aws(
            &place,
            &state,
            &["audit", "ship", "--env", "live", "-o", "json"],
        )
    };
    let report = run().exits(0).json();
    assert_eq!(
        (
            &report[0]["shipped"],
            &report[0]["last_seq"],
            &report[0]["waiting"]
        ),
        (&json!(4), &json!(6), &json!(0))
    );
    assert_eq!(report[0]["place"], "bus records of 111122223333");
    let puts: Vec<Vec<Value>> = stub
        .requests()
        .iter()
        .filter(|request| request.head.contains("PutEvents"))
        .map(|request| {
            serde_json::from_str::<Value>(&request.body).expect("JSON")["Entries"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        })
        .collect();
    let detail = |entry: &Value| {
        serde_json::from_str::<Value>(entry["Detail"].as_str().unwrap()).expect("JSON")
    };
    let seqs = |entries: &[Value]| {
        entries
            .iter()
            .map(|entry| detail(entry)["entry"]["seq"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (seqs(&puts[0]), seqs(&puts[1])),
        (vec![1, 2, 4, 6], vec![4])
    );
    let third = &puts[0][2];
    assert_eq!(
        (
            &third["EventBusName"],
            &third["Source"],
            &third["DetailType"]
        ),
        (&json!("records"), &json!("payops"), &json!("payops.audit"))
    );
    assert_eq!(detail(third)["after"]["seq"], 2);
    assert_eq!(
        detail(third)["line"].as_str(),
        read(&state.join("payops/audit.jsonl")).lines().nth(3)
    );
    assert_eq!(run().exits(0).json()[0]["shipped"], 0);
    assert_eq!(
        stub.requests()
            .iter()
            .filter(|request| request.head.contains("PutEvents"))
            .count(),
        puts.len()
    );
}
