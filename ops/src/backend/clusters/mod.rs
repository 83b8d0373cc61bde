//! The clusters of an environment, and how each is reached.

mod reconnect;

use std::path::Path;
use std::sync::Arc;

use payops_aws::permissions::Principal;
use payops_core::port::RolloutActions;
use payops_kube::eks::EksCluster;
use payops_kube::{ArgoCdRollouts, KubeRollouts};
use secrecy::SecretString;

use reconnect::{Connect, ReconnectingCluster};

use crate::backend::local;
use crate::caller::Caller;
use crate::environment::{AwsConfig, Backend, ClusterConfig, Environment, Part};
use crate::error::{Kind, OpsError, OpsResult};

/// The file in a data directory that says how its clusters are reached.
const KUBECONFIG: &str = "kubeconfig";

/// The clusters of `target`, each reached; an error when it has none.
pub async fn connect_all(
    target: &Environment,
    caller: &Caller,
) -> OpsResult<Vec<Arc<dyn RolloutActions>>> {
    match &target.target {
        Backend::Embedded { data_dir, name } => {
            // Told at once when there is none; later it may start anew, and is then reached
            // elsewhere.
            embedded(data_dir, name).await?;
            Ok(connect_on_use(target, caller))
        }
        Backend::Aws(_) | Backend::Kubernetes(_) => {
            if let Some(missing) = target.missing(Part::Clusters) {
                return Err(missing);
            }
            let mut out: Vec<Arc<dyn RolloutActions>> = Vec::new();
            for cluster in target.clusters() {
                out.push(Box::pin(reach(target, cluster, caller)).await?);
            }
            Ok(out)
        }
    }
}

/// The clusters of `target`, each reached when it is first asked for.
#[must_use]
pub fn connect_on_use(target: &Environment, caller: &Caller) -> Vec<Arc<dyn RolloutActions>> {
    match &target.target {
        Backend::Embedded { data_dir, name } => {
            let (driver, data_dir, env) = (
                format!("kubeconfig context {name}"),
                data_dir.clone(),
                name.clone(),
            );
            let file = Some(data_dir.join(KUBECONFIG));
            let connect: Connect = Arc::new(move || {
                let (data_dir, env) = (data_dir.clone(), env.clone());
                Box::pin(
                    async move { embedded(&data_dir, &env).await.map_err(OpsError::into_port) },
                )
            });
            vec![Arc::new(ReconnectingCluster::new(
                name, driver, false, file, connect,
            ))]
        }
        Backend::Aws(_) | Backend::Kubernetes(_) => target
            .clusters()
            .iter()
            .map(|cluster| reconnecting(target, cluster, caller))
            .collect(),
    }
}

fn reconnecting(
    env: &Environment,
    cluster: &ClusterConfig,
    caller: &Caller,
) -> Arc<dyn RolloutActions> {
    let (env, config, caller) = (env.clone(), cluster.clone(), caller.clone());
    let connect: Connect = Arc::new(move || {
        let (env, cluster, caller) = (env.clone(), config.clone(), caller.clone());
        Box::pin(async move {
            Box::pin(reach(&env, &cluster, &caller))
                .await
                .map_err(OpsError::into_port)
        })
    });
    Arc::new(ReconnectingCluster::new(
        &cluster.name,
        cluster.describe_access(),
        cluster.argocd_url.is_some(),
        cluster.kubeconfig.clone(),
        connect,
    ))
}

async fn embedded(data_dir: &Path, env: &str) -> OpsResult<Arc<dyn RolloutActions>> {
    let path = data_dir.join(KUBECONFIG);
    if local::DataDir::open(data_dir)
        .and_then(|data| data.running())
        .map_err(OpsError::from)?
        .is_none()
    {
        return Err(OpsError::not_found(format!(
            "no platform is running on {}; the clusters of an embedded environment run inside it",
            data_dir.display()
        ))
        .hint("start it with payops local up or payops demo"));
    }
    let cluster = KubeRollouts::from_kubeconfig(Some(&path), env, env).await;
    let cluster = cluster
        .map_err(|error| OpsError::port(format!("cannot reach the cluster of {env}"), error))?;
    Ok(Arc::new(cluster))
}

async fn reach(
    target: &Environment,
    cluster: &ClusterConfig,
    caller: &Caller,
) -> OpsResult<Arc<dyn RolloutActions>> {
    let env = &target.name;
    let failed = |error| {
        OpsError::port(
            format!("cannot reach cluster {} of {env}", cluster.name),
            error,
        )
    };
    let wrong = |what: &str| {
        OpsError::usage(format!("cluster {} of {env} {what}", cluster.name))
            .hint("set exactly one of eks, context and argocd_url in payops.toml")
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
        (Some(name), None, None) => match &target.target {
            Backend::Aws(aws) => eks(env, aws, cluster, name, caller).await,
            _ => Err(OpsError::usage(format!(
                "cluster {} of {env} is one of EKS, which needs an account",
                cluster.name
            ))
            .hint(format!(
                "set kind = \"aws\" and add account_id and region to [environments.{env}] in \
                payops.toml"
            ))),
        },
        (None, None, None) => Err(wrong("has no access method")),
        _ => Err(wrong("has more than one access method")),
    }
}

async fn eks(
    env: &str,
    aws: &AwsConfig,
    cluster: &ClusterConfig,
    name: &str,
    caller: &Caller,
) -> OpsResult<Arc<dyn RolloutActions>> {
    let config = Box::pin(crate::backend::aws::session_config(env, aws, caller)).await?;
    let by = Principal::of_person(caller.level);
    let reach = async {
        let found = payops_aws::eks::describe_cluster(&config, Some(by), name).await?;
        let eks = EksCluster {
            name: name.to_owned(),
            url: found.url,
            authority: found.authority,
        };
        payops_kube::eks::connect(&config, eks, &cluster.name).await
    };
    let rollouts = Box::pin(reach).await.map_err(|error| {
        OpsError::port(
            format!("cannot reach cluster {} of {env}", cluster.name),
            error,
        )
    })?;
    Ok(Arc::new(
        rollouts.with_namespaces(cluster.namespaces.clone()),
    ))
}

fn token(env: &str, cluster: &ClusterConfig) -> OpsResult<SecretString> {
    let variable = cluster
        .argocd_token_env
        .as_deref()
        .unwrap_or("ARGOCD_AUTH_TOKEN");
    let value = std::env::var(variable)
        .ok()
        .filter(|value| !value.is_empty());
    value.map(SecretString::from).ok_or_else(|| {
        OpsError::new(
            Kind::NotAuthenticated,
            format!("no Argo CD token for {env}"),
        )
        .hint(format!("set the environment variable {variable}"))
    })
}
