//! Four eyes for refunds: planned by one, approved by another, paid back once, and only as it was
//! approved.
use std::path::{Path, PathBuf};

use payops_core::domain::refund::{RefundFile, RefundPlan};
use serde_json::{Value, json};

use crate::common::{Done, Place, Up, eventually, read};

const RULES: &str = "[[four_eyes]]\nwhat = [\"payment.refund\"]\nwhere = [\"prod\"]\nabove_minor = \
    1000\ncurrency = \"EUR\"\n";

/// A platform with that rule, and a payment of 50.00 EUR that is completed.
fn platform() -> (Place, Up, String) {
    let place = Place::new();
    let up = place.up(&[]);
    std::fs::write(place.data_dir().join("policy.toml"), RULES).expect("written");
    let id = payment(&place);
    (place, up, id)
}

fn payment(place: &Place) -> String {
    let create = [
        "payment",
        "create",
        "--amount",
        "50.00",
        "--currency",
        "EUR",
        "--source",
        "tok_visa",
        "--email",
        "a@example.com",
    ];
    let created = place
        .run(&[&create[..], &["--wait", "-o", "json"]].concat())
        .exits(0)
        .json();
    assert_eq!(created["status"], "completed");
    let id = created["id"].as_str().expect("an id").to_owned();
    // The receipt and the projections change nothing of the payment; its version stands still from
    // here on.
    id
}

fn by(place: &Place, who: &str, args: &[&str]) -> Done {
    place
        .command(args)
        .env("PAYOPS_USER", who)
        .output()
        .expect("started")
        .into()
}

fn plan(place: &Place, id: &str, file: &str) -> PathBuf {
    let args = [
        "payment", "refund", id, "--amount", "20.00", "--reason", "ticket 7", "--out", file,
    ];
    by(place, "anna", &args).exits(0);
    place.work().join(file)
}

fn approve(place: &Place, who: &str, file: &str) -> Done {
    by(
        place,
        who,
        &[
            "payment",
            "approve",
            file,
            "--yes",
            "--reason",
            "looked at it",
        ],
    )
}

fn carry_out(place: &Place, who: &str, file: &str) -> Done {
    by(
        place,
        who,
        &["payment", "refund", "--plan", file, "--yes", "-o", "json"],
    )
}

fn refunds(place: &Place, id: &str) -> Vec<i64> {
    let shown = place
        .run(&["payment", "get", id, "-o", "json"])
        .exits(0)
        .json();
    shown["refunds"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|refund| refund["amount"].as_i64())
        .collect()
}

#[test]
fn above_the_limit_a_second_person_looks_first() {
    let (place, _up, id) = platform();
    let at_once = [
        "payment", "refund", &id, "--amount", "20.00", "--reason", "ticket 7", "--yes",
    ];
    let refused = by(&place, "anna", &at_once).exits(3);
    assert!(
        refused
            .err
            .contains("requires the approval of 1 other person (above 10.00 EUR"),
        "{}",
        refused.err
    );
    assert!(
        refused.err.contains("--out FILE") && refused.err.contains("payops payment approve FILE"),
        "{}",
        refused.err
    );

    plan(&place, &id, "plan.json");
    assert!(
        carry_out(&place, "anna", "plan.json")
            .exits(3)
            .err
            .contains("it has 0")
    );
    let own = approve(&place, "Anna", "plan.json").exits(3);
    assert!(
        own.err
            .contains("you made this plan as anna; someone else must approve it"),
        "{}",
        own.err
    );
    assert!(
        by(
            &place,
            "ben",
            &["payment", "approve", "plan.json", "--reason", "x"]
        )
        .exits(3)
        .err
        .contains("add --yes")
    );
    assert!(refunds(&place, &id).is_empty());

    let approved = approve(&place, "ben", "plan.json").exits(0);
    assert!(
        approved.out.contains("approved by  ben") && approved.err.contains("20.00 EUR"),
        "{}{}",
        approved.out,
        approved.err
    );
    let executor = carry_out(&place, "ben", "plan.json").exits(3);
    assert!(
        executor
            .err
            .contains("your own approval does not count when you carry out the plan"),
        "{}",
        executor.err
    );
    let done = carry_out(&place, "anna", "plan.json").exits(0).json();
    assert_eq!(
        (done["replayed"].as_bool(), refunds(&place, &id)),
        (Some(false), vec![2000])
    );
    let again = carry_out(&place, "anna", "plan.json").exits(0).json();
    assert_eq!(
        (again["replayed"].as_bool(), refunds(&place, &id)),
        (Some(true), vec![2000]),
        "a plan pays back once"
    );

    let record = place
        .run(&["audit", "list", "-o", "json", "--subject", &id])
        .exits(0)
        .json();
    let entry = |action: &str, outcome: &str| {
        let found = record
            .as_array()
            .into_iter()
            .flatten()
            .find(|entry| entry["action"] == action && entry["outcome"] == outcome);
        found.cloned().unwrap_or_default()
    };
    let (approval, refund) = (
        entry("payment.approve", "done"),
        entry("payment.refund", "done"),
    );
    assert_eq!(
        (&approval["who"], &approval["detail"]["amount"]),
        (&json!("ben"), &json!("20.00 EUR"))
    );
    assert_eq!(
        (
            &refund["who"],
            &refund["detail"]["approved_by"],
            &refund["reason"]
        ),
        (&json!("anna"), &json!("ben"), &json!("ticket 7"))
    );
    assert_eq!(
        approval["detail"]["plan_sha256"],
        refund["detail"]["plan_sha256"]
    );
}

