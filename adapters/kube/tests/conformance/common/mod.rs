//! The same scenarios on a real cluster and on the simulator. What `KubeRollouts` reads of the
//! rollout is recorded change by change, without times and without numbers of pods on their way;
//! where it comes to rest, its versions and weights are recorded too.
//!
//! `recorded/NAME.txt` is what a real cluster did: the live test writes it with
//! `UPDATE_CONFORMANCE=1` and holds it again without, and the hermetic test holds the simulator to
//! it. A line that begins with `?` is a state that lasts so briefly that not every run shows it.

pub(crate) mod scenarios;
pub(crate) mod sequence;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use payops_core::Timestamp;
use payops_core::domain::rollout::{ImageChange, Role, Rollout, RolloutAction, RolloutKey, plan};
use payops_core::port::{
    Depth, Executed, RolloutActions as _, RolloutWatch, Rollouts as _, Watched,
};
use payops_kube::KubeRollouts;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use scenarios::{Act, NAME, Scenario};

/// For how long nothing may change before a rollout is taken to be at rest. Shorter than the time
/// for which pods stand after a switch.
const QUIET: Duration = Duration::from_secs(3);
/// Longest wait for an act to come to its end.
const LIMIT: Duration = Duration::from_mins(2);

/// Messages that say which pods are waited for. Which of them come, and in which order, depends on
/// how fast pods are, so that of states that differ in nothing else only the first is recorded.
const WAITS_FOR_PODS: [&str; 3] = [
    "more replicas need to be updated",
    "updated replicas are still becoming available",
    "old replicas are pending termination",
];

/// A line without the message that says which pods are waited for.
fn without_wait(line: &str) -> String {
    WAITS_FOR_PODS
        .iter()
        .fold(line.to_owned(), |line, wait| line.replacen(wait, "pods", 1))
}

/// A cluster that scenarios run on.
#[async_trait]
pub(crate) trait Ground: Sync {
    fn rollouts(&self) -> &KubeRollouts;
    fn now(&self) -> Timestamp;
    /// Where metrics are asked for.
    fn metrics(&self) -> String;
    async fn create(&self, namespace: &str, objects: Vec<Value>);
    async fn scale(&self, namespace: &str, replicas: u32);
}

/// Numbers the versions of a rollout in the order in which they were newest.
#[derive(Default)]
struct Versions(BTreeMap<String, usize>);

impl Versions {
    fn name(&mut self, hash: &str) -> String {
        if hash.is_empty() {
            return "none".to_owned();
        }
        let next = self.0.len() + 1;
        format!("v{}", self.0.entry(hash.to_owned()).or_insert(next))
    }

    /// One line for how a rollout stands.
    fn line(&mut self, rollout: &Rollout) -> String {
        let (phase, message) = rollout.phase();
        let newest = self.name(&rollout.current_hash);
        let message = match rollout.current_hash.as_str() {
            "" => message.to_owned(),
            hash => message.replace(hash, &newest),
        };
        let mut line = format!("{} | {message}", phase.as_str());
        if !rollout.steps().is_empty() {
            let index = rollout
                .step_index
                .map_or_else(|| "none".to_owned(), |index| index.to_string());
            let _ = write!(line, " | step {index} of {}", rollout.steps().len());
        }
        if rollout.blue_green().is_none() {
            let set = rollout
                .weights()
                .map_or_else(|| "none".to_owned(), |weights| weights.set.to_string());
            let _ = write!(line, " | set {set}");
        }
        for pause in &rollout.pauses {
            let _ = write!(line, " | pause {}", pause.reason);
        }
        for (flag, name) in [
            (rollout.spec_paused, "paused by hand"),
            (rollout.aborted, "aborted"),
            (rollout.promoting_full, "promoted in full"),
            (rollout.restarted_at.is_some(), "restarted"),
        ] {
            if flag {
                let _ = write!(line, " | {name}");
            }
        }
        for (kind, run) in [
            ("step", &rollout.step_analysis),
            ("background", &rollout.background_analysis),
        ] {
            if let Some(run) = run {
                let _ = write!(line, " | {kind} analysis {}", run.phase.as_str());
            }
        }
        let _ = write!(
            line,
            " | newest {newest}, stable {}",
            self.name(&rollout.stable_hash)
        );
        if let Some(blue_green) = rollout.blue_green() {
            let _ = write!(
                line,
                ", active {}, preview {}",
                self.name(&blue_green.active_hash),
                self.name(&blue_green.preview_hash)
            );
        }
        line
    }
}

struct Player<'a> {
    ground: &'a dyn Ground,
    key: RolloutKey,
    watch: RolloutWatch,
    versions: Versions,
    lines: Vec<String>,
    /// How the rollout was last seen.
    last: String,
}

/// Runs a scenario in `namespace`. Gives what was seen, or why it does not come to its end.
pub(crate) async fn play(
    scenario: &Scenario,
    ground: &dyn Ground,
    namespace: &str,
) -> Result<Vec<String>, String> {
    let mut player = Player {
        ground,
        key: RolloutKey {
            namespace: namespace.to_owned(),
            name: NAME.to_owned(),
        },
        watch: ground.rollouts().watch(),
        versions: Versions::default(),
        lines: Vec::new(),
        last: String::new(),
    };
    while !matches!(player.watch.next().await, Some(Watched::All(_))) {}
    for (act, phase, message) in scenario.acts {
        player.lines.push(format!("# {act:?}"));
        if *act == Act::Create {
            let objects = scenario.objects(&ground.metrics());
            ground.create(namespace, objects).await;
        } else {
            player.act(*act).await?;
        }
        player.follow(*act, phase, message).await?;
        player.tell_rest().await?;
    }
    Ok(player.lines)
}

