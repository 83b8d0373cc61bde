//! `payops rollout` on a real cluster with Argo Rollouts, as `live/run` starts it: each action once
//! by Argo's own plugin and once by payops, on twins that must come to the same end. Not run without
//! the variables that `live/run` sets; what is slow is run with `PAYOPS_LIVE_FULL` set.

mod analysis;
mod blue_green;
mod canary;
mod reading;
mod router;
mod templates;
mod troubles;

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::{Command, Output};

use payops_testkit::fresh_salt;
use serde_json::{Value, json};

use crate::common::{Done, Place, eventually};

const REASON: &str = "compared with the plugin";

struct Cluster {
    kubeconfig: String,
    kubectl: String,
    plugin: String,
    control: String,
}

fn cluster() -> Option<Cluster> {
    let get = |name: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        if value.is_none() {
            println!("not run: {name} is unset (start with live/run)");
        }
        value
    };
    Some(Cluster {
        kubeconfig: get("PAYOPS_LIVE_KUBECONFIG")?,
        kubectl: get("PAYOPS_LIVE_KUBECTL")?,
        plugin: get("PAYOPS_LIVE_KUBE_PLUGIN")?,
        control: get("PAYOPS_LIVE_KUBE_CONTROL")?,
    })
}

/// Whether what takes long is run too.
fn is_full() -> bool {
    let full = std::env::var("PAYOPS_LIVE_FULL").is_ok_and(|value| !value.is_empty());
    if !full {
        println!("not run: PAYOPS_LIVE_FULL is unset (set it for the slow ones)");
    }
    full
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A namespace with twins in it: `p`, which the plugin acts on, and `o`, which payops acts on.
struct Twins {
    cluster: Cluster,
    namespace: String,
    place: Place,
    /// What payops did and planned since its twin was last at rest.
    acts: RefCell<Vec<(String, String)>>,
}

/// The names of the twins: the plugin's and payops'.
const TWINS: [&str; 2] = ["p", "o"];

impl Twins {
    /// A namespace of its own; `manifests` are the objects of a twin of that name.
    fn new(cluster: Cluster, manifests: impl Fn(&str) -> Vec<Value>) -> Self {
        let twins = Self::empty(cluster);
        for name in TWINS {
            for manifest in manifests(name) {
                twins.apply(&manifest);
            }
        }
        twins
    }

    fn empty(cluster: Cluster) -> Self {
        let twins = Self {
            namespace: format!("twins-{:x}", fresh_salt()),
            place: Place::new(),
            acts: RefCell::default(),
            cluster,
        };
        twins.kubectl_at_all(&["create", "namespace", &twins.namespace]);
        twins.write_config("admin");
        twins
    }

    fn write_config(&self, context: &str) {
        let file = format!(
            "[environments.live]\nkind = \"aws\"\nregion = \"eu-west-1\"\n\n\
             [[environments.live.clusters]]\nname = \"real\"\ncontext = \"{context}\"\n\
             kubeconfig = \"{}\"\nnamespaces = [\"{}\"]\n",
            self.cluster.kubeconfig, self.namespace
        );
        self.place.file("payops.toml", file);
    }

    #[track_caller]
    fn kubectl_at_all(&self, args: &[&str]) -> String {
        let output = Command::new(&self.cluster.kubectl)
            .args(["--kubeconfig", &self.cluster.kubeconfig])
            .args(args)
            .output()
            .expect("kubectl");
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    #[track_caller]
    fn kubectl(&self, args: &[&str]) -> String {
        self.kubectl_at_all(&[&["-n", &self.namespace], args].concat())
    }

    /// What kubectl says, whether it succeeds or not.
    fn try_kubectl(&self, args: &[&str]) -> String {
        let output = Command::new(&self.cluster.kubectl)
            .args(["--kubeconfig", &self.cluster.kubeconfig])
            .args(args)
            .output()
            .expect("kubectl");
        text(&output)
    }

    #[track_caller]
    fn apply(&self, manifest: &Value) {
        let path = self.place.file("manifest.json", manifest.to_string());
        self.kubectl(&["apply", "-f", path.to_str().expect("UTF-8")]);
    }

    #[track_caller]
    fn get(&self, kinds: &str) -> Vec<Value> {
        let list: Value =
            serde_json::from_str(&self.kubectl(&["get", kinds, "-o", "json"])).expect("JSON");
        list["items"].as_array().expect("items").clone()
    }

    fn rollout(&self, name: &str) -> Value {
        let text = self.kubectl(&["get", "rollout", name, "-o", "json"]);
        serde_json::from_str(&text).expect("JSON")
    }

    #[track_caller]
    fn plugin(&self, args: &[&str]) -> String {
        let output = Command::new(&self.cluster.plugin)
            .args(["--kubeconfig", &self.cluster.kubeconfig])
            .args(["-n", &self.namespace])
            .args(args)
            .output()
            .expect("the plugin");
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(&["rollout"]);
        command
            .args(args)
            .args(["--env", "live"])
            .env_remove("PAYOPS_DATA_DIR");
        command
    }

    /// `payops rollout …` that looks.
    fn payops(&self, args: &[&str]) -> Done {
        self.command(args).output().expect("payops").into()
    }

    /// `payops rollout …` that changes something.
    fn change(&self, args: &[&str]) -> Done {
        let consent = ["--yes", "--reason", REASON, "-o", "json"];
        let all = [args, consent.as_slice()].concat();
        self.payops(&all)
    }

    fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.namespace)
    }

    fn look(&self, name: &str) -> Value {
        let name = self.name(name);
        self.payops(&["get", &name, "-o", "json"]).exits(0).json()
    }

    /// Does one thing to each twin: by the plugin with `plugin`, whose `NAME` is the rollout, and by
    /// payops with `payops`, whose plan must say `after`.
    #[track_caller]
    fn act(&self, plugin: &[&str], payops: &[&str], after: &str) {
        let words: Vec<&str> = plugin
            .iter()
            .map(|word| if *word == "NAME" { TWINS[0] } else { *word })
            .collect();
        self.plugin(&words);
        self.act_alone(payops, after);
    }

    /// The same by payops alone, on its twin.
    #[track_caller]
    fn act_alone(&self, payops: &[&str], after: &str) {
        let name = self.name(TWINS[1]);
        let words: Vec<&str> = payops
            .iter()
            .map(|word| {
                if *word == "NAME" {
                    name.as_str()
                } else {
                    *word
                }
            })
            .collect();
        let report = self.change(&words).exits(0).json();
        assert_eq!(report["after"], after, "{report:#}");
        assert_eq!(report["outcome"], "done", "{report:#}");
        let options = payops.iter().filter(|word| word.starts_with("--"));
        let act: Vec<&str> = std::iter::once(&payops[0])
            .chain(options)
            .copied()
            .collect();
        self.acts
            .borrow_mut()
            .push((act.join(" "), after.to_owned()));
    }

    /// Prints a row of the table in docs/testing.md for each act that ended in `states`.
    fn tell_acts(&self, states: &[Value; 2]) {
        let canary = &self.rollout(TWINS[1])["spec"]["strategy"]["canary"];
        let strategy = match (canary.is_object(), canary["trafficRouting"].is_object()) {
            (true, true) => "canary, router",
            (true, false) => "canary",
            (false, _) => "blue-green",
        };
        let [theirs, ours] = states.clone().map(|state| end(&state));
        for (act, plan) in self.acts.take() {
            println!("\nrow | {act} | {strategy} | {plan} | {theirs} | {ours} |");
        }
    }

    #[track_caller]
    fn set_image(&self, image: &str, after: &str) {
        let pair = format!("main={image}");
        self.act(
            &["set", "image", "NAME", &pair],
            &["set-image", "NAME", &pair],
            after,
        );
    }

    /// Waits until both twins are at `phase` with `message` (its beginning) and equal in all that
    /// does not name them, and gives payops' view of its own.
    #[track_caller]
    fn settle(&self, phase: &str, message: &str) -> Value {
        let what = format!("{phase} {message} on both twins, and equal");
        let mut last = [Value::Null, Value::Null];
        let start = std::time::Instant::now();
        let settled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(&what, || {
                last = self.states();
                let there = last.iter().all(|state| {
                    state["phase"] == phase
                        && state["message"]
                            .as_str()
                            .is_some_and(|told| told.starts_with(message))
                });
                (there && last[0] == last[1]).then_some(())
            });
        }));
        assert!(
            settled.is_ok(),
            "{what}: after {:?}\nplugin's {:#}\npayops' {:#}",
            start.elapsed(),
            last[0],
            last[1]
        );
        self.tell_acts(&last);
        let mut seen = self.look(TWINS[1]);
        assert_eq!(seen["phase"], phase, "{seen:#}");
        let agrees = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self.check_plugin_agrees(&seen);
        }));
        if agrees.is_err() {
            // The last pods may have gone between the two looks.
            seen = self.look(TWINS[1]);
            self.check_plugin_agrees(&seen);
        }
        seen
    }

    /// What payops shows of its twin is what the plugin shows of it.
    #[track_caller]
    fn check_plugin_agrees(&self, seen: &Value) {
        let shown = self.plugin(&["get", "rollout", TWINS[1], "--no-color"]);
        let field = |name: &str| {
            let line = shown.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                (key.trim() == name).then(|| value.trim().to_owned())
            });
            line.unwrap_or_default()
        };
        let phase = seen["phase"].as_str().expect("a phase");
        assert!(field("Status").ends_with(phase), "{shown}\n{seen:#}");
        assert_eq!(
            field("Message"),
            seen["message"].as_str().expect("a message")
        );
        let max = self.rollout(TWINS[1])["spec"]["strategy"]["canary"]["trafficRouting"]
            ["maxTrafficWeight"]
            .as_f64()
            .unwrap_or(100.0);
        for (theirs, ours) in [
            ("SetWeight", "weight_desired"),
            ("ActualWeight", "weight_observed"),
        ] {
            let Ok(weight) = field(theirs).parse::<f64>() else {
                continue;
            };
            let share = seen[ours].as_f64().expect("a weight");
            assert!(
                // The plugin rounds down to whole weights.
                (share - weight * 100.0 / max).abs() < 100.0 / max,
                "{theirs} {weight} of {max}, {ours} {share}"
            );
        }
    }

    /// How the twins stand, without what names them: hashes are the images of their templates.
    fn states(&self) -> [Value; 2] {
        let objects = self.get("rollouts,replicasets,services");
        TWINS.map(|name| state(name, &objects))
    }

    #[track_caller]
    fn control(&self, command: &str) {
        let output = Command::new(&self.cluster.control)
            .arg(command)
            .output()
            .expect("the control program");
        assert!(output.status.success(), "{command}: {}", text(&output));
    }

    fn kubeconfig(&self) -> PathBuf {
        PathBuf::from(&self.cluster.kubeconfig)
    }
}

