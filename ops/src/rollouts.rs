//! Rollouts: finding one by name over clusters and namespaces, planning an action on it, and
//! carrying the plan out.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use payops_core::domain::access::Action;
use payops_core::domain::audit::AuditOutcome;
use payops_core::domain::rollout::{
    ImageChange, Insist, Rollout, RolloutAction, RolloutKey, RolloutPlan, plan_insisting,
};
use payops_core::port::{Depth, ErrorKind, Executed, PortResult, Rollouts};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::act::{Act, Done, Permit};
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// Which rollout is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutName {
    pub name: String,
    pub namespace: Option<String>,
    pub cluster: Option<String>,
}

/// A rollout, and the cluster that it was found in.
#[derive(Clone)]
pub struct FoundRollout {
    pub cluster: Arc<dyn Rollouts>,
    pub rollout: Rollout,
}

/// The rollouts of one cluster.
pub type ClusterRollouts = (Arc<dyn Rollouts>, Vec<Rollout>);

impl RolloutName {
    /// Reads `NAME` or `NAMESPACE/NAME`, with what was said apart from it.
    pub fn parse(text: &str, namespace: Option<&str>, cluster: Option<&str>) -> OpsResult<Self> {
        let (inside, name) = match text.split_once('/') {
            Some((inside, name)) => (Some(inside), name),
            None => (namespace, text),
        };
        if name.is_empty() || inside == Some("") {
            return Err(
                OpsError::usage(format!("`{text}` is not the name of a rollout"))
                    .hint("expected NAME or NAMESPACE/NAME"),
            );
        }
        if let (Some(inside), Some(given)) = (inside, namespace)
            && inside != given
        {
            return Err(OpsError::usage(format!(
                "{text} is in namespace {inside}, but --namespace says {given}"
            ))
            .hint("omit one of the two"));
        }
        Ok(Self {
            name: name.to_owned(),
            namespace: inside.map(str::to_owned),
            cluster: cluster.map(str::to_owned),
        })
    }
}

/// The rollouts of each cluster of an environment, and the failures of those that did not answer.
pub async fn list(session: &Session) -> OpsResult<(Vec<ClusterRollouts>, Vec<OpsError>)> {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    let asked = session.clusters().await?.iter().map(|cluster| async move {
        let answer = cluster.list().await.map_err(OpsError::from);
        (Arc::clone(cluster), answer)
    });
    for (cluster, answer) in join_all(asked).await {
        match answer {
            Ok(rollouts) => found.push((cluster, rollouts)),
            Err(error) => failures.push(error),
        }
    }
    Ok((found, failures))
}

/// The one rollout of that name.
pub async fn find(session: &Session, wanted: &RolloutName) -> OpsResult<FoundRollout> {
    let clusters: Vec<&Arc<dyn Rollouts>> = session
        .clusters()
        .await?
        .iter()
        .filter(|cluster| {
            let name = wanted.cluster.as_deref();
            name.is_none_or(|name| cluster.cluster() == name)
        })
        .collect();
    if clusters.is_empty() {
        let unknown = wanted.cluster.as_deref().unwrap_or_default();
        return Err(OpsError::not_found(format!(
            "{} has no cluster named {unknown}",
            session.name()
        ))
        .hint("list clusters with: payops config explain"));
    }
    let (mut hits, mut others) = (Vec::new(), Vec::new());
    for cluster in clusters {
        if let Some(namespace) = &wanted.namespace {
            let key = RolloutKey {
                namespace: namespace.clone(),
                name: wanted.name.clone(),
            };
            let found = cluster.get(&key).await?;
            hits.extend(found.map(|rollout| (cluster, rollout)));
            continue;
        }
        for rollout in cluster.list().await? {
            if rollout.key.name == wanted.name {
                hits.push((cluster, rollout));
            } else {
                others.push(rollout.key.to_string());
            }
        }
    }
    let places: Vec<String> = hits
        .iter()
        .map(|(cluster, rollout)| format!("{} in cluster {}", rollout.key, cluster.cluster()))
        .collect();
    match (hits.pop(), hits.is_empty()) {
        (Some((cluster, rollout)), true) => Ok(FoundRollout {
            cluster: Arc::clone(cluster),
            rollout,
        }),
        (Some(_), false) => Err(OpsError::usage(format!(
            "several rollouts are named {}: {}",
            wanted.name,
            places.join(", ")
        ))
        .hint("add --namespace or --cluster")),
        (None, _) => Err(no_rollout(session, wanted, &others)),
    }
}

fn no_rollout(session: &Session, wanted: &RolloutName, others: &[String]) -> OpsError {
    let place = wanted
        .namespace
        .as_ref()
        .map(|namespace| format!(" in namespace {namespace}"))
        .unwrap_or_default();
    let hint = if others.is_empty() {
        format!(
            "check --env; list all with: {}",
            session.command("rollout list")
        )
    } else {
        let some: Vec<&str> = others.iter().take(12).map(String::as_str).collect();
        format!("existing rollouts: {}", some.join(", "))
    };
    let (name, env) = (&wanted.name, session.name());
    OpsError::not_found(format!("there is no rollout {name}{place} in {env}")).hint(hint)
}

