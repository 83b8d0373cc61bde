//! Which rollout a command means.

use std::sync::Arc;

use clap::Args;
use payops_ops::error::OpsResult;
use payops_ops::rollouts::{self, FoundRollout, RolloutName};
use payops_ops::session::Session;

use crate::context::Context;

/// Which rollout.
#[derive(Clone, Debug, Args)]
pub(crate) struct RolloutNameArgs {
    /// The rollout: NAME or NAMESPACE/NAME
    pub(crate) name: String,
    /// The namespace, when several have a rollout of that name
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// The cluster, when the environment has several
    #[arg(long, value_name = "CLUSTER")]
    pub(crate) cluster: Option<String>,
}

/// The one rollout that the arguments name, in the one environment asked for.
pub(super) async fn find(
    context: &Context,
    args: &RolloutNameArgs,
) -> OpsResult<(Arc<Session>, FoundRollout)> {
    let session = context.operator.one_session()?;
    let name = RolloutName::parse(
        &args.name,
        args.namespace.as_deref(),
        args.cluster.as_deref(),
    )?;
    let found = rollouts::find(&session, &name).await?;
    Ok((session, found))
}
