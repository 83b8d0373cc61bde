//! `payops dlq filter`: expressions over dead letters, saved by name.

use clap::Subcommand;
use payops_core::domain::filter::NAMES;
use payops_ops::dead_letters::filters::SavedFilters;
use payops_ops::error::OpsResult;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, InEnv, Row, Style};

/// `payops dlq filter …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum FilterCommand {
    /// List saved filters
    List,
    /// Save a filter; use it as --filter @NAME
    Save {
        /// Name of letters, digits, - and _
        name: String,
        /// Filter expression
        expression: String,
    },
    /// Delete a saved filter
    Remove {
        /// Name of the filter
        name: String,
    },
    /// List the names that a filter can use
    Names,
}

#[derive(Clone, Debug, Serialize)]
struct NameRow {
    name: String,
    text: String,
}

impl Row for NameRow {
    const FIELDS: &'static [&'static str] = &["name", "text"];
    const COLUMNS: &'static [Column] = &[Column::text("NAME"), Column::text("")];

    fn cells(&self, _: &Style) -> Vec<Cell> {
        vec![Cell::from(&self.name), Cell::from(&self.text)]
    }
}

fn print<'a>(context: &Context, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> OpsResult<()> {
    let rows: Vec<InEnv<NameRow>> = pairs
        .map(|(name, text)| InEnv {
            env: String::new(),
            value: NameRow {
                name: name.to_owned(),
                text: text.to_owned(),
            },
        })
        .collect();
    context.list(&rows, "no filters are saved")
}

pub(super) fn run(context: &Context, command: FilterCommand) -> OpsResult<Exit> {
    let saved = SavedFilters::of(&context.operator.settings);
    match command {
        FilterCommand::List => {
            let filters = saved.read()?;
            print(
                context,
                filters
                    .iter()
                    .map(|(name, text)| (name.as_str(), text.as_str())),
            )?;
        }
        FilterCommand::Names => print(context, NAMES.iter().copied())?,
        FilterCommand::Save { name, expression } => saved.save(name, expression)?,
        FilterCommand::Remove { name } => saved.remove(&name)?,
    }
    Ok(Exit::Done)
}
