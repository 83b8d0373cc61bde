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
//! [environments.preprod.consumers]
//! payments-work = "payments/payments-worker"
//!
//! [environments.lab]
//! kind = "kubernetes"
//! clusters = [{ name = "kind", context = "kind-kind" }]
//!
//! [environments.laptop]
//! kind = "embedded"
//! data_dir = "/var/lib/payops"
//! env = "test"
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use payops_core::domain::rollout::RolloutKey;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::{OpsError, OpsResult};

pub const FILE: &str = "payops.toml";

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub default_env: Option<String>,
    pub data_dir: Option<PathBuf>,
    #[serde(default)]
    pub environments: BTreeMap<String, EnvConfig>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EnvConfig {
    Aws(Box<AwsConfig>),
    Kubernetes(Box<KubernetesConfig>),
    Embedded(EmbeddedConfig),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedConfig {
    /// The data directory; else the one that every command knows.
    pub data_dir: Option<PathBuf>,
    /// Its name in there; else the same name.
    pub env: Option<String>,
    /// The folder where lines of the record are kept too; without one they are kept in the data
    /// directory alone.
    pub audit_dir: Option<PathBuf>,
    /// Whether writes ask twice, as in `prod`.
    pub protected: Option<bool>,
    /// The rollout that consumes a queue, by the queue's name.
    #[serde(default)]
    pub consumers: BTreeMap<String, ConsumerRollout>,
}

/// Clusters and nothing else: rollouts are seen and steered in them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubernetesConfig {
    #[serde(default)]
    pub clusters: Vec<ClusterConfig>,
    /// The folder where lines of the record are kept too; without one they are kept on the
    /// operator's machine alone.
    pub audit_dir: Option<PathBuf>,
    /// Whether writes ask twice, as in `prod`.
    pub protected: Option<bool>,
    /// Whether it is a context of the kubeconfig, which no file declares.
    #[serde(skip)]
    pub is_from_kubeconfig: bool,
}

/// An environment in AWS. Every member is optional, and so is every part: what is not named is not
/// there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsConfig {
    pub region: Option<String>,
    /// The account it must be; any other is refused.
    pub account_id: Option<String>,
    pub profile: Option<String>,
    pub endpoint_url: Option<String>,
    pub table: Option<String>,
    pub bucket: Option<String>,
    pub bus: Option<String>,
    /// The event bus, by name or ARN, that lines of the record are put on; else `bus`.
    pub audit_bus: Option<String>,
    #[serde(default)]
    pub queues: QueueConfig,
    /// Name of the Secrets Manager secret that holds the ledger's connection URL.
    pub ledger_url_secret: Option<String>,
    /// Name of the environment variable that holds the ledger's connection URL.
    pub ledger_url_env: Option<String>,
    pub opensearch_url: Option<String>,
    pub index: Option<String>,
    pub api_url: Option<String>,
    /// Name of the environment variable that holds an API key.
    pub api_key_env: Option<String>,
    pub from_address: Option<String>,
    #[serde(default)]
    pub clusters: Vec<ClusterConfig>,
    /// The role of each access level: `view`, `operate`, `break-glass`; without any, the SDK's own
    /// credentials are used.
    #[serde(default)]
    pub roles: BTreeMap<String, RoleConfig>,
    /// Whether writes ask twice, as in `prod`.
    pub protected: Option<bool>,
    /// The rollout that consumes a queue, by the queue's name without prefix.
    #[serde(default)]
    pub consumers: BTreeMap<String, ConsumerRollout>,
}

/// A rollout, written `NAMESPACE/ROLLOUT`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ConsumerRollout(pub RolloutKey);

impl TryFrom<String> for ConsumerRollout {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_name = |name: &str| !name.is_empty() && !name.contains('/');
        match text.split_once('/') {
            Some((namespace, name)) if is_name(namespace) && is_name(name) => {
                Ok(Self(RolloutKey {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                }))
            }
            _ => Err(format!("expected NAMESPACE/ROLLOUT, got `{text}`")),
        }
    }
}

