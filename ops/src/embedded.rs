//! Acts that only an environment of the embedded platform knows.

use std::path::PathBuf;
use std::sync::Arc;

use payops_core::domain::access::Action;
use serde::Serialize;

use crate::act::{Act, Done};
use crate::backend::local;
use crate::environment::Backend;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// A search index that was built anew.
#[derive(Clone, Debug, Serialize)]
pub struct RebuiltIndex {
    pub payments: u64,
    /// Where the index before it lies; it may be deleted.
    pub set_aside: Option<PathBuf>,
}

/// The data directory of an embedded environment, and the environment's name in it.
pub fn data_dir(session: &Session) -> OpsResult<(PathBuf, String)> {
    match &session.env.target {
        Backend::Embedded { data_dir, name } => Ok((data_dir.clone(), name.clone())),
        Backend::Aws(_) => Err(OpsError::usage(format!(
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

/// Builds the search index of an environment anew from its payments, while no platform runs. Cut
/// off, it leaves its mark, and the next start of the platform goes on.
pub async fn rebuild_index(
    session: &Arc<Session>,
    reason: Option<&str>,
) -> OpsResult<RebuiltIndex> {
    let (data_dir, name) = data_dir(session)
        .map_err(|error| error.hint("rebuild an OpenSearch index with its own tools"))?;
    let act = Act::new(Action::IndexRebuild).subject(&name).reason(reason);
    session
        .act(act, async |permit| {
            let rebuilt = tokio::select! {
                biased;
                rebuilt = Box::pin(local::reindex(&data_dir, &name)) => rebuilt?,
                () = permit.stop.cancelled() => return Err(OpsError::interrupted()),
            };
            let summary = format!("{} payments", rebuilt.payments);
            let rebuilt = RebuiltIndex {
                payments: rebuilt.payments,
                set_aside: rebuilt.aside,
            };
            Ok(Done::new(rebuilt).summary(summary))
        })
        .await
}
