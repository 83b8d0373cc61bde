//! Clusters of EKS without a kubeconfig: the endpoint and its CA by `DescribeCluster`, and tokens
//! that are signed here with the credentials the caller hands in.

mod layer;
mod token;

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::Config;
use kube::client::ClientBuilder;
use payops_core::port::{ErrorKind, PortError, PortResult};
use secrecy::SecretString;
use tokio::time::timeout;
use tower::BoxError;
use tower::buffer::BufferLayer;

use crate::connect::tuned;
use crate::{KubeRollouts, Timing};
use layer::{TokenLayer, TokenSource, Tokens};

/// Requests that may wait for the connection at a time.
const WAITING_MAX: usize = 1024;

/// Signs tokens for one cluster.
struct Signer {
    credentials: SharedCredentialsProvider,
    region: String,
    cluster: String,
}

#[async_trait]
impl TokenSource for Signer {
    async fn token(&self) -> Result<SecretString, BoxError> {
        let credentials = self.credentials.provide_credentials().await?;
        Ok(token::sign_token(credentials, &self.region, &self.cluster, SystemTime::now())?.into())
    }
}

/// The cluster `cluster_name` of the account and region of `config`.
pub async fn connect(config: &SdkConfig, cluster_name: &str) -> PortResult<KubeRollouts> {
    let wrong = |kind, message: &str| PortError::new(kind, format!("cluster {cluster_name}: {message}"));
    let region = config.region().ok_or_else(|| wrong(ErrorKind::Permanent, "no region is set; name one in payops.toml"))?.to_string();
    let credentials = config.credentials_provider().ok_or_else(|| wrong(ErrorKind::Denied, "no AWS credentials; sign in first"))?;
    let call = aws_sdk_eks::Client::new(config).describe_cluster().name(cluster_name).send();
    let answer =
        timeout(Timing::default().call, call).await.map_err(|_| wrong(ErrorKind::Unavailable, "DescribeCluster: no answer in time"))?;
    let answer = answer.map_err(|error| {
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let (kind, why) = match status {
            Some(401 | 403) => (ErrorKind::Denied, "not allowed; the role needs eks:DescribeCluster"),
            Some(404) => (ErrorKind::NotFound, "there is no such cluster in this account and region"),
            Some(429) => (ErrorKind::Throttled, "asked too often"),
            Some(400..=499) => (ErrorKind::Denied, "refused"),
            _ => (ErrorKind::Unavailable, "no answer"),
        };
        PortError::because(kind, format!("cluster {cluster_name}: DescribeCluster: {why}"), error)
    })?;
    let cluster = answer.cluster().ok_or_else(|| wrong(ErrorKind::NotFound, "DescribeCluster tells nothing of it"))?;
    let endpoint = cluster.endpoint().ok_or_else(|| wrong(ErrorKind::Unavailable, "it has no endpoint yet"))?;
    let endpoint = endpoint.parse().map_err(|error| unusable(cluster_name, "its endpoint is no URL", error))?;
    let mut kube = tuned(Config::new(endpoint));
    if let Some(data) = cluster.certificate_authority().and_then(|authority| authority.data()) {
        kube.root_cert = Some(certificates(data).map_err(|error| unusable(cluster_name, "its CA cannot be read", error))?);
    }
    let signer = Signer { credentials, region: region.clone(), cluster: cluster_name.to_owned() };
    let builder = ClientBuilder::try_from(kube).map_err(|error| unusable(cluster_name, "no client", error))?;
    let client = builder.with_layer(&BufferLayer::new(WAITING_MAX)).with_layer(&TokenLayer(Arc::new(Tokens::new(signer)))).build();
    Ok(KubeRollouts::from_client(client, cluster_name, format!("EKS {region}")))
}

fn unusable(cluster: &str, why: &str, error: impl Into<BoxError>) -> PortError {
    PortError::because(ErrorKind::Permanent, format!("cluster {cluster}: {why}"), error)
}

/// The certificates in base64 of PEM, each as DER.
fn certificates(data: &str) -> Result<Vec<Vec<u8>>, BoxError> {
    let pem = String::from_utf8(STANDARD.decode(data.trim())?)?;
    let blocks = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    let bodies = blocks.map(|block| block.split("-----END CERTIFICATE-----").next().unwrap_or_default());
    let ders: Result<Vec<Vec<u8>>, _> = bodies.map(|body| STANDARD.decode(body.split_whitespace().collect::<String>())).collect();
    let ders = ders?;
    if ders.is_empty() { Err("there is no certificate in it".into()) } else { Ok(ders) }
}
