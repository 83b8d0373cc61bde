//! Acts that only an environment of the embedded platform knows.

use std::path::PathBuf;
use std::sync::Arc;

use payops_core::domain::access::Action;

use crate::act::{Act, Done};
use crate::backend::local;
use crate::environment::Backend;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// The data directory of an embedded environment, and the environment's name in it.
pub fn data_dir(session: &Session) -> OpsResult<(PathBuf, String)> {
    match &session.env.target {
        Backend::Embedded { data_dir, name } => Ok((data_dir.clone(), name.clone())),
        Backend::Aws(_) | Backend::Kubernetes(_) => Err(OpsError::usage(format!(
            "{} is not an embedded environment",
            session.name()
        ))),
    }
}

/// Mends what the demo broke on purpose: `poison`.
pub async fn fix(session: &Arc<Session>, what: &str, reason: Option<&str>) -> OpsResult<()> {
    let (data_dir, name) = data_dir(session)?;
    let act = Act::new(Action::LocalFix).subject(what).reason(reason);
    session
        .act(act, async |_| {
            local::fix(&data_dir, &name, what).await?;
            Ok(Done::new(()))
        })
        .await
}
