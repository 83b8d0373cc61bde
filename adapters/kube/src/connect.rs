//! Reaching a cluster by a context of a kubeconfig.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError, NamedContext};
use kube::{Client, Config};
use payops_core::port::{ErrorKind, PortError, PortResult, error_chain};

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
        let in_cluster = |error: PortError| PortError {
            message: format!("cluster {cluster_name}: {}", error.message),
            ..error
        };
        let files = path.map_or_else(
            || default_kubeconfig_files(&|name| std::env::var_os(name)),
            |path| vec![path.to_owned()],
        );
        let kubeconfig = read_files(&files).map_err(in_cluster)?;
        let kubeconfig = kubeconfig.ok_or_else(|| in_cluster(no_file(&files)))?;
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
        let invalid = |error: KubeconfigError| {
            let message = format!("cluster {cluster_name}: {place} is not valid");
            PortError::because(ErrorKind::Permanent, message, error)
        };
        let config = set_timeouts(config.map_err(invalid)?);
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

/// What the kubeconfig says of the clusters that it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubeContexts {
    /// The files it is read from, in their order; those that are not there are left out.
    pub files: Vec<PathBuf>,
    /// The context that kubectl would use.
    pub current: Option<String>,
    /// Each context with its namespace, if it names one.
    pub contexts: Vec<(String, Option<String>)>,
}

/// The files that kubectl would read: those of `KUBECONFIG`, else `~/.kube/config`.
#[must_use]
pub fn default_kubeconfig_files(lookup: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let said = |name| lookup(name).filter(|value| !value.is_empty());
    if let Some(list) = said("KUBECONFIG") {
        let files = std::env::split_paths(&list);
        return files.filter(|file| !file.as_os_str().is_empty()).collect();
    }
    let home = said("HOME").map(|home| Path::new(&home).join(".kube/config"));
    home.into_iter().collect()
}

/// The contexts of these files together, as kubectl joins them. A failure names the file.
pub fn read_contexts(files: &[PathBuf]) -> PortResult<KubeContexts> {
    let Some(read) = read_files(files)? else {
        return Ok(KubeContexts::default());
    };
    let namespace = |context: &NamedContext| {
        let inner = context.context.as_ref()?;
        inner.namespace.clone().filter(|name| !name.is_empty())
    };
    Ok(KubeContexts {
        files: files.iter().filter(|file| file.exists()).cloned().collect(),
        current: read.current_context.filter(|name| !name.is_empty()),
        contexts: read
            .contexts
            .iter()
            .map(|context| (context.name.clone(), namespace(context)))
            .collect(),
    })
}

/// The files together; `None` when none of them is there.
fn read_files(files: &[PathBuf]) -> PortResult<Option<Kubeconfig>> {
    let mut whole: Option<Kubeconfig> = None;
    for file in files.iter().filter(|file| file.exists()) {
        let read = read_file(file)?;
        whole = Some(match whole {
            None => read,
            Some(before) => before.merge(read).map_err(|error| {
                let message = format!("{} does not go with those before it", file.display());
                PortError::because(ErrorKind::Permanent, message, error)
            })?,
        });
    }
    Ok(whole)
}

fn read_file(file: &Path) -> PortResult<Kubeconfig> {
    Kubeconfig::read_from(file).map_err(|error| match error {
        KubeconfigError::ReadConfig(io, _) if io.kind() == std::io::ErrorKind::NotFound => {
            no_file(&[file.to_owned()])
        }
        KubeconfigError::ReadConfig(io, _) => {
            let message = format!("{} cannot be read", file.display());
            PortError::because(ErrorKind::Denied, message, io)
        }
        // The parser's words may quote the file, in which there are secrets; a place is enough.
        error => {
            let why = format!("it is not a kubeconfig{}", place_in(&error));
            PortError::because(
                ErrorKind::Permanent,
                format!("{} is not valid", file.display()),
                PortError::new(ErrorKind::Permanent, why),
            )
        }
    })
}

/// ` (line 3 column 5)`, if the parser says where it stopped.
fn place_in(error: &KubeconfigError) -> String {
    let words = error_chain(error);
    let numbers = words.rsplit_once(" line ").and_then(|(_, rest)| {
        let (line, rest) = rest.split_once(" column ")?;
        let column: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some((line.parse::<usize>().ok()?, column.parse::<usize>().ok()?))
    });
    numbers.map_or_else(String::new, |(line, column)| {
        format!(" (line {line} column {column})")
    })
}

fn no_file(files: &[PathBuf]) -> PortError {
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let message = if names.is_empty() {
        "no home directory to look for a kubeconfig in".to_owned()
    } else {
        format!(
            "file {} not found; set another in payops.toml, or set KUBECONFIG",
            names.join(", ")
        )
    };
    PortError::new(ErrorKind::NotFound, message)
}