impl Player<'_> {
    async fn get(&self) -> Rollout {
        let got = self.ground.rollouts().get(&self.key).await;
        got.expect("an answer").expect("a rollout")
    }

    async fn act(&self, act: Act) -> Result<(), String> {
        let action = match act {
            Act::Create => return Ok(()),
            Act::Scale(replicas) => {
                self.ground.scale(&self.key.namespace, replicas).await;
                return Ok(());
            }
            Act::SetImage(image) => RolloutAction::SetImage(vec![ImageChange {
                container: "main".to_owned(),
                image: image.to_owned(),
            }]),
            Act::Promote => RolloutAction::Promote,
            Act::PromoteFull => RolloutAction::PromoteFull,
            Act::Abort => RolloutAction::Abort,
            Act::Retry => RolloutAction::Retry,
            Act::Pause => RolloutAction::Pause,
            Act::Resume => RolloutAction::Resume,
            Act::Restart => RolloutAction::Restart {
                at: self.ground.now(),
            },
            Act::Undo => RolloutAction::Undo { revision: None },
        };
        let rollouts = self.ground.rollouts();
        // The status may move between the look and the act: then it is looked at again.
        for _ in 0..10 {
            let rollout = self.get().await;
            let related = rollouts
                .related(&rollout, Depth::Runs)
                .await
                .expect("an answer");
            let plan = plan(action.clone(), &rollout, Some(&related));
            let plan = plan.map_err(|why| self.fail(&format!("{act:?}: {why}")))?;
            match rollouts.execute(&plan).await.expect("an answer") {
                Executed::Done(_) => return Ok(()),
                Executed::Moved(_) => {}
                other => return Err(self.fail(&format!("{act:?}: {other:?}"))),
            }
        }
        Err(self.fail(&format!("{act:?}: it moves again and again")))
    }

    fn fail(&self, why: &str) -> String {
        format!("{why}, after:\n{}", self.lines.join("\n"))
    }

    /// Records each change until the rollout is at rest at `phase` with `message`.
    async fn follow(&mut self, act: Act, phase: &str, message: &str) -> Result<(), String> {
        let (mut rested, mut until) = (false, Instant::now() + LIMIT);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let told = match timeout(left, self.watch.next()).await {
                Ok(told) => told.expect("no end"),
                Err(_) if rested => return Ok(()),
                Err(_) => {
                    let why = format!("{act:?} does not come to {phase} {message}");
                    return Err(self.fail(&why));
                }
            };
            let seen: Vec<Rollout> = match told {
                Watched::Changed(rollout) => vec![*rollout],
                Watched::All(all) => all,
                Watched::Gone(_) | Watched::Cut { .. } => continue,
            };
            for rollout in seen.iter().filter(|rollout| rollout.key == self.key) {
                let line = self.versions.line(rollout);
                if line == self.last {
                    continue;
                }
                let is_repeated = without_wait(&line) == without_wait(&self.last);
                let (is_phase, told) = rollout.phase();
                rested = is_phase.as_str() == phase
                    && told.starts_with(message)
                    && (act != Act::Restart || rollout.restarted_at.is_some())
                    && rollout.untaken().is_none();
                until = Instant::now() + if rested { QUIET } else { LIMIT };
                if !is_repeated {
                    self.lines.push(line.clone());
                }
                self.last = line;
            }
        }
    }

    /// Records weights and versions once they do not change any more.
    async fn tell_rest(&mut self) -> Result<(), String> {
        let (mut last, begun) = (Vec::new(), Instant::now());
        let mut since = begun;
        loop {
            let now = self.describe_rest().await;
            if now != last {
                (last, since) = (now, Instant::now());
            } else if since.elapsed() >= QUIET {
                break;
            }
            if begun.elapsed() >= LIMIT {
                return Err(self.fail(&format!("no rest: {last:#?}")));
            }
            // Not a wait for an event: that nothing happens takes time to see.
            let _ = timeout(QUIET / 6, std::future::pending::<()>()).await;
        }
        self.lines.append(&mut last);
        Ok(())
    }

    async fn describe_rest(&mut self) -> Vec<String> {
        let rollout = self.get().await;
        let related = self.ground.rollouts().related(&rollout, Depth::Runs).await;
        let related = related.expect("an answer");
        let observed = rollout.weights().and_then(|weights| weights.observed);
        let mut out = vec![format!(
            "= observed {}",
            observed.map_or_else(|| "none".to_owned(), |weight| weight.to_string())
        )];
        let sets = related.replica_sets.iter().map(|set| {
            let stands = if set.scale_down_at.is_some() {
                ", to be scaled down"
            } else {
                ""
            };
            format!(
                "= {} revision {} ({}): {} of {} available{stands}",
                self.versions.name(&set.hash),
                set.revision.unwrap_or_default(),
                Role::list(&set.roles(&rollout)),
                set.available,
                set.desired,
            )
        });
        out.extend(sets);
        let mut runs: Vec<String> = related
            .analysis_runs
            .iter()
            .map(|run| {
                let message = run.message.as_str();
                format!("= {:?} analysis {} {message}", run.kind, run.phase.as_str())
            })
            .collect();
        runs.sort();
        out.extend(runs.into_iter().map(|run| run.trim_end().to_owned()));
        out
    }
}

pub(crate) fn path(scenario: &Scenario) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/recorded");
    folder.join(format!("{}.txt", scenario.name))
}

/// What a real cluster did.
pub(crate) fn recorded(scenario: &Scenario) -> String {
    let path = path(scenario);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
