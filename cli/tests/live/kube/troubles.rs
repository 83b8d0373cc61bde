//! A controller that stands still, a server that is killed, a rollout that is made anew. These
//! disturb the servers of all tests, so they are put right again whatever happens, and nothing else
//! may run beside them.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Twins, cluster, rollout};
use crate::common::eventually;
use crate::common::stub::Stub;
use crate::common::terminal::Terminal;

/// Does the opposite of a disturbance when it is dropped.
struct Restore<'a> {
    twins: &'a Twins,
    command: &'static str,
}

impl<'a> Restore<'a> {
    fn after(twins: &'a Twins, disturb: &str, command: &'static str) -> Self {
        twins.control(disturb);
        Self { twins, command }
    }
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        let _ = Command::new(&self.twins.cluster.control)
            .arg(self.command)
            .output();
    }
}

fn twins(cluster: super::Cluster) -> Twins {
    let strategy = json!({"canary": {"steps": [
        {"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}},
    ]}});
    let twins = Twins::new(cluster, |name| {
        vec![rollout(name, "shop/web:1", 4, &strategy)]
    });
    twins.settle("Healthy", "");
    twins.set_image(
        "shop/web:2",
        "a new rollout of main=shop/web:2: step 1 of 4 (25 %); then pause",
    );
    twins.settle("Paused", "CanaryPauseStep");
    twins
}

#[test]
fn a_controller_that_stands_still_is_noticed() {
    let Some(cluster) = cluster() else { return };
    let twins = twins(cluster);
    let name = twins.name("o");
    let stopped = Restore::after(&twins, "stop-controller", "continue-controller");
    let written = twins.change(&["promote", &name]).exits(0);
    assert_eq!(
        (&written.json()["outcome"], &written.json()["untaken"]),
        (&json!("written"), &json!("pause conditions"))
    );
    assert!(
        written
            .err
            .contains("written; the controller has not taken it for 5 s (pause conditions)"),
        "{}",
        written.err
    );
    let refused = twins.change(&["promote", &name]).exits(3);
    assert!(
        refused
            .err
            .contains("the controller has not taken the last change (pause conditions)"),
        "{}",
        refused.err
    );
    let insisted = twins
        .change(&["promote", &name, "--force", "--dry-run"])
        .exits(0)
        .json();
    assert!(
        insisted["warnings"]
            .to_string()
            .contains("has not taken the last change"),
        "{insisted:#}"
    );
    let paused = twins.change(&["pause", &name]).exits(0).json();
    assert!(
        paused["untaken"]
            .as_str()
            .is_some_and(|field| field.starts_with("observedGeneration")),
        "{paused:#}"
    );
    drop(stopped);
    eventually("the controller takes it", || {
        let seen = twins.look("o");
        (seen["message"] == "manually paused" && seen["phase"] == "Paused").then_some(())
    });
}

#[test]
fn a_rollout_made_anew_under_its_name_is_another() {
    let Some(cluster) = cluster() else { return };
    let twins = twins(cluster);
    let mut watch = twins
        .command(&[
            "get",
            &twins.name("o"),
            "--watch",
            "--no-pods",
            "-o",
            "ndjson",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(watch.stdout.take().expect("piped"));
    let mut line = String::new();
    lines.read_line(&mut line).expect("read");
    assert!(line.contains("CanaryPauseStep"), "{line}");
    twins.kubectl(&["delete", "rollout", "o"]);
    let strategy = json!({"canary": {"steps": [{"setWeight": 25}, {"pause": {}}]}});
    twins.apply(&rollout("o", "shop/web:1", 4, &strategy));
    let output = watch.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(5), "{}", super::text(&output));
    assert!(
        super::text(&output).contains("no longer exists"),
        "{}",
        super::text(&output)
    );
}

#[test]
fn an_address_where_nobody_is_is_told_in_one_sentence() {
    let Some(cluster) = cluster() else { return };
    let twins = Twins::empty(cluster);
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port();
    let config = std::fs::read_to_string(twins.kubeconfig()).expect("read");
    let server = config
        .lines()
        .find_map(|line| line.trim().strip_prefix("server: "))
        .expect("a server")
        .to_owned();
    let nobody = format!("https://127.0.0.1:{port}");
    let path = twins
        .place
        .file("kubeconfig", config.replace(&server, &nobody));
    let text = std::fs::read_to_string(twins.place.work().join("payops.toml")).expect("read");
    let text = text.replace(&twins.cluster.kubeconfig, path.to_str().expect("UTF-8"));
    twins.place.file("payops.toml", text);
    let sentence =
        format!("cluster real: list rollouts: cannot connect to {nobody}: connection refused");
    let list = twins.payops(&["list"]);
    assert_eq!(list.err.matches(&sentence).count(), 1, "{}", list.err);
    assert!(
        !list.err.contains("client error") && !list.err.contains("caused by"),
        "{}",
        list.err
    );
}

#[test]
fn a_server_that_is_back_is_watched_within_three_seconds() {
    let Some(cluster) = cluster() else { return };
    let twins = twins(cluster);
    let mut watch = twins
        .command(&[
            "get",
            &twins.name("o"),
            "--watch",
            "--no-pods",
            "-o",
            "ndjson",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let (tell, told) = std::sync::mpsc::channel();
    let lines = BufReader::new(watch.stdout.take().expect("piped"));
    std::thread::spawn(move || {
        for line in lines.lines() {
            let Ok(line) = line else { return };
            let _ = tell.send((Instant::now(), line));
        }
    });
    let minute = Duration::from_mins(1);
    told.recv_timeout(minute).expect("a first line");
    let before = twins.rollout("o")["metadata"]["resourceVersion"].clone();
    // A change while the server is away cannot be; the first after it is back is told.
    let killed = Restore::after(&twins, "kill-apiserver", "start-apiserver");
    std::thread::sleep(Duration::from_secs(11));
    drop(killed);
    let back = Instant::now();
    let value = format!("{{\"spec\":{{\"replicas\":{}}}}}", 5);
    twins.kubectl(&["patch", "rollout", "o", "--type", "merge", "-p", &value]);
    let changed = loop {
        let (at, line) = told
            .recv_timeout(minute)
            .expect("a line after the server is back");
        if line.contains("\"replicas\":5") {
            break at;
        }
    };
    let _ = watch.kill();
    let _ = watch.wait();
    let waited = changed.saturating_duration_since(back);
    println!("told {waited:?} after the server was back");
    assert!(waited <= Duration::from_secs(3), "{waited:?}");
    // The new server does not know the place at which the watch was any more: it answers 410.
    let path = format!(
        "/apis/argoproj.io/v1alpha1/rollouts?watch=1&timeoutSeconds=1&resourceVersion={}",
        before.as_str().expect("a version")
    );
    let answer = twins.try_kubectl(&["get", "--raw", &path]);
    assert!(answer.contains("too old resource version"), "{answer}");
    // The controllers come back too, before anything else runs.
    eventually("the controller", || {
        (twins.look("o")["updated"] == 2 || twins.look("o")["available"] == 5).then_some(())
    });
}

#[test]
fn the_screen_and_a_wait_outlive_a_server_that_is_killed() {
    let Some(cluster) = cluster() else { return };
    let twins = twins(cluster);
    let name = twins.name("o");
    let config = twins.place.work().join("payops.toml");
    let text = std::fs::read_to_string(&config).expect("read");
    // Of the rest of an environment only who we are is answered; the clusters are shown all the same.
    let nobody = Stub::new(|_, request| {
        if !request.body.contains("GetCallerIdentity") {
            return (503, Vec::new(), String::new());
        }
        let answer = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
            <GetCallerIdentityResult><Arn>arn:aws:iam::000000000000:user/tester</Arn>\
            <UserId>tester</UserId><Account>000000000000</Account></GetCallerIdentityResult>\
            </GetCallerIdentityResponse>";
        let xml = ("content-type", "text/xml".to_owned());
        (200, vec![xml], answer.to_owned())
    });
    let rest = format!(
        "region = \"eu-west-1\"\naccount_id = \"000000000000\"\nendpoint_url = \"{0}\"\n\
         table = \"none\"\nbucket = \"none\"\nbus = \"none\"\nqueues = {{ prefix = \"none-\" }}\n\
         ledger_url_env = \"LEDGER_URL\"\nopensearch_url = \"{0}\"\nindex = \"none\"",
        nobody.url
    );
    let text = text.replace("region = \"eu-west-1\"", &rest);
    std::fs::write(&config, text).expect("written");
    let mut command = twins.place.command(&["--env", "live"]);
    command
        .env_remove("PAYOPS_DATA_DIR")
        .env("LEDGER_URL", "postgres://nobody:none@127.0.0.1:1/none")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    let mut screen = Terminal::open(command, (30, 140));
    screen.until("the rollouts", |text| !text.trim().is_empty());
    screen.press(":");
    screen.wait("Command");
    screen.press("rollouts\r");
    screen.wait(&twins.namespace);
    screen.wait("waiting for promotion");
    screen.wait("clusters live");
    twins.write_config("admin");
    let mut wait = twins
        .command(&["wait", &name, "--until", "healthy", "--timeout", "5m"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut told = BufReader::new(wait.stderr.take().expect("piped"));
    let mut line = String::new();
    told.read_line(&mut line).expect("read");
    assert!(line.contains("CanaryPauseStep"), "{line}");
    let killed = Restore::after(&twins, "kill-apiserver", "start-apiserver");
    screen.gone("clusters live");
    drop(killed);
    let back = Instant::now();
    screen.wait("clusters live");
    let waited = back.elapsed();
    println!("on the screen {waited:?} after the server was back");
    assert!(waited <= Duration::from_secs(3), "{waited:?}");
    let value = "{\"spec\":{\"paused\":true}}";
    twins.kubectl(&["patch", "rollout", "o", "--type", "merge", "-p", value]);
    screen.wait("paused manually");
    screen.press("q");
    // While the server still starts, a command that does not wait may be refused.
    // Its controllers come back later than it does.
    let until = |message: &str| {
        let limit = Instant::now() + Duration::from_mins(3);
        loop {
            let got = twins.payops(&["get", &name, "-o", "json"]);
            if got.code == 0 && got.json()["message"] == message {
                break;
            }
            assert!(Instant::now() < limit, "{message}: {}{}", got.out, got.err);
        }
    };
    until("manually paused");
    twins.change(&["resume", &name]).exits(0);
    until("CanaryPauseStep");
    twins.change(&["promote", &name, "--full"]).exits(0);
    told.read_to_string(&mut line).expect("read");
    assert!(wait.wait().expect("ended").success(), "{line}");
}
