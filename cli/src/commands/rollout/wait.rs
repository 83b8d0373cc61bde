//! `payops rollout wait`: until it is healthy, paused or degraded.
use std::cell::{Cell, RefCell};
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures::StreamExt as _;
use jiff::SignedDuration;
use payops_core::domain::rollout::{Phase, Rollout, RolloutKey};
use payops_core::port::{Rollouts, Watched};
use payops_ops::error::{Kind, OpsError, OpsResult};
use payops_ops::session::Session;
use tokio::time::Instant;

use super::find::{RolloutNameArgs, find};
use super::view::RolloutRow;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Document, Style, details};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    /// The newest version is fully rolled out
    Healthy,
    /// It is paused, for a time or until someone resumes it
    Paused,
    /// It failed, timed out or was aborted
    Degraded,
}

/// `payops rollout wait`
#[derive(Clone, Debug, Args)]
pub(crate) struct WaitArgs {
    #[command(flatten)]
    which: RolloutNameArgs,
    /// Phase to wait for
    #[arg(long, value_enum, default_value_t = Until::Healthy)]
    until: Until,
    /// Time limit, such as 90s, 10m or 1h [default: none]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
}

/// How long the first look may take, whatever the time-out.
const LOOK_MIN: Duration = Duration::from_secs(1);

/// `90s`, `10m`, `1h`, `1h30m`, or seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration; expected 90s, 10m or 1h");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let span: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(span).map_err(|_| wrong())
}

/// Whether `phase` is what is waited for, or that it can no longer be (an error's exit code).
pub(super) fn reached(phase: Phase, until: Until) -> Option<Exit> {
    match (phase, until) {
        (Phase::Healthy, Until::Healthy)
        | (Phase::Paused, Until::Paused)
        | (Phase::Degraded, Until::Degraded) => Some(Exit::Done),
        (Phase::Degraded, _) => Some(Exit::Failed),
        _ => None,
    }
}

impl Document for RolloutRow {
    fn human(&self, style: &Style) -> String {
        details(
            style,
            [
                (
                    "rollout",
                    Some(format!("{}/{}", self.namespace, self.name).into()),
                ),
                ("phase", Some(super::view::phase_cell(self.phase))),
                (
                    "message",
                    Some(&self.message)
                        .filter(|message| !message.is_empty())
                        .map(Into::into),
                ),
            ],
        )
    }
}

pub(crate) async fn run(context: &Context, args: &WaitArgs) -> OpsResult<Exit> {
    // A time-out past the end of time is none.
    let deadline = args
        .timeout
        .and_then(|timeout| Instant::now().checked_add(timeout));
    let until = args.until;
    let session = context.operator.one_session()?;
    let late = |name: &str, state: &str| {
        let span = args
            .timeout
            .and_then(|span| SignedDuration::try_from(span).ok());
        let message = format!(
            "timed out after {:#}: {name} {state}",
            span.unwrap_or_default()
        );
        OpsError::new(Kind::TimedOut, message).hint(format!(
            "see what it is waiting for with: {}",
            session.command(&format!("rollout get {name}"))
        ))
    };
    // Even with no time at all it is looked at once.
    let first = deadline.map(|deadline| deadline.max(Instant::now() + LOOK_MIN));
    let (_, found) = match first {
        Some(first) => tokio::time::timeout_at(first, find(context, &args.which))
            .await
            .map_err(|_| late(&args.which.name, "was not found in that time"))?,
        None => find(context, &args.which).await,
    }?;
    if let Some(exit) = reached(found.rollout.phase().0, until) {
        context
            .printer
            .document(&RolloutRow::new(found.cluster.cluster(), &found.rollout))?;
        return Ok(exit);
    }
    let last = Cell::new(found.rollout.phase().0);
    let said = RefCell::new(String::new());
    let print_change = |rollout: &Rollout| {
        let (phase, message) = rollout.phase();
        last.set(phase);
        let separator = if message.is_empty() { "" } else { ": " };
        let words = format!("{} {}{separator}{message}", rollout.key, phase.as_str());
        if said.replace(words.clone()) != words {
            context.console.say(words);
        }
    };
    let waiting = watch(
        context,
        &session,
        &*found.cluster,
        &found.rollout.key,
        print_change,
        move |rollout| reached(rollout.phase().0, until),
    );
    let ended = match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, waiting).await,
        None => Ok(waiting.await),
    };
    let Ok(ended) = ended else {
        let wanted = format!("{until:?}").to_lowercase();
        let state = format!("is {}, not {wanted}", last.get().as_str());
        return Err(late(&found.rollout.key.to_string(), &state));
    };
    let (exit, rollout) = ended?;
    context
        .printer
        .document(&RolloutRow::new(found.cluster.cluster(), &rollout))?;
    Ok(exit)
}

/// Follows one rollout until `judge` has an answer; `on_change` hears of each change.
pub(super) async fn watch(
    context: &Context,
    session: &Session,
    rollouts: &dyn Rollouts,
    key: &RolloutKey,
    on_change: impl Fn(&Rollout),
    judge: impl Fn(&Rollout) -> Option<Exit>,
) -> OpsResult<(Exit, Rollout)> {
    let mut watch = rollouts.watch();
    let mut last: Option<Rollout> = None;
    let gone = || {
        OpsError::not_found(format!("{key} no longer exists")).hint(format!(
            "list rollouts with: {}",
            session.command("rollout list")
        ))
    };
    while let Some(change) = watch.next().await {
        let rollout = match change {
            Watched::All(all) => all
                .into_iter()
                .find(|rollout| rollout.key == *key)
                .ok_or_else(gone)?,
            Watched::Changed(rollout) if rollout.key == *key => *rollout,
            Watched::Gone(other) if other == *key => return Err(gone()),
            Watched::Cut { why, retry_in } => {
                last = None;
                context.console.warn(format!(
                    "the watch was interrupted ({why}); retrying in {} s",
                    retry_in.as_secs().max(1)
                ));
                continue;
            }
            Watched::Changed(_) | Watched::Gone(_) => continue,
        };
        if last.as_ref().is_none_or(|last| {
            last.phase() != rollout.phase() || !last.changes(&rollout).is_empty()
        }) {
            on_change(&rollout);
        }
        if let Some(exit) = judge(&rollout) {
            return Ok((exit, rollout));
        }
        last = Some(rollout);
    }
    Err(OpsError::failed(format!(
        "cluster {} stopped sending updates",
        rollouts.cluster()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_degraded_rollout_ends_every_wait() {
        assert_eq!(reached(Phase::Degraded, Until::Healthy), Some(Exit::Failed));
        assert_eq!(reached(Phase::Degraded, Until::Degraded), Some(Exit::Done));
        assert_eq!(reached(Phase::Healthy, Until::Healthy), Some(Exit::Done));
        assert_eq!(reached(Phase::Paused, Until::Healthy), None);
        assert_eq!(reached(Phase::Unknown, Until::Paused), None);
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(duration("60s"), Ok(Duration::from_mins(1)));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        assert!(duration("-5s").is_err() && duration("soon").is_err());
    }
}
