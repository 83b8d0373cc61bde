//! What goes on by itself: the controller, and every now and then a new version.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::controller::json::{later, list, text, time};
use crate::controller::{Controller, MetricSource};
use crate::kinds::Kind;
use crate::store::Cluster;

/// How long payments-api is healthy before it gets its next version.
const REST_SECONDS: i64 = 30;
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Sets the next version of payments-api once it has been healthy for half a minute, so that
/// there is always something on its way. Gives whether it did; call it every now and then.
#[must_use]
pub fn life(cluster: &Cluster) -> bool {
    let Ok(rollout) = cluster.get(Kind::Rollout, "payments", "payments-api") else {
        return false;
    };
    let conditions = list(&rollout, "/status/conditions");
    let healthy = conditions.iter().find(|condition| {
        text(condition, "/type") == "Healthy" && text(condition, "/status") == "True"
    });
    let since = healthy.and_then(|condition| time(condition, "/lastTransitionTime"));
    let rested = since.is_some_and(|since| later(since, REST_SECONDS) <= cluster.now());
    if text(&rollout, "/status/phase") != "Healthy" || !rested {
        return false;
    }
    let Some(image) = next_image(text(&rollout, "/spec/template/spec/containers/0/image")) else {
        return false;
    };
    let mut rollout = (*rollout).clone();
    rollout["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
    // Somebody else may have been quicker; then it is theirs that is on its way.
    cluster.put(rollout).is_ok()
}

/// The image of the next version: the last number of the tag, one higher.
fn next_image(image: &str) -> Option<String> {
    let (rest, last) = image.rsplit_once('.')?;
    Some(format!(
        "{rest}.{}",
        last.parse::<u64>().ok()?.checked_add(1)?
    ))
}

/// Runs the controller of a cluster until `shutdown`; with `go_on`, also [`life`].
pub async fn run(
    cluster: Cluster,
    metrics: MetricSource,
    go_on: bool,
    shutdown: CancellationToken,
) {
    let controller = Controller::new(cluster.clone(), metrics).run(shutdown.clone());
    let living = async {
        loop {
            if life(&cluster) {
                tracing::debug!("payments-api got its next version");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    if go_on {
        // Nothing is lost when living is cut off: each look is whole.
        tokio::join!(controller, shutdown.run_until_cancelled(living));
    } else {
        controller.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_is_raised() {
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
