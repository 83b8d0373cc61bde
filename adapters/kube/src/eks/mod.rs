//! Clusters of EKS without a kubeconfig: each request carries a token that is signed here and
//! renewed in time.

mod identify;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::SdkConfig;
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

/// A cluster as EKS describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EksCluster {
    /// As EKS calls it.
    pub name: String,
    pub url: String,
    /// Its certificate authority, base64 of PEM.
    pub authority: Option<String>,
}

/// The cluster `eks`, asked with the credentials of `config`; here it is called `cluster_name`.
/// Nothing is asked yet.
pub async fn connect(
    config: &SdkConfig,
    eks: EksCluster,
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
    let tokens = Tokens::new(
        credentials,
        region.clone(),
        &eks.name,
        Arc::new(jiff::Timestamp::now),
    );
    let eks_name = eks.name.clone();
    let address = eks.url.parse().unwrap_or_default();
    let client = client(eks, Arc::new(tokens)).await.map_err(|error| {
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

async fn client(
    eks: EksCluster,
    tokens: Arc<Tokens>,
) -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
    let cluster = Cluster {
        server: Some(eks.url),
        certificate_authority_data: eks.authority,
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
