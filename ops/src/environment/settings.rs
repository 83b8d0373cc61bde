//! Settings: what the command line, the environment and `payops.toml` say together, in that
//! order of precedence, each value with its origin.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::config::{
    self, AwsConfig, ClusterConfig, Config, ConfigFile, EnvConfig, KubernetesConfig,
};
use crate::equivalent::word;
use crate::error::{OpsError, OpsResult};

const WHO_MAX: usize = 128;

/// Environments of the embedded platform, the most important first.
pub const EMBEDDED: [&str; 3] = ["prod", "preprod", "test"];

pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Flag(&'static str),
    Variable(&'static str),
    File(PathBuf),
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Variable(name) => write!(f, "{name} (environment variable)"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    pub value: T,
    pub origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    Embedded { data_dir: PathBuf, name: String },
    Aws(Box<AwsConfig>),
    Kubernetes(Box<KubernetesConfig>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    pub name: String,
    pub target: Backend,
    pub protected: bool,
}

impl Environment {
    /// The account that its queues and stores are of, if it has one.
    #[must_use]
    pub fn account(&self) -> Option<&String> {
        if let Backend::Aws(aws) = &self.target {
            aws.account_id.as_ref()
        } else {
            None
        }
    }
}

/// What was said for this one run, before variables and files.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub data_dir: Option<PathBuf>,
    pub config: Option<PathBuf>,
    pub env: Vec<String>,
    /// A context of the kubeconfig, in place of an environment.
    pub context: Option<String>,
}

/// A context of the kubeconfig, which is an environment where no file declares one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeContext {
    /// The environment's name: that of the context, unless an embedded one has it.
    pub env: String,
    pub cluster: ClusterConfig,
    /// Where the context was chosen.
    pub origin: Origin,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub data_dir: Sourced<PathBuf>,
    /// The environments asked for; an error that is told when a command needs one.
    pub envs: Result<Sourced<Vec<String>>, (String, String)>,
    pub found: Option<ConfigFile>,
    pub found_by: Origin,
    /// The context of the kubeconfig that is an environment too.
    pub context: Option<KubeContext>,
    /// Whether the environments of the embedded platform are meant when nobody names one.
    pub embedded_first: bool,
    pub who: Sourced<String>,
    /// Where the payments API is, when said apart from the environment.
    pub api_url: Option<Sourced<String>>,
    pub state_dir: PathBuf,
}

impl Settings {
    /// Puts the settings together; `default_data_dir` is where data is when nobody says.
    pub fn read(
        overrides: &Overrides,
        lookup: Lookup<'_>,
        cwd: Option<&Path>,
        default_data_dir: PathBuf,
    ) -> OpsResult<Self> {
        let (named, found_by) = match (&overrides.config, path(lookup, "PAYOPS_CONFIG")) {
            (Some(path), _) => (Some(path.clone()), Origin::Flag("--config")),
            (None, Some(path)) => (Some(path), Origin::Variable("PAYOPS_CONFIG")),
            (None, None) => (None, Origin::Default),
        };
        let found = config::find(
            named.as_deref(),
            cwd,
            xdg(lookup, "XDG_CONFIG_HOME", ".config").as_deref(),
        )?;
        let data_dir = data_dir(overrides, lookup, found.as_ref(), default_data_dir);
        let envs = environments(overrides, lookup, found.as_ref());
        let who = ["PAYOPS_USER", "USER", "LOGNAME"]
            .into_iter()
            .find_map(|name| {
                Some((text(lookup, name)?.trim().to_owned(), name))
                    .filter(|(name, _)| !name.is_empty())
            });
        let who = who.map_or(
            Sourced {
                value: format!("uid-{}", rustix::process::getuid().as_raw()),
                origin: Origin::Default,
            },
            |(value, name)| Sourced {
                value,
                origin: Origin::Variable(name),
            },
        );
        if who.value.chars().count() > WHO_MAX || who.value.chars().any(char::is_control) {
            return Err(OpsError::usage(format!(
                "your user name has control characters or more than {WHO_MAX} characters"
            ))
            .hint("set PAYOPS_USER to your name"));
        }
        let api_url = text(lookup, "PAYOPS_API_URL").map(|value| Sourced {
            value,
            origin: Origin::Variable("PAYOPS_API_URL"),
        });
        let state_dir = xdg(lookup, "XDG_STATE_HOME", ".local/state")
            .unwrap_or_else(std::env::temp_dir)
            .join("payops");
        Ok(Self {
            data_dir,
            envs,
            found,
            found_by,
            context: None,
            embedded_first: true,
            who,
            api_url,
            state_dir,
        })
    }

    #[must_use]
    pub fn config(&self) -> Option<&Config> {
        self.found.as_ref().map(|found| &found.config)
    }

    pub fn targets(&self) -> OpsResult<Vec<Environment>> {
        let names = match &self.envs {
            Ok(names) => &names.value,
            Err((message, hint)) => return Err(OpsError::usage(message.clone()).hint(hint.clone())),
        };
        if names.is_empty() {
            return Err(OpsError::usage("--env is empty")
                .hint("is a shell variable empty? omit --env or give a name"));
        }
        let mut out: Vec<Environment> = Vec::new();
        for name in names {
            if !out.iter().any(|target| target.name == *name) {
                out.push(self.target(name)?);
            }
        }
        Ok(out)
    }

    /// The environments that were named; when nobody named any, all that there are.
    pub fn all_targets(&self) -> OpsResult<Vec<Environment>> {
        let chosen = matches!(
            &self.envs,
            Ok(Sourced {
                origin: Origin::Flag(_) | Origin::Variable(_),
                ..
            })
        );
        // Where no file declares any, what is wrong with the kubeconfig is told here too.
        if chosen || (self.envs.is_err() && self.declared().is_empty()) {
            return self.targets();
        }
        let names = self.all_names();
        names.iter().map(|name| self.target(name)).collect()
    }

    /// Makes a context of the kubeconfig an environment. Nothing changes where a file declares
    /// environments.
    pub fn add_context(&mut self, context: KubeContext, embedded_first: bool) {
        if !self.declared().is_empty() {
            return;
        }
        self.embedded_first = embedded_first;
        let is_asked_for = matches!(context.origin, Origin::Flag(_));
        let is_default = match &self.envs {
            Ok(envs) => envs.origin == Origin::Default && !embedded_first,
            Err(_) => false,
        };
        if is_asked_for || is_default {
            self.envs = Ok(Sourced {
                value: vec![context.env.clone()],
                origin: context.origin.clone(),
            });
        }
        self.context = Some(context);
    }

    /// The one environment asked for; a write goes to one only.
    pub fn one_target(&self) -> OpsResult<Environment> {
        let mut targets = self.targets()?;
        match (targets.pop(), targets.is_empty()) {
            (Some(target), true) => Ok(target),
            _ => Err(OpsError::usage("this command works on one environment")
                .hint("name one environment with --env")),
        }
    }

    pub fn target(&self, name: &str) -> OpsResult<Environment> {
        let declared = self
            .config()
            .and_then(|config| config.environments.get(name));
        let prod = is_production(name);
        let embedded = |data_dir: PathBuf, inner: &str, protected| Environment {
            name: name.to_owned(),
            target: Backend::Embedded {
                data_dir,
                name: inner.to_owned(),
            },
            protected,
        };
        match declared {
            Some(EnvConfig::Aws(aws)) => {
                if self.data_dir.origin == Origin::Flag("--data-dir") {
                    let message = format!(
                        "--data-dir is only for embedded environments, and {name} is on AWS"
                    );
                    return Err(OpsError::usage(message)
                        .hint("omit --data-dir, or name another environment"));
                }
                let protected = aws.protected.unwrap_or(prod);
                Ok(Environment {
                    name: name.to_owned(),
                    target: Backend::Aws(aws.clone()),
                    protected,
                })
            }
            Some(EnvConfig::Embedded(own)) => {
                let file_says = own.data_dir.clone().filter(|_| {
                    !matches!(self.data_dir.origin, Origin::Flag(_) | Origin::Variable(_))
                });
                let data_dir = file_says.unwrap_or_else(|| self.data_dir.value.clone());
                Ok(embedded(
                    data_dir,
                    own.env.as_deref().unwrap_or(name),
                    own.protected.unwrap_or(prod),
                ))
            }
            Some(EnvConfig::Kubernetes(own)) => Ok(Environment {
                name: name.to_owned(),
                protected: own.protected.unwrap_or(prod),
                target: Backend::Kubernetes(own.clone()),
            }),
            None if self
                .context
                .as_ref()
                .is_some_and(|context| context.env == name) =>
            {
                let cluster = self.context.as_ref().map(|context| context.cluster.clone());
                Ok(Environment {
                    name: name.to_owned(),
                    // Nobody says what it is: any word of its name may.
                    protected: name
                        .split(|c: char| !c.is_ascii_alphanumeric())
                        .any(is_production),
                    target: Backend::Kubernetes(Box::new(KubernetesConfig {
                        clusters: cluster.into_iter().collect(),
                        is_from_kubeconfig: true,
                        ..KubernetesConfig::default()
                    })),
                })
            }
            None if self.declared().is_empty() && EMBEDDED.contains(&name) => {
                Ok(embedded(self.data_dir.value.clone(), name, prod))
            }
            None => {
                let known = self.all_names();
                let hint = format!("environments are {}", known.join(", "));
                let message = match &self.envs {
                    Ok(Sourced { value, origin }) if value.iter().any(|asked| asked == name) => {
                        match origin {
                            Origin::File(path) => format!(
                                "default_env in {} names {name}, which is not one of its \
                                    environments",
                                path.display()
                            ),
                            Origin::Variable(variable) => {
                                format!("environment {name} not found; {variable} names it")
                            }
                            _ => format!("environment {name} not found"),
                        }
                    }
                    _ => format!("environment {name} not found"),
                };
                Err(OpsError::usage(message).hint(hint))
            }
        }
    }

    pub fn all_names(&self) -> Vec<String> {
        let declared = self.declared();
        if !declared.is_empty() {
            return declared;
        }
        let context = self.context.as_ref().map(|context| context.env.clone());
        let embedded = EMBEDDED.map(str::to_owned).into_iter();
        match context {
            Some(context) if !self.embedded_first => vec![context],
            context => embedded.chain(context).collect(),
        }
    }

    /// A command to copy that works on `env`: `payops dlq list --env test`. Where `--env` may be
    /// left out, it is.
    #[must_use]
    pub fn command(&self, args: &str, env: &str) -> String {
        if let Some(context) = self.context.as_ref().filter(|context| context.env == env) {
            return match &context.origin {
                Origin::Flag(_) => {
                    let name = context.cluster.context.as_deref().unwrap_or(env);
                    format!("payops {args} --context {}", word(name))
                }
                _ if !self.embedded_first => format!("payops {args}"),
                _ => format!("payops {args} --env {}", word(env)),
            };
        }
        let default = environments(&Overrides::default(), &|_| None, self.found.as_ref());
        let default = default.ok().filter(|_| self.embedded_first);
        if default.is_some_and(|default| default.value == [env]) {
            format!("payops {args}")
        } else {
            format!("payops {args} --env {}", word(env))
        }
    }

    #[must_use]
    pub fn declared(&self) -> Vec<String> {
        self.config()
            .map(|config| config.environments.keys().cloned().collect())
            .unwrap_or_default()
    }
}

/// Whether the name, or a word of it, says that real money moves there.
fn is_production(name: &str) -> bool {
    matches!(name, "prod" | "production" | "live")
}

fn data_dir(
    overrides: &Overrides,
    lookup: Lookup<'_>,
    found: Option<&ConfigFile>,
    default: PathBuf,
) -> Sourced<PathBuf> {
    let file = found.and_then(|found| Some((found.config.data_dir.clone()?, found.path.clone())));
    let (value, origin) = match (&overrides.data_dir, path(lookup, "PAYOPS_DATA_DIR"), file) {
        (Some(value), _, _) => (value.clone(), Origin::Flag("--data-dir")),
        (None, Some(value), _) => (value, Origin::Variable("PAYOPS_DATA_DIR")),
        (None, None, Some((value, path))) => (value, Origin::File(path)),
        (None, None, None) => (default, Origin::Default),
    };
    Sourced { value, origin }
}

fn environments(
    overrides: &Overrides,
    lookup: Lookup<'_>,
    found: Option<&ConfigFile>,
) -> Result<Sourced<Vec<String>>, (String, String)> {
    let split = |text: &str| {
        text.split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect::<Vec<String>>()
    };
    if !overrides.env.is_empty() {
        return Ok(Sourced {
            value: overrides.env.iter().flat_map(|name| split(name)).collect(),
            origin: Origin::Flag("--env"),
        });
    }
    if let Some(value) = text(lookup, "PAYOPS_ENV") {
        return Ok(Sourced {
            value: split(&value),
            origin: Origin::Variable("PAYOPS_ENV"),
        });
    }
    let Some(found) = found.filter(|found| {
        !found.config.environments.is_empty() || found.config.default_env.is_some()
    }) else {
        return Ok(Sourced {
            value: vec!["prod".to_owned()],
            origin: Origin::Default,
        });
    };
    let origin = Origin::File(found.path.clone());
    let declared: Vec<String> = found.config.environments.keys().cloned().collect();
    match (&found.config.default_env, declared.as_slice()) {
        (Some(name), _) => Ok(Sourced {
            value: vec![name.clone()],
            origin,
        }),
        (None, [one]) => Ok(Sourced {
            value: vec![one.clone()],
            origin,
        }),
        (None, many) => {
            let message = format!(
                "no environment given; {} declares {}",
                found.path.display(),
                many.join(", ")
            );
            Err((
                message,
                "name one with --env, or set default_env in the file".to_owned(),
            ))
        }
    }
}

fn text(lookup: Lookup<'_>, name: &str) -> Option<String> {
    lookup(name)
        .and_then(|value| value.into_string().ok())
        .filter(|value| !value.is_empty())
}

fn path(lookup: Lookup<'_>, name: &str) -> Option<PathBuf> {
    lookup(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// A folder of the XDG base directory specification: the variable if absolute, else under HOME.
fn xdg(lookup: Lookup<'_>, name: &str, under_home: &str) -> Option<PathBuf> {
    path(lookup, name)
        .filter(|path| path.is_absolute())
        .or_else(|| path(lookup, "HOME").map(|home| home.join(under_home)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn settings(
        overrides: &Overrides,
        variables: &[(&str, &str)],
        file: Option<&str>,
    ) -> OpsResult<Settings> {
        let temp = tempfile::tempdir().expect("a folder");
        if let Some(file) = file {
            std::fs::write(temp.path().join("payops.toml"), file).expect("written");
        }
        let variables: Vec<(String, OsString)> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
            .collect();
        let lookup = move |name: &str| {
            variables
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        };
        Settings::read(
            overrides,
            &lookup,
            Some(temp.path()),
            PathBuf::from("/default"),
        )
    }

    fn with_env(names: &[&str]) -> Overrides {
        Overrides {
            env: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Overrides::default()
        }
    }

    const TWO: &str = "[environments.prod]\nkind = \"aws\"\n[environments.lab]\nkind = \
        \"embedded\"\ndata_dir = \"/lab\"\nenv = \"test\"\n";

    #[test]
    fn flags_come_before_variables_before_the_file() {
        let file = "data_dir = \"/file\"\n";
        let read = |overrides: &Overrides, variables| {
            settings(overrides, variables, Some(file))
                .expect("settings")
                .data_dir
        };
        let flag = Overrides {
            data_dir: Some("/flag".into()),
            ..Overrides::default()
        };
        assert_eq!(
            read(&flag, &[("PAYOPS_DATA_DIR", "/var")]),
            Sourced {
                value: "/flag".into(),
                origin: Origin::Flag("--data-dir")
            }
        );
        assert_eq!(
            read(&Overrides::default(), &[("PAYOPS_DATA_DIR", "/var")]).value,
            PathBuf::from("/var")
        );
        assert_eq!(
            read(&Overrides::default(), &[]).value,
            PathBuf::from("/file")
        );
        assert_eq!(
            settings(&Overrides::default(), &[], None)
                .expect("settings")
                .data_dir
                .value,
            PathBuf::from("/default")
        );
    }

    #[test]
    fn a_command_to_copy_names_every_environment_but_the_default() {
        let read = |overrides: &Overrides, variables: &[(&str, &str)], file| {
            settings(overrides, variables, file).expect("settings")
        };
        let none = read(&Overrides::default(), &[], None);
        assert_eq!(none.command("dlq list", "prod"), "payops dlq list");
        assert_eq!(
            none.command("dlq list", "test"),
            "payops dlq list --env test"
        );
        // A variable is not there in every shell that a command is pasted into.
        let test = read(&with_env(&["test"]), &[("PAYOPS_ENV", "test")], None);
        assert_eq!(
            test.command("dlq list", "test"),
            "payops dlq list --env test"
        );
        let file = format!("default_env = \"lab\"\n{TWO}");
        let lab = read(&Overrides::default(), &[], Some(&file));
        assert_eq!(lab.command("dlq list", "lab"), "payops dlq list");
        assert_eq!(
            lab.command("dlq list", "prod"),
            "payops dlq list --env prod"
        );
        let two = read(&with_env(&["a b"]), &[], Some(TWO));
        assert_eq!(
            two.command("dlq list", "a b"),
            "payops dlq list --env 'a b'"
        );
    }

    #[test]
    fn an_environment_that_does_not_exist_is_blamed_on_what_names_it() {
        let refused = |overrides: &Overrides, variables: &[(&str, &str)], file: &str| {
            let settings = settings(overrides, variables, Some(file)).expect("settings");
            settings.one_target().expect_err("refused")
        };
        let file = format!("default_env = \"gone\"\n{TWO}");
        let error = refused(&Overrides::default(), &[], &file);
        assert!(
            error.message.starts_with("default_env in ")
                && error
                    .message
                    .ends_with("payops.toml names gone, which is not one of its environments"),
            "{}",
            error.message
        );
        assert_eq!(error.hint.as_deref(), Some("environments are lab, prod"));
        let error = refused(&Overrides::default(), &[("PAYOPS_ENV", "gone")], TWO);
        assert_eq!(
            error.message,
            "environment gone not found; PAYOPS_ENV names it"
        );
        let error = refused(&with_env(&["gone"]), &[], TWO);
        assert_eq!(error.message, "environment gone not found");
    }

    #[test]
    fn prod_is_the_default_on_the_embedded_platform() {
        let target = settings(&Overrides::default(), &[], None)
            .expect("settings")
            .one_target()
            .expect("one");
        assert_eq!(
            target.target,
            Backend::Embedded {
                data_dir: "/default".into(),
                name: "prod".into()
            }
        );
        assert!(target.protected);
        let several = settings(&with_env(&["test,preprod"]), &[], None).expect("settings");
        assert_eq!(several.targets().expect("two").len(), 2);
        assert_eq!(several.one_target().expect_err("refused").kind, Kind::Usage);
        let none = settings(&with_env(&[""]), &[], None)
            .expect("settings")
            .all_targets()
            .expect_err("refused");
        assert_eq!(none.kind, Kind::Usage);
        let wrong = settings(&with_env(&["prd"]), &[], None)
            .expect("settings")
            .targets()
            .expect_err("refused");
        assert_eq!(
            wrong.hint.as_deref(),
            Some("environments are prod, preprod, test")
        );
    }

    #[test]
    fn several_environments_without_a_default_are_listed() {
        let error = settings(&Overrides::default(), &[], Some(TWO))
            .expect("settings")
            .targets()
            .expect_err("refused");
        assert!(
            error.kind == Kind::Usage && error.message.contains("lab, prod"),
            "{}",
            error.message
        );
        let named = settings(&Overrides::default(), &[("PAYOPS_ENV", "lab")], Some(TWO))
            .expect("settings")
            .one_target()
            .expect("one");
        assert_eq!(
            named.target,
            Backend::Embedded {
                data_dir: "/lab".into(),
                name: "test".into()
            }
        );
        assert!(!named.protected);
        let undeclared = settings(&with_env(&["test"]), &[], Some(TWO))
            .expect("settings")
            .targets();
        assert_eq!(undeclared.expect_err("refused").kind, Kind::Usage);
    }

    #[test]
    fn all_environments_are_meant_when_nobody_names_one() {
        let names = |settings: Settings| {
            settings
                .all_targets()
                .expect("targets")
                .into_iter()
                .map(|target| target.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(settings(&Overrides::default(), &[], None).expect("settings")),
            EMBEDDED
        );
        assert_eq!(
            names(settings(&Overrides::default(), &[], Some(TWO)).expect("settings")),
            ["lab", "prod"]
        );
        assert_eq!(
            names(settings(&with_env(&["test"]), &[], None).expect("settings")),
            ["test"]
        );
    }

    #[test]
    fn a_data_directory_does_not_turn_aws_into_a_demo() {
        let overrides = Overrides {
            data_dir: Some("/x".into()),
            ..with_env(&["prod"])
        };
        let error = settings(&overrides, &[], Some(TWO))
            .expect("settings")
            .targets()
            .expect_err("refused");
        assert!(error.message.contains("--data-dir"), "{}", error.message);
    }
}
