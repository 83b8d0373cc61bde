//! One environment, opened once for one operator: its ports, clusters, freezes, approvals and
//! audit record. Looking is done with the access level `view`; what changes something gets its
//! ports from the permit of [`Session::act`].

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use payops_core::domain::access::{AccessLevel, Elevation, Freeze, PolicyRules};
use payops_core::port::{ApprovalStore, AuditLog, FreezeStore, Ports, Rollouts};
use tokio::sync::OnceCell;

use crate::access::{self, Elevations, FileFreezeStore};
use crate::audit::FileAuditLog;
use crate::backend::{aws, clusters, local, not_set_up};
use crate::caller::{Access, Caller};
use crate::environment::{Backend, Environment};
use crate::error::{OpsError, OpsResult};
use crate::operator::{Operator, records_dir};

impl Operator {
    /// A session in an environment. Nothing is opened before it is asked for.
    #[must_use]
    pub fn session(&self, env: &Environment) -> Arc<Session> {
        Arc::new(Session::new(self.clone(), env.clone()))
    }

    /// The session of the one environment that was named; a write goes to one only.
    pub fn one_session(&self) -> OpsResult<Arc<Session>> {
        Ok(self.session(&self.settings.one_target()?))
    }

    /// Sessions of the environments that were named.
    pub fn sessions(&self) -> OpsResult<Vec<Arc<Session>>> {
        let targets = self.settings.targets()?;
        Ok(targets.iter().map(|env| self.session(env)).collect())
    }

    /// Sessions of the environments that were named, or of all.
    pub fn all_sessions(&self) -> OpsResult<Vec<Arc<Session>>> {
        let targets = self.settings.all_targets()?;
        Ok(targets.iter().map(|env| self.session(env)).collect())
    }
}

pub struct Session {
    pub operator: Operator,
    pub env: Environment,
    ports: OnceCell<Ports>,
    clusters: OnceCell<Vec<Arc<dyn Rollouts>>>,
}

impl Session {
    pub(crate) fn new(operator: Operator, env: Environment) -> Self {
        Self {
            operator,
            env,
            ports: OnceCell::new(),
            clusters: OnceCell::new(),
        }
    }

