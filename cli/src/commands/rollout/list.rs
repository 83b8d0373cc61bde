//! `payops rollout list`.
use clap::Args;
use payops_ops::error::OpsResult;
use payops_ops::rollouts;

use super::view::RolloutRow;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{InEnv, count};
use crate::report;

/// `payops rollout list`
#[derive(Clone, Debug, Args)]
pub(crate) struct RolloutListArgs {
    /// Only rollouts that wait for a person
    #[arg(long)]
    waiting: bool,
    /// Only rollouts in this namespace
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
}

/// Runs the command: all environments, unless some are named.
pub(crate) async fn run(context: &Context, args: &RolloutListArgs) -> OpsResult<Exit> {
    let sessions = context.operator.all_sessions()?;
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    let asked = sessions.iter().map(|session| rollouts::list(session));
    for (session, answer) in sessions.iter().zip(futures::future::join_all(asked).await) {
        let (found, failures) = answer.unwrap_or_else(|error| (Vec::new(), vec![error]));
        for (cluster, listed) in found {
            let of = |rollout| InEnv {
                env: session.name().to_owned(),
                value: RolloutRow::new(cluster.cluster(), rollout),
            };
            rows.extend(listed.iter().map(of));
        }
        failed.extend(failures.into_iter().map(|error| (session.name(), error)));
    }
    // The one failure of a list that has nothing else to tell is told as the command's own.
    if rows.is_empty() && failed.len() == 1 {
        return failed.pop().map_or(Ok(Exit::Done), |(_, error)| Err(error));
    }
    for (env, error) in &failed {
        context
            .console
            .warn(format!("{env}: {}", report::text(error)));
    }
    let told = !rows.is_empty();
    rows.retain(|row| {
        (!args.waiting || row.value.waiting_for_human)
            && args
                .namespace
                .as_ref()
                .is_none_or(|namespace| row.value.namespace == *namespace)
    });
    // Those that need somebody first, then those that move; else in the order of environments.
    rows.sort_by_key(|row| (!row.value.waiting_for_human, row.value.phase == "Healthy"));
    let waiting = rows
        .iter()
        .filter(|row| row.value.waiting_for_human)
        .count();
    context.console.say(format!(
        "{}, {waiting} waiting for a person",
        count(rows.len(), "rollout")
    ));
    context.printer.list(&rows, true)?;
    match failed.pop() {
        None => Ok(Exit::Done),
        Some(_) if told => Ok(Exit::Partial),
        // Nothing at all was told: that is a failure, for programs too.
        Some((_, error)) => Err(error),
    }
}
