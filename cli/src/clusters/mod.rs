//! The clusters of an environment, and how each is reached.

mod lazy;

use std::path::Path;
use std::sync::Arc;

use payops_core::port::Rollouts;
use payops_kube::{ArgoCdRollouts, KubeRollouts};
use secrecy::SecretString;

use lazy::{Connect, LazyCluster};

use crate::config::{Aws, ClusterConfig};
use crate::context::Caller;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::settings::{EnvTarget, Target};

/// The file in a data directory that says how its clusters are reached.
const KUBECONFIG: &str = "kubeconfig";

/// The clusters of `target`, each reached; an error when it has none.
pub(crate) async fn of(target: &EnvTarget, caller: &Caller) -> CliResult<Vec<Arc<dyn Rollouts>>> {
    match &target.target {
        Target::Embedded { data_dir, name } => {
            // Told at once when there is none; later it may start anew, and is then reached
            // elsewhere.
            embedded(data_dir, name).await?;
            Ok(lazily(target, caller))
        }
        Target::Aws(aws) => in_aws(&target.name, aws, caller).await,
    }
}

/// The clusters of `target`, each reached when it is first asked for.
pub(crate) fn lazily(target: &EnvTarget, caller: &Caller) -> Vec<Arc<dyn Rollouts>> {
    match &target.target {
        Target::Embedded { data_dir, name } => {
            let (driver, data_dir, env) = (
                format!("kubeconfig context {name}"),
                data_dir.clone(),
                name.clone(),
            );
            let file = Some(data_dir.join(KUBECONFIG));
            let connect: Connect = Arc::new(move || {
                let (data_dir, env) = (data_dir.clone(), env.clone());
                Box::pin(
                    async move { embedded(&data_dir, &env).await.map_err(CliError::into_port) },
                )
            });
            vec![Arc::new(LazyCluster::new(
                name, driver, false, file, connect,
            ))]
        }
        Target::Aws(aws) => aws
            .clusters
            .iter()
            .map(|cluster| lazy_in_aws(&target.name, aws, cluster, caller))
            .collect(),
    }
}

fn lazy_in_aws(
    env: &str,
    aws: &Aws,
    cluster: &ClusterConfig,
    caller: &Caller,
) -> Arc<dyn Rollouts> {
    let (env, aws, config, caller) = (env.to_owned(), aws.clone(), cluster.clone(), caller.clone());
    let connect: Connect = Arc::new(move || {
        let (env, aws, cluster, caller) =
            (env.clone(), aws.clone(), config.clone(), caller.clone());
        Box::pin(async move {
            Box::pin(reach(&env, &aws, &cluster, &caller))
                .await
                .map_err(CliError::into_port)
        })
    });
    Arc::new(LazyCluster::new(
        &cluster.name,
        reached(cluster),
        cluster.argocd_url.is_some(),
        cluster.kubeconfig.clone(),
        connect,
    ))
}

/// How a cluster is reached: `eks payops-prod`.
pub(crate) fn reached(cluster: &ClusterConfig) -> String {
    let ways = [
        ("eks", &cluster.eks),
        ("context", &cluster.context),
        ("argocd", &cluster.argocd_url),
    ];
    let ways: Vec<String> = ways
        .into_iter()
        .filter_map(|(way, value)| Some(format!("{way} {}", value.as_ref()?)))
        .collect();
    ways.join(", ")
}

async fn embedded(data_dir: &Path, env: &str) -> CliResult<Arc<dyn Rollouts>> {
    let path = data_dir.join(KUBECONFIG);
    if crate::local::status(data_dir).await?.is_none() {
        return Err(CliError::not_found(format!(
            "no platform runs on {}, and the clusters of an embedded one run in it",
            data_dir.display()
        ))
        .hint("payops local up starts it, payops demo too"));
    }
    let cluster = KubeRollouts::from_kubeconfig(Some(&path), env, env).await;
    let cluster = cluster.map_err(|error| {
        CliError::port(format!("the cluster of {env} cannot be reached"), error)
    })?;
    Ok(Arc::new(cluster))
}

async fn in_aws(env: &str, aws: &Aws, caller: &Caller) -> CliResult<Vec<Arc<dyn Rollouts>>> {
    if aws.clusters.is_empty() {
        return Err(
            CliError::usage(format!("environments.{env} has no clusters")).hint(format!(
                "add [[environments.{env}.clusters]] with name and eks, context or \
                argocd_url to payops.toml"
            )),
        );
    }
    let mut out: Vec<Arc<dyn Rollouts>> = Vec::new();
    for cluster in &aws.clusters {
        out.push(reach(env, aws, cluster, caller).await?);
    }
    Ok(out)
}

async fn reach(
    env: &str,
    aws: &Aws,
    cluster: &ClusterConfig,
    caller: &Caller,
) -> CliResult<Arc<dyn Rollouts>> {
    let failed = |error| {
        CliError::port(
            format!("cluster {} of {env} cannot be reached", cluster.name),
            error,
        )
    };
    let wrong = |what: &str| {
        CliError::usage(format!("cluster {} of {env} {what}", cluster.name))
            .hint("give it one of eks, context and argocd_url in payops.toml")
    };
    match (&cluster.eks, &cluster.context, &cluster.argocd_url) {
        (None, Some(context), None) => {
            let rollouts = KubeRollouts::from_kubeconfig(
                cluster.kubeconfig.as_deref(),
                context,
                &cluster.name,
            )
            .await;
            Ok(Arc::new(
                rollouts
                    .map_err(failed)?
                    .with_namespaces(cluster.namespaces.clone()),
            ))
        }
        (None, None, Some(url)) => {
            let token = token(env, cluster)?;
            Ok(Arc::new(
                ArgoCdRollouts::connect(url, token, &cluster.name)
                    .await
                    .map_err(failed)?,
            ))
        }
        (Some(name), None, None) => eks(env, aws, cluster, name, caller).await,
        (None, None, None) => Err(wrong("has no way to be reached")),
        _ => Err(wrong("has several ways to be reached")),
    }
}

#[cfg(feature = "aws")]
async fn eks(
    env: &str,
    aws: &Aws,
    cluster: &ClusterConfig,
    name: &str,
    caller: &Caller,
) -> CliResult<Arc<dyn Rollouts>> {
    let config = Box::pin(crate::aws::session_config(env, aws, caller)).await?;
    let rollouts = Box::pin(payops_kube::eks::connect(&config, name, &cluster.name)).await;
    let rollouts = rollouts.map_err(|error| {
        CliError::port(
            format!("cluster {} of {env} cannot be reached", cluster.name),
            error,
        )
    })?;
    Ok(Arc::new(
        rollouts.with_namespaces(cluster.namespaces.clone()),
    ))
}

#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "the same function as with AWS")]
async fn eks(
    env: &str,
    _: &Aws,
    _: &ClusterConfig,
    name: &str,
    _: &Caller,
) -> CliResult<Arc<dyn Rollouts>> {
    Err(CliError::usage(format!(
        "{name} of {env} is in EKS, and this payops was built without AWS"
    )))
}

fn token(env: &str, cluster: &ClusterConfig) -> CliResult<SecretString> {
    let variable = cluster
        .argocd_token_env
        .as_deref()
        .unwrap_or("ARGOCD_AUTH_TOKEN");
    let value = std::env::var(variable)
        .ok()
        .filter(|value| !value.is_empty());
    value.map(SecretString::from).ok_or_else(|| {
        CliError::new(
            Exit::NotAuthenticated,
            format!("no token for the Argo CD of {env}"),
        )
        .hint(format!("put one into the environment variable {variable}"))
    })
}
