//! Clusters without a platform behind them: a context of the kubeconfig without any `payops.toml`,
//! environments of clusters alone, and environments that lack other parts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use payops_simulator::demo::seed;
use payops_simulator::{Cluster, Server, kubeconfig};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::accounts::aws;
use crate::common::{Done, Place};

/// A cluster with the rollouts of an environment of the demo, served while it is there.
pub(crate) struct Served {
    cluster: Cluster,
    pub(crate) server: Server,
    _runtime: Runtime,
}

impl Served {
    pub(crate) fn new(env: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let cluster = Cluster::new(env, Arc::new(Timestamp::now));
        seed(&cluster, env).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = runtime.block_on(cluster.serve(address, "")).unwrap();
        Self {
            cluster,
            server,
            _runtime: runtime,
        }
    }

    /// A kubeconfig in which it has these names; the first is the current context.
    fn kubeconfig(&self, place: &Place, file: &str, contexts: &[&str]) -> PathBuf {
        let context = |name: &&str| ((*name).to_owned(), self.server.url(), "none".to_owned());
        let contexts: Vec<_> = contexts.iter().map(context).collect();
        place.file(file, kubeconfig(&contexts))
    }
}

/// The command on a machine with these kubeconfigs, where nobody says where any data is.
fn run_with(place: &Place, files: &str, args: &[&str]) -> Done {
    let mut command = place.command(args);
    command
        .env_remove("PAYOPS_DATA_DIR")
        .env("KUBECONFIG", files);
    command.output().unwrap().into()
}

fn envs(rows: &Value) -> Vec<&str> {
    let mut envs: Vec<&str> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["env"].as_str().unwrap())
        .collect();
    envs.dedup();
    envs
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_kubeconfig_is_all_that_rollouts_need() {
    let (place, prod) = (Place::new(), Served::new("prod"));
    let first = prod.kubeconfig(
        &place,
        "first",
        &["kind-lab", "arn:aws:eks:x:1:cluster/two"],
    );
    let test = Served::new("test");
    let second = test.kubeconfig(&place, "second", &["kind-test"]);
    let files = format!("{}:/not/there:{}", text(&first), text(&second));

    let list = ["rollout", "list", "-o", "json"];
    let rows = run_with(&place, &files, &list).exits(0).json();
    assert_eq!(envs(&rows), ["kind-lab"]);
    let names: Vec<&Value> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["name"])
        .collect();
    assert!(names.contains(&&json!("payments-worker")), "{names:?}");
    let other = [list.as_slice(), &["--context", "kind-test"]].concat();
    let rows = run_with(&place, &files, &other).exits(0).json();
    assert_eq!(envs(&rows), ["kind-test"]);

    // `~/.kube/config`, without the variable.
    std::fs::create_dir(place.home().join(".kube")).unwrap();
    std::fs::copy(&second, place.home().join(".kube/config")).unwrap();
    let rows = run_with(&place, "", &list).exits(0).json();
    assert_eq!(envs(&rows), ["kind-test"]);
}

#[test]
fn a_rollout_is_promoted_and_the_record_kept_without_any_file() {
    let (place, prod) = (Place::new(), Served::new("prod"));
    let file = prod.kubeconfig(&place, "config", &["lab", "arn:aws:eks:x:1:cluster/prod"]);
    let run = |args: &[&str]| run_with(&place, text(&file), args);
    let promote = ["rollout", "promote", "payments-worker", "-o", "json"];
    let planned = run(&[promote.as_slice(), &["--dry-run"]].concat()).exits(0);
    let kept = "freeze and audit record of lab are kept on this machine: it has no table";
    assert!(planned.err.contains(kept), "{}", planned.err);
    assert_eq!(planned.json()["note"], kept);
    let done = run(&[promote.as_slice(), &["--yes"]].concat()).exits(0);
    assert!(done.err.contains(kept), "{}", done.err);
    // No controller runs there, and payops says so.
    assert_eq!(done.json()["outcome"], "written");
    let record = run(&["audit", "list", "-o", "json"]).exits(0).json();
    let last = &record.as_array().unwrap()[0];
    assert_eq!(
        (&last["env"], &last["action"]),
        (&json!("lab"), &json!("rollout.promote")),
        "{record}"
    );

    // A context that is called prod is protected, and its name may hold what a file's may not.
    let prod = ["--context", "arn:aws:eks:x:1:cluster/prod"];
    let abort = ["rollout", "abort", "payments-api", "--yes"];
    let refused = run(&[abort.as_slice(), &prod].concat()).exits(3);
    assert!(refused.err.contains("require a reason"), "{}", refused.err);
    let freeze = ["freeze", "set", "--yes", "--reason", "incident 12"];
    run(&[freeze.as_slice(), &prod].concat()).exits(0);
    let promote = [
        "rollout",
        "promote",
        "payments-api",
        "--yes",
        "--reason",
        "x",
    ];
    let frozen = run(&[promote.as_slice(), &prod].concat()).exits(3);
    assert!(frozen.err.contains("frozen"), "{}", frozen.err);
    run(&["freeze", "status"]).exits(0);
    run(&["rollout", "pause", "payments-api", "--yes"]).exits(0);
}