/// Plans an action on what was found, bound to the state that was seen.
pub async fn plan(
    found: &FoundRollout,
    action: RolloutAction,
    insist: Insist,
) -> OpsResult<RolloutPlan> {
    if !found.cluster.can(&action) {
        return Err(OpsError::refused(format!(
            "{} does not support the action {}",
            found.cluster.driver(),
            action.as_str()
        ))
        .hint("configure direct access to the cluster (context or eks) in payops.toml"));
    }
    let related = found.cluster.related(&found.rollout, Depth::Runs).await;
    let related = related.map_err(|error| {
        let key = &found.rollout.key;
        OpsError::port(format!("cannot read what belongs to {key}"), error)
    })?;
    let rollout = found.rollout.clone().count_canary(&related);
    let plan = plan_insisting(action, &rollout, Some(&related), insist)
        .map_err(|refusal| OpsError::refused(refusal.why).hint(refusal.instead))?;
    match found.cluster.find_denial(&rollout, &plan.action).await {
        Some(denial) => Err(OpsError::refused(denial)
            .hint("use a context that may, or ask for the right; nothing was done")),
        None => Ok(plan),
    }
}

/// How long a controller may take until it has taken what was written.
const TAKING: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(250);

/// What the controller has not taken of what was just written, and for how long that was waited
/// for; `None` once it has, or when nobody can say.
pub async fn await_taken(found: &FoundRollout) -> Option<(String, Duration)> {
    let begun = Instant::now();
    loop {
        let rollout = found.cluster.get(&found.rollout.key).await.ok()??;
        let field = rollout.untaken()?;
        let waited = begun.elapsed();
        if waited >= TAKING {
            return Some((field, waited));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Carries a plan out. What was sent is waited for, whoever interrupts.
pub async fn execute(
    session: &Arc<Session>,
    cluster: &str,
    plan: &RolloutPlan,
    reason: Option<&str>,
) -> OpsResult<Executed> {
    let to_change = session.cluster_on_use(cluster)?;
    let act = Act::new(Action::from(&plan.action))
        .subject(format!("{cluster}/{}", plan.key))
        .reason(reason)
        .detail("resource_version", &plan.resource_version)
        .equivalent(to_change.equivalent(&plan.action, &plan.key));
    let work = async |permit: Permit| {
        let actions = permit.cluster(cluster)?;
        let executed = actions.execute(plan).await;
        let (outcome, summary) = describe_execution(&executed);
        let executed = executed.map_err(|error| {
            let what = format!("{} {}", plan.action.as_str(), plan.key);
            OpsError::port(format!("{what} failed"), error)
        })?;
        Ok(Done::new(executed).outcome(outcome).summary(summary))
    };
    session.act_until(act, CancellationToken::new(), work).await
}

/// What the record says of an action on a rollout.
fn describe_execution(executed: &PortResult<Executed>) -> (AuditOutcome, String) {
    match executed {
        Ok(Executed::Done(rollout)) => (
            AuditOutcome::Done,
            format!("resourceVersion {}", rollout.resource_version),
        ),
        Ok(Executed::Moved(_)) => (
            AuditOutcome::Refused,
            "the rollout had changed; nothing was done".to_owned(),
        ),
        Ok(Executed::Partly { done, .. }) => (
            AuditOutcome::Failed,
            format!("{done} calls were made, then the rollout changed"),
        ),
        Ok(Executed::Gone) => (
            AuditOutcome::Refused,
            "the rollout no longer exists; nothing was done".to_owned(),
        ),
        Err(error) if error.kind == ErrorKind::Ambiguous => (
            AuditOutcome::Failed,
            format!("the action may or may not have been done: {error}"),
        ),
        Err(error) => (AuditOutcome::Failed, format!("nothing was done: {error}")),
    }
}

/// Reads `CONTAINER=IMAGE`.
pub fn parse_image(text: &str) -> Result<ImageChange, String> {
    match text.split_once('=') {
        Some((container, image))
            if (container == "*" || container.chars().all(is_name))
                && !container.is_empty()
                && is_image(image) =>
        {
            Ok(ImageChange {
                container: container.to_owned(),
                image: image.to_owned(),
            })
        }
        _ => Err(
            "expected CONTAINER=IMAGE, such as payments-api=registry.example/payments:1.9.0"
                .to_owned(),
        ),
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

/// The characters of a reference: <https://github.com/distribution/reference>. What is right beyond
/// that, the registry knows.
fn is_image(image: &str) -> bool {
    let good =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '@' | '+');
    (1..=512).contains(&image.len())
        && image.starts_with(|c: char| c.is_ascii_alphanumeric())
        && image.chars().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn names_carry_their_namespace_or_get_it_apart() {
        let name = RolloutName::parse("payments/api", None, None).expect("a name");
        assert_eq!(name.namespace.as_deref(), Some("payments"));
        let name = RolloutName::parse("api", Some("payments"), Some("eks-1")).expect("a name");
        assert_eq!(
            (name.name.as_str(), name.cluster.as_deref()),
            ("api", Some("eks-1"))
        );
        for (text, namespace) in [
            ("", None),
            ("/api", None),
            ("a/", None),
            ("a/api", Some("b")),
        ] {
            let error = RolloutName::parse(text, namespace, None).expect_err("refused");
            assert_eq!(error.kind, Kind::Usage, "{text}");
        }
    }

    #[test]
    fn images_are_read() {
        assert_eq!(
            parse_image("api=r/p:1"),
            Ok(ImageChange {
                container: "api".into(),
                image: "r/p:1".into()
            })
        );
        assert!(
            parse_image("api").is_err()
                && parse_image("=x").is_err()
                && parse_image("api=").is_err()
                && parse_image("api=a b").is_err()
        );
        for garbage in [
            "api=$(touch${IFS}/tmp/x);y",
            "a'b=x",
            "*=!!!::::",
            "api=a\u{1b}[2Jb",
            "api=img:1=2",
            "api=:1",
        ] {
            assert!(parse_image(garbage).is_err(), "{garbage}");
        }
        assert!(parse_image("*=r/p@sha256:00").is_ok());
    }
}
