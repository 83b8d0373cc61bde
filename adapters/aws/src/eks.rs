//! Where the clusters of EKS are, for whoever reaches them without a kubeconfig.

use aws_config::SdkConfig;
use aws_sdk_eks::operation::describe_cluster::DescribeClusterError;
use payops_core::port::{ErrorKind, PortError, PortResult};

use crate::config::eks_client;
use crate::permissions::Principal;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterEndpoint {
    pub url: String,
    /// Its certificate authority, base64 of PEM.
    pub authority: Option<String>,
}

/// Asks EKS where the cluster `name` is, in the account and region of `config`.
pub async fn describe_cluster(
    config: &SdkConfig,
    by: Option<Principal>,
    name: &str,
) -> PortResult<ClusterEndpoint> {
    let answer = eks_client(config, by)
        .describe_cluster()
        .name(name)
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
                    format!("no EKS cluster {name} in this account and region"),
                )
            } else if status.is_some_and(|status| matches!(status, 401 | 403)) {
                (
                    ErrorKind::Denied,
                    format!("these credentials may not describe the EKS cluster {name}"),
                )
            } else {
                (
                    ErrorKind::Unavailable,
                    format!("cannot describe the EKS cluster {name}"),
                )
            };
        PortError::because(kind, message, error)
    })?;
    let cluster = answer.cluster().ok_or_else(|| {
        let message = format!("the response from EKS has no cluster {name}");
        PortError::new(ErrorKind::Corrupt, message)
    })?;
    let Some(url) = cluster.endpoint() else {
        let status = cluster.status().map_or("unknown", |status| status.as_str());
        let message = format!("{name} has no endpoint yet; its status is {status}");
        return Err(PortError::new(ErrorKind::Unavailable, message));
    };
    let authority = cluster
        .certificate_authority()
        .and_then(|authority| authority.data())
        .map(str::to_owned);
    Ok(ClusterEndpoint {
        url: url.to_owned(),
        authority,
    })
}