#[test]
fn what_one_may_not_do_is_refused_with_the_right_that_is_missing() {
    let (place, prod) = (Place::new(), Served::new("prod"));
    let file = prod.kubeconfig(&place, "config", &["lab"]);
    let run = |args: &[&str]| run_with(&place, text(&file), args);
    prod.cluster.faults().deny("patch", "rollouts/status");
    for verb in ["promote", "abort"] {
        let refused = run(&["rollout", verb, "payments-worker", "--yes"]).exits(3);
        let denial = "you may not patch rollouts.argoproj.io/status in namespace payments";
        assert!(refused.err.contains(denial), "{}", refused.err);
    }
    assert_eq!(prod.cluster.faults().count("patch", "rollouts/status"), 0);
    run(&["rollout", "pause", "payments-worker", "--yes"]).exits(0);
}

#[test]
fn what_is_wrong_with_a_context_is_one_sentence() {
    let (place, test) = (Place::new(), Served::new("test"));
    let file = test.kubeconfig(&place, "config", &["one", "two"]);
    let list = ["rollout", "list"];
    let fails = |files: &str, args: &[&str], told: &[&str]| {
        let done = run_with(&place, files, args).exits(2);
        for told in told {
            assert!(done.err.contains(told), "{args:?}: {}", done.err);
        }
        done
    };
    let with = |more: &[&'static str]| [list.as_slice(), more].concat();
    fails(
        text(&file),
        &with(&["--context", "thre"]),
        &["context thre not found in", "contexts are one, two"],
    );
    fails(
        "/not/there",
        &with(&["--context", "one"]),
        &["context one not found in /not/there"],
    );
    fails(
        text(&file),
        &with(&["--context", "one", "--env", "prod"]),
        &["--context one names a cluster and --env prod another environment"],
    );
    fails(
        text(&file),
        &["local", "status", "--context", "one"],
        &["--context names a cluster"],
    );
    let secret = "users: [{name: a, user: {token: hunter2\nclusters: ]";
    let broken = place.file("broken", secret);
    for args in [with(&[]), with(&["--context", "one"])] {
        let done = fails(
            text(&broken),
            &args,
            &["broken is not valid: it is not a kubeconfig"],
        );
        assert!(!done.err.contains("hunter2"), "{}", done.err);
        assert_eq!(done.err.matches("kubeconfig").count(), 1, "{}", done.err);
    }
    let none = place.file("none", kubeconfig_without_current(&file));
    fails(
        text(&none),
        &list,
        &["no current context", "name one with --context: one, two"],
    );
    // What needs no cluster is not held up by any of that.
    run_with(&place, text(&broken), &["config", "explain"]).exits(0);
    // What a context does not have is said, with what would give it one.
    for (args, told) in [
        (&["queue", "list"] as &[&str], "one has no queues"),
        (&["dlq", "list"], "one has no queues"),
        (&["payment", "search", "x"], "one has no "),
        (&["payment", "reconcile"], "one has no payments"),
        (
            &[
                "payment",
                "create",
                "--amount",
                "1.00",
                "--currency",
                "EUR",
                "--source",
                "tok_visa",
                "--email",
                "a@example.com",
            ],
            "one has no payments API",
        ),
        (&["index", "rebuild", "--yes"], "one has no search index"),
    ] {
        fails(text(&file), args, &[told, "payops.toml"]);
    }
}

fn kubeconfig_without_current(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("current-context"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn embedded_environments_stay_first_where_somebody_says_where_their_data_is() {
    let (place, test) = (Place::new(), Served::new("test"));
    let file = test.kubeconfig(&place, "config", &["lab", "prod"]);
    let explained = |data_dir: &[&str]| -> String {
        let args = [&["config", "explain", "-o", "json"], data_dir].concat();
        let rows = run_with(&place, text(&file), &args).exits(0).json();
        let row = |row: &&Value| row["name"] == "env";
        let row = rows.as_array().unwrap().iter().find(row).unwrap();
        row["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(explained(&[]), "lab");
    assert_eq!(explained(&["--data-dir", "/tmp/x"]), "prod");

    // The context is one more: also where the data directory is the default one, and runs.
    let share = place.work().join("share");
    std::fs::create_dir(&share).unwrap();
    std::os::unix::fs::symlink(place.data_dir(), share.join("payops")).unwrap();
    let _up = place.up(&[]);
    let listed = |args: &[&str]| {
        let mut command = place.command(&[&["rollout", "list", "-o", "json"], args].concat());
        command
            .env_remove("PAYOPS_DATA_DIR")
            .env("XDG_DATA_HOME", &share)
            .env("KUBECONFIG", &file);
        let done: Done = command.output().unwrap().into();
        let rows = done.exits(0).json();
        let envs: std::collections::BTreeSet<String> =
            envs(&rows).into_iter().map(str::to_owned).collect();
        Vec::from_iter(envs)
    };
    assert_eq!(listed(&[]), ["lab", "preprod", "prod", "test"]);
    assert_eq!(listed(&["--context", "lab"]), ["lab"]);
    assert_eq!(listed(&["--env", "prod"]), ["prod"]);
    // A context of the same name is another environment.
    assert_eq!(listed(&["--context", "prod"]), ["context:prod"]);
}

#[test]
fn a_file_that_declares_environments_comes_before_the_kubeconfig() {
    let (place, test) = (Place::new(), Served::new("test"));
    let file = test.kubeconfig(&place, "config", &["lab", "two"]);
    place.file(
        "payops.toml",
        "[environments.live]\nkind = \"kubernetes\"\nclusters = [{ name = \"eu\", context = \"lab\" }]\n",
    );
    let rows = run_with(&place, text(&file), &["rollout", "list", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(envs(&rows), ["live"]);
    for (context, hint) in [
        ("lab", "context lab is a cluster of live: use --env live"),
        ("two", "name one of its environments with --env: live"),
    ] {
        let args = ["rollout", "list", "--context", context];
        let refused = run_with(&place, text(&file), &args).exits(2);
        assert!(refused.err.contains(hint), "{}", refused.err);
    }
}

/// Each part of an environment in AWS stands alone, and `doctor` tells what is not there from what
/// fails.
#[test]
fn doctor_tells_what_is_not_set_up_from_what_failed() {
    let (place, served) = (Place::new(), Served::new("test"));
    let file = served.kubeconfig(&place, "config", &["lab"]);
    let stub = aws(|_| panic!("no role is assumed"));
    let aws = format!(
        "kind = \"aws\"\nregion = \"eu-west-1\"\naccount_id = \"111111111111\"\nendpoint_url = \"{}\"\n",
        stub.url
    );
    let config = format!(
        "[environments.clusters]\nkind = \"kubernetes\"\nclusters = [{{ name = \"eu\", context = \"lab\" }}]\n\
         [environments.rollouts]\nkind = \"aws\"\nclusters = [{{ name = \"eu\", context = \"lab\" }}]\n\
         [environments.queues]\n{aws}queues = {{ prefix = \"p-\" }}\n\
         [environments.payments]\n{aws}table = \"t\"\nqueues = false\n\
         [environments.away]\nkind = \"kubernetes\"\nclusters = [{{ name = \"eu\", context = \"gone\" }}]\n"
    );
    place.file("payops.toml", config);
    let run = |args: &[&str]| -> Done {
        let mut command = place.command(args);
        command
            .env_remove("PAYOPS_DATA_DIR")
            .env("KUBECONFIG", &file)
            .env("AWS_ACCESS_KEY_ID", "BASE")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command.output().unwrap().into()
    };
    let states = |env: &str, code: i32| -> Vec<(String, String)> {
        let rows = run(&["doctor", "--env", env, "-o", "json"])
            .exits(code)
            .json();
        let rows = rows.as_array().unwrap();
        for row in rows {
            assert_eq!(row["ok"], json!(row["state"] != "failed"), "{row}");
        }
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        rows.iter()
            .map(|row| (word(&row["check"]), word(&row["state"])))
            .collect()
    };
    let state = |states: &[(String, String)], check: &str| {
        let found = states.iter().find(|(name, _)| name == check);
        found.map_or_else(|| format!("{check} is missing"), |(_, state)| state.clone())
    };
    for env in ["clusters", "rollouts"] {
        let found = states(env, 0);
        assert_eq!(state(&found, "clusters"), "ok");
        for part in [
            "payments",
            "queues",
            "archive",
            "bus",
            "ledger",
            "search index",
        ] {
            assert_eq!(state(&found, part), "not_set_up", "{part}");
        }
        assert_eq!(state(&found, "freeze"), "ok");
        run(&["rollout", "list", "--env", env]).exits(0);
        let refused = run(&["queue", "list", "--env", env]).exits(2);
        assert!(
            refused.err.contains(&format!("{env} has no queues"))
                && refused.err.contains("account_id and queues"),
            "{}",
            refused.err
        );
    }
    assert_eq!(stub.requests().len(), 0, "no account was asked");
    let found = states("payments", 0);
    assert_eq!(state(&found, "table t"), "ok");
    assert_eq!(
        (state(&found, "queues"), state(&found, "clusters")),
        ("not_set_up".to_owned(), "not_set_up".to_owned())
    );
    let refused = run(&["rollout", "list", "--env", "payments"]).exits(2);
    assert!(
        refused.err.contains("payments has no clusters")
            && refused
                .err
                .contains("add clusters to [environments.payments] in payops.toml"),
        "{}",
        refused.err
    );
    let refused = run(&[
        "payment",
        "get",
        "pay_01M826PCK86RKZ7CCBSAJ1HKE5",
        "--env",
        "queues",
    ]);
    let refused = refused.exits(2);
    assert!(
        refused
            .err
            .contains("add table to [environments.queues] in payops.toml"),
        "{}",
        refused.err
    );
    let found = states("away", 1);
    assert_eq!(state(&found, "clusters"), "failed");
    let table = run(&["doctor", "--env", "clusters"]).exits(0);
    assert!(
        table.out.contains("STATE") && table.out.contains("not set up"),
        "{}",
        table.out
    );
}
