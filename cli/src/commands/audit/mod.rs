//! `payops audit`: who did what, and whether the record is still what was written.

mod export;
mod list;
mod ship;
mod verify;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use payops_core::domain::audit::AuditQuery;
use payops_ops::audit::FileAuditLog;
use payops_ops::environment::{Origin, Sourced};
use payops_ops::error::{OpsError, OpsResult};
use payops_ops::times::parse_moment;

use crate::context::Context;
use crate::exit::Exit;

/// `payops audit …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List entries, newest first
    List(list::AuditListArgs),
    /// Verify that no line was changed, removed or reordered
    Verify,
    /// Print the lines with their hashes, oldest first, for an archive or another tool
    Export(export::AuditExportArgs),
    /// Ship waiting lines to the configured destination; other commands do this automatically
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
    #[arg(long, value_name = "WHEN", value_parser = parse_moment)]
    since: Option<Timestamp>,
    /// Only entries before this time
    #[arg(long, value_name = "WHEN", value_parser = parse_moment)]
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
