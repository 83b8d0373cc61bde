//! `payops audit`: who did what, and whether the record is still what was written.

mod export;
mod list;
mod ship;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use payops_core::domain::audit::AuditQuery;

use crate::context::Context;
use crate::exit::Exit;
use payops_ops::audit::FileAuditLog;
use payops_ops::environment::{Origin, Sourced};
use payops_ops::error::{OpsError, OpsResult};

/// `payops audit …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List entries, newest first
    List(list::AuditListArgs),
    /// Verify that no line was changed, removed or reordered
    Verify,
    /// Print the lines with their hashes, oldest first, for an archive or another tool
    Export(export::AuditExportArgs),
    /// Ship waiting lines to the second place; other commands do this automatically
    Ship,
}

/// Which entries.
#[derive(Clone, Debug, Args)]
pub(crate) struct QueryArgs {
    /// Only entries by this person
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Only actions with this prefix, such as `rollout` or `payment.refund`
    #[arg(long, value_name = "TEXT")]
    action: Option<String>,
    /// Only entries whose subject contains this, such as a payment ID, a queue or a rollout
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Only entries since this time: `2h`, `2026-11-25` or `2026-11-25T03:00:00Z`
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Option<Timestamp>,
    /// Only entries before this time
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Timestamp>,
    /// Only entries that contain this text
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

impl QueryArgs {
    /// The query; `None` as environment when nobody named one.
    fn query(&self, env: Option<String>) -> AuditQuery {
        let QueryArgs {
            who,
            action,
            subject,
            since,
            until,
            text,
        } = self.clone();
        AuditQuery {
            who,
            action,
            subject,
            env,
            since,
            until,
            text,
        }
    }
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let wrong = || "expected an age such as 2h or 3d, a date, or a time with a zone".to_owned();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(date) = text.parse::<Date>() {
        return date
            .to_zoned(TimeZone::UTC)
            .map(|at| at.timestamp())
            .map_err(|_| wrong());
    }
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<i64>().ok())
        .map(|days| SignedDuration::from_hours(days.saturating_mul(24)));
    let ago = days
        .or_else(|| text.parse::<SignedDuration>().ok())
        .filter(SignedDuration::is_positive)
        .ok_or_else(wrong)?;
    Timestamp::now().checked_sub(ago).map_err(|_| wrong())
}

/// Records that are asked: one for each folder, with the environments that were named.
struct Records {
    logs: Vec<FileAuditLog>,
    envs: Vec<Option<String>>,
}

fn records(context: &Context) -> OpsResult<Records> {
    let settings = &context.operator.settings;
    let targets = settings.all_targets()?;
    let chosen = matches!(
        &settings.envs,
        Ok(Sourced {
            origin: Origin::Flag(_) | Origin::Variable(_),
            ..
        })
    );
    let envs = if chosen {
        targets
            .iter()
            .map(|target| Some(target.name.clone()))
            .collect()
    } else {
        vec![None]
    };
    let mut dirs: Vec<PathBuf> = Vec::new();
    for target in &targets {
        let dir = context.operator.session(target).records_dir();
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    Ok(Records {
        logs: dirs.into_iter().map(|dir| FileAuditLog { dir }).collect(),
        envs,
    })
}

fn unread(log: &FileAuditLog) -> impl Fn(std::io::Error) -> OpsError {
    let path = log.path().display().to_string();
    move |error| {
        OpsError::failed(format!("cannot read {path}"))
            .because(error)
            .hint("only its owner can read it")
    }
}

pub(crate) async fn run(context: &Context, command: &AuditCommand) -> OpsResult<Exit> {
    match command {
        AuditCommand::List(args) => list::run(context, args),
        AuditCommand::Verify => verify::run(context),
        AuditCommand::Export(args) => export::run(context, args),
        AuditCommand::Ship => context.interruptible(ship::run(context)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        assert_eq!(
            moment("2026-11-25").map(|at| at.to_string()).as_deref(),
            Ok("2026-11-25T00:00:00Z")
        );
        assert_eq!(
            moment("2026-11-25T03:00:00+01:00")
                .map(|at| at.to_string())
                .as_deref(),
            Ok("2026-11-25T02:00:00Z")
        );
        let ago = Timestamp::now().duration_since(moment("3d").expect("three days"));
        assert!((71..=73).contains(&ago.as_hours()), "{ago:?}");
        for wrong in ["", "yesterweek", "-2h", "0s"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
