//! `payops dlq filter`: expressions over dead letters, saved by name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Subcommand;
use payops_core::domain::filter::{Filter, NAMES};
use serde::Serialize;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Column, Look, Of, Row};

/// `payops dlq filter …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum FilterCommand {
    /// Saved expressions
    List,
    /// Save an expression under a name: used as --filter @NAME
    Save {
        /// The name: letters, digits, - and _
        name: String,
        /// The expression
        expression: String,
    },
    /// Forget a saved expression
    Remove {
        /// The name
        name: String,
    },
    /// What an expression can ask of a dead letter
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

    fn cells(&self, _: &Look) -> Vec<Cell> {
        vec![Cell::from(&self.name), Cell::from(&self.text)]
    }
}

fn path(context: &Context) -> PathBuf {
    context.settings.state_dir.join("filters.json")
}

fn saved(context: &Context) -> CliResult<BTreeMap<String, String>> {
    let path = path(context);
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
            CliError::failed(format!("{} is damaged", path.display())).because(error)
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => {
            Err(CliError::failed(format!("{} could not be read", path.display())).because(error))
        }
    }
}

fn save(context: &Context, filters: &BTreeMap<String, String>) -> CliResult<()> {
    let path = path(context);
    let write = || {
        std::fs::create_dir_all(&context.settings.state_dir)?;
        let beside = path.with_extension("new");
        std::fs::write(&beside, serde_json::to_vec_pretty(filters)?)?;
        std::fs::rename(&beside, &path)
    };
    write().map_err(|error: std::io::Error| {
        CliError::failed(format!("{} could not be written", path.display())).because(error)
    })
}

fn parsed(expression: &str) -> CliResult<Filter> {
    Filter::parse(expression).map_err(|error| {
        CliError::usage(format!("`{expression}` is no filter"))
            .because(error)
            .hint("payops dlq filter names lists what it can ask")
    })
}

/// The filters that were given, those by `@NAME` looked up.
pub(super) fn all(context: &Context, given: &[String]) -> CliResult<Vec<Filter>> {
    let one = |text: &String| match text.strip_prefix('@') {
        None => parsed(text),
        Some(name) => {
            let saved = saved(context)?;
            let known = saved.keys().cloned().collect::<Vec<_>>().join(", ");
            let text = saved.get(name).ok_or_else(|| {
                CliError::not_found(format!("no filter is saved as {name}"))
                    .hint(format!("saved are: {known}"))
            })?;
            parsed(text)
        }
    };
    given.iter().map(one).collect()
}

pub(super) fn run(context: &Context, command: FilterCommand) -> CliResult<Exit> {
    let row = |name: &str, text: &str| Of {
        env: String::new(),
        value: NameRow {
            name: name.to_owned(),
            text: text.to_owned(),
        },
    };
    let mut filters = saved(context)?;
    match command {
        FilterCommand::List => {
            let rows: Vec<Of<NameRow>> =
                filters.iter().map(|(name, text)| row(name, text)).collect();
            context.printer.list(&rows, false)?;
        }
        FilterCommand::Names => {
            let rows: Vec<Of<NameRow>> = NAMES.iter().map(|(name, text)| row(name, text)).collect();
            context.printer.list(&rows, false)?;
        }
        FilterCommand::Save { name, expression } => {
            if name.is_empty()
                || !name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            {
                return Err(CliError::usage(format!("`{name}` is no name for a filter"))
                    .hint("letters, digits, - and _"));
            }
            parsed(&expression)?;
            filters.insert(name, expression);
            save(context, &filters)?;
        }
        FilterCommand::Remove { name } => {
            if filters.remove(&name).is_none() {
                return Err(CliError::not_found(format!("no filter is saved as {name}"))
                    .hint("payops dlq filter list"));
            }
            save(context, &filters)?;
        }
    }
    Ok(Exit::Done)
}
