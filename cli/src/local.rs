//! The embedded platform, as `payops-local` gives it. The only module that names that crate,
//! so that what it calls things is said once; without the feature `demo` everything here
//! answers that this build has no embedded platform.

use std::path::{Path, PathBuf};
use std::time::Duration;

use payops_core::port::Ports;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::context::Access;
use crate::error::{CliError, CliResult};

#[derive(Clone, Debug)]
pub(crate) struct ReadyEnv {
    pub(crate) name: String,
    pub(crate) api_url: String,
    pub(crate) api_key: SecretString,
}

#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) pid: u32,
    pub(crate) ready: Vec<ReadyEnv>,
    pub(crate) counts: Value,
}

#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Reindexed {
    pub(crate) payments: u64,
    pub(crate) set_aside: Option<PathBuf>,
}

/// The document that says that a platform is ready:
/// `{"ready":true,"environments":[{"name":…,"api_url":…,"api_key":…}]}`.
pub(crate) fn ready_document(environments: &[ReadyEnv]) -> Value {
    let environments: Vec<Value> =
        environments.iter().map(|env| json!({"name": env.name, "api_url": env.api_url, "api_key": env.api_key.expose_secret()})).collect();
    json!({"ready": true, "environments": environments})
}

#[cfg(feature = "demo")]
mod platform {
    use payops_core::port::ErrorKind;
    use payops_local::LocalError;

    use super::{
        Access, CancellationToken, CliError, CliResult, Duration, Path, PathBuf, Ports, ReadyEnv,
        Reindexed, Running, Value,
    };
    use crate::exit::Exit;

    pub(crate) fn default_data_dir() -> PathBuf {
        payops_local::default_data_dir()
    }

    pub(crate) async fn open(data_dir: &Path, env: &str, access: Access) -> CliResult<Ports> {
        let access = match access {
            Access::Read => payops_local::Access::Read,
            Access::Write => payops_local::Access::Write,
        };
        Box::pin(payops_local::open(data_dir, env, access))
            .await
            .map_err(told)
    }

    /// Runs the platform until `shutdown`.
    pub(crate) async fn up(
        data_dir: &Path,
        traffic_per_second: f64,
        on_ready: impl FnOnce(&[ReadyEnv]),
        mut on_second: Option<impl FnMut(&Value)>,
        mut on_notice: impl FnMut(&str),
        shutdown: CancellationToken,
    ) -> CliResult<()> {
        let options = payops_local::UpOptions {
            data_dir: data_dir.to_owned(),
            traffic_per_second,
            summary: on_second.is_some(),
        };
        let on_ready = |ready: &[payops_local::ReadyEnv]| {
            on_ready(&ready.iter().map(ready_env).collect::<Vec<_>>())
        };
        let on_second = |summary: &payops_local::Summary| {
            if let Some(on_second) = &mut on_second {
                on_second(&serde_json::to_value(summary).unwrap_or_default());
            }
        };
        let on_notice = |notice: &payops_local::Notice| on_notice(&notice.to_string());
        Box::pin(payops_local::up(
            options, on_ready, on_second, on_notice, shutdown,
        ))
        .await
        .map_err(told)
    }

    /// The platform that runs on `data_dir`.
    pub(crate) async fn status(data_dir: &Path) -> CliResult<Option<Running>> {
        let status = Box::pin(payops_local::status(data_dir))
            .await
            .map_err(told)?;
        Ok(status.map(|status| Running {
            pid: status.pid,
            ready: status.ready.iter().map(ready_env).collect(),
            counts: serde_json::to_value(&status.counts).unwrap_or_default(),
        }))
    }

    /// Asks the platform to stop and waits; `false` when nothing ran.
    pub(crate) async fn down(data_dir: &Path, timeout: Duration) -> CliResult<bool> {
        Box::pin(payops_local::down(data_dir, timeout))
            .await
            .map_err(told)
    }

    pub(crate) async fn reindex(data_dir: &Path, env: &str) -> CliResult<Reindexed> {
        let done = Box::pin(payops_local::reindex(data_dir, env))
            .await
            .map_err(told)?;
        Ok(Reindexed {
            payments: done.payments,
            set_aside: done.aside,
        })
    }

    pub(crate) async fn fix(data_dir: &Path, env: &str, what: &str) -> CliResult<()> {
        Box::pin(payops_local::fix(data_dir, env, what))
            .await
            .map_err(told)
    }

