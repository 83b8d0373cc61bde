//! A cluster with a controller whose time the test moves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use payops_simulator::controller::{Controller, MetricSource};
use payops_simulator::{Cluster, Key, Kind};
use serde_json::{Value, json};

use super::{ROLLOUTS, TestClock, merge, rollout};

/// What each metric answers from now on; `0.1` when nothing is said.
type Values = Arc<Mutex<HashMap<String, String>>>;

/// What happens at the next measurement, once.
type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

pub struct Play {
    pub cluster: Cluster,
    pub clock: TestClock,
    pub controller: Controller,
    values: Values,
    on_measure: Hook,
}

impl Play {
    pub fn new() -> Self {
        let (clock, values) = (TestClock::new(), Values::default());
        let cluster = Cluster::new("test", clock.clock());
        let on_measure = Hook::default();
        let (known, hook) = (Arc::clone(&values), Arc::clone(&on_measure));
        let source: MetricSource = Arc::new(move |query| {
            if let Some(hook) = hook.lock().unwrap().take() {
                hook();
            }
            known
                .lock()
                .unwrap()
                .get(query.metric)
                .cloned()
                .unwrap_or_else(|| "[0.1]".to_owned())
        });
        let controller = Controller::new(cluster.clone(), source);
        cluster.put(template("fast", &json!({"name": "p95", "interval": "5s", "count": 3, "failureLimit": 1, "successCondition": "result[0] < 0.35", "failureCondition": "result[0] >= 0.5"}))).unwrap();
        cluster.put(template("endless", &json!({"name": "errors", "interval": "5s", "successCondition": "result[0] < 0.35"}))).unwrap();
        Self {
            cluster,
            clock,
            controller,
            values,
            on_measure,
        }
    }

    pub fn measure(&self, metric: &str, value: &str) {
        self.values
            .lock()
            .unwrap()
            .insert(metric.to_owned(), value.to_owned());
    }

    pub fn on_measure(&self, hook: impl FnOnce() + Send + 'static) {
        *self.on_measure.lock().unwrap() = Some(Box::new(hook));
    }

    pub fn pass(&mut self, seconds: i64) {
        self.controller.settle();
        for _ in 0..seconds {
            self.clock.advance(1);
            self.controller.settle();
        }
    }

    /// Lets time pass until the status says so, for ten minutes at most; gives the rollout.
    #[track_caller]
    pub fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..600 {
            self.controller.settle();
            if holds(&self.get()) {
                return self.get();
            }
            self.clock.advance(1);
        }
        panic!("never {what}: {:#}", self.get()["status"]);
    }

    #[track_caller]
    pub fn until_phase(&mut self, phase: &str) -> Value {
        self.until(phase, |rollout| rollout["status"]["phase"] == phase)
    }

    /// Puts a rollout named `api` with that strategy and brings its first version up.
    pub fn healthy(strategy: &Value) -> Self {
        let mut play = Self::new();
        play.cluster.put(rollout("api", "api:1", strategy)).unwrap();
        play.until_phase("Healthy");
        play
    }

    pub fn updating(strategy: &Value) -> Self {
        let mut play = Self::healthy(strategy);
        play.set_image("api:2");
        play.controller.settle();
        play
    }

    pub fn get(&self) -> Value {
        (*self.cluster.get(Kind::Rollout, "payments", "api").unwrap()).clone()
    }

    pub fn status(&self) -> Value {
        self.get()["status"].clone()
    }

    pub fn set_image(&self, image: &str) {
        let mut object = self.get();
        object["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
        self.cluster.put(object).unwrap();
    }

    pub async fn patch(&mut self, body: Value) {
        let path = format!(
            "{ROLLOUTS}/api{}",
            if body.get("status").is_some() {
                "/status"
            } else {
                ""
            }
        );
        assert_eq!(merge(&self.cluster, &path, body).await.0, 200);
        self.controller.settle();
    }

    pub fn all(&self, kind: Kind) -> Vec<Value> {
        self.cluster
            .list(kind, Some("payments"))
            .1
            .iter()
            .map(|object| (**object).clone())
            .collect()
    }

    /// Pods by image that are not on their way out.
    pub fn pods(&self, image: &str) -> usize {
        let mine = |pod: &&Value| {
            pod["spec"]["containers"][0]["image"] == image
                && pod["metadata"]["deletionTimestamp"].is_null()
        };
        self.all(Kind::Pod).iter().filter(mine).count()
    }

    #[track_caller]
    pub fn run(&self, ending: &str) -> Value {
        let runs = self.all(Kind::AnalysisRun);
        let found = runs
            .iter()
            .find(|run| run["metadata"]["name"].as_str().unwrap().ends_with(ending));
        found
            .unwrap_or_else(|| panic!("no run ends with {ending}: {runs:#?}"))
            .clone()
    }

    /// What the events say, oldest first.
    pub fn told(&self, reason: &str) -> Vec<String> {
        let events = self.all(Kind::Event);
        let said = events.iter().filter(|event| event["reason"] == reason);
        said.map(|event| event["message"].as_str().unwrap().to_owned())
            .collect()
    }

    pub fn remove_pod(&self, name: &str) {
        self.cluster
            .remove_object(&Key::new(Kind::Pod, "payments", name));
    }
}

fn template(name: &str, metric: &Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": name, "namespace": "payments"},
        "spec": {"metrics": [metric]},
    })
}

pub fn analysis(name: &str) -> Value {
    json!({"analysis": {"templates": [{"templateName": name}]}})
}
