//! Runs the controller, and releases a new version from time to time.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::controller::json::{add_seconds, list, text, time};
use crate::controller::{Controller, MetricSource};
use crate::kinds::Kind;
use crate::store::Cluster;

/// How long payments-api is healthy before its next release.
const HEALTHY_SECONDS: i64 = 30;
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Releases the next version of payments-api if it has been healthy for half a minute, so that a
/// rollout is always under way. Returns whether it did. Call it from time to time.
#[must_use]
pub fn release_next_version(cluster: &Cluster) -> bool {
    let Ok(rollout) = cluster.get(Kind::Rollout, "payments", "payments-api") else {
        return false;
    };
    let conditions = list(&rollout, "/status/conditions");
    let healthy = conditions.iter().find(|condition| {
        text(condition, "/type") == "Healthy" && text(condition, "/status") == "True"
    });
    let since = healthy.and_then(|condition| time(condition, "/lastTransitionTime"));
    let is_stable = since.is_some_and(|since| add_seconds(since, HEALTHY_SECONDS) <= cluster.now());
    if text(&rollout, "/status/phase") != "Healthy" || !is_stable {
        return false;
    }
    let Some(image) = next_image(text(&rollout, "/spec/template/spec/containers/0/image")) else {
        return false;
    };
    let mut rollout = (*rollout).clone();
    rollout["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
    // A conflict means that somebody else has changed the rollout.
    cluster.put(rollout).is_ok()
}

/// Increments the last number of the tag.
fn next_image(image: &str) -> Option<String> {
    let (rest, last) = image.rsplit_once('.')?;
    Some(format!(
        "{rest}.{}",
        last.parse::<u64>().ok()?.checked_add(1)?
    ))
}

/// Runs the controller of a cluster until `shutdown`; with `releases`, also
/// [`release_next_version`].
pub async fn run(
    cluster: Cluster,
    metrics: MetricSource,
    releases: bool,
    shutdown: CancellationToken,
) {
    let controller = Controller::new(cluster.clone(), metrics).run(shutdown.clone());
    let releasing = async {
        loop {
            if release_next_version(&cluster) {
                tracing::debug!("released the next version of payments-api");
            }
            tokio::time::sleep(CHECK_EVERY).await;
        }
    };
    if releases {
        // A release is one write, so canceling loses nothing.
        tokio::join!(controller, shutdown.run_until_cancelled(releasing));
    } else {
        controller.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_is_incremented() {
        assert_eq!(
            next_image("r/payments-api:1.42.9").as_deref(),
            Some("r/payments-api:1.42.10")
        );
        assert_eq!(
            next_image("r/payments-api:1.43.0-rc.1").as_deref(),
            Some("r/payments-api:1.43.0-rc.2")
        );
        assert_eq!(next_image("r.example.com/payments-api:main"), None);
    }
}
