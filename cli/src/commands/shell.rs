//! Completions and manual pages: made from the command line's own description.
use std::path::Path;

use clap_complete::Shell;
use payops_ops::error::{OpsError, OpsResult};

use crate::exit::Exit;
use crate::help;
use crate::output::Printer;

pub(crate) fn completions(shell: Shell) -> OpsResult<Exit> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut help::command(), "payops", &mut out);
    Printer::raw(&out)?;
    Ok(Exit::Done)
}

/// Prints the table of exit codes.
pub(crate) fn errors() -> OpsResult<Exit> {
    Printer::raw(Exit::TABLE.as_bytes())?;
    Ok(Exit::Done)
}

/// Prints the manual page, or writes the pages of all commands into a folder.
pub(crate) fn man(dir: Option<&Path>) -> OpsResult<Exit> {
    let Some(dir) = dir else {
        let mut out = Vec::new();
        let page = clap_mangen::Man::new(help::command());
        page.render(&mut out).map_err(OpsError::output)?;
        Printer::raw(&out)?;
        return Ok(Exit::Done);
    };
    let failed = |error| {
        OpsError::failed(format!(
            "cannot write the manual pages to {}",
            dir.display()
        ))
        .because(error)
    };
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(help::command(), dir))
        .map_err(failed)?;
    Ok(Exit::Done)
}