impl EnvConfig {
    #[must_use]
    pub fn consumers(&self) -> Option<&BTreeMap<String, ConsumerRollout>> {
        match self {
            Self::Embedded(own) => Some(&own.consumers),
            Self::Aws(aws) => Some(&aws.consumers),
            Self::Kubernetes(_) => None,
        }
    }

    /// The folder where lines of the record are kept too.
    #[must_use]
    pub fn audit_dir(&self) -> Option<&Path> {
        match self {
            Self::Embedded(own) => own.audit_dir.as_deref(),
            Self::Kubernetes(own) => own.audit_dir.as_deref(),
            Self::Aws(_) => None,
        }
    }
}

impl AwsConfig {
    /// The event bus that lines of the record are put on.
    #[must_use]
    pub fn audit_bus(&self) -> Option<&str> {
        self.audit_bus
            .as_deref()
            .or(self.bus.as_deref())
            .filter(|bus| !bus.is_empty())
    }

    /// What stands in front of each queue's name; `None` when it has no queues. Where there are
    /// payments, there are queues under their own names unless the file says otherwise.
    #[must_use]
    pub fn queue_prefix(&self) -> Option<&str> {
        match &self.queues {
            QueueConfig::Off => None,
            QueueConfig::Unsaid => self.table.as_ref().map(|_| ""),
            QueueConfig::Named(names) => Some(names.prefix.as_deref().unwrap_or_default()),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleConfig {
    pub arn: String,
    pub external_id: Option<String>,
    pub mfa_serial: Option<String>,
    /// How long a session lasts, in minutes [default: 60]
    pub duration_minutes: Option<u32>,
}

/// A cluster, and how it is reached: by one of `eks`, `operator` or `argocd_url`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    pub name: String,
    /// Its name in EKS: reached without a kubeconfig.
    pub eks: Option<String>,
    pub context: Option<String>,
    /// The kubeconfig; else KUBECONFIG, else the user's own.
    pub kubeconfig: Option<PathBuf>,
    pub argocd_url: Option<String>,
    /// Name of the environment variable that holds a token for it.
    pub argocd_token_env: Option<String>,
    /// Namespaces to look into when the whole cluster may not be listed.
    #[serde(default)]
    pub namespaces: Vec<String>,
}

impl ClusterConfig {
    /// How it is reached: `eks payops-prod`.
    #[must_use]
    pub fn describe_access(&self) -> String {
        let ways = [
            ("eks", &self.eks),
            ("context", &self.context),
            ("argocd", &self.argocd_url),
        ];
        let ways: Vec<String> = ways
            .into_iter()
            .filter_map(|(way, value)| Some(format!("{way} {}", value.as_ref()?)))
            .collect();
        ways.join(", ")
    }
}

/// The queues of an environment: `queues = { prefix = "preprod-" }`, or `queues = false`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum QueueConfig {
    #[default]
    Unsaid,
    Off,
    Named(QueueNames),
}

impl<'de> Deserialize<'de> for QueueConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = QueueConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table such as { prefix = \"prod-\" }, or false")
            }

            fn visit_bool<E: serde::de::Error>(self, has_queues: bool) -> Result<QueueConfig, E> {
                Ok(if has_queues {
                    QueueConfig::Named(QueueNames::default())
                } else {
                    QueueConfig::Off
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<QueueConfig, A::Error> {
                QueueNames::deserialize(MapAccessDeserializer::new(map)).map(QueueConfig::Named)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueNames {
    /// In front of every name: `preprod-payments-work`.
    pub prefix: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    pub path: PathBuf,
    pub config: Config,
}

impl Config {
    pub fn parse(text: &str, path: &Path) -> OpsResult<Self> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count().saturating_add(1));
            let path = path.display();
            // The parser's own text quotes the line at fault; the file holds no secrets.
            OpsError::usage(format!("{path} is not valid"))
                .because(error)
                .hint(format!(
                    "correct line {line} of {path}; docs/config.md lists the settings"
                ))
        })
    }
}

