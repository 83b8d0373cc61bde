//! `payops config`: where settings come from, and taking them from Terraform.

mod import;
use clap::Subcommand;
use payops_ops::environment::{Setting, explain};
use payops_ops::error::OpsResult;

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, InEnv, Row, Style, Tone};

/// `payops config …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every setting, its value and its source; secrets are never shown
    Explain,
    /// Import an environment into payops.toml from the output of `terraform output -json`
    Import(import::ImportArgs),
}

impl Row for Setting {
    const FIELDS: &'static [&'static str] = &["name", "value", "source"];
    const COLUMNS: &'static [Column] = &[
        Column::text("SETTING"),
        Column::text("VALUE"),
        Column::text("FROM"),
    ];

    fn cells(&self, _: &Style) -> Vec<Cell> {
        vec![
            Cell::from(&self.name),
            Cell::maybe(self.value.as_ref()),
            Cell::toned(&self.source, Tone::Dim),
        ]
    }
}

pub(crate) fn run(context: &Context, command: &ConfigCommand) -> OpsResult<Exit> {
    match command {
        ConfigCommand::Explain => run_explain(context),
        ConfigCommand::Import(args) => import::run(context, args),
    }
}

fn run_explain(context: &Context) -> OpsResult<Exit> {
    let rows: Vec<InEnv<Setting>> = explain(&context.operator.settings)
        .into_iter()
        .map(|value| InEnv {
            env: String::new(),
            value,
        })
        .collect();
    context.printer.list(&rows, false)?;
    if let Err((message, hint)) = &context.operator.settings.envs {
        context.console.warn(format!("{message}\nhint: {hint}"));
    }
    Ok(Exit::Done)
}
