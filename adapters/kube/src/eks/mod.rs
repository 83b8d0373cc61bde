//! Clusters of EKS without a kubeconfig: endpoint and certificate authority come from
//! `DescribeCluster`, and each request carries a token that is signed here and renewed in time.

mod identify;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_eks::operation::describe_cluster::DescribeClusterError;
use kube::client::ClientBuilder;
use kube::config::{
    AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster,
    NamedContext,
};
use kube::{Client, Config};
use payops_core::port::{ErrorKind, PortError, PortResult};
use tower::buffer::BufferLayer;

use crate::KubeRollouts;
use crate::connect::set_timeouts;
use identify::AuthLayer;
use token::Tokens;

const QUEUE_MAX: usize = 1024;
/// The only context of the configuration that is put together here.
const NAME: &str = "eks";

/// The cluster that EKS calls `eks_name`, in the account and region of `config`; here it is called
/// `cluster_name`. Asks EKS where it is, and not the cluster itself.
pub async fn connect(
    config: &SdkConfig,
    eks_name: &str,
    cluster_name: &str,
) -> PortResult<KubeRollouts> {
    let fail =
        |kind, message: String| PortError::new(kind, format!("cluster {cluster_name}: {message}"));
    let region = config
        .region()
        .ok_or_else(|| fail(ErrorKind::Permanent, "no region is set".to_owned()))?
        .to_string();
    let credentials = config
        .credentials_provider()
        .ok_or_else(|| fail(ErrorKind::Denied, "no AWS credentials".to_owned()))?;
    let place = describe(config, eks_name, cluster_name).await?;
    let tokens = Tokens::new(
        credentials,
        region.clone(),
        eks_name,
        Arc::new(jiff::Timestamp::now),
    );
    let address = place.endpoint.parse().unwrap_or_default();
    let client = client(place, Arc::new(tokens)).await.map_err(|error| {
        PortError::because(
            ErrorKind::Permanent,
            format!(
                "cluster {cluster_name}: EKS returned an invalid endpoint or certificate for \
                    {eks_name}"
            ),
            error,
        )
    })?;
    Ok(
        KubeRollouts::from_client(client, cluster_name, format!("EKS {eks_name} in {region}"))
            .at(&address)
            .without_rights(),
    )
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ClusterEndpoint {
    endpoint: String,
    /// Its certificate authority, base64 of PEM.
    authority: Option<String>,
}

async fn describe(
    config: &SdkConfig,
    eks_name: &str,
    cluster_name: &str,
) -> PortResult<ClusterEndpoint> {
    let fail =
        |kind, message: &str| PortError::new(kind, format!("cluster {cluster_name}: {message}"));
    let answer = aws_sdk_eks::Client::new(config)
        .describe_cluster()
        .name(eks_name)
        .send()
        .await;
    let answer = answer.map_err(|error| {
        let service = error.as_service_error();
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        let (kind, message) =
            if service.is_some_and(DescribeClusterError::is_resource_not_found_exception) {
                (
                    ErrorKind::NotFound,
                    format!("no EKS cluster {eks_name} in this account and region"),
                )
            } else if status.is_some_and(|status| matches!(status, 401 | 403)) {
                (
                    ErrorKind::Denied,
                    format!("these credentials may not describe the EKS cluster {eks_name}"),
                )
            } else {
                (
                    ErrorKind::Unavailable,
                    format!("cannot describe the EKS cluster {eks_name}"),
                )
            };
        PortError::because(kind, format!("cluster {cluster_name}: {message}"), error)
    })?;
    let cluster = answer
        .cluster()
        .ok_or_else(|| fail(ErrorKind::Corrupt, "the response from EKS has no cluster"))?;
    let Some(endpoint) = cluster.endpoint() else {
        let status = cluster.status().map_or("unknown", |status| status.as_str());
        return Err(fail(
            ErrorKind::Unavailable,
            &format!("{eks_name} has no endpoint yet; its status is {status}"),
        ));
    };
    let authority = cluster
        .certificate_authority()
        .and_then(|authority| authority.data())
        .map(str::to_owned);
    Ok(ClusterEndpoint {
        endpoint: endpoint.to_owned(),
        authority,
    })
}

async fn client(
    place: ClusterEndpoint,
    tokens: Arc<Tokens>,
) -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
    let cluster = Cluster {
        server: Some(place.endpoint),
        certificate_authority_data: place.authority,
        ..Cluster::default()
    };
    let context = Context {
        cluster: NAME.to_owned(),
        user: Some(NAME.to_owned()),
        ..Context::default()
    };
    let kubeconfig = Kubeconfig {
        clusters: vec![NamedCluster {
            name: NAME.to_owned(),
            cluster: Some(cluster),
            other: BTreeMap::default(),
        }],
        contexts: vec![NamedContext {
            name: NAME.to_owned(),
            context: Some(context),
            other: BTreeMap::default(),
        }],
        auth_infos: vec![NamedAuthInfo {
            name: NAME.to_owned(),
            auth_info: Some(AuthInfo::default()),
            other: BTreeMap::default(),
        }],
        current_context: Some(NAME.to_owned()),
        ..Kubeconfig::default()
    };
    let config = set_timeouts(
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?,
    );
    // The service of kube's own stack cannot be cloned; behind a buffer it can.
    let builder = ClientBuilder::try_from(config)?
        .with_layer(&BufferLayer::new(QUEUE_MAX))
        .with_layer(&AuthLayer { tokens });
    Ok(builder.build())
}

#[cfg(test)]
mod tests;
