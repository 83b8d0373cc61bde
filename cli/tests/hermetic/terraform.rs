//! What Terraform's accounts put out is what payops reads; and what the runbooks say can be done.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::accounts::{aws, identity, later, session};
use crate::common::stub::Stub;
use crate::common::{Place, eventually};
use crate::kubeconfig::Served;
use crate::offline::commands_of;
use crate::platform::in_review;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn outputs(account: &str) -> (PathBuf, Value) {
    let path = root().join(format!("terraform/accounts/{account}/outputs.json"));
    let text = std::fs::read_to_string(&path).unwrap();
    (path, serde_json::from_str(&text).unwrap())
}

/// Each output of `payops` is a setting, and the settings are enough to open the environment.
#[test]
fn each_workload_account_is_imported_and_opened() {
    for account in ["test", "preprod", "prod"] {
        let (path, told) = outputs(account);
        let payops = &told["payops"]["value"];
        let id = payops["account_id"].as_str().unwrap().to_owned();
        let for_roles = id.clone();
        let stub = aws(move |_| session(&for_roles, later(60)));
        let place = Place::new();
        let done = place
            .run(&[
                "config",
                "import",
                path.to_str().unwrap(),
                "--yes",
                "-o",
                "json",
            ])
            .exits(0);
        let imported = done.json();
        assert_eq!(
            imported["ignored"],
            match account {
                "test" =>
                    serde_json::json!(["alarms", "names", "payops.protected, which is false"]),
                _ => serde_json::json!(["alarms", "names"]),
            },
            "nothing of payops is unknown"
        );
        let settings: BTreeMap<&str, &str> = imported["settings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|setting| {
                let name = setting["name"].as_str().unwrap();
                let name = name.strip_prefix(&format!("environments.{account}."));
                (name.unwrap(), setting["value"].as_str().unwrap())
            })
            .collect();
        for (member, setting) in [
            ("account_id", "account_id"),
            ("region", "region"),
            ("table", "table"),
            ("bucket", "bucket"),
            ("bus", "bus"),
            ("audit_bus", "audit_bus"),
            ("queue_prefix", "queues.prefix"),
            ("ledger_url_secret", "ledger_url_secret"),
            ("opensearch_url", "opensearch_url"),
            ("index", "index"),
            ("api_url", "api_url"),
            ("from_address", "from_address"),
        ] {
            let told = payops[member]
                .as_str()
                .unwrap_or_else(|| panic!("no {member}"));
            assert_eq!(Some(told), settings.get(setting).copied(), "{member}");
        }
        for (role, setting) in [
            ("view", "roles.view.arn"),
            ("operate", "roles.operate.arn"),
            ("break_glass", "roles.break-glass.arn"),
        ] {
            let told = payops["roles"][role].as_str().unwrap();
            assert_eq!(Some(told), settings.get(setting).copied(), "{role}");
        }
        let file = place.work().join("payops.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let kind = "kind = \"aws\"\n";
        assert_eq!(text.matches(kind).count(), 1, "{text}");
        let at_stub = format!("{kind}endpoint_url = \"{}\"\n", stub.url);
        std::fs::write(&file, text.replace(kind, &at_stub)).unwrap();
        // The second opens all ports.
        for command in [["freeze", "status"], ["queue", "list"]] {
            let done: crate::common::Done = place
                .command(&[command[0], command[1], "--env", account])
                .env_remove("PAYOPS_DATA_DIR")
                .env("AWS_ACCESS_KEY_ID", "BASE")
                .env("AWS_SECRET_ACCESS_KEY", "test")
                .output()
                .unwrap()
                .into();
            done.exits(0);
        }
        let assumed = stub.requests().into_iter().find_map(|request| {
            let form = request
                .body
                .split('&')
                .find(|part| part.starts_with("RoleArn="))?;
            Some(form.replace("%3A", ":").replace("%2F", "/"))
        });
        let role = payops["roles"]["view"].as_str().unwrap();
        assert_eq!(assumed, Some(format!("RoleArn={role}")));
        let table = payops["table"].as_str().unwrap();
        assert!(
            stub.requests()
                .iter()
                .any(|request| { request.body.contains(&format!("\"TableName\":\"{table}\"")) }),
            "{:?}",
            stub.requests()
        );
    }
}