#[test]
fn an_approval_that_was_refused_does_not_count() {
    let (place, _up, id) = platform();
    let deny = "[[deny]]\nwho = [\"mallory\"]\nwhat = [\"payment.*\"]\nwhere = [\"prod\"]\n";
    std::fs::write(
        place.data_dir().join("policy.toml"),
        format!("{deny}{RULES}"),
    )
    .expect("written");
    let path = plan(&place, &id, "plan.json");
    let refused = approve(&place, "mallory", "plan.json").exits(3);
    assert!(refused.err.contains("[[deny]] #1"), "{}", refused.err);

    // The refusal is in the record under the plan's hash; the file is made to call it an approval.
    let mut file: RefundFile = serde_json::from_str(&read(&path)).expect("a plan");
    file.approve("mallory", jiff::Timestamp::now());
    std::fs::write(&path, serde_json::to_string(&file).expect("JSON")).expect("written");
    let done = carry_out(&place, "anna", "plan.json").exits(3);
    assert!(done.err.contains("it has 0"), "{}", done.err);
    assert!(done.err.contains("does not count"), "{}", done.err);
    assert_eq!(refunds(&place, &id), [0_i64; 0]);
}

#[test]
fn a_plan_is_carried_out_as_it_was_approved_or_not_at_all() {
    let (place, _up, id) = platform();
    let path = plan(&place, &id, "plan.json");
    approve(&place, "ben", "plan.json").exits(0);
    let whole = read(&path);
    let written = |text: &str| std::fs::write(&path, text).expect("written");

    // Edited, and edited with a hash that fits.
    written(&whole.replace("\"minor\": 2000", "\"minor\": 4000"));
    let edited = carry_out(&place, "anna", "plan.json").exits(3);
    assert!(
        edited.err.contains("the plan was changed") && edited.err.contains("was edited"),
        "{}",
        edited.err
    );
    assert!(
        approve(&place, "carla", "plan.json")
            .exits(3)
            .err
            .contains("the plan was changed")
    );
    let file: RefundFile = serde_json::from_str(&whole).expect("a plan");
    let rewritten = |change: &dyn Fn(&mut RefundPlan), approved: bool| {
        let mut plan = file.plan.clone();
        change(&mut plan);
        let mut other = RefundFile::new(plan);
        if approved {
            other.approve("ben", file.approvals[0].at);
        }
        written(&serde_json::to_string(&other).expect("JSON"));
        carry_out(&place, "anna", "plan.json").exits(3).err
    };
    let forged = rewritten(&|plan| plan.minor = 4000, true);
    assert!(
        forged.contains("the approval by ben is not in the audit record of prod")
            && forged.contains("it has 0"),
        "{forged}"
    );
    let old = rewritten(
        &|plan| plan.at = "2020-01-01T00:00:00Z".parse().expect("a time"),
        false,
    );
    assert!(old.contains("expired after 24 hours; plan again"), "{old}");
    let elsewhere = rewritten(&|plan| plan.env = "test".to_owned(), false);
    assert!(
        elsewhere.contains("this plan is for test, not for prod")
            && elsewhere.contains("--env test"),
        "{elsewhere}"
    );
    let account = rewritten(
        &|plan| plan.account = Some("471122334455".to_owned()),
        false,
    );
    assert!(
        account.contains("this plan is for account 471122334455"),
        "{account}"
    );
    assert!(refunds(&place, &id).is_empty());

    // The payment moves on.
    written(&whole);
    by(
        &place,
        "anna",
        &[
            "payment", "refund", &id, "--amount", "5.00", "--reason", "small", "--yes",
        ],
    )
    .exits(0);
    let moved = carry_out(&place, "anna", "plan.json").exits(3);
    assert!(
        moved
            .err
            .contains("has changed since it was planned: version"),
        "{}",
        moved.err
    );
    assert!(
        approve(&place, "carla", "plan.json")
            .exits(3)
            .err
            .contains("has changed since it was planned")
    );
    eventually("only the small one is paid back", || {
        (refunds(&place, &id) == [500]).then_some(())
    });
}

