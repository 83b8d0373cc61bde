//! Finding rollouts by name over clusters and namespaces.

use std::sync::Arc;

use clap::Args;
use futures::future::join_all;
use payops_core::domain::access::AccessLevel;
use payops_core::domain::rollout::{Rollout, RolloutKey};
use payops_core::port::Rollouts;

use crate::clusters;
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::settings::EnvTarget;

/// Which rollout.
#[derive(Clone, Debug, Args)]
pub(crate) struct WhichArgs {
    /// Its name, or NAMESPACE/NAME
    pub(crate) name: String,
    /// Its namespace, when the name stands in several
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Its cluster, when the environment has several
    #[arg(long, value_name = "CLUSTER")]
    pub(crate) cluster: Option<String>,
}

pub(super) struct Found {
    pub(super) target: EnvTarget,
    pub(super) rollouts: Arc<dyn Rollouts>,
    pub(super) rollout: Rollout,
}

/// The rollouts of each cluster of an environment, and the failures of those that did not answer.
pub(super) async fn all(
    context: &Context,
    target: &EnvTarget,
) -> CliResult<(Vec<(Arc<dyn Rollouts>, Vec<Rollout>)>, Vec<CliError>)> {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    let asked = clusters::of(target, &context.caller(AccessLevel::View))
        .await?
        .into_iter()
        .map(|cluster| async move {
            let answer = cluster.list().await;
            (cluster, answer)
        });
    for (cluster, answer) in join_all(asked).await {
        match answer {
            Ok(rollouts) => found.push((cluster, rollouts)),
            Err(error) => failures.push(CliError::port(
                format!("cluster {} did not answer", cluster.cluster()),
                error,
            )),
        }
    }
    Ok((found, failures))
}

/// The one rollout that the arguments name, in the one environment asked for.
pub(super) async fn one(context: &Context, which: &WhichArgs, access: Access) -> CliResult<Found> {
    let target = context.settings.one_target()?;
    let caller = context.caller_for(&target, access)?;
    let (namespace, name) = named(which)?;
    let clusters = clusters::of(&target, &caller).await?;
    let wanted: Vec<Arc<dyn Rollouts>> = clusters
        .into_iter()
        .filter(|cluster| {
            which
                .cluster
                .as_deref()
                .is_none_or(|name| cluster.cluster() == name)
        })
        .collect();
    if wanted.is_empty() {
        let unknown = which.cluster.as_deref().unwrap_or_default();
        return Err(
            CliError::not_found(format!("{} has no cluster {unknown}", target.name))
                .hint("payops config explain lists clusters"),
        );
    }
    let mut hits = Vec::new();
    let mut names = Vec::new();
    for cluster in wanted {
        let failed = |error| {
            CliError::port(
                format!("cluster {} did not answer", cluster.cluster()),
                error,
            )
        };
        if let Some(namespace) = &namespace {
            let key = RolloutKey {
                namespace: namespace.clone(),
                name: name.clone(),
            };
            hits.extend(
                cluster
                    .get(&key)
                    .await
                    .map_err(failed)?
                    .map(|rollout| (cluster, rollout)),
            );
            continue;
        }
        for rollout in cluster.list().await.map_err(failed)? {
            if rollout.key.name == name {
                hits.push((cluster.clone(), rollout));
            } else {
                names.push(rollout.key.to_string());
            }
        }
    }
    let several = hits.len() > 1;
    let places: Vec<String> = hits
        .iter()
        .map(|(cluster, rollout)| format!("{} in cluster {}", rollout.key, cluster.cluster()))
        .collect();
    match hits.pop() {
        Some((rollouts, rollout)) if !several => Ok(Found {
            target,
            rollouts,
            rollout,
        }),
        Some(_) => Err(CliError::usage(format!(
            "{name} is the name of several rollouts: {}",
            places.join(", ")
        ))
        .hint("add --namespace or --cluster")),
        None => Err(no_rollout(&target, namespace.as_deref(), &name, &names)),
    }
}

fn named(which: &WhichArgs) -> CliResult<(Option<String>, String)> {
    let (namespace, name) = match which.name.split_once('/') {
        Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
        None => (which.namespace.clone(), which.name.clone()),
    };
    if name.is_empty() || namespace.as_deref() == Some("") {
        return Err(
            CliError::usage(format!("`{}` is no rollout's name", which.name))
                .hint("write NAME or NAMESPACE/NAME"),
        );
    }
    if let (Some(inside), Some(given)) = (&namespace, &which.namespace)
        && inside != given
    {
        return Err(CliError::usage(format!(
            "{} is in namespace {inside}, and --namespace says {given}",
            which.name
        ))
        .hint("leave one of the two out"));
    }
    Ok((namespace, name))
}

fn no_rollout(
    target: &EnvTarget,
    namespace: Option<&str>,
    name: &str,
    names: &[String],
) -> CliError {
    let place = namespace
        .map(|namespace| format!(" in namespace {namespace}"))
        .unwrap_or_default();
    let hint = match names {
        [] => "payops rollout list shows all; --env names another environment".to_owned(),
        names => format!(
            "rollouts there are {}",
            names
                .iter()
                .take(12)
                .cloned()
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    CliError::not_found(format!("no rollout {name}{place} in {}", target.name)).hint(hint)
}