/// The management account has a cluster, a role for emergencies, and nothing else: it is imported,
/// and its rollouts are seen with the credentials that one comes with.
#[test]
fn the_management_account_is_an_environment_of_clusters() {
    let (path, told) = outputs("management");
    let payops = &told["payops"]["value"];
    let cluster = &payops["clusters"][0];
    let (name, eks) = (cluster["name"].as_str(), cluster["eks"].as_str().unwrap());
    let place = Place::new();
    let imported = place
        .run(&[
            "config",
            "import",
            path.to_str().unwrap(),
            "--yes",
            "-o",
            "json",
        ])
        .exits(0)
        .json();
    assert_eq!(imported["ignored"], serde_json::json!(["alarms", "names"]));
    let diff = imported["diff"].to_string();
    assert!(diff.contains(name.unwrap()) && diff.contains(eks), "{diff}");

    let served = Served::new("test");
    let (account, endpoint) = (payops["account_id"].as_str().unwrap(), served.server.url());
    let (account, described) = (account.to_owned(), format!("/clusters/{eks}"));
    let who = format!("arn:aws:iam::{account}:user/tester");
    let stub = Stub::new(move |_, request| {
        if request.body.contains("Action=GetCallerIdentity") {
            return identity(&account, &who);
        }
        assert!(request.head.contains(&described), "{}", request.head);
        let cluster = serde_json::json!({"cluster": {
            "endpoint": endpoint, "certificateAuthority": {}, "status": "ACTIVE",
        }});
        let json = vec![("content-type", "application/json".to_owned())];
        (200, json, cluster.to_string())
    });
    let file = place.work().join("payops.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let kind = "kind = \"aws\"\n";
    let at_stub = format!("{kind}endpoint_url = \"{}\"\n", stub.url);
    std::fs::write(&file, text.replace(kind, &at_stub)).unwrap();
    let run = |args: &[&str]| -> crate::common::Done {
        let mut command = place.command(args);
        command
            .env_remove("PAYOPS_DATA_DIR")
            .env("AWS_ACCESS_KEY_ID", "BASE")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command.output().unwrap().into()
    };
    run(&["freeze", "status"]).exits(0);
    assert_eq!(stub.requests().len(), 0, "the freeze is kept here");
    let rows = run(&["rollout", "list", "-o", "json"]).exits(0).json();
    let row = &rows.as_array().unwrap()[0];
    assert_eq!(
        (row["env"].as_str(), row["cluster"].as_str()),
        (Some("management"), name),
        "{rows}"
    );
    let refused = run(&["queue", "list"]).exits(2);
    assert!(
        refused.err.contains("management has no queues")
            && refused
                .err
                .contains("add queues to [environments.management]"),
        "{}",
        refused.err
    );
    let checks = run(&["doctor", "-o", "json"]).exits(0).json();
    let state = |check: &str| {
        let rows = checks.as_array().unwrap().iter();
        let mut rows = rows.filter(|row| row["check"] == check);
        rows.next().map(|row| row["state"].clone())
    };
    assert_eq!(state("clusters"), Some("ok".into()), "{checks}");
    assert_eq!(state("queues"), Some("not_set_up".into()), "{checks}");
}

/// The commands of all runbooks.
fn runbook_commands() -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("docs/runbooks")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        found.extend(commands_of(&text));
    }
    found
}

/// On a platform with payments, of which one is dead and one in review, and with rollouts under way:
/// reading commands answer, and writing ones say what they would do.
#[test]
fn the_commands_of_the_runbooks_work_on_a_platform() {
    let place = Place::new();
    let _up = place.up(&[]);
    let mut ids = BTreeMap::from([("prod", in_review(&place, true))]);
    for env in ["prod", "preprod", "test"] {
        let create = |source: &str, key: &str| {
            let args = [
                "-o",
                "json",
                "payment",
                "create",
                "--env",
                env,
                "--amount",
                "20.00",
                "--currency",
                "EUR",
                "--source",
                source,
                "--email",
                "rosa@example.com",
                "--reference",
                "RUN-1",
                "--idempotency-key",
                key,
            ];
            place.run(&args).exits(0).json()
        };
        let paid = create("tok_visa", "runbook-1");
        ids.entry(env)
            .or_insert_with(|| paid["id"].as_str().unwrap().to_owned());
        create("tok_poison", "runbook-2");
    }
    let mut message = String::new();
    eventually("a dead letter in each environment", || {
        let list = place.run(&["dlq", "list", "--env", "prod,preprod,test", "-o", "json"]);
        let rows: Value = serde_json::from_str(&list.out).ok()?;
        let rows = rows.as_array()?;
        let prod = rows.iter().find(|row| row["env"] == "prod")?;
        prod["message_id"].as_str()?.clone_into(&mut message);
        (rows.len() >= 3).then_some(())
    });
    let rollout = |args: &[&str]| {
        let mut all = vec!["rollout"];
        all.extend(args);
        all.extend(["--env", "prod", "--reason", "as the runbook says", "--yes"]);
        place.run(&all).exits(0);
    };
    rollout(&[
        "set-image",
        "notifier",
        "*=registry.example/payops/notifier:0.1.213",
    ]);
    let (mut reads, mut writes, mut failed) = (0, 0, Vec::new());
    // A retry needs what an abort leaves, and the others what there is before it.
    let (retries, others): (Vec<_>, Vec<_>) = runbook_commands()
        .into_iter()
        .partition(|command| command.iter().any(|word| word == "retry"));
    for (aborted, commands) in [(false, others), (true, retries)] {
        if aborted {
            rollout(&["abort", "payments-api"]);
        }
        for command in commands {
            let env = ["preprod", "test"]
                .into_iter()
                .find(|env| command.iter().any(|word| word == env))
                .unwrap_or("prod");
            let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
            for word in &mut words {
                // What people put in the place of these words.
                *word = match *word {
                    "ID" => &ids[env],
                    "MESSAGE" => &message,
                    "NAME" => "payments-api",
                    "REFERENCE" => "RUN-1",
                    "TEXT" => "as the runbook says",
                    other => other,
                };
            }
            let mut help = words.clone();
            help.push("--help");
            let help = place.run(&help).exits(0).out;
            let mut usage = help.lines();
            let usage = usage.find(|line| line.starts_with("Usage: ")).unwrap();
            if words.len() == 2 && usage.contains('<') {
                // Mentioned by its name alone.
                continue;
            }
            if help.contains("--dry-run") {
                writes += 1;
                if !words.contains(&"--dry-run") {
                    words.push("--dry-run");
                }
            } else {
                reads += 1;
            }
            let done = place.run(&words);
            if done.code != 0 {
                let command = words.join(" ");
                failed.push(format!(
                    "payops {command}: exit {}: {}",
                    done.code, done.err
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(
        reads > 20 && writes > 10,
        "only {reads} reading and {writes} writing commands"
    );
}
