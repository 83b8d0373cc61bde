//! The rollout that consumes a queue: whether it fails, and whether it is mid-canary.

use std::sync::Arc;
use std::time::Duration;

use payops_core::domain::bus::{NOTIFICATIONS, PROJECTIONS, WORK};
use payops_core::domain::replay::ReplayPlan;
use payops_core::domain::rollout::{Phase, Rollout, RolloutKey};
use tokio::time::timeout;

use crate::environment::{EnvConfig, Part};
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// Who consumes a queue when payops.toml does not say: queue, namespace, rollout.
const DEFAULT_CONSUMERS: [(&str, &str, &str); 3] = [
    (WORK, "payments", "payments-worker"),
    (PROJECTIONS, "search", "search-indexer"),
    (NOTIFICATIONS, "notifications", "notifier"),
];
/// How long a plan waits for the clusters: it only warns.
const PLAN_WAIT: Duration = Duration::from_secs(5);

struct Consumer {
    key: RolloutKey,
    /// Whether payops.toml names it.
    is_configured: bool,
}

fn find_consumer(session: &Session, queue: &str) -> Option<Consumer> {
    let config = session.operator.settings.config();
    let configured = config
        .and_then(|config| config.environments.get(session.name()))
        .and_then(EnvConfig::consumers)
        .and_then(|consumers| consumers.get(queue));
    if let Some(rollout) = configured {
        return Some(Consumer {
            key: rollout.0.clone(),
            is_configured: true,
        });
    }
    let default = DEFAULT_CONSUMERS.iter().find(|(of, ..)| *of == queue);
    default.map(|(_, namespace, name)| Consumer {
        key: RolloutKey {
            namespace: (*namespace).to_owned(),
            name: (*name).to_owned(),
        },
        is_configured: false,
    })
}

fn has_clusters(session: &Session) -> bool {
    session.env.missing(Part::Clusters).is_none()
}

/// The consumer as each cluster that has it shows it.
async fn read_rollouts(session: &Session, consumer: &Consumer) -> OpsResult<Vec<Rollout>> {
    let mut rollouts = Vec::new();
    for cluster in Box::pin(session.clusters()).await? {
        let found = cluster.get(&consumer.key).await.map_err(|error| {
            let (name, key) = (cluster.cluster(), &consumer.key);
            OpsError::port(format!("cannot read {key} in cluster {name}"), error)
        })?;
        rollouts.extend(found);
    }
    Ok(rollouts)
}

fn not_found(session: &Session, consumer: &Consumer, queue: &str) -> String {
    format!(
        "rollout {} not found, so the consumer of {queue} is not checked; name it in \
            [environments.{}.consumers] of payops.toml",
        consumer.key,
        session.name()
    )
}

/// What to beware of before messages are sent to `queue`: a consumer that is mid-canary, or that
/// cannot be checked.
pub async fn consumer_warnings(session: &Session, queue: &str) -> Vec<String> {
    let Some(consumer) = find_consumer(session, queue) else {
        return vec![format!(
            "the consumer of {queue} is not known, so it is not checked; name it in \
                [environments.{}.consumers] of payops.toml",
            session.name()
        )];
    };
    if !has_clusters(session) {
        return vec![format!(
            "{} has no clusters in payops.toml, so the consumer of {queue} is not checked",
            session.name()
        )];
    }
    let rollouts = match timeout(PLAN_WAIT, read_rollouts(session, &consumer)).await {
        Ok(Ok(rollouts)) => rollouts,
        Ok(Err(error)) => {
            return vec![format!(
                "cannot check {}, the consumer of {queue}: {}",
                consumer.key,
                error.chain()
            )];
        }
        Err(_) => {
            return vec![format!(
                "cannot check {}, the consumer of {queue}: no response within {} s",
                consumer.key,
                PLAN_WAIT.as_secs()
            )];
        }
    };
    if rollouts.is_empty() {
        return vec![not_found(session, &consumer, queue)];
    }
    rollouts
        .iter()
        .filter_map(|rollout| find_fault(rollout).or_else(|| find_canary(rollout)))
        .collect()
}

fn find_fault(rollout: &Rollout) -> Option<String> {
    let is_degraded = rollout.phase().0 == Phase::Degraded && !rollout.aborted;
    is_degraded.then(|| format!("{} is degraded", rollout.key))
}

fn find_canary(rollout: &Rollout) -> Option<String> {
    (!rollout.is_fully_promoted() && !rollout.aborted).then(|| {
        format!(
            "{} is mid-canary; canary weight does not apply to queue consumers, so either version \
                may take these messages",
            rollout.key
        )
    })
}

/// Watches the consumer while the first messages of a canary replay are watched.
pub(super) struct ConsumerWatch {
    session: Arc<Session>,
    consumer: Consumer,
    queue: String,
}

