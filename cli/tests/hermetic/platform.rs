//! The binary against the embedded platform: what an operator does in a day.
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use payops_core::domain::bus::WORK;
use serde_json::Value;

use crate::common::embedded::{DEAD, add_dead_letter, depth, stopped, with_ports};
use crate::common::killing;
use crate::common::{Place, eventually, line, signal};

#[test]
fn a_platform_is_started_asked_and_stopped() {
    let place = Place::new();
    let up = place.up(&[]);
    let names: Vec<&str> = up.ready["environments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|env| env["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        (up.ready["ready"].as_bool(), names),
        (Some(true), vec!["prod", "preprod", "test"])
    );
    let status = place
        .run(&["local", "status", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        status["environments"][0]["api_url"],
        up.ready["environments"][0]["api_url"]
    );
    assert_eq!(status["environments"][0]["counts"]["completed"], 0);
    assert_eq!(status["pid"].as_u64(), Some(u64::from(up.pid())));
    let second = place.run(&["local", "up"]).exits(1);
    assert!(
        second.err.contains(&up.pid().to_string()) && second.err.contains("payops local down"),
        "{}",
        second.err
    );
    place.run(&["local", "down"]).exits(0);
    place.run(&["local", "status"]).exits(5);
    assert!(
        place
            .run(&["local", "down"])
            .exits(0)
            .err
            .contains("nothing was running")
    );
    drop(up);
}

#[test]
fn a_file_of_payments_is_sent_once_however_often() {
    let place = Place::new();
    let _up = place.up(&[]);
    let mut file = String::new();
    for number in 0..40 {
        file.push_str(&line(&format!("k{number}"), 1000 + number, "tok_visa"));
    }
    // The same key again: the same request is answered again, another one is refused.
    file.push_str(&line("k1", 1001, "tok_visa"));
    file.push_str(&line("k1", 9999, "tok_visa"));
    file.push_str("\nnonsense\n");
    file.push_str(&line("k-bad", 0, "tok_visa"));
    let path = place.file("payments.jsonl", &file);
    let args = [
        "payment",
        "create",
        "--file",
        path.to_str().unwrap(),
        "--wait",
        "-o",
        "json",
    ];
    let first = place.run(&args).exits(6).json();
    assert_eq!(
        (
            first["lines"].as_u64(),
            first["accepted"].as_u64(),
            first["replayed"].as_u64()
        ),
        (Some(44), Some(41), Some(1))
    );
    assert_eq!(
        (
            first["refused"].as_u64(),
            first["completed"].as_u64(),
            first["processing"].as_u64()
        ),
        (Some(3), Some(40), Some(0))
    );
    let errors: Vec<(u64, &str)> = first["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (
                error["line"].as_u64().unwrap(),
                error["code"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        errors.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        [42, 44, 45]
    );
    assert_eq!(
        (errors[1].1, errors[2].1),
        ("invalid_json", "amount_too_small")
    );
    let second = place
        .run_with_input(
            &["payment", "create", "--file", "-", "-o", "json"],
            file.as_bytes(),
        )
        .exits(6)
        .json();
    assert_eq!(
        (second["accepted"].as_u64(), second["replayed"].as_u64()),
        (Some(41), Some(41))
    );
    assert_eq!(first["payments"][0]["id"], second["payments"][0]["id"]);
    let status = place
        .run(&["local", "status", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        status["environments"][0]["counts"]["completed"], 40,
        "nothing was paid twice"
    );
    let report = place
        .run(&["payment", "reconcile", "-o", "json", "--settle", "3"])
        .exits(0)
        .json();
    assert_eq!(
        (
            report["checked"].as_u64(),
            report["breaks"].as_array().unwrap().len()
        ),
        (Some(40), 0)
    );
}

#[test]
fn creating_is_planned_recorded_and_refused_in_a_freeze() {
    let place = Place::new();
    let _up = place.up(&[]);
    let file = [line("k1", 1250, "tok_visa"), line("k2", 750, "tok_visa")].concat();
    let path = place.file("payments.jsonl", file + &line("k3", 0, "tok_visa"));
    let create = |extra: &[&str]| {
        let mut args = vec![
            "payment",
            "create",
            "--file",
            path.to_str().unwrap(),
            "-o",
            "json",
        ];
        args.extend(extra);
        place.run(&args)
    };
    let plan = create(&["--dry-run"]).exits(6).json();
    assert_eq!(
        (
            &plan["payments"],
            &plan["sums"]["EUR"],
            &plan["errors"][0]["line"]
        ),
        (&Value::from(3), &Value::from(2000), &Value::from(3))
    );
    assert!(!place.data_dir().join("audit.jsonl").exists());
    create(&[]).exits(6);
    place
        .run(&["freeze", "set", "--reason", "an incident"])
        .exits(0);
    let refused = create(&[]).exits(3);
    assert!(
        refused.out.is_empty() && refused.err.contains("is frozen by tester"),
        "{}",
        refused.err
    );
    let record = crate::common::read(&place.data_dir().join("audit.jsonl"));
    let outcomes: Vec<(String, String)> = record
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|entry| entry["action"] == "payment.create")
        .map(|entry| (entry["outcome"].to_string(), entry["detail"].to_string()))
        .collect();
    let names: Vec<&str> = outcomes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["\"begun\"", "\"done\"", "\"refused\""]);
    assert!(
        outcomes[1].1.contains("2 created (20.00 EUR), 1 refused"),
        "{}",
        outcomes[1].1
    );
}

#[test]
fn a_payment_is_found_shown_and_refunded() {
    let place = Place::new();
    let _up = place.up(&[]);
    let create = [
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
    ];
    let mut args = create.to_vec();
    args.extend(["--reference", "INV-7", "--wait", "-o", "json"]);
    let created = place.run(&args).exits(0);
    assert!(
        created.err.contains("idempotency key payops-"),
        "{}",
        created.err
    );
    let created = created.json();
    assert_eq!(
        (created["status"].as_str(), created["amount"].as_i64()),
        (Some("completed"), Some(1250))
    );
    let id = created["id"].as_str().unwrap();
    let shown = place
        .run(&["payment", "get", id, "-o", "json"])
        .exits(0)
        .json();
    assert!(
        created["version"]
            .as_u64()
            .is_some_and(|version| version > 1),
        "{created}"
    );
    assert_eq!(created["version"], shown["version"]);
    let mut unwaited = create.to_vec();
    unwaited.extend(["-o", "json"]);
    assert_eq!(
        place.run(&unwaited).exits(0).json()["version"],
        1,
        "as it was accepted"
    );

    let found = eventually("the index hears of it", || {
        let hits = place
            .run(&[
                "payment",
                "search",
                "anna@",
                "INV-7",
                "-status:failed",
                "-o",
                "json",
            ])
            .exits(0)
            .json();
        (hits.as_array().unwrap().len() == 1 && hits[0]["status"] == "completed").then_some(hits)
    });
    assert_eq!(
        (found[0]["id"].as_str(), found[0]["email"].as_str()),
        (Some(id), Some("a•••@e•••.com"))
    );
    let header = |query: &str| {
        let out = place
            .run(&["payment", "search", query, "-o", "csv"])
            .exits(0)
            .out;
        out.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        header("status:canceled"),
        header("status:completed"),
        "no rows, and the same header"
    );
    let nothing = place
        .run(&["payment", "search", "status:failed", "INV-7"])
        .exits(0);
    assert!(
        nothing.out.is_empty() && nothing.err.contains("reference starts with INV-7"),
        "{}",
        nothing.err
    );

    let timeline = place
        .run(&["payment", "timeline", id, "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (
            timeline["events"][0]["seq"].as_u64(),
            timeline["events"][0]["kind"].as_str()
        ),
        (Some(1), Some("accepted"))
    );
    let elsewhere = place.run(&["payment", "get", id, "--env", "test"]).exits(5);
    assert!(
        elsewhere
            .err
            .contains("not found in test; it is in prod\nhint: add --env prod\n"),
        "{}",
        elsewhere.err
    );
    let both = place
        .run(&["payment", "get", id, "--env", "test,prod", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (both[0]["env"].as_str(), both[0]["id"].as_str()),
        (Some("prod"), Some(id))
    );
    let masked = place.run(&["payment", "get", id]).exits(0);
    assert!(!masked.out.contains("anna"), "{}", masked.out);
    let open = place
        .run(&["payment", "get", id, "--reveal", "--reason", "ticket 7"])
        .exits(0);
    assert!(open.out.contains("anna@example.com"), "{}", open.out);
    assert!(crate::common::read(&place.data_dir().join("audit.jsonl")).contains("ticket 7"));

    let refund = |extra: &[&str]| {
        let mut args = vec!["payment", "refund", id, "-o", "json"];
        args.extend(extra);
        place.run(&args)
    };
    assert!(refund(&["--yes"]).exits(3).err.contains("--reason"));
    assert!(
        refund(&["--reason", "asked"])
            .exits(3)
            .err
            .contains("--yes")
    );
    refund(&["--reason", "asked", "--yes", "--amount", "2.5"]).exits(2);
    let key = [
        "--reason",
        "asked",
        "--yes",
        "--amount",
        "2.50",
        "--idempotency-key",
        "refund-1",
    ];
    let refunded = refund(&key).exits(0).json();
    assert!(refunded["refund_id"].as_str().unwrap().starts_with("re_"));
    assert_eq!(refund(&key).exits(0).json()["replayed"], true);
    refund(&["--reason", "asked", "--yes", "--amount-minor", "1001"]).exits(1);
    eventually("the refund is paid out", || {
        let payment = place
            .run(&["payment", "get", id, "-o", "json"])
            .exits(0)
            .json();
        (payment["refunded"] == 250 && payment["status"] == "partially_refunded").then_some(())
    });
    assert!(
        place
            .run(&["payment", "cancel", id, "--yes", "--reason", "late"])
            .exits(1)
            .err
            .contains("cannot be canceled: the payment is partially_refunded; nothing was changed")
    );
}

#[test]
fn a_csv_without_rows_has_the_header_of_one_with_rows() {
    let place = stopped();
    let header = |args: &[&str], exit: i32| {
        let mut args = args.to_vec();
        args.extend(["-o", "csv"]);
        let out = place.run(&args).exits(exit).out;
        (
            out.lines().next().unwrap_or_default().to_owned(),
            out.lines().count(),
        )
    };
    let reconcile = ["payment", "reconcile", "--settle", "0"];
    let empty = [
        header(&["dlq", "list"], 0),
        header(&["queue", "peek", DEAD], 0),
        header(&reconcile, 0),
    ];
    assert!(
        empty
            .iter()
            .all(|(header, lines)| header.contains(',') && *lines == 1),
        "{empty:?}"
    );
    assert_eq!(
        header(&["dlq", "list", "--env", "preprod,test"], 0).0,
        format!("env,{}", empty[0].0)
    );
    assert_eq!(
        header(&["payment", "search", "x", "--json", "status,id"], 0).0,
        "status,id"
    );
    add_dead_letter(&place, ["letter".to_owned()]);
    with_ports(&place, "prod", async |ports| {
        ports
            .ledger
            .post(&payops_testkit::sample::transaction(7))
            .await
            .unwrap();
    });
    let full = [
        header(&["dlq", "list"], 0),
        header(&["queue", "peek", DEAD], 0),
        header(&reconcile, 1),
    ];
    assert!(full.iter().all(|(_, lines)| *lines > 1), "{full:?}");
    assert_eq!(
        empty.map(|(header, _)| header),
        full.map(|(header, _)| header)
    );
}

/// Payments of whose charge nobody knows anything, as a lost worker leaves them.
pub(crate) fn in_review(place: &Place, charged: bool) -> String {
    use payops_core::domain::machine::{Command, decide};
    use payops_core::domain::payment::Failure;
    let mut args = vec![
        "payment",
        "create",
        "--amount",
        "12.50",
        "--currency",
        "EUR",
        "--source",
        "tok_poison",
    ];
    args.extend(["--email", "anna@example.com", "-o", "json"]);
    let created = place.run(&args).exits(0).json();
    let id: payops_core::domain::id::PaymentId = created["id"].as_str().unwrap().parse().unwrap();
    // No message of it is left in the queue that could have a worker ask the provider meanwhile.
    eventually("its message is dead", || {
        let payment = place
            .run(&["payment", "get", id.as_str(), "-o", "json"])
            .exits(0)
            .json();
        payment["dead"].is_object().then_some(())
    });
    with_ports(place, "prod", async |ports| {
        if charged {
            let payment = ports.store.get(&id).await.unwrap().unwrap();
            let source = "tok_visa".parse().unwrap();
            let request = payops_core::port::ChargeRequest {
                payment: id.clone(),
                key: format!("{id}:1"),
                money: payment.money,
                source,
            };
            ports
                .provider
                .as_ref()
                .unwrap()
                .charge(&request)
                .await
                .unwrap();
        }
        loop {
            let before = ports.store.get(&id).await.unwrap().unwrap();
            let failure = Failure {
                code: "outcome_unknown".to_owned(),
                message: "no answer".to_owned(),
            };
            let decision = decide(
                &before,
                Command::SendToReview(failure),
                ports.clock.now(),
                &ports.limits,
            )
            .unwrap();
            let expect = payops_core::port::Precondition {
                version: before.version,
                fence: before.fence,
            };
            let change = payops_core::port::Change {
                payment: decision.payment,
                expect,
                events: decision.events,
                outbox: decision.outbox,
                idempotency: None,
                now: ports.clock.now(),
            };
            if ports.store.commit(&change).await.unwrap() == payops_core::port::Committed::Done {
                break;
            }
        }
    });
    id.to_string()
}

#[test]
fn an_operator_resolves_payments_in_review() {
    let place = Place::new();
    let _up = place.up(&[]);
    let resolve = |id: &str, extra: &[&str]| {
        let mut args = vec!["payment", "resolve", id, "-o", "json"];
        args.extend(extra);
        place.run(&args)
    };
    let gone = in_review(&place, false);
    assert!(
        resolve(&gone, &["--as", "not-charged", "--yes"])
            .exits(3)
            .err
            .contains("--reason")
    );
    assert!(
        resolve(&gone, &["--as", "not-charged", "--reason", "ticket 7"])
            .exits(3)
            .err
            .contains("--yes")
    );
    resolve(
        &gone,
        &["--as", "nonsense", "--yes", "--reason", "ticket 7"],
    )
    .exits(2);
    resolve(
        &gone,
        &[
            "--as",
            "not-charged",
            "--charge-id",
            "ch_1",
            "--yes",
            "--reason",
            "ticket 7",
        ],
    )
    .exits(2);
    let none = resolve(&gone, &["--as", "charged", "--yes", "--reason", "ticket 7"]).exits(1);
    assert!(
        none.err.contains("the provider lists no charge for it") && none.err.contains("--force"),
        "{}",
        none.err
    );
    let key = [
        "--as",
        "not-charged",
        "--yes",
        "--reason",
        "ticket 7",
        "--idempotency-key",
        "resolve-1",
    ];
    assert_eq!(resolve(&gone, &key).exits(0).json()["status"], "failed");
    assert_eq!(resolve(&gone, &key).exits(0).json()["replayed"], true);
    assert!(
        resolve(&gone, &["--as", "not-charged", "--yes", "--reason", "x"])
            .exits(1)
            .err
            .contains("the payment is failed")
    );

    let taken = in_review(&place, true);
    let contradicted = resolve(
        &taken,
        &["--as", "not-charged", "--yes", "--reason", "ticket 8"],
    )
    .exits(1);
    assert!(
        contradicted
            .err
            .contains("of 12.50 EUR, so the money was taken"),
        "{}",
        contradicted.err
    );
    assert_eq!(
        resolve(
            &taken,
            &["--as", "charged", "--yes", "--reason", "ticket 8"]
        )
        .exits(0)
        .json()["status"],
        "completed"
    );

    for (id, mail, end) in [
        (&gone, "failure_notice", "failed"),
        (&taken, "receipt", "completed"),
    ] {
        eventually("ledger, index and mail follow", || {
            let timeline = place
                .run(&["payment", "timeline", id, "-o", "json"])
                .exits(0)
                .json();
            let events = timeline["events"].as_array().unwrap();
            let resolved = events
                .iter()
                .find(|event| event["kind"] == "resolved")
                .unwrap();
            assert!(
                resolved["detail"]["reason"]
                    .as_str()
                    .unwrap()
                    .starts_with("ticket "),
                "{resolved}"
            );
            assert!(
                resolved["detail"]["by"].is_string() && resolved["detail"]["basis"] == "provider",
                "{resolved}"
            );
            let count = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
            let posted = count("ledger") == usize::from(end == "completed");
            (count(mail) == 1 && posted && events.iter().any(|event| event["kind"] == "indexed"))
                .then_some(())
        });
        eventually("the index says the same", || {
            let hits = place
                .run(&["payment", "search", &format!("status:{end}"), "-o", "json"])
                .exits(0)
                .json();
            hits.as_array()
                .unwrap()
                .iter()
                .any(|hit| hit["id"] == id.as_str())
                .then_some(())
        });
    }
    let audit = crate::common::read(&place.data_dir().join("audit.jsonl"));
    assert!(
        audit.contains("\"action\":\"payment.resolve\"")
            && audit.contains("\"as\":\"not charged\"")
            && audit.contains("\"as\":\"charged\""),
        "{audit}"
    );
    let report = place
        .run(&["payment", "reconcile", "-o", "json", "--settle", "2"])
        .exits(0)
        .json();
    assert_eq!(
        (
            report["checked"].as_u64(),
            report["breaks"].as_array().unwrap().len()
        ),
        (Some(2), 0),
        "{report}"
    );
}

#[test]
fn breaks_are_found_and_named() {
    let place = stopped();
    let stray = payops_testkit::sample::transaction(7);
    let payment = stray.payment.to_string();
    with_ports(&place, "prod", async |ports| {
        ports.ledger.post(&stray).await.unwrap();
        ports
            .archive
            .put_if_absent("payments/nobody.json", b"{}")
            .await
            .unwrap();
    });
    let report = place
        .run(&["payment", "reconcile", "-o", "json", "--settle", "0"])
        .exits(1)
        .json();
    let found: Vec<(&str, &str, &str)> = report["breaks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| {
            (
                found["payment_id"].as_str().unwrap(),
                found["store"].as_str().unwrap(),
                found["kind"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (payment.as_str(), "ledger", "orphan"),
            ("payments/nobody.json", "archive", "orphan")
        ]
    );
}

#[test]
fn a_replay_that_is_killed_fifty_times_loses_nothing_and_sends_nothing_twice() {
    let place = stopped();
    let args = [
        "dlq", "replay", WORK, "--lanes", "2", "--yes", "--reason", "mended", "-o", "json",
    ];
    let mut letters = 0;
    let mut refill = || {
        with_ports(&place, "prod", async |ports| {
            killing::add_dead_letter(&*ports.queues, letters..letters + 3_000).await;
        });
        letters += 3_000;
    };
    refill();
    let ended = killing::kill(
        (killing::kills(50), 7, 60),
        &place.data_dir().join("replays/prod"),
        || killing::silent(&mut place.command(&args)),
        &mut refill,
    );
    let done = place.run(&args).exits(0);
    assert!(done.err.contains("resuming the replay"), "{}", done.err);
    // What died since is not part of that replay.
    place.run(&args).exits(0);
    let result = place.run(&args).exits(0).json();
    assert_eq!(
        (result["planned"].as_u64(), result["journal"].clone()),
        (Some(0), Value::Null)
    );
    assert_eq!(
        (depth(&place, DEAD), depth(&place, WORK)),
        (0, u64::try_from(letters).unwrap()),
        "{ended} came to their end by themselves"
    );
    let delivered = with_ports(&place, "prod", async |ports| {
        killing::delivered(&*ports.queues).await
    });
    // Here a move is one transaction: nothing comes twice at all.
    killing::check(letters, &delivered, &BTreeSet::new());
}

#[test]
fn an_interrupted_replay_leaves_an_exact_remainder() {
    let place = stopped();
    add_dead_letter(&place, (0..600).map(|number| format!("letter {number}")));
    let args = [
        "dlq", "replay", DEAD, "--yes", "--reason", "mended", "-o", "json",
    ];
    let child = place
        .command(&args)
        // Slow enough to be interrupted, however busy the machine is.
        .args(["--rate", "40"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("the replay is under way", || {
        (depth(&place, WORK) > 20).then_some(())
    });
    let second = place.run(&args).exits(3);
    assert!(second.err.contains("another replay"), "{}", second.err);
    signal(child.id(), "INT");
    let cut: crate::common::Done = child.wait_with_output().unwrap().into();
    let cut = cut.exits(130).json();
    let (sent, remaining) = (
        cut["sent"].as_u64().unwrap(),
        cut["remaining"].as_u64().unwrap(),
    );
    assert!(
        sent > 0 && remaining > 0 && sent + remaining == 600,
        "{cut}"
    );
    assert_eq!(
        (depth(&place, DEAD), depth(&place, WORK)),
        (remaining, sent)
    );
    let done = place.run(&args).exits(0).json();
    assert_eq!(
        (
            done["sent"].as_u64(),
            done["remaining"].as_u64(),
            depth(&place, WORK)
        ),
        (Some(600), Some(0), 600)
    );
}

#[test]
fn a_replay_needs_a_yes_and_a_reason() {
    let place = stopped();
    add_dead_letter(&place, ["letter".to_owned()]);
    place.run(&["dlq", "replay", WORK]).exits(3);
    place.run(&["dlq", "replay", WORK, "--yes"]).exits(3);
    place
        .run(&["dlq", "replay", WORK, "--reason", "x"])
        .exits(3);
    place
        .run(&["dlq", "replay", "nonsense", "--yes", "--reason", "x"])
        .exits(5);
    let dry = place
        .run(&["dlq", "replay", WORK, "--dry-run", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (
            dry["planned"].as_u64(),
            dry["sent"].as_u64(),
            dry["preflight"]["unknown"].as_u64()
        ),
        (Some(1), Some(0), Some(1))
    );
    assert_eq!(depth(&place, DEAD), 1, "nothing was sent");
}

#[test]
fn the_demo_tells_how_it_stands_every_second() {
    let place = Place::new();
    let mut child = place
        .command(&["demo", "--headless", "--traffic", "20", "-o", "ndjson"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(ready["ready"], true);
    let completed = lines.take(60).map_while(Result::ok).any(|line| {
        let summary: Value = serde_json::from_str(&line).unwrap();
        summary["environments"]
            .as_array()
            .unwrap()
            .iter()
            .any(|env| env["completed"].as_u64().unwrap() > 0)
    });
    signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(completed, "payments were completed within a minute");
}
