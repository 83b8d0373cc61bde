//! A real kubectl against the API over HTTP: the conformance test of the server.
//!
//! It needs the path of kubectl in `PAYOPS_LIVE_KUBECTL`; `live/run` sets it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use payops_simulator::{Cluster, Kind, Server, kubeconfig};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::support::{TestClock, canary, rollout};

const DEADLINE: Duration = Duration::from_mins(1);

struct Kubectl {
    path: String,
    home: tempfile::TempDir,
}

impl Kubectl {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        let config = self.home.path().join("config");
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("KUBECONFIG", config)
            .args(arguments)
            .kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let run = self.command(arguments).stdin(Stdio::null()).output();
        tokio::time::timeout(DEADLINE, run)
            .await
            .expect("kubectl does not end")
            .expect("kubectl does not start")
    }

    /// Runs it to a good end with nothing on stderr, and gives its output.
    async fn ok(&self, line: &str) -> String {
        let arguments: Vec<&str> = line.split(' ').collect();
        self.ok_with(&arguments).await
    }

    async fn ok_with(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success() && stderr.is_empty(),
            "kubectl {arguments:?}\n{stdout}\n{stderr}"
        );
        stdout.into_owned()
    }

    /// Runs it to a bad end, and gives what it says on stderr.
    async fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert!(
            !output.status.success(),
            "kubectl {arguments:?} was to fail: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

fn pod(name: &str, owner: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "payments", "labels": {"app": "api", "rollouts-pod-template-hash": "abc"},
            "ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "api", "uid": owner["metadata"]["uid"], "controller": true}],
        },
        "spec": {"containers": [{"name": "app", "image": "api:1"}], "nodeName": "node-1"},
        "status": {"phase": "Running", "podIP": "10.0.0.7", "containerStatuses": [{"name": "app", "ready": true, "restartCount": 3, "image": "api:1"}]},
    })
}

/// Says it past the test harness, which keeps what is printed to itself.
fn say(words: &str) {
    std::io::stderr()
        .write_all(format!("{words}\n").as_bytes())
        .unwrap();
}