/// Reads the file named, or the first that is found: in `start` and above, then the user's own.
pub fn find(
    named: Option<&Path>,
    start: Option<&Path>,
    user_dir: Option<&Path>,
) -> OpsResult<Option<ConfigFile>> {
    if let Some(path) = named {
        return read(path)?
            .map(Some)
            .ok_or_else(|| OpsError::usage(format!("file {} not found", path.display())));
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

fn read(path: &Path) -> OpsResult<Option<ConfigFile>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(ConfigFile {
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
            Err(OpsError::usage(format!("cannot read {}", path.display())).because(error))
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
[environments.laptop.consumers]
payments-work = "pay/worker"
"#;

    #[test]
    fn both_kinds_are_read() {
        let config = Config::parse(TEXT, Path::new("payops.toml")).expect("a config");
        assert_eq!(config.default_env.as_deref(), Some("preprod"));
        let Some(EnvConfig::Aws(aws)) = config.environments.get("preprod") else {
            panic!("not AWS")
        };
        assert_eq!(
            (aws.region.as_deref(), aws.queue_prefix()),
            (Some("eu-west-1"), Some("preprod-"))
        );
        let Some(laptop @ EnvConfig::Embedded(_)) = config.environments.get("laptop") else {
            panic!("not embedded")
        };
        let consumer = laptop
            .consumers()
            .and_then(|consumers| consumers.get("payments-work"))
            .expect("a consumer");
        assert_eq!(consumer.0.to_string(), "pay/worker");
    }

    #[test]
    fn an_environment_may_have_clusters_alone_and_queues_or_none() {
        let read = |text: &str| {
            let text = format!("[environments.a]\n{text}");
            let config = Config::parse(&text, Path::new("payops.toml")).expect("a config");
            config.environments.into_values().next().expect("one")
        };
        let EnvConfig::Kubernetes(own) =
            read("kind = \"kubernetes\"\nclusters = [{ name = \"a\", context = \"c\" }]")
        else {
            panic!("not Kubernetes")
        };
        assert_eq!(own.clusters[0].context.as_deref(), Some("c"));
        for (text, prefix) in [
            ("kind = \"aws\"", None),
            ("kind = \"aws\"\ntable = \"t\"", Some("")),
            ("kind = \"aws\"\ntable = \"t\"\nqueues = false", None),
            ("kind = \"aws\"\nqueues = true", Some("")),
            ("kind = \"aws\"\nqueues = {}", Some("")),
            ("kind = \"aws\"\nqueues = { prefix = \"p-\" }", Some("p-")),
        ] {
            let EnvConfig::Aws(aws) = read(text) else {
                panic!("not AWS")
            };
            assert_eq!(aws.queue_prefix(), prefix, "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for bad in [
            "colour = 1",
            "[environments.a]\nkind = \"aws\"\ntabel = \"x\"",
            "[environments.a]\nkind = \"azure\"",
            "[environments.a]\nregion = \"x\"",
            "[environments.a]\nkind = \"kubernetes\"\ntable = \"x\"",
            "[environments.a]\nkind = \"aws\"\nqueues = { prefx = \"x\" }",
            "[environments.a]\nkind = \"aws\"\nqueues = \"x\"",
            "[environments.a]\nkind = \"embedded\"\nconsumers = { payments-work = \"worker\" }",
            "[environments.a]\nkind = \"aws\"\nconsumers = { payments-work = \"a/b/c\" }",
        ] {
            let error = Config::parse(bad, Path::new("payops.toml")).expect_err("refused");
            assert_eq!(error.kind, crate::error::Kind::Usage);
            assert!(
                error.chain().contains("payops.toml is not valid"),
                "{}",
                error.chain()
            );
        }
        let text = "default_env = \"a\"\n\n[environments.a]\nkind = \"azure\"\n";
        let error = Config::parse(text, Path::new("payops.toml")).expect_err("refused");
        assert_eq!(
            error.hint.as_deref(),
            Some("correct line 4 of payops.toml; docs/config.md lists the settings")
        );
        let text = "default_env = \"a\"\n\ncolour = 1\n";
        let error = Config::parse(text, Path::new("payops.toml")).expect_err("refused");
        assert!(
            error
                .hint
                .is_some_and(|hint| hint.starts_with("correct line 3 of"))
        );
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
                .kind,
            crate::error::Kind::Usage
        );
    }
}