impl Drop for Twins {
    fn drop(&mut self) {
        let _ = Command::new(&self.cluster.kubectl)
            .args(["--kubeconfig", &self.cluster.kubeconfig])
            .args(["delete", "namespace", &self.namespace, "--wait=false"])
            .output();
    }
}

fn state(name: &str, objects: &[Value]) -> Value {
    let of_kind = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
    let rollout = of_kind("Rollout")
        .find(|object| object["metadata"]["name"] == name)
        .cloned()
        .unwrap_or_default();
    let sets: Vec<&Value> = of_kind("ReplicaSet")
        .filter(|set| set["metadata"]["ownerReferences"][0]["uid"] == rollout["metadata"]["uid"])
        .collect();
    let image = |template: &Value| template["spec"]["containers"][0]["image"].clone();
    let version = |hash: &Value| {
        sets.iter()
            .find(|set| set["metadata"]["labels"]["rollouts-pod-template-hash"] == *hash)
            .map_or(Value::Null, |set| image(&set["spec"]["template"]))
    };
    let mut message = rollout["status"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    for set in &sets {
        let full = set["metadata"]["name"].as_str().expect("a name");
        message = message.replace(full, "SET");
    }
    let status = &rollout["status"];
    let reasons: Vec<&Value> = status["pauseConditions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|pause| &pause["reason"])
        .collect();
    let mut versions: Vec<Value> = sets
        .iter()
        .map(|set| {
            json!({
                "image": image(&set["spec"]["template"]),
                "revision": set["metadata"]["annotations"]["rollout.argoproj.io/revision"],
                "replicas": set["spec"]["replicas"],
                "available": set["status"]["availableReplicas"],
                "stands": set["metadata"]["annotations"]["scale-down-deadline"].is_string(),
            })
        })
        .collect();
    versions.sort_by_key(|version| version["revision"].to_string());
    let services: Vec<Value> = of_kind("Service")
        .filter(|service| {
            let service = service["metadata"]["name"].as_str().unwrap_or_default();
            service == name || service.strip_suffix("-preview") == Some(name)
        })
        .map(|service| version(&service["spec"]["selector"]["rollouts-pod-template-hash"]))
        .collect();
    let truth = |value: &Value| value.as_bool().unwrap_or(false);
    json!({
        "phase": status["phase"],
        "message": message,
        "step": status["currentStepIndex"],
        "abort": truth(&status["abort"]),
        "full": truth(&status["promoteFull"]),
        "paused": truth(&rollout["spec"]["paused"]),
        "controllerPause": truth(&status["controllerPause"]),
        "pauses": reasons,
        "restarted": status["restartedAt"].is_string(),
        "replicas": [
            status["replicas"], status["updatedReplicas"], status["readyReplicas"],
            status["availableReplicas"],
        ],
        "weight": status["canary"]["weights"]["canary"]["weight"],
        "current": version(&status["currentPodHash"]),
        "stable": version(&status["stableRS"]),
        "image": image(&rollout["spec"]["template"]),
        "versions": versions,
        "services": services,
    })
}

/// Where a twin came to rest, in a few words.
fn end(state: &Value) -> String {
    let text = |field: &str| state[field].as_str().unwrap_or_default().to_owned();
    let message = text("message");
    let message = message.split(':').next().unwrap_or_default();
    let step = state["step"]
        .as_u64()
        .map_or_else(String::new, |step| format!(", step {step}"));
    let tag = |field: &str| {
        text(field)
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    format!(
        "{} {message}{step}, newest {}, stable {}",
        text("phase"),
        tag("current"),
        tag("stable")
    )
    .replace(" ,", ",")
}

/// A rollout of `image` with that strategy.
fn rollout(name: &str, image: &str, replicas: u32, strategy: &Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": template(name, image), "strategy": strategy,
        },
    })
}

fn template(name: &str, image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": image}]},
    })
}

fn service(name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": [{"port": 80}]},
    })
}