async fn served() -> Option<(Kubectl, Cluster, Server)> {
    let Some(path) = std::env::var("PAYOPS_LIVE_KUBECTL")
        .ok()
        .filter(|path| !path.is_empty())
    else {
        say("not run: PAYOPS_LIVE_KUBECTL is unset (start with live/run)");
        return None;
    };
    assert!(
        Path::new(&path).exists(),
        "PAYOPS_LIVE_KUBECTL names no file: {path}"
    );
    let cluster = Cluster::new("test", TestClock::new().clock());
    let mut object = rollout("api", "api:1", &canary());
    object["status"] =
        json!({"replicas": 10, "updatedReplicas": 2, "availableReplicas": 9, "phase": "Paused"});
    let made = cluster.put(object).unwrap();
    for name in ["api-1", "api-2"] {
        cluster.put(pod(name, &made)).unwrap();
    }
    cluster
        .put(json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "api.1", "namespace": "payments"}, "type": "Normal",
            "reason": "RolloutPaused", "message": "Rollout is paused", "count": 1, "source": {"component": "rollouts-controller"},
            "involvedObject": {"kind": "Rollout", "name": "api", "namespace": "payments", "uid": made["metadata"]["uid"]},
            "firstTimestamp": "2026-11-22T06:00:00Z", "lastTimestamp": "2026-11-22T06:00:00Z",
        }))
        .unwrap();
    let server = cluster
        .serve("127.0.0.1:0".parse().unwrap(), "s3cret")
        .await
        .unwrap();
    let home = tempfile::tempdir().unwrap();
    let config = kubeconfig(&[
        ("prod".to_owned(), server.url(), "s3cret".to_owned()),
        ("test".to_owned(), server.url(), "wrong".to_owned()),
    ]);
    std::fs::write(home.path().join("config"), config).unwrap();
    Some((Kubectl { path, home }, cluster, server))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reads() {
    let Some((kubectl, _cluster, _server)) = served().await else {
        return;
    };
    let table = kubectl.ok("get rollouts -A").await;
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0],
        [
            "NAMESPACE",
            "NAME",
            "DESIRED",
            "CURRENT",
            "UP-TO-DATE",
            "AVAILABLE",
            "AGE"
        ],
        "{table}"
    );
    assert_eq!(
        lines[1],
        ["payments", "api", "10", "10", "2", "9", "0s"],
        "{table}"
    );
    let pods = kubectl
        .ok("get pods -l rollouts-pod-template-hash=abc -o wide")
        .await;
    assert!(
        pods.contains("1/1") && pods.contains("10.0.0.7") && pods.contains("node-1"),
        "{pods}"
    );
    assert_eq!(pods.lines().count(), 3, "{pods}");
    assert_eq!(
        kubectl
            .ok("get po -l app -L app --sort-by=.metadata.name -o name")
            .await,
        "pod/api-1\npod/api-2\n"
    );
    assert_eq!(
        kubectl.ok("get ro api -o jsonpath={.status.phase}").await,
        "Paused"
    );
    assert!(
        kubectl
            .ok("get ro api -o yaml")
            .await
            .contains("setWeight: 20")
    );
    let described = kubectl.ok("describe rollout api").await;
    assert!(
        described.contains("Set Weight:  20") && described.contains("RolloutPaused"),
        "{described}"
    );
    assert!(
        kubectl
            .ok("describe pod api-1")
            .await
            .contains("Controlled By:  Rollout/api")
    );
    assert!(
        kubectl
            .ok("api-resources")
            .await
            .contains("clusteranalysistemplates")
    );
    assert!(
        kubectl
            .ok("version")
            .await
            .contains("Server Version: v1.37.0")
    );
    assert!(kubectl.ok("get events").await.contains("rollout/api"));
    assert_eq!(kubectl.ok("get --raw /readyz").await, "ok");
    assert_eq!(kubectl.ok("auth can-i patch rollouts").await, "yes\n");
    assert!(
        kubectl
            .ok("get all")
            .await
            .contains("rollout.argoproj.io/api")
    );
    assert!(kubectl.ok("get ns").await.contains("payments"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_writes() {
    let Some((kubectl, cluster, _server)) = served().await else {
        return;
    };
    let paused = r#"{"spec":{"paused":true}}"#;
    assert_eq!(
        kubectl
            .ok_with(&["patch", "rollout", "api", "--type", "merge", "-p", paused])
            .await,
        "rollout.argoproj.io/api patched\n"
    );
    let abort = r#"{"status":{"abort":true},"spec":{"paused":false}}"#;
    kubectl
        .ok_with(&[
            "patch",
            "rollout",
            "api",
            "--type",
            "merge",
            "--subresource",
            "status",
            "-p",
            abort,
        ])
        .await;
    let object = cluster.get(Kind::Rollout, "payments", "api").unwrap();
    assert_eq!(
        object["spec"]["paused"], true,
        "the status subresource changes the status alone"
    );
    assert_eq!(object["status"]["abort"], true);
    let image = r#"[{"op":"test","path":"/spec/replicas","value":10},{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"api:2"}]"#;
    kubectl
        .ok_with(&["patch", "rollout", "api", "--type", "json", "-p", image])
        .await;
    let object = cluster.get(Kind::Rollout, "payments", "api").unwrap();
    assert_eq!(
        object["spec"]["template"]["spec"]["containers"][0]["image"],
        "api:2"
    );
    assert_eq!(object["metadata"]["generation"], 3);

    let stale = r#"{"metadata":{"resourceVersion":"1"},"spec":{"paused":false}}"#;
    let said = kubectl
        .fails(&["patch", "rollout", "api", "--type", "merge", "-p", stale])
        .await;
    assert!(
        said.contains("Error from server (Conflict)")
            && said.contains("the object has been modified"),
        "{said}"
    );
    let said = kubectl
        .fails(&["patch", "rollout", "api", "-p", paused])
        .await;
    assert!(
        said.contains(
            "application/strategic-merge-patch+json is not supported by \
        argoproj.io/v1alpha1, Kind=Rollout"
        ),
        "{said}"
    );
    let said = kubectl
        .fails(&[
            "patch",
            "analysisrun",
            "none",
            "--type",
            "merge",
            "-p",
            paused,
        ])
        .await;
    assert!(
        said.contains("Error from server (NotFound): analysisruns.argoproj.io \"none\" not found"),
        "{said}"
    );
    let said = kubectl
        .fails(&["--context", "test", "get", "rollouts"])
        .await;
    assert!(
        said.contains("logged in") || said.contains("Unauthorized"),
        "{said}"
    );

    assert!(
        kubectl
            .ok("scale rollout api --replicas=7")
            .await
            .contains("scaled")
    );
    assert_eq!(
        cluster.get(Kind::Rollout, "payments", "api").unwrap()["spec"]["replicas"],
        7
    );
    assert!(
        kubectl
            .ok("annotate rollout api note=x")
            .await
            .contains("annotated")
    );
    assert!(
        kubectl
            .ok("label pod api-1 extra=1")
            .await
            .contains("labeled")
    );
    let file = kubectl.home.path().join("run.yaml");
    std::fs::write(
        &file,
        "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisRun\nmetadata: \
        {name: run}\nspec: {metrics: []}\n",
    )
    .unwrap();
    assert!(
        kubectl
            .ok_with(&["create", "-f", file.to_str().unwrap()])
            .await
            .contains("analysisrun.argoproj.io/run created")
    );
    assert!(
        kubectl
            .ok("delete pod api-1")
            .await
            .contains("\"api-1\" deleted")
    );
    assert_eq!(kubectl.ok("get pods -o name").await, "pod/api-2\n");
    kubectl.ok("delete rollout api").await;
    assert!(
        cluster.list(Kind::Pod, None).1.is_empty(),
        "what a rollout owns goes with it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_watches() {
    let Some((kubectl, cluster, server)) = served().await else {
        return;
    };
    let mut child = kubectl
        .command(&["get", "rollouts", "-w"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = async || {
        tokio::time::timeout(DEADLINE, lines.next_line())
            .await
            .expect("nothing was told")
            .unwrap()
    };
    assert!(line().await.unwrap().starts_with("NAME"));
    assert!(line().await.unwrap().starts_with("api"));
    let mut object = (*cluster.get(Kind::Rollout, "payments", "api").unwrap()).clone();
    object["status"]["updatedReplicas"] = 5.into();
    cluster.put(object).unwrap();
    let words: Vec<String> = line()
        .await
        .unwrap()
        .split_whitespace()
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(words[..5], ["api", "10", "10", "5", "9"]);
    cluster.put(rollout("web", "web:1", &canary())).unwrap();
    assert!(line().await.unwrap().starts_with("web"));
    server.stop().await;
    assert_eq!(line().await, None, "the watch ends with the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_describes_what_the_controller_did() {
    let Some((kubectl, cluster, _server)) = served().await else {
        return;
    };
    payops_simulator::demo::seed(&cluster, "prod").unwrap();
    let described = kubectl
        .ok("describe rollout payments-web -n payments")
        .await;
    assert!(
        described
            .contains("RolloutAborted: Rollout aborted update to revision 3: Step-based analysis"),
        "{described}"
    );
    assert!(
        described.contains("rollouts-controller") && described.contains("TrafficWeightUpdated"),
        "{described}"
    );
    let sets = kubectl
        .ok("get rs -n payments -l app=payments-api -o wide")
        .await;
    assert_eq!(sets.lines().count(), 4, "{sets}");
    let runs = kubectl
        .ok("get analysisruns -n payments -l rollout-type=Step")
        .await;
    assert!(
        runs.contains("Failed") && runs.contains("Successful"),
        "{runs}"
    );
    let pods = kubectl
        .ok("describe pod -n payments -l app=payments-worker")
        .await;
    assert!(pods.contains("ReplicaSet/payments-worker-"), "{pods}");
    let promote = r#"{"status":{"pauseConditions":null}}"#;
    kubectl
        .ok_with(&[
            "patch",
            "rollout",
            "payments-worker",
            "--type",
            "merge",
            "--subresource",
            "status",
            "-p",
            promote,
        ])
        .await;
    let mut controller = payops_simulator::controller::Controller::new(
        cluster.clone(),
        payops_simulator::demo::metrics(),
    );
    controller.settle();
    assert_eq!(
        kubectl
            .ok("get rollout payments-worker -o jsonpath={.status.currentStepIndex}")
            .await,
        "4"
    );
}
