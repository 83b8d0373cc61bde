//! `payops.toml`: the environments of a project, and where the file is found.
//!
//! ```toml
//! default_env = "preprod"
//!
//! [environments.preprod]
//! kind = "aws"
//! region = "eu-west-1"
//! account_id = "471122334455"
//! table = "payops-preprod"
//! bucket = "payops-archive-preprod"
//! bus = "payops"
//! queues = { prefix = "preprod-" }
//!
//! [[environments.preprod.clusters]]
//! name = "preprod-1"
//! eks = "payops-preprod"
//!
//! [environments.laptop]
//! kind = "embedded"
//! data_dir = "/var/lib/payops"
//! env = "test"
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{CliError, CliResult};

pub(crate) const FILE: &str = "payops.toml";

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) default_env: Option<String>,
    pub(crate) data_dir: Option<PathBuf>,
    #[serde(default)]
    pub(crate) environments: BTreeMap<String, Environment>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Environment {
    Aws(Box<Aws>),
    Embedded(Embedded),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Embedded {
    /// The data directory; else the one that every command knows.
    pub(crate) data_dir: Option<PathBuf>,
    /// Its name in there; else the same name.
    pub(crate) env: Option<String>,
    /// The folder where lines of the record are kept too; without one they are kept in the data
    /// directory alone.
    pub(crate) audit_dir: Option<PathBuf>,
    /// Whether writes ask twice, as in `prod`.
    pub(crate) protected: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aws {
    pub(crate) region: Option<String>,
    /// The account it must be; any other is refused.
    pub(crate) account_id: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) endpoint_url: Option<String>,
    pub(crate) table: Option<String>,
    pub(crate) bucket: Option<String>,
    pub(crate) bus: Option<String>,
    /// The event bus, by name or ARN, that lines of the record are put on; else `bus`.
    pub(crate) audit_bus: Option<String>,
    #[serde(default)]
    pub(crate) queues: QueueNames,
    /// Name of the Secrets Manager secret that holds the ledger's connection URL.
    pub(crate) ledger_url_secret: Option<String>,
    /// Name of the environment variable that holds the ledger's connection URL.
    pub(crate) ledger_url_env: Option<String>,
    pub(crate) opensearch_url: Option<String>,
    pub(crate) index: Option<String>,
    pub(crate) api_url: Option<String>,
    /// Name of the environment variable that holds an API key.
    pub(crate) api_key_env: Option<String>,
    pub(crate) from_address: Option<String>,
    #[serde(default)]
    pub(crate) clusters: Vec<ClusterConfig>,
    /// The role of each duty: `view`, `operate`, `break-glass`; without any, the SDK's own
    /// credentials are used.
    #[serde(default)]
    pub(crate) roles: BTreeMap<String, RoleConfig>,
    /// Whether writes ask twice, as in `prod`.
    pub(crate) protected: Option<bool>,
}

impl Environment {
    /// The folder where lines of the record are kept too.
    pub(crate) fn audit_dir(&self) -> Option<&Path> {
        match self {
            Self::Embedded(own) => own.audit_dir.as_deref(),
            Self::Aws(_) => None,
        }
    }
}

impl Aws {
    /// The event bus that lines of the record are put on.
    pub(crate) fn audit_bus(&self) -> Option<&str> {
        self.audit_bus
            .as_deref()
            .or(self.bus.as_deref())
            .filter(|bus| !bus.is_empty())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleConfig {
    pub(crate) arn: String,
    pub(crate) external_id: Option<String>,
    pub(crate) mfa_serial: Option<String>,
    /// How long a session lasts, in minutes [default: 60]
    pub(crate) duration_minutes: Option<u32>,
}

/// A cluster, and how it is reached: by one of `eks`, `context` or `argocd_url`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClusterConfig {
    pub(crate) name: String,
    /// Its name in EKS: reached without a kubeconfig.
    pub(crate) eks: Option<String>,
    pub(crate) context: Option<String>,
    /// The kubeconfig; else KUBECONFIG, else the user's own.
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) argocd_url: Option<String>,
    /// Name of the environment variable that holds a token for it.
    pub(crate) argocd_token_env: Option<String>,
    /// Namespaces to look into when the whole cluster may not be listed.
    #[serde(default)]
    pub(crate) namespaces: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueueNames {
    /// In front of every name: `preprod-payments-work`.
    pub(crate) prefix: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) config: Config,
}

impl Config {
    pub(crate) fn parse(text: &str, path: &Path) -> CliResult<Self> {
        toml::from_str(text).map_err(|error| {
            // The parser's own text quotes the line at fault; the file holds no secrets.
            CliError::usage(format!("{} is not right", path.display()))
                .because(error)
                .hint("payops config explain shows what is read")
        })
    }
}

/// Reads the file named, or the first that is found: in `start` and above, then the user's own.
pub(crate) fn find(
    named: Option<&Path>,
    start: Option<&Path>,
    user_dir: Option<&Path>,
) -> CliResult<Option<Found>> {
    if let Some(path) = named {
        return read(path)?
            .map(Some)
            .ok_or_else(|| CliError::usage(format!("there is no file {}", path.display())));
    }
    let project = start
        .into_iter()
        .flat_map(Path::ancestors)
        .map(|folder| folder.join(FILE));
    let user = user_dir.map(|dir| dir.join("payops").join(FILE));
    for path in project.chain(user) {
        if let Some(found) = read(&path)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn read(path: &Path) -> CliResult<Option<Found>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(Found {
            path: path.to_owned(),
            config: Config::parse(&text, path)?,
        })),
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => {
            Err(CliError::usage(format!("{} cannot be read", path.display())).because(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
default_env = "preprod"
[environments.preprod]
kind = "aws"
region = "eu-west-1"
account_id = "471122334455"
queues = { prefix = "preprod-" }
[environments.laptop]
kind = "embedded"
env = "test"
"#;

    #[test]
    fn both_kinds_are_read() {
        let config = Config::parse(TEXT, Path::new("payops.toml")).expect("a config");
        assert_eq!(config.default_env.as_deref(), Some("preprod"));
        let Some(Environment::Aws(aws)) = config.environments.get("preprod") else {
            panic!("not AWS")
        };
        assert_eq!(
            (aws.region.as_deref(), aws.queues.prefix.as_deref()),
            (Some("eu-west-1"), Some("preprod-"))
        );
        assert!(matches!(
            config.environments.get("laptop"),
            Some(Environment::Embedded(_))
        ));
    }

    #[test]
    fn mistakes_are_named() {
        for bad in [
            "colour = 1",
            "[environments.a]\nkind = \"aws\"\ntabel = \"x\"",
            "[environments.a]\nkind = \"azure\"",
            "[environments.a]\nregion = \"x\"",
        ] {
            let error = Config::parse(bad, Path::new("payops.toml")).expect_err("refused");
            assert_eq!(error.exit.code(), 2);
            assert!(
                error.text().contains("payops.toml is not right"),
                "{}",
                error.text()
            );
        }
    }

    #[test]
    fn the_nearest_file_wins() {
        let temp = tempfile::tempdir().expect("a folder");
        let (project, below, user) = (
            temp.path().join("project"),
            temp.path().join("project/a/b"),
            temp.path().join("user"),
        );
        std::fs::create_dir_all(&below).expect("made");
        std::fs::create_dir_all(user.join("payops")).expect("made");
        assert_eq!(find(None, Some(&below), Some(&user)).expect("looked"), None);
        std::fs::write(user.join("payops/payops.toml"), "default_env = \"user\"").expect("written");
        let found = |start: &Path| {
            find(None, Some(start), Some(&user))
                .expect("looked")
                .expect("found")
                .config
                .default_env
        };
        assert_eq!(found(&below).as_deref(), Some("user"));
        std::fs::write(project.join(FILE), "default_env = \"project\"").expect("written");
        assert_eq!(found(&below).as_deref(), Some("project"));
        assert_eq!(
            find(Some(&temp.path().join("no.toml")), None, None)
                .expect_err("refused")
                .exit
                .code(),
            2
        );
    }
}