    /// The environment's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.env.name
    }

    /// A command to copy that works on this environment: `payops dlq list --env test`.
    #[must_use]
    pub fn command(&self, args: &str) -> String {
        self.operator.settings.command(args, self.name())
    }

    #[must_use]
    pub fn who(&self) -> &str {
        self.operator.who()
    }

    /// Whether it is an environment of the embedded platform.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        matches!(self.env.target, Backend::Embedded { .. })
    }

    /// The ports to look with.
    pub async fn ports(&self) -> OpsResult<&Ports> {
        self.ports
            .get_or_try_init(|| async {
                open_ports(
                    &self.env,
                    Access::Read,
                    &self.operator.caller(AccessLevel::View),
                )
                .await
            })
            .await
    }

    /// The clusters to look at, each reached; an error when one is away or there is none.
    pub async fn clusters(&self) -> OpsResult<&[Arc<dyn Rollouts>]> {
        let clusters = self
            .clusters
            .get_or_try_init(|| async {
                let caller = self.operator.caller(AccessLevel::View);
                let clusters = Box::pin(clusters::connect_all(&self.env, &caller)).await?;
                Ok::<_, OpsError>(clusters.into_iter().map(|cluster| cluster as _).collect())
            })
            .await?;
        Ok(clusters)
    }

    /// The cluster of that name to look at, reached when it is first asked something.
    pub fn cluster_on_use(&self, name: &str) -> OpsResult<Arc<dyn Rollouts>> {
        let caller = self.operator.caller(AccessLevel::View);
        clusters::connect_on_use(&self.env, &caller)
            .into_iter()
            .find(|cluster| cluster.cluster() == name)
            .map(|cluster| cluster as Arc<dyn Rollouts>)
            .ok_or_else(|| OpsError::not_found(format!("{} has no cluster {name}", self.name())))
    }

    /// Who asks to change something: with `operate`, or with the elevation that holds, whose reason
    /// and ticket then tag the AWS session.
    pub(crate) fn writing_caller(&self, reason: Option<&str>) -> OpsResult<Caller> {
        let held = self.elevation()?;
        let caller = self.operator.caller(AccessLevel::Operate);
        Ok(match held {
            None => Caller {
                reason: reason.map(str::to_owned).or(caller.reason.clone()),
                ..caller
            },
            Some(held) => Caller {
                reason: Some(held.reason),
                ticket: held.ticket,
                level: held.level.max(AccessLevel::Operate),
                ..caller
            },
        })
    }

    /// The elevation that holds now.
    pub fn elevation(&self) -> OpsResult<Option<Elevation>> {
        self.elevations()
            .current(self.name(), self.who(), Timestamp::now())
    }

    pub(crate) fn elevations(&self) -> Elevations {
        Elevations::of(&self.operator.settings)
    }

    /// The access level that the operator acts with now.
    pub fn access_level(&self) -> OpsResult<AccessLevel> {
        let standing = access::standing_level(&self.env);
        let held = self.elevation()?;
        Ok(held.map_or(standing, |held| held.level.max(standing)))
    }

    pub fn policy(&self) -> OpsResult<PolicyRules> {
        access::read_policy(&self.operator.settings, &self.env)
    }

    /// The freeze that holds now.
    pub async fn freeze(&self) -> OpsResult<Option<Freeze>> {
        let freeze = self
            .freeze_store(&self.operator.caller(AccessLevel::View))
            .await?
            .current()
            .await
            .map_err(|error| {
                OpsError::port(
                    format!("cannot read whether {} is frozen", self.name()),
                    error,
                )
            })?;
        Ok(freeze.filter(|freeze| freeze.is_active(Timestamp::now())))
    }

    pub(crate) async fn freeze_store(&self, caller: &Caller) -> OpsResult<Box<dyn FreezeStore>> {
        match &self.env.target {
            Backend::Embedded { data_dir, name } => Ok(Box::new(FileFreezeStore {
                path: data_dir.join(format!("{name}.freeze.json")),
            })),
            Backend::Aws(aws) if self.env.kept_here().is_none() => {
                Box::pin(aws::freeze_store(self.name(), aws, caller)).await
            }
            Backend::Aws(_) | Backend::Kubernetes(_) => {
                let name = in_file_name(self.name());
                Ok(Box::new(FileFreezeStore {
                    path: self.records_dir().join(format!("{name}.freeze.json")),
                }))
            }
        }
    }

    /// The table of approvals; `None` where there is none, and the audit record holds them.
    pub(crate) async fn approval_store(
        &self,
        caller: &Caller,
    ) -> OpsResult<Option<Box<dyn ApprovalStore>>> {
        match &self.env.target {
            Backend::Aws(aws) if self.env.kept_here().is_none() => {
                let store = Box::pin(aws::approval_store(self.name(), aws, caller)).await;
                store.map(Some)
            }
            Backend::Embedded { .. } | Backend::Aws(_) | Backend::Kubernetes(_) => Ok(None),
        }
    }

    /// Where the audit record and the journals of this environment are: beside its data, or with
    /// the operator's own state.
    #[must_use]
    pub fn records_dir(&self) -> PathBuf {
        records_dir(&self.operator, &self.env)
    }

    /// The audit record, to read.
    #[must_use]
    pub fn audit_log(&self) -> FileAuditLog {
        FileAuditLog {
            dir: self.records_dir(),
        }
    }

    /// The same for callers that know only ports.
    #[must_use]
    pub fn audit_port(&self) -> Arc<dyn AuditLog> {
        Arc::new(self.audit_log())
    }
}

/// The name as a part of a file's name: contexts of EKS are ARNs, with `/` and `:` in them.
fn in_file_name(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.bytes().fold(String::new(), |mut out, byte| {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// The ports of an environment, for `caller`.
pub(crate) async fn open_ports(
    env: &Environment,
    access: Access,
    caller: &Caller,
) -> OpsResult<Ports> {
    match &env.target {
        Backend::Embedded { data_dir, name } => Box::pin(local::open(data_dir, name, access))
            .await
            .map_err(OpsError::from),
        Backend::Aws(aws) => Box::pin(aws::open(env, aws, caller)).await,
        Backend::Kubernetes(_) => Ok(not_set_up::ports(env)),
    }
}
