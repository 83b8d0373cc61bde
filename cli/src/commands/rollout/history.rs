//! `payops rollout history`: the revisions that are kept.

use clap::Args;
use payops_core::port::Depth;

use super::find::{self, WhichArgs};
use super::view::ReplicaSetView;
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Column, Look, Of, Row, Tone};

/// `payops rollout history`
#[derive(Clone, Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    which: WhichArgs,
}

impl Row for ReplicaSetView {
    const FIELDS: &'static [&'static str] = &[
        "name",
        "revision",
        "role",
        "hash",
        "desired",
        "ready",
        "available",
        "created_at",
        "images",
        "pods",
    ];
    const COLUMNS: &'static [Column] = &[
        Column::number("REVISION"),
        Column::text("ROLE"),
        Column::number("READY"),
        Column::number("AGE"),
        Column::text("IMAGES"),
        Column::text("REPLICASET").wide(),
    ];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        let tone = match self.role {
            "stable" => Tone::Good,
            "canary" => Tone::Warn,
            _ => Tone::Dim,
        };
        vec![
            Cell::maybe(self.revision.map(|revision| revision.to_string())),
            Cell::toned(self.role, tone),
            Cell::from(format!("{}/{}", self.ready, self.desired)),
            Cell::maybe(self.created_at.map(|at| look.ago(at))),
            Cell::from(self.images.join(" ")),
            Cell::from(&self.name),
        ]
    }
}

pub(crate) async fn run(context: &Context, args: &HistoryArgs) -> CliResult<Exit> {
    let found = find::one(context, &args.which, Access::Read).await?;
    let related = found.rollouts.related(&found.rollout, Depth::Runs).await;
    let related =
        related.map_err(|error| CliError::port("the revisions could not be read", error))?;
    let row = |set| Of {
        env: found.target.name.clone(),
        value: ReplicaSetView::new(set, &found.rollout, None),
    };
    let rows: Vec<Of<ReplicaSetView>> = related.replica_sets.iter().map(row).collect();
    context.printer.list(&rows, false)?;
    Ok(Exit::Done)
}
