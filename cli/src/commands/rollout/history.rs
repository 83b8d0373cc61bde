//! `payops rollout history`: the revisions that are kept.
use clap::Args;
use payops_core::port::Depth;
use payops_ops::error::{Kind, OpsError, OpsResult};

use super::find::{RolloutNameArgs, find};
use super::view::ReplicaSetView;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, InEnv, Row, Style, Tone};

/// `payops rollout history`
#[derive(Clone, Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    which: RolloutNameArgs,
}

impl Row for ReplicaSetView {
    const FIELDS: &'static [&'static str] = &[
        "name",
        "revision",
        "role",
        "scale_down_at",
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

    fn cells(&self, style: &Style) -> Vec<Cell> {
        let tone = match self.role.split(',').next().unwrap_or_default() {
            "stable" => Tone::Good,
            "old" => Tone::Dim,
            _ => Tone::Warn,
        };
        vec![
            Cell::maybe(self.revision.map(|revision| revision.to_string())),
            Cell::toned(&self.role, tone),
            Cell::from(format!("{}/{}", self.ready, self.desired)),
            Cell::maybe(self.created_at.map(|at| style.ago(at))),
            Cell::from(self.images.join(" ")),
            Cell::from(&self.name),
        ]
    }
}

pub(crate) async fn run(context: &Context, args: &HistoryArgs) -> OpsResult<Exit> {
    let (session, found) = find(context, &args.which).await?;
    let related = found.cluster.related(&found.rollout, Depth::Runs).await;
    let related = related.map_err(|error| OpsError::port("cannot read the revisions", error))?;
    if let Some(denied) = related.is_unreadable("replicasets") {
        let message = format!("the revisions are not readable: {denied}");
        return Err(OpsError::new(Kind::NotAuthenticated, message)
            .hint("ask for the right to list ReplicaSets"));
    }
    let row = |set| InEnv {
        env: session.name().to_owned(),
        value: ReplicaSetView::new(set, &found.rollout, None),
    };
    let rows: Vec<InEnv<ReplicaSetView>> = related.replica_sets.iter().map(row).collect();
    context.printer.list(&rows, false)?;
    Ok(Exit::Done)
}
