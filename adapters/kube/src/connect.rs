//! Reaching a cluster by a context of a kubeconfig.

use std::path::Path;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use payops_core::port::{ErrorKind, PortError, PortResult};

use crate::KubeRollouts;

pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(3);

impl KubeRollouts {
    /// By `context` of the kubeconfig at `path`, or of the one that kubectl would read
    /// (`KUBECONFIG`, else `~/.kube/config`). The cluster itself is not asked yet.
    pub async fn from_kubeconfig(
        path: Option<&Path>,
        context: &str,
        cluster_name: &str,
    ) -> PortResult<Self> {
        let fail = |kind, message: String| {
            PortError::new(kind, format!("cluster {cluster_name}: {message}"))
        };
        let place = path.map_or_else(
            || "the kubeconfig".to_owned(),
            |path| path.display().to_string(),
        );
        let read = path.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
        let kubeconfig = read.map_err(|error| kubeconfig_error(cluster_name, &place, error))?;
        let names: Vec<&str> = kubeconfig
            .contexts
            .iter()
            .map(|context| context.name.as_str())
            .collect();
        if !names.contains(&context) {
            let held = if names.is_empty() {
                "it has none".to_owned()
            } else {
                format!("it has {}", names.join(", "))
            };
            return Err(fail(
                ErrorKind::NotFound,
                format!("context {context} not found in {place}; {held}"),
            ));
        }
        let options = KubeConfigOptions {
            context: Some(context.to_owned()),
            ..KubeConfigOptions::default()
        };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let config =
            set_timeouts(config.map_err(|error| kubeconfig_error(cluster_name, &place, error))?);
        let address = config.cluster_url.clone();
        // Credentials may come from a command that has to be run: not on a thread that others wait
        // for.
        let client = tokio::task::spawn_blocking(move || Client::try_from(config)).await;
        let client = client.map_err(|error| {
            PortError::because(
                ErrorKind::Unavailable,
                format!("cluster {cluster_name}: cannot create a client"),
                error,
            )
        })?;
        let denied = |error| {
            let message = format!(
                "cluster {cluster_name}: cannot get the credentials of context {context}; sign \
                    in again"
            );
            PortError::because(ErrorKind::Denied, message, error)
        };
        Ok(Self::from_client(
            client.map_err(denied)?,
            cluster_name,
            format!("kubeconfig context {context}"),
        )
        .at(&address))
    }
}

/// With our time limits, and without tries that nobody sees: what is tried again is decided here.
pub(crate) fn set_timeouts(mut config: Config) -> Config {
    config.connect_timeout = Some(CONNECT_LIMIT);
    config.read_timeout = None;
    config.default_retry = false;
    config
}

fn kubeconfig_error(cluster: &str, place: &str, error: KubeconfigError) -> PortError {
    let (kind, message) = match &error {
        KubeconfigError::ReadConfig(io, path) if io.kind() == std::io::ErrorKind::NotFound => (
            ErrorKind::NotFound,
            format!(
                "file {} not found; set another in payops.toml, or set KUBECONFIG",
                path.display()
            ),
        ),
        KubeconfigError::ReadConfig(_, path) => (
            ErrorKind::Denied,
            format!("{} cannot be read", path.display()),
        ),
        KubeconfigError::FindPath => (
            ErrorKind::NotFound,
            "no home directory to look for a kubeconfig in".to_owned(),
        ),
        _ => (ErrorKind::Permanent, format!("{place} is not valid")),
    };
    PortError::because(kind, format!("cluster {cluster}: {message}"), error)
}
