//! Completions and manual pages: made from the command line's own description.

use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::Printer;

pub(crate) fn completions(shell: Shell) -> CliResult<Exit> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "payops", &mut out);
    Printer::raw(&out)?;
    Ok(Exit::Done)
}

/// Prints the manual page, or writes the pages of all commands into a folder.
pub(crate) fn man(dir: Option<&Path>) -> CliResult<Exit> {
    let Some(dir) = dir else {
        let mut out = Vec::new();
        let page = clap_mangen::Man::new(Cli::command());
        page.render(&mut out).map_err(CliError::output)?;
        Printer::raw(&out)?;
        return Ok(Exit::Done);
    };
    let failed = |error| {
        CliError::failed(format!(
            "the pages could not be written to {}",
            dir.display()
        ))
        .because(error)
    };
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
        .map_err(failed)?;
    Ok(Exit::Done)
}
