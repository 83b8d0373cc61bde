//! `payops capture`: the screen without a terminal: keys from a script in, text or a picture out.
//! The documentation's captures are made with it.

use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::Printer;
use crate::screen;

/// `payops capture`
#[derive(Clone, Debug, Args)]
pub(crate) struct CaptureArgs {
    /// What to press and to wait for, a line each: `key 2`, `type TEXT`, `wait TEXT`, `gone TEXT`
    #[arg(long, value_name = "FILE")]
    script: PathBuf,
    /// Columns and rows
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "80x24", value_parser = size)]
    size: (u16, u16),
    /// Write a picture instead of text
    #[arg(long)]
    svg: bool,
}

/// `80x24`, within what a terminal may be.
fn size(text: &str) -> Result<(u16, u16), String> {
    let wrong = || "write COLUMNSxROWS, such as 80x24, from 20x5 to 500x200".to_owned();
    let (columns, rows) = text.split_once('x').ok_or_else(wrong)?;
    let (columns, rows) = (
        columns.parse().map_err(|_| wrong())?,
        rows.parse().map_err(|_| wrong())?,
    );
    if (20..=500).contains(&columns) && (5..=200).contains(&rows) {
        Ok((columns, rows))
    } else {
        Err(wrong())
    }
}

pub(crate) async fn run(context: &Context, args: &CaptureArgs) -> CliResult<Exit> {
    let script = std::fs::read_to_string(&args.script).map_err(|error| {
        CliError::usage(format!("{} cannot be read", args.script.display())).because(error)
    })?;
    let (columns, rows) = args.size;
    let captured = Box::pin(payops_tui::capture(
        screen::environments(context, None)?,
        screen::options(context),
        &script,
        columns,
        rows,
    ))
    .await;
    let captured = captured.map_err(|error| {
        if let payops_tui::CaptureError::Waited { screen, .. } = &error {
            context.talk.warn(format!("the screen was\n{screen}"));
        }
        CliError::failed("the script did not come to its end").because(error)
    })?;
    let text = if args.svg {
        payops_tui::svg(&captured.buffer)
    } else {
        payops_tui::text(&captured.buffer)
    };
    Printer::raw(text.as_bytes())?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(size("160x50"), Ok((160, 50)));
        assert!(
            size("80").is_err()
                && size("0x0").is_err()
                && size("9999x24").is_err()
                && size("-1x24").is_err()
        );
    }
}