    fn ready_env(env: &payops_local::ReadyEnv) -> ReadyEnv {
        ReadyEnv {
            name: env.name.clone(),
            api_url: env.api_url.clone(),
            api_key: env.api_key.clone(),
        }
    }

    /// The platform's errors with the next command to try.
    fn told(error: LocalError) -> CliError {
        let (exit, hint) = match &error {
            LocalError::Locked { .. } => (
                Exit::Failed,
                "payops local status shows it, payops local down stops it",
            ),
            LocalError::Unlisted { pid: Some(_), .. } => (
                Exit::Failed,
                "wait a moment if it was just started; else payops local down stops it, and payops \
                    local up starts it again",
            ),
            LocalError::Unlisted { pid: None, .. } => (
                Exit::Failed,
                "find the process that holds the file `lock` there, end it with SIGTERM, then \
                    payops local up",
            ),
            LocalError::NewerVersion { .. } => {
                (Exit::Failed, "use the newer payops, or another --data-dir")
            }
            LocalError::NotWritable { .. } => {
                (Exit::Failed, "make it writable, or use another --data-dir")
            }
            LocalError::Full { .. } => (
                Exit::Failed,
                "free some space, then run the same command again: nothing that was accepted is \
                    lost",
            ),
            LocalError::NotADataDir { .. } => (
                Exit::NotFound,
                "payops local up makes one; --data-dir names another",
            ),
            LocalError::Foreign { .. } => (
                Exit::Failed,
                "name an empty folder or a new one with --data-dir",
            ),
            LocalError::NoEnvironment { .. } | LocalError::NothingToFix { .. } => (Exit::Usage, ""),
            LocalError::Io { source, .. } if source.kind() == std::io::ErrorKind::TimedOut => (
                Exit::TimedOut,
                "it goes on ending; payops local status shows whether it is there",
            ),
            LocalError::Damaged { .. } => (
                Exit::Failed,
                "if it is running.json, restart payops local up; else bring it back from a backup",
            ),
            LocalError::Store { source, .. } if source.kind == ErrorKind::NotWritable => (
                Exit::Failed,
                "free some space or make it writable, or use another --data-dir; nothing that was \
                    accepted is lost",
            ),
            _ => (Exit::Failed, ""),
        };
        let message = error.to_string();
        let mut out = CliError::new(exit, message);
        out.hint = (!hint.is_empty()).then(|| hint.to_owned());
        // Its own words are the message; what remains is its cause.
        out.source = cause(error);
        out
    }

    fn cause(error: LocalError) -> Option<Box<dyn std::error::Error + Send + Sync>> {
        match error {
            LocalError::NotWritable { source, .. }
            | LocalError::Full { source, .. }
            | LocalError::Io { source, .. } => Some(source.into()),
            LocalError::Store { source, .. } => Some(source.into()),
            LocalError::Damaged { source, .. }
            | LocalError::Unlisted {
                source: Some(source),
                ..
            } => Some(source.into()),
            _ => None,
        }
    }
}

#[cfg(not(feature = "demo"))]
#[expect(
    clippy::unused_async,
    reason = "the same functions as with the platform"
)]
mod platform {
    use super::{
        Access, CancellationToken, CliError, CliResult, Duration, Path, PathBuf, Ports, ReadyEnv,
        Reindexed, Running, Value,
    };

    pub(crate) fn default_data_dir() -> PathBuf {
        PathBuf::from("payops-data")
    }

    fn missing<T>() -> CliResult<T> {
        Err(
            CliError::usage("this payops was built without the embedded platform")
                .hint("name an environment of payops.toml with --env"),
        )
    }

    pub(crate) async fn open(_: &Path, _: &str, _: Access) -> CliResult<Ports> {
        missing()
    }

    pub(crate) async fn up(
        _: &Path,
        _: f64,
        _: impl FnOnce(&[ReadyEnv]),
        _: Option<impl FnMut(&Value)>,
        _: impl FnMut(&str),
        _: CancellationToken,
    ) -> CliResult<()> {
        missing()
    }

    pub(crate) async fn status(_: &Path) -> CliResult<Option<Running>> {
        missing()
    }

    pub(crate) async fn down(_: &Path, _: Duration) -> CliResult<bool> {
        missing()
    }

    pub(crate) async fn reindex(_: &Path, _: &str) -> CliResult<Reindexed> {
        missing()
    }

    pub(crate) async fn fix(_: &Path, _: &str, _: &str) -> CliResult<()> {
        missing()
    }
}

pub(crate) use platform::{default_data_dir, down, fix, open, reindex, status, up};
