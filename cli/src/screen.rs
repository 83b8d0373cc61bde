//! The screen, on the environments that the command line knows.

use std::sync::Arc;

use async_trait::async_trait;
use payops_core::port::{PortError, PortResult};
use payops_tui::{EnvInfo, Environments, Opened};

use crate::audit::FileAuditLog;
use crate::clusters;
use crate::context::{self, Access};
use crate::error::{CliError, CliResult};
use crate::settings::{EnvTarget, Settings, Target};

/// The environments of the settings.
struct Known {
    settings: Settings,
    targets: Vec<EnvTarget>,
}

/// The environments that the screen shows: those that were named, or all.
pub(crate) fn environments(settings: &Settings) -> CliResult<Arc<dyn Environments>> {
    Ok(Arc::new(Known { targets: settings.all_targets()?, settings: settings.clone() }))
}

#[async_trait]
impl Environments for Known {
    fn list(&self) -> Vec<EnvInfo> {
        let info = |target: &EnvTarget| {
            let (account, region) = match &target.target {
                Target::Embedded { .. } => (None, None),
                Target::Aws(aws) => (aws.account_id.clone(), aws.region.clone()),
            };
            EnvInfo { name: target.name.clone(), protected: target.protected, account, region }
        };
        self.targets.iter().map(info).collect()
    }

    async fn open(&self, name: &str) -> PortResult<Opened> {
        let target = self.targets.iter().find(|target| target.name == name);
        let Some(target) = target else {
            return Err(CliError::usage(format!("there is no environment {name}")).into_port());
        };
        // Writes made from the screen go through the same ports as those of commands.
        let ports = Box::pin(context::open(target, Access::Write)).await.map_err(|error| -> PortError { error.into_port() })?;
        let audit = Arc::new(FileAuditLog { dir: context::records_dir(&self.settings, target) });
        Ok(Opened { ports, clusters: clusters::lazily(target), audit, who: self.settings.who.value.clone() })
    }
}
