//! Messages that were made to do harm: they harm neither the terminal, the log, the memory nor
//! whoever's data is in them.
use std::io::Read as _;
use std::process::Command;

use payops_core::domain::bus::WORK;
use payops_core::port::Outgoing;

use crate::common::embedded::{add_dead_letters_in, depth, stopped, with_ports};
use crate::common::hostile::{harm, letters};
use crate::common::{Done, Place, eventually, read};

/// The most address space that a command gets, in KiB: not enough for what a bomb would unpack to.
const MEMORY_KIB: u32 = 1_000_000;

fn run(place: &Place, args: &[&str]) -> Done {
    let payops = place.command(args);
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("ulimit -v {MEMORY_KIB} && exec \"$0\" \"$@\""))
        .arg(payops.get_program())
        .args(payops.get_args());
    command.env_clear().envs(
        payops
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command
        .current_dir(payops.get_current_dir().unwrap())
        .output()
        .unwrap()
        .into()
}

#[track_caller]
fn tame(place: &Place, args: &[&str]) -> Done {
    let done = run(place, args).exits(0);
    for (name, text) in [("stdout", &done.out), ("stderr", &done.err)] {
        let bad = harm(text);
        assert_eq!(bad, None, "{args:?}: {name}\n{text:.2000}");
        assert!(
            text.len() < 3_000_000,
            "{args:?}: {} bytes on {name}",
            text.len()
        );
    }
    done
}

#[test]
fn whatever_a_letter_holds_it_is_shown_tame() {
    let place = stopped();
    let hostile = letters();
    let number = hostile.len();
    add_dead_letters_in(&place, "prod", hostile);
    for format in ["table", "wide", "json", "yaml", "csv", "ndjson"] {
        for args in [["dlq", "list"], ["dlq", "causes"]] {
            tame(&place, &[&args[..], &["-o", format]].concat());
        }
    }
    let listed = tame(&place, &["dlq", "list", "-o", "json"]).json();
    assert_eq!(listed.as_array().unwrap().len(), number);
    for letter in listed.as_array().unwrap() {
        let id = letter["message_id"].as_str().unwrap();
        for format in ["table", "json", "yaml"] {
            tame(&place, &["dlq", "show", id, "-o", format]);
        }
    }
    tame(&place, &["dlq", "peek", WORK]);
    tame(
        &place,
        &["dlq", "list", "--filter", "payload.email == 'anna'"],
    );
    assert_eq!(
        tame(&place, &["dlq", "export", WORK]).out.lines().count(),
        number
    );
    tame(
        &place,
        &["dlq", "plan", WORK, "--out", "plan.json", "--reason", "x"],
    );
    assert_eq!(harm(&read(&place.work().join("plan.json"))), None);
    // They can be got rid of, and are kept for their owner alone.
    tame(
        &place,
        &[
            "dlq", "discard", WORK, "--all", "--yes", "--reason", "hostile",
        ],
    );
    assert_eq!(depth(&place, "payments-work-dlq"), 0);
    tame(&place, &["audit", "list"]);
    assert_eq!(harm(&read(&place.data_dir().join("audit.jsonl"))), None);
}

#[test]
fn a_worker_that_meets_them_says_nothing_harmful_and_works_on() {
    let place = stopped();
    let hostile = letters();
    let number = hostile.len();
    with_ports(&place, "prod", async |ports| {
        for (body, _) in hostile {
            ports
                .queues
                .send(
                    WORK,
                    Outgoing {
                        body,
                        ..Outgoing::default()
                    },
                )
                .await
                .unwrap();
        }
    });
    let mut up = place.up(&[]);
    let mut said = up.stderr();
    eventually("all of them are dead", || {
        (depth(&place, "payments-work-dlq") == u64::try_from(number).unwrap()).then_some(())
    });
    let create = [
        "payment",
        "create",
        "--amount",
        "7.00",
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
    tame(&place, &["dlq", "list"]);
    assert_eq!(up.stop(), 0);
    let mut text = String::new();
    said.read_to_string(&mut text).unwrap();
    assert_eq!(harm(&text), None, "stderr of the platform");
    for entry in std::fs::read_dir(place.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|ending| ending == "log" || ending == "jsonl")
        {
            assert_eq!(harm(&read(&path)), None, "{}", path.display());
        }
    }
}