#[test]
fn what_needs_no_approval_may_be_planned_and_mistakes_are_named() {
    let (place, _up, id) = platform();
    let out = place.work().join("no.json");
    for (args, code, told) in [
        (vec!["payment", "refund"], 2, "required"),
        (
            vec![
                "payment", "refund", &id, "--plan", "p.json", "--amount", "1.00",
            ],
            2,
            "cannot be used with",
        ),
        (
            vec!["payment", "refund", &id, "--out", "no.json", "--yes"],
            2,
            "cannot be used with",
        ),
        (
            vec!["payment", "refund", "--plan", "not-there.json", "--yes"],
            2,
            "cannot read the plan",
        ),
        (
            vec!["payment", "approve", "payops.toml"],
            2,
            "cannot read the plan",
        ),
        (
            vec![
                "payment", "refund", &id, "--out", "no.json", "--amount", "60.00", "--reason", "x",
            ],
            1,
            "cannot be refunded: ",
        ),
        (
            vec![
                "payment", "refund", &id, "--out", "no.json", "--amount", "6.00",
            ],
            3,
            "require a reason",
        ),
    ] {
        let done = by(&place, "anna", &args).exits(code);
        assert!(done.err.contains(told), "{args:?}: {}", done.err);
    }
    assert!(!out.exists());
    place.file("text.json", "not a plan");
    assert!(
        carry_out(&place, "anna", "text.json")
            .exits(2)
            .err
            .contains("text.json is not a plan")
    );
    // Below the limit nobody has to approve; the plan holds all the same.
    let small = [
        "payment",
        "refund",
        &id,
        "--amount",
        "4.00",
        "--reason",
        "small",
        "--out",
        "small.json",
        "-o",
        "json",
    ];
    let planned = by(&place, "anna", &small).exits(0).json();
    assert_eq!(
        (
            &planned["minor"],
            &planned["payment"],
            &planned["approved_by"]
        ),
        (&json!(400), &json!(id), &json!([]))
    );
    assert!(is_private(&place.work().join("small.json")));
    let other = by(
        &place,
        "anna",
        &[
            "payment",
            "refund",
            "--plan",
            "small.json",
            "--yes",
            "--reason",
            "another",
        ],
    )
    .exits(2);
    assert!(
        other.err.contains("the plan already contains the reason"),
        "{}",
        other.err
    );
    assert_eq!(
        carry_out(&place, "ben", "small.json").exits(0).json()["replayed"],
        Value::Bool(false)
    );
    assert_eq!(refunds(&place, &id), [400]);
    eventually("it is paid out, and changes the payment no more", || {
        let shown = place
            .run(&["payment", "get", &id, "-o", "json"])
            .exits(0)
            .json();
        (shown["refunded"] == 400).then_some(())
    });
    // All that is left is an amount of its own in the plan; of nothing there is none.
    let rest = [
        "payment",
        "refund",
        &id,
        "--reason",
        "rest",
        "--out",
        "rest.json",
        "-o",
        "json",
    ];
    assert_eq!(by(&place, "anna", &rest).exits(0).json()["minor"], 4600);
    approve(&place, "ben", "rest.json").exits(0);
    carry_out(&place, "anna", "rest.json").exits(0);
    let nothing = by(&place, "anna", &rest).exits(1);
    assert!(
        nothing.err.contains("cannot be refunded: "),
        "{}",
        nothing.err
    );
}

fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).expect("there").permissions().mode() & 0o777 == 0o600
}

#[test]
fn every_act_says_what_it_is_with_the_aws_cli() {
    let (place, _up, id) = platform();
    let act = |args: &[&str], code: i32, line: &str| {
        let done = by(&place, "anna", args).exits(code);
        assert!(
            done.err.contains(&format!("equivalent: {line}")),
            "{args:?}: {}",
            done.err
        );
    };
    let transaction = "aws dynamodb transact-write-items --transact-items '[{\"Put\":";
    act(
        &[
            "payment", "refund", &id, "--amount", "5.00", "--reason", "ticket 7", "--yes",
        ],
        0,
        transaction,
    );
    act(
        &["payment", "cancel", &id, "--reason", "late", "--yes"],
        1,
        transaction,
    );
    act(
        &["freeze", "set", "--reason", "an incident"],
        0,
        "aws dynamodb put-item --table-name … --item '{\"pk\":",
    );
    act(
        &["freeze", "lift", "--reason", "over"],
        0,
        "aws dynamodb delete-item --table-name … --key '{\"pk\":",
    );
    act(
        &["account", "login", "--reason", "ticket 7"],
        0,
        "aws sts assume-role --role-arn …:role/payops-operate",
    );
    by(
        &place,
        "anna",
        &["dlq", "export", "payments-work", "--reason", "ticket 7"],
    )
    .exits(0);
    plan(&place, &id, "plan.json");
    approve(&place, "ben", "plan.json").exits(0);
    let record = place
        .run(&["audit", "list", "-o", "json", "--limit", "100"])
        .exits(0)
        .json();
    for action in [
        "payment.refund",
        "payment.cancel",
        "freeze.set",
        "freeze.lift",
        "account.login",
        "dlq.export",
        "payment.approve",
    ] {
        let lines: Vec<&Value> = record
            .as_array()
            .into_iter()
            .flatten()
            .filter(|entry| entry["action"] == action)
            .collect();
        let told = |entry: &&Value| {
            entry["same_as"]
                .as_str()
                .is_some_and(|line| line.starts_with("aws "))
        };
        assert!(
            !lines.is_empty() && lines.iter().all(told),
            "{action}: {lines:?}"
        );
    }
}