impl ConsumerWatch {
    /// Reaches the clusters once, before anything is sent. `None` when the plan has no canary, or
    /// no rollout is to be watched.
    pub(super) async fn start(
        session: &Arc<Session>,
        plan: &ReplayPlan,
    ) -> OpsResult<Option<Self>> {
        let queue = plan.target.as_str();
        let consumer = find_consumer(session, queue)
            .filter(|_| plan.canary.is_some() && has_clusters(session));
        let Some(consumer) = consumer else {
            return Ok(None);
        };
        let cannot_check = |error: OpsError| {
            let message = format!(
                "cannot check {}, the consumer of {queue}, so nothing was sent",
                consumer.key
            );
            OpsError::new(error.kind, message).because(error).hint(
                "make the cluster reachable, or replay without --canary, which checks nothing",
            )
        };
        let rollouts = read_rollouts(session, &consumer)
            .await
            .map_err(cannot_check)?;
        if rollouts.is_empty() {
            let missing = not_found(session, &consumer, queue);
            if consumer.is_configured {
                return Err(OpsError::not_found(missing)
                    .hint("correct payops.toml, or replay without --canary"));
            }
            // A default that does not hold here: the plan warned of it.
            return Ok(None);
        }
        Ok(Some(Self {
            session: Arc::clone(session),
            queue: queue.to_owned(),
            consumer,
        }))
    }

    /// What speaks against sending the rest.
    pub(super) async fn alarms(&self) -> Vec<String> {
        match read_rollouts(&self.session, &self.consumer).await {
            Ok(rollouts) if rollouts.is_empty() => vec![format!(
                "{}, the consumer of {}, no longer exists",
                self.consumer.key, self.queue
            )],
            Ok(rollouts) => rollouts.iter().filter_map(find_fault).collect(),
            Err(error) => vec![format!(
                "cannot check {}, the consumer of {}: {}",
                self.consumer.key,
                self.queue,
                error.chain()
            )],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::caller::NoNotices;
    use crate::environment::{Overrides, Settings};
    use crate::operator::Operator;

    fn open(dir: &Path, toml: &str) -> Arc<Session> {
        let text = format!("default_env = \"live\"\n[environments.live]\n{toml}");
        std::fs::write(dir.join("payops.toml"), text).expect("written");
        let data_dir = dir.join("data");
        let settings = Settings::read(&Overrides::default(), &|_| None, Some(dir), data_dir);
        let settings = settings.expect("settings");
        let stop = CancellationToken::new();
        let operator = Operator::new(settings, None, stop, Arc::new(NoNotices));
        operator.one_session().expect("a session")
    }

    fn consumer_of(session: &Session, queue: &str) -> Option<String> {
        find_consumer(session, queue).map(|consumer| consumer.key.to_string())
    }

    fn plan(canary: Option<u32>) -> ReplayPlan {
        ReplayPlan {
            target: WORK.to_owned(),
            canary,
            ..ReplayPlan::default()
        }
    }

    #[test]
    fn the_consumer_of_a_queue_is_configured_or_a_default() {
        let temp = tempfile::tempdir().expect("a folder");
        let session = open(
            temp.path(),
            "kind = \"embedded\"\nconsumers = { payments-work = \"pay/worker\" }",
        );
        let consumers = [WORK, PROJECTIONS, "elsewhere"].map(|queue| consumer_of(&session, queue));
        assert_eq!(
            consumers,
            [
                Some("pay/worker".to_owned()),
                Some("search/search-indexer".to_owned()),
                None
            ]
        );
    }

    #[tokio::test]
    async fn a_canary_does_not_begin_when_its_consumer_cannot_be_checked() {
        let temp = tempfile::tempdir().expect("a folder");
        let session = open(temp.path(), "kind = \"embedded\"");
        let warnings = consumer_warnings(&session, WORK).await;
        assert!(
            warnings[0].starts_with("cannot check payments/payments-worker"),
            "{warnings:?}"
        );
        let watch = ConsumerWatch::start(&session, &plan(None)).await;
        assert!(watch.expect("nothing to watch").is_none());
        let watch = ConsumerWatch::start(&session, &plan(Some(1))).await;
        let error = watch.err().expect("refused");
        assert!(error.message.ends_with("so nothing was sent"), "{error}");
    }

    #[tokio::test]
    async fn without_clusters_no_consumer_is_watched() {
        let temp = tempfile::tempdir().expect("a folder");
        let session = open(temp.path(), "kind = \"aws\"");
        let warnings = consumer_warnings(&session, WORK).await;
        assert!(warnings[0].contains("has no clusters"), "{warnings:?}");
        let watch = ConsumerWatch::start(&session, &plan(Some(1))).await;
        assert!(watch.expect("nothing to watch").is_none());
    }
}
