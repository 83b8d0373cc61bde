//! Dead letters from the command line: looked at, told apart, planned, approved, replayed, edited,
//! discarded, exported; and who may do that.
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use payops_core::domain::bus::{SOURCE, WORK};
use payops_core::domain::work_item::REDRIVE;
use payops_core::domain::work_item::attribute::{CLASS, CONSUMER, REASON};
use payops_testkit::sample::payment_id;
use serde_json::{Value, json};

use crate::common::embedded::{DEAD, add_dead_letter, add_dead_letters_in, depth, stopped};
use crate::common::{Done, Place, eventually, signal};

/// Two causes: 3 time-outs of one consumer, 2 schema errors of another.
fn scene() -> Place {
    let place = stopped();
    let letter = |number: u64| {
        let of = |class: &str, reason: String, consumer: &str| {
            vec![
                (CLASS, class.to_owned()),
                (REASON, reason),
                (CONSUMER, consumer.to_owned()),
            ]
        };
        let detail = json!({ "payment_id": payment_id(number), "number": number, "customer": { "email": "anna@example.com" } });
        let body =
            json!({ "id": "e", "time": "2026-11-25T10:00:00Z", "source": SOURCE, "detail-type": REDRIVE, "detail": detail }).to_string();
        match number {
            0..3 => (
                body,
                of(
                    "provider_timeout",
                    format!("no answer within 5000 ms from request {number}"),
                    "1.8.2",
                ),
            ),
            _ => (
                body,
                of(
                    "schema_error",
                    format!("amount: expected integer, got \"{number}.50\""),
                    "1.9.0",
                ),
            ),
        }
    };
    add_dead_letters_in(&place, "prod", (0..5).map(letter));
    place
}

fn as_user(place: &Place, user: &str, args: &[&str]) -> Done {
    place
        .command(args)
        .env("PAYOPS_USER", user)
        .output()
        .unwrap()
        .into()
}

fn cause(place: &Place, class: &str) -> String {
    let causes = place.run(&["dlq", "causes", "-o", "json"]).exits(0).json();
    let found = causes
        .as_array()
        .unwrap()
        .iter()
        .find(|cause| cause["class"] == class)
        .unwrap()
        .clone();
    found["id"].as_str().unwrap().to_owned()
}

