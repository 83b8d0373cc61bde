//! `payops rollout list`.

use clap::Args;

use super::find;
use super::view::RolloutRow;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::output::{Of, count};

/// `payops rollout list`
#[derive(Clone, Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those that wait for a human
    #[arg(long)]
    waiting: bool,
    /// Only of this namespace
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
}

/// Runs the command: all environments, unless some are named.
pub(crate) async fn run(context: &Context, args: &ListArgs) -> CliResult<Exit> {
    let targets = context.settings.all_targets()?;
    let (mut rows, mut first) = (Vec::new(), None);
    let asked = targets.iter().map(|target| find::all(context, target));
    for (target, answer) in targets.iter().zip(futures::future::join_all(asked).await) {
        let (found, failures) = answer.unwrap_or_else(|error| (Vec::new(), vec![error]));
        for (cluster, rollouts) in found {
            let of = |rollout| Of {
                env: target.name.clone(),
                value: RolloutRow::new(cluster.cluster(), rollout),
            };
            rows.extend(rollouts.iter().map(of));
        }
        for error in failures {
            context
                .talk
                .warn(format!("{}: {}", target.name, error.text()));
            first = first.or(Some(error));
        }
    }
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
    context.talk.say(format!(
        "{}, {waiting} waiting for a human",
        count(rows.len(), "rollout")
    ));
    context.printer.list(&rows, true)?;
    match first {
        None => Ok(Exit::Done),
        Some(_) if !rows.is_empty() => Ok(Exit::Partial),
        // Nothing at all was told: that is a failure, for programs too.
        Some(error) => Err(error),
    }
}