fn audit(place: &Place) -> Vec<Value> {
    crate::common::read(&place.data_dir().join("audit.jsonl"))
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// How the last action of that name ended.
fn last(place: &Place, action: &str) -> (String, String) {
    let entry = audit(place)
        .into_iter()
        .rfind(|entry| entry["action"] == action)
        .unwrap();
    (
        entry["who"].as_str().unwrap().to_owned(),
        entry["outcome"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn like_died_with_like() {
    let place = scene();
    let causes = place
        .run(&["dlq", "causes", WORK, "-o", "json"])
        .exits(0)
        .json();
    let told: Vec<(&str, u64, &str)> = causes
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| {
            (
                cause["class"].as_str().unwrap(),
                cause["count"].as_u64().unwrap(),
                cause["consumer"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("provider_timeout", 3, "1.8.2"),
            ("schema_error", 2, "1.9.0")
        ]
    );
    // One group is sent again, and no other is touched.
    let id = cause(&place, "schema_error");
    let args = [
        "dlq",
        "replay",
        WORK,
        "--cause",
        &id,
        "--yes",
        "--reason",
        "the schema was mended",
        "-o",
        "json",
    ];
    let replayed = place.run(&args).exits(0).json();
    assert_eq!(
        (replayed["planned"].as_u64(), replayed["sent"].as_u64()),
        (Some(2), Some(2))
    );
    assert_eq!((depth(&place, DEAD), depth(&place, WORK)), (3, 2));
    let left = place.run(&["dlq", "causes", "-o", "json"]).exits(0).json();
    assert_eq!(
        (left.as_array().unwrap().len(), left[0]["class"].as_str()),
        (1, Some("provider_timeout"))
    );
    let nobody = place
        .run(&[
            "dlq", "replay", WORK, "--cause", "nonsense", "--yes", "--reason", "x", "-o", "json",
        ])
        .exits(0);
    assert!(
        nobody
            .err
            .contains("no dead letter here has the cause nonsense"),
        "{}",
        nobody.err
    );
}

#[test]
fn dead_letters_are_selected_by_an_expression() {
    let place = scene();
    let dry = |filter: &str| {
        let args = [
            "dlq",
            "replay",
            WORK,
            "--filter",
            filter,
            "--dry-run",
            "-o",
            "json",
        ];
        place.run(&args)
    };
    assert_eq!(
        dry("class == \"schema_error\" && payload.detail.number > 3")
            .exits(0)
            .json()["planned"],
        1
    );
    assert_eq!(dry("age < duration(\"1h\")").exits(0).json()["planned"], 5);
    let wrong = dry("class = \"x\"").exits(2);
    assert!(
        wrong.err.contains("error: ") && wrong.err.contains("class = "),
        "{}",
        wrong.err
    );
    place
        .run(&[
            "dlq",
            "filter",
            "save",
            "late",
            "class == \"provider_timeout\"",
        ])
        .exits(0);
    assert_eq!(dry("@late").exits(0).json()["planned"], 3);
    dry("@nobody").exits(5);
}

#[test]
fn a_peek_is_kept_for_a_while_and_costs_what_it_says() {
    let place = scene();
    let peeked = place
        .run(&["dlq", "peek", WORK, "-o", "json"])
        .exits(0)
        .json();
    let peeked = if peeked.is_array() {
        peeked[0].clone()
    } else {
        peeked
    };
    assert_eq!(
        (
            peeked["seen"].as_u64(),
            peeked["complete"].as_bool(),
            peeked["receives_spent"].as_u64()
        ),
        (Some(5), Some(true), Some(0))
    );
    assert!(peeked["first_expiry"].is_string(), "{peeked}");
    let file = std::path::PathBuf::from(peeked["snapshot"].as_str().unwrap());
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    // What dies later is not in it.
    add_dead_letter(&place, ["later".to_owned()]);
    let of = |more: &[&str]| {
        let args = [&["dlq", "list", "-o", "json"], more].concat();
        place.run(&args).exits(0).json().as_array().unwrap().len()
    };
    assert_eq!((of(&["--snapshot"]), of(&[])), (5, 6));
    place.run(&["dlq", "peek", WORK, "--keep", "13h"]).exits(2);
}

#[test]
fn a_plan_is_approved_by_somebody_else() {
    let place = scene();
    std::fs::write(
        place.data_dir().join("policy.toml"),
        "[[four_eyes]]\nwhat = [\"dlq.replay\"]\nwhere = [\"prod\"]\nabove = 2\n",
    )
    .unwrap();
    let id = cause(&place, "schema_error");
    let all = ["dlq", "replay", WORK, "--yes", "--reason", "mended"];
    let refused = as_user(&place, "anna", &all).exits(3);
    assert!(
        refused
            .err
            .contains("requires the approval of 1 other person"),
        "{}",
        refused.err
    );
    assert_eq!(
        last(&place, "dlq.replay"),
        ("anna".to_owned(), "refused".to_owned())
    );
    let few = [
        "dlq", "replay", WORK, "--cause", &id, "--yes", "--reason", "mended", "-o", "json",
    ];
    assert_eq!(
        as_user(&place, "anna", &few).exits(0).json()["sent"],
        2,
        "up to the limit one person may"
    );

    let plan = place.work().join("plan.json");
    let file = plan.to_str().unwrap();
    as_user(
        &place,
        "anna",
        &["dlq", "plan", WORK, "--out", file, "--reason", "mended"],
    )
    .exits(0);
    let run = [
        "dlq", "replay", "--plan", file, "--yes", "--reason", "mended", "-o", "json",
    ];
    as_user(&place, "anna", &run).exits(3);
    let own = as_user(
        &place,
        "anna",
        &["dlq", "approve", file, "--yes", "--reason", "looks right"],
    )
    .exits(3);
    assert!(
        own.err.contains("someone else must approve it"),
        "{}",
        own.err
    );
    let approve = [
        "dlq",
        "approve",
        file,
        "--yes",
        "--reason",
        "looks right",
        "-o",
        "json",
    ];
    let approved = as_user(&place, "ben", &approve).exits(0).json();
    assert_eq!(approved["approved_by"], json!(["ben"]));

    // A plan that was changed afterwards is another plan.
    let good = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, good.replace("payments-work\"", "projections\"")).unwrap();
    let changed = as_user(&place, "anna", &run).exits(3);
    assert!(
        changed.err.contains("changed") || changed.err.contains("hash"),
        "{}",
        changed.err
    );
    assert_eq!(depth(&place, DEAD), 3, "nothing was sent");
    std::fs::write(&plan, &good).unwrap();
    assert_eq!(as_user(&place, "anna", &run).exits(0).json()["sent"], 3);
    let begun = audit(&place)
        .into_iter()
        .rfind(|entry| entry["detail"]["approved_by"] == "ben")
        .unwrap();
    assert_eq!(begun["action"], "dlq.replay");
}

#[test]
fn an_approval_that_is_not_in_the_record_does_not_count() {
    let place = scene();
    std::fs::write(
        place.data_dir().join("policy.toml"),
        "[[four_eyes]]\nwhat = [\"dlq.replay\"]\nwhere = [\"prod\"]\n",
    )
    .unwrap();
    let plan = place.work().join("plan.json");
    let file = plan.to_str().unwrap();
    as_user(&place, "anna", &["dlq", "plan", WORK, "--out", file]).exits(0);
    let mut forged: Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    forged["approvals"] = json!([{ "by": "ben", "at": jiff::Timestamp::now().to_string(), "sha256": forged["sha256"] }]);
    std::fs::write(&plan, forged.to_string()).unwrap();
    let done = as_user(
        &place,
        "anna",
        &[
            "dlq", "replay", "--plan", file, "--yes", "--reason", "mended",
        ],
    )
    .exits(3);
    assert!(
        done.err
            .contains("the approval by ben is not in the audit record of prod"),
        "{}",
        done.err
    );
    assert_eq!(depth(&place, DEAD), 5);
}

#[test]
fn rules_that_cannot_be_read_stop_every_write() {
    let place = scene();
    let policy = place.data_dir().join("policy.toml");
    for (text, word) in [
        (
            "[[deny]]\nwho = [\"*\"]\nwhere = [\"*\"]\nwhat = [\"dlq.replya\"]\n",
            "dlq.replya",
        ),
        (
            "[[deny]]\nwho = [\"*\"]\nwhere = [\"prdo\"]\nwhat = [\"*\"]\n",
            "prdo",
        ),
        ("nonsense", ""),
    ] {
        std::fs::write(&policy, text).unwrap();
        let done = place
            .run(&["dlq", "replay", WORK, "--yes", "--reason", "mended"])
            .exits(2);
        assert!(
            done.err.contains("is not valid; nothing was done") && done.err.contains(word),
            "{}",
            done.err
        );
    }
    std::fs::write(
        &policy,
        "[[deny]]\nwho = [\"anna\"]\nwhere = [\"prod\"]\nwhat = [\"dlq.replay\"]\n",
    )
    .unwrap();
    let denied = as_user(
        &place,
        "anna",
        &["dlq", "replay", WORK, "--yes", "--reason", "mended"],
    )
    .exits(3);
    assert!(
        denied
            .err
            .contains("anna is not allowed to run dlq.replay in prod"),
        "{}",
        denied.err
    );
    assert_eq!(depth(&place, DEAD), 5);
}

#[test]
fn a_freeze_stops_others_until_it_is_lifted_or_the_glass_is_broken() {
    let place = scene();
    place.run(&["freeze", "set"]).exits(3);
    as_user(
        &place,
        "anna",
        &[
            "freeze",
            "set",
            "--for",
            "1h",
            "--reason",
            "the ledger is restored",
        ],
    )
    .exits(0);
    let rows = place
        .run(&["freeze", "status", "-o", "json"])
        .exits(0)
        .json();
    let prod = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["env"] == "prod")
        .unwrap()
        .clone();
    assert_eq!(
        (prod["frozen"].as_bool(), prod["by"].as_str()),
        (Some(true), Some("anna"))
    );
    let replay = [
        "dlq", "replay", WORK, "--limit", "1", "--yes", "--reason", "mended", "-o", "json",
    ];
    let frozen = as_user(&place, "ben", &replay).exits(3);
    assert!(
        frozen.err.contains("prod is frozen by anna")
            && frozen.err.contains("the ledger is restored"),
        "{}",
        frozen.err
    );
    assert_eq!(depth(&place, DEAD), 5);
    let broken = as_user(
        &place,
        "ben",
        &[
            "account",
            "login",
            "--duty",
            "break-glass",
            "--reason",
            "money is lost",
        ],
    )
    .exits(0);
    assert!(broken.err.contains("BREAK-GLASS in PROD"), "{}", broken.err);
    let done = as_user(&place, "ben", &replay).exits(0);
    assert!(
        done.err
            .contains("prod is frozen; continuing because you are elevated to break-glass"),
        "{}",
        done.err
    );
    let begun = audit(&place)
        .into_iter()
        .rfind(|entry| entry["action"] == "dlq.replay" && entry["outcome"] == "done")
        .unwrap();
    assert_eq!(begun["who"], "ben");
    as_user(&place, "ben", &["account", "logout"]).exits(0);
    as_user(&place, "anna", &["freeze", "lift", "--reason", "restored"]).exits(0);
    as_user(&place, "ben", &replay).exits(0);
}

#[test]
fn a_dead_letter_is_replayed_with_another_body() {
    let place = scene();
    let id = place.run(&["dlq", "list", "-o", "json"]).exits(0).json()[4]["message_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let edit = |more: &[&str]| {
        let args = [
            &[
                "dlq",
                "edit",
                WORK,
                id.as_str(),
                "--set",
                "/detail/number=77",
                "-o",
                "json",
            ],
            more,
        ]
        .concat();
        place.run(&args)
    };
    let dry = edit(&["--dry-run"]).exits(0);
    assert!(
        dry.err.contains("nothing was changed or recorded")
            && dry.err.contains("77")
            && !dry.err.contains("anna@example.com"),
        "{}",
        dry.err
    );
    edit(&[]).exits(3);
    assert_eq!(
        edit(&["--yes", "--reason", "ticket 7"]).exits(0).json()["sent"],
        1
    );
    let sent = place
        .run(&["queue", "peek", WORK, "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (
            sent[0]["body"]["detail"]["number"].as_u64(),
            sent[0]["attributes"]["payops-replay-of"].as_str()
        ),
        (Some(77), Some(id.as_str()))
    );
    assert_eq!(depth(&place, DEAD), 4);
}

#[test]
fn what_is_discarded_is_kept() {
    let place = scene();
    let id = cause(&place, "schema_error");
    place
        .run(&["dlq", "discard", WORK, "--yes", "--reason", "doubles"])
        .exits(2);
    place
        .run(&["dlq", "discard", WORK, "--cause", &id, "--yes"])
        .exits(3);
    let done = place
        .run(&[
            "dlq", "discard", WORK, "--cause", &id, "--yes", "--reason", "doubles", "-o", "json",
        ])
        .exits(0)
        .json();
    assert_eq!(
        (
            done["planned"].as_u64(),
            done["discarded"].as_u64(),
            depth(&place, DEAD)
        ),
        (Some(2), Some(2), 3)
    );
    let kept = std::path::PathBuf::from(done["kept"].as_str().unwrap());
    assert_eq!(
        (
            crate::common::read(&kept).lines().count(),
            std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777
        ),
        (2, 0o600)
    );
    assert_eq!(
        last(&place, "dlq.discard"),
        ("tester".to_owned(), "done".to_owned())
    );
}

#[test]
fn what_is_exported_is_masked() {
    let place = scene();
    let export = place.run(&["dlq", "export", WORK]).exits(0).out;
    assert_eq!(export.lines().count(), 5);
    assert!(
        export
            .lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok())
            && !export.contains("anna@example.com"),
        "{export}"
    );
    place.run(&["dlq", "export", WORK, "--reveal"]).exits(3);
    let revealed = place
        .run(&["dlq", "export", WORK, "--reveal", "--reason", "ticket 9"])
        .exits(0)
        .out;
    assert!(revealed.contains("anna@example.com"));
    assert_eq!(last(&place, "payment.reveal").0, "tester");
}

#[test]
fn a_record_that_was_changed_is_named() {
    let place = scene();
    place
        .run(&[
            "dlq", "replay", WORK, "--limit", "1", "--yes", "--reason", "mended",
        ])
        .exits(0);
    let verified = place
        .run(&["audit", "verify", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(verified["ok"], true);
    let path = place.data_dir().join("audit.jsonl");
    let good = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let changed = good.replacen("mended", "MENDED", 1);
    let text = |lines: &[&str]| lines.join("\n") + "\n";
    let removed = text(&[&lines[..1], &lines[2..]].concat());
    let swapped = text(&[&[lines[1], lines[0]], &lines[2..]].concat());
    let cut = text(&lines[..lines.len() - 1]);
    for (what, text) in [
        ("changed", changed),
        ("removed", removed),
        ("swapped", swapped),
        ("cut off", cut),
    ] {
        std::fs::write(&path, text).unwrap();
        let broken = place
            .run(&["audit", "verify", "-o", "json"])
            .exits(1)
            .json();
        assert!(
            broken["ok"] == false && broken["break"]["line"].is_u64(),
            "{what}: {broken}"
        );
    }
    std::fs::write(&path, good).unwrap();
    place.run(&["audit", "verify"]).exits(0);
}

#[test]
fn the_doctor_says_what_is_wrong_and_what_mends_it() {
    let place = Place::new();
    let done = place
        .run(&["--env", "prod", "doctor", "-o", "json"])
        .exits(1)
        .json();
    let checks = done.as_array().unwrap();
    for check in checks {
        for name in ["env", "check", "ok", "detail", "fix"] {
            assert!(check.get(name).is_some(), "{name} in {check}");
        }
    }
    let platform = checks
        .iter()
        .find(|check| check["check"] == "platform")
        .unwrap();
    assert_eq!(
        (platform["ok"].as_bool(), platform["fix"].as_str()),
        (
            Some(false),
            Some("create one with payops local up, or name another with --data-dir")
        )
    );
    let _up = place.up(&[]);
    let well = place.run(&["doctor", "-o", "json"]).exits(0).json();
    assert!(
        well.as_array()
            .unwrap()
            .iter()
            .all(|check| check["ok"] == true),
        "{well}"
    );
}

#[test]
fn a_freeze_stops_a_replay_that_is_under_way() {
    let place = scene();
    let mut slow = place.command(&[
        "dlq", "replay", WORK, "--rate", "1", "--yes", "--reason", "mended", "-o", "json",
    ]);
    let slow = slow
        .env("PAYOPS_USER", "anna")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    add_dead_letter(&place, (0..60).map(|number| format!("letter {number}")));
    let child = slow.spawn().unwrap();
    eventually("it is under way", || {
        (depth(&place, WORK) > 0).then_some(())
    });
    as_user(
        &place,
        "ben",
        &["freeze", "set", "--reason", "the ledger is restored"],
    )
    .exits(0);
    let stopped: Done = child.wait_with_output().unwrap().into();
    let stopped = stopped.exits(3);
    assert!(
        stopped
            .err
            .contains("dlq.replay stopped: prod is frozen by ben"),
        "{}",
        stopped.err
    );
    let sent = depth(&place, WORK);
    assert_eq!(depth(&place, DEAD), 65 - sent);
    as_user(&place, "ben", &["freeze", "lift", "--reason", "restored"]).exits(0);
    // The rest goes on, as fast as the plan says.
    let mut rest = place
        .command(&[
            "dlq", "replay", WORK, "--yes", "--reason", "mended", "-o", "json",
        ])
        .env("PAYOPS_USER", "anna")
        .spawn()
        .unwrap();
    eventually("it goes on", || (depth(&place, WORK) > sent).then_some(()));
    signal(rest.id(), "INT");
    assert_eq!(rest.wait().unwrap().code(), Some(130));
}

#[test]
fn a_whole_queue_is_moved_by_the_queue_service() {
    let place = scene();
    let redrive =
        |more: &[&str]| place.run(&[&["dlq", "redrive", WORK, "-o", "json"], more].concat());
    assert!(
        redrive(&[])
            .exits(3)
            .err
            .contains("moves every message unread: payments are not checked")
    );
    redrive(&["--yes"]).exits(3);
    redrive(&["--yes", "--reason", "x", "--rate", "501"]).exits(2);
    assert_eq!(depth(&place, DEAD), 5, "nothing was moved");
    let done = redrive(&["--yes", "--reason", "the provider is up", "--rate", "100"])
        .exits(0)
        .json();
    assert_eq!(
        (
            done["status"].as_str(),
            done["moved"].as_u64(),
            done["target"].as_str()
        ),
        (Some("completed"), Some(5), Some(WORK))
    );
    assert_eq!((depth(&place, DEAD), depth(&place, WORK)), (0, 5));
    let moved = place
        .run(&["queue", "peek", WORK, "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        moved[0]["attributes"]["payops-class"], "provider_timeout",
        "attributes are kept"
    );
    assert_eq!(
        last(&place, "dlq.redrive"),
        ("tester".to_owned(), "done".to_owned())
    );
    assert!(
        redrive(&["--yes", "--reason", "x"])
            .exits(5)
            .err
            .contains("is empty")
    );

    // One that takes long is begun, looked at, and canceled.
    add_dead_letter(&place, (0..50).map(|number| format!("letter {number}")));
    redrive(&["--yes", "--reason", "slowly", "--rate", "2", "--no-wait"]).exits(0);
    let again = redrive(&["--yes", "--reason", "twice"]).exits(3);
    assert!(again.err.contains("is already running"), "{}", again.err);
    let running = place
        .run(&["dlq", "redrives", WORK, "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (
            running[0]["status"].as_str(),
            running[0]["planned"].as_u64()
        ),
        (Some("running"), Some(50))
    );
    let asked = place.run(&["dlq", "redrive-cancel", WORK, "--reason", "enough"]);
    let asked = asked.exits(3);
    assert!(
        asked.err.contains("which has moved") && asked.err.contains("--yes"),
        "{}",
        asked.err
    );
    let canceled = place
        .run(&[
            "dlq",
            "redrive-cancel",
            WORK,
            "--yes",
            "--reason",
            "enough",
            "-o",
            "json",
        ])
        .exits(0)
        .json();
    assert_eq!(canceled["status"], "canceled");
    assert_eq!(
        depth(&place, DEAD) + depth(&place, WORK),
        55,
        "nothing is lost by it"
    );
    place
        .run(&["dlq", "cancel-redrive", WORK, "--reason", "enough"])
        .exits(5);
}

#[test]
fn a_redrive_that_is_interrupted_stops() {
    let place = scene();
    add_dead_letter(&place, (0..100).map(|number| format!("letter {number}")));
    let args = [
        "dlq", "redrive", WORK, "--yes", "--reason", "mended", "--rate", "5", "-o", "json",
    ];
    let child = place
        .command(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("it is under way", || {
        (depth(&place, WORK) > 0).then_some(())
    });
    signal(child.id(), "INT");
    let cut: Done = child.wait_with_output().unwrap().into();
    assert_eq!(cut.exits(130).json()["status"], "canceled");
    assert_eq!(depth(&place, DEAD) + depth(&place, WORK), 105);
}

/// A payment whose letter was moved back unread comes to its end all the same.
#[test]
fn payments_come_to_their_end_after_a_redrive() {
    let place = Place::new();
    let _up = place.up(&[]);
    let file: String = (0..4)
        .map(|number| crate::common::line(&format!("k{number}"), 1000 + number, "tok_poison"))
        .collect();
    let answer = place
        .run_with_input(
            &["payment", "create", "--file", "-", "-o", "json"],
            file.as_bytes(),
        )
        .exits(0)
        .json();
    let ids: Vec<String> = answer["payments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|payment| payment["id"].as_str().unwrap().to_owned())
        .collect();
    eventually("all are dead", || (depth(&place, DEAD) == 4).then_some(()));
    place.run(&["local", "fix", "poison"]).exits(0);
    let moved = place
        .run(&[
            "dlq",
            "redrive",
            WORK,
            "--yes",
            "--reason",
            "the provider is up",
            "-o",
            "json",
        ])
        .exits(0)
        .json();
    assert_eq!(
        (moved["status"].as_str(), moved["moved"].as_u64()),
        (Some("completed"), Some(4))
    );
    for id in &ids {
        eventually("each is completed", || {
            let payment = place
                .run(&["payment", "get", id, "-o", "json"])
                .exits(0)
                .json();
            (payment["status"] == "completed" && payment["dead"].is_null()).then_some(())
        });
        let timeline = place
            .run(&["payment", "timeline", id, "-o", "json"])
            .exits(0)
            .json();
        let count = |kind: &str| {
            timeline["events"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|event| event["kind"] == kind)
                .count()
        };
        assert_eq!(
            (
                count("dead_lettered"),
                count("replayed"),
                count("completed")
            ),
            (1, 1, 1),
            "{timeline}"
        );
    }
    let report = place
        .run(&["payment", "reconcile", "-o", "json", "--settle", "2"])
        .exits(0)
        .json();
    assert_eq!(
        (
            report["checked"].as_u64(),
            report["breaks"].as_array().unwrap().len()
        ),
        (Some(4), 0),
        "{report}"
    );
}

#[test]
fn a_purge_is_never_done_where_writes_are_protected() {
    let place = scene();
    for user in ["anna", "ben"] {
        as_user(
            &place,
            user,
            &[
                "account",
                "login",
                "--duty",
                "break-glass",
                "--reason",
                "an incident",
            ],
        )
        .exits(0);
        let done = as_user(
            &place,
            user,
            &["queue", "purge", DEAD, "--yes", "--reason", "away with it"],
        )
        .exits(3);
        assert!(
            done.err
                .contains("queue.purge is not allowed in a protected environment: prod"),
            "{}",
            done.err
        );
        assert_eq!(
            last(&place, "queue.purge"),
            (user.to_owned(), "refused".to_owned())
        );
    }
    assert_eq!(depth(&place, DEAD), 5);
    add_dead_letters_in(
        &place,
        "test",
        (0..3).map(|number| (format!("letter {number}"), Vec::new())),
    );
    let purge = |more: &[&str]| {
        place.run(
            &[
                &["--env", "test", "queue", "purge", DEAD, "-o", "json"],
                more,
            ]
            .concat(),
        )
    };
    purge(&["--yes"]).exits(3);
    purge(&["--reason", "a test"]).exits(3);
    let refused = purge(&["--yes", "--reason", "a test"]).exits(3);
    assert!(
        refused
            .err
            .contains("queue.purge in test requires the access level break-glass"),
        "{}",
        refused.err
    );
    let login = [
        "account",
        "login",
        "--duty",
        "break-glass",
        "--reason",
        "a test",
    ];
    place
        .run(&[&["--env", "test"][..], &login].concat())
        .exits(0);
    assert_eq!(
        purge(&["--yes", "--reason", "a test"]).exits(0).json()["messages"],
        3
    );
    place
        .run(&[
            "--env", "test", "queue", "purge", "nobody", "--yes", "--reason", "x",
        ])
        .exits(5);
}

#[test]
fn a_freeze_does_not_hold_up_the_stopping_of_a_redrive() {
    let place = scene();
    add_dead_letter(&place, (0..60).map(|number| format!("letter {number}")));
    let listed = place.run(&["dlq", "list", "-o", "json"]).exits(0).json();
    let last_id = listed[64]["message_id"].as_str().unwrap();
    place
        .run(&[
            "dlq",
            "redrive",
            WORK,
            "--rate",
            "1",
            "--no-wait",
            "--yes",
            "--reason",
            "slowly",
        ])
        .exits(0);
    // While all of it is moved, nothing else takes letters out.
    let replay = place
        .run(&["dlq", "replay", WORK, "--yes", "--reason", "x"])
        .exits(3);
    assert!(
        replay
            .err
            .contains("a redrive of payments-work-dlq is running"),
        "{}",
        replay.err
    );
    place
        .run(&["dlq", "discard", WORK, "--all", "--yes", "--reason", "x"])
        .exits(3);
    let body = place.file("body.json", "{}");
    let edit = [
        "dlq",
        "edit",
        WORK,
        last_id,
        "--body",
        body.to_str().unwrap(),
        "--yes",
        "--reason",
        "x",
    ];
    let edit = place.run(&edit).exits(3);
    assert!(
        edit.err
            .contains("a redrive of payments-work-dlq is running"),
        "{}",
        edit.err
    );
    as_user(&place, "carl", &["freeze", "set", "--reason", "stop"]).exits(0);
    place
        .run(&["dlq", "cancel-redrive", WORK, "--yes", "--reason", "stop"])
        .exits(0);
    place
        .run(&["dlq", "redrive", WORK, "--yes", "--reason", "again"])
        .exits(3);
}

#[test]
fn an_approved_replay_that_was_cut_off_is_finished_with_its_plan_and_as_it_was() {
    let place = scene();
    std::fs::write(
        place.data_dir().join("policy.toml"),
        "[[four_eyes]]\nwhat = [\"dlq.replay\"]\nwhere = [\"prod\"]\n",
    )
    .unwrap();
    add_dead_letter(&place, (0..60).map(|number| format!("letter {number}")));
    let plan = place.work().join("plan.json");
    let file = plan.to_str().unwrap();
    as_user(
        &place,
        "anna",
        &["dlq", "plan", WORK, "--rate", "5", "--out", file],
    )
    .exits(0);
    as_user(
        &place,
        "ben",
        &["dlq", "approve", file, "--yes", "--reason", "fine"],
    )
    .exits(0);
    let run = [
        "dlq", "replay", "--plan", file, "--yes", "--reason", "mended",
    ];
    let mut child = place
        .command(&run)
        .env("PAYOPS_USER", "anna")
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    eventually("it is under way", || {
        (depth(&place, WORK) > 0).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let bare = ["dlq", "replay", WORK, "--yes", "--reason", "go on"];
    assert!(
        as_user(&place, "anna", &bare)
            .exits(3)
            .err
            .contains("requires the approval")
    );
    assert!(
        as_user(&place, "anna", &[&bare[..], &["--rate", "500"]].concat())
            .exits(2)
            .err
            .contains("exactly as it was planned")
    );
    // Nothing else takes letters out meanwhile: what is left says what was sent.
    assert!(
        place
            .run(&["dlq", "discard", WORK, "--all", "--yes", "--reason", "x"])
            .exits(3)
            .err
            .contains("an interrupted replay of payments-work-dlq exists")
    );
    assert!(
        place
            .run(&["dlq", "redrive", WORK, "--yes", "--reason", "x"])
            .exits(3)
            .err
            .contains("an interrupted replay of payments-work-dlq exists")
    );
    as_user(&place, "anna", &run).exits(0);
    assert_eq!((depth(&place, DEAD), depth(&place, WORK)), (0, 65));
    let again = as_user(&place, "anna", &run).exits(3);
    assert!(
        again.err.contains("this plan was already carried out"),
        "{}",
        again.err
    );
}

#[test]
fn an_approver_sees_what_is_changed_and_must_be_allowed_it() {
    let place = scene();
    std::fs::write(
        place.data_dir().join("policy.toml"),
        "[[deny]]\nwho = [\"mallory\"]\nwhat = [\"*\"]\nwhere = [\"*\"]\n",
    )
    .unwrap();
    let plan = place.work().join("plan.json");
    let file = plan.to_str().unwrap();
    as_user(&place, "anna", &["dlq", "plan", WORK, "--out", file]).exits(0);
    let denied = as_user(
        &place,
        "mallory",
        &["dlq", "approve", file, "--yes", "--reason", "fine"],
    )
    .exits(3);
    assert!(
        denied
            .err
            .contains("you cannot approve what you are not allowed to do: mallory is not allowed"),
        "{}",
        denied.err
    );
    // One's own rules do not take the place of those of the data.
    place.file("payops.toml", "");
    place.file("policy.toml", "");
    let still = as_user(
        &place,
        "mallory",
        &["dlq", "replay", WORK, "--yes", "--reason", "x"],
    )
    .exits(3);
    assert!(
        still.err.contains("mallory is not allowed"),
        "{}",
        still.err
    );
}

#[test]
fn a_dry_run_changes_and_records_nothing() {
    let place = scene();
    let id = place.run(&["dlq", "list", "-o", "json"]).exits(0).json()[0]["message_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let plan = place.work().join("plan.json");
    let file = plan.to_str().unwrap();
    as_user(&place, "ben", &["dlq", "plan", WORK, "--out", file]).exits(0);
    let before = std::fs::read(&plan).unwrap();
    let dry = |args: &[&str]| {
        let args = [&["dlq"], args, &["--dry-run", "-o", "json"]].concat();
        place.run(&args).exits(0).json()
    };
    let replay = dry(&["replay", WORK]);
    assert_eq!(
        (replay["planned"].as_u64(), replay["sent"].as_u64()),
        (Some(5), Some(0))
    );
    assert_eq!(dry(&["replay", "--plan", file])["remaining"], 5);
    let edit = dry(&["edit", WORK, &id, "--set", "/detail/number=7"]);
    assert_eq!(
        (edit["planned"].as_u64(), &edit["journal"]),
        (Some(1), &Value::Null)
    );
    let discard = dry(&["discard", WORK, "--all"]);
    assert_eq!(
        (discard["planned"].as_u64(), discard["discarded"].as_u64()),
        (Some(5), Some(0))
    );
    for (args, action) in [
        (&["redrive", WORK][..], "dlq.redrive"),
        (&["export", WORK], "dlq.export"),
        (&["approve", file], "dlq.approve"),
    ] {
        let proposal = dry(args);
        assert_eq!(
            (proposal["action"].as_str(), proposal["outcome"].as_str()),
            (Some(action), Some("planned"))
        );
    }
    assert_eq!((depth(&place, DEAD), depth(&place, WORK)), (5, 0));
    assert_eq!(std::fs::read(&plan).unwrap(), before);
    for trace in ["audit.jsonl", "replays", "discards", "exports"] {
        assert!(!place.data_dir().join(trace).exists(), "{trace}");
    }
}
