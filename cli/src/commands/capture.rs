//! `payops capture`: the screen without a terminal: keys from a script in, text or a picture out.
//! The documentation's captures are made with it.
use std::path::PathBuf;

use clap::Args;
use payops_ops::error::{OpsError, OpsResult};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::Printer;
use crate::screen;

/// `payops capture`
#[derive(Clone, Debug, Args)]
pub(crate) struct CaptureArgs {
    /// Script with one step per line: `key 2`, `type TEXT`, `wait TEXT` or `gone TEXT`
    #[arg(long, value_name = "FILE")]
    script: PathBuf,
    /// Size in columns and rows
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "80x24", value_parser = size)]
    size: (u16, u16),
    /// Write an SVG image instead of text
    #[arg(long)]
    svg: bool,
}

/// `80x24`, within what a terminal may be.
fn size(text: &str) -> Result<(u16, u16), String> {
    let wrong = || "expected COLUMNSxROWS from 20x5 to 500x200, such as 80x24".to_owned();
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

pub(crate) async fn run(context: &Context, args: &CaptureArgs) -> OpsResult<Exit> {
    let script = std::fs::read_to_string(&args.script).map_err(|error| {
        OpsError::usage(format!("cannot read {}", args.script.display())).because(error)
    })?;
    let (columns, rows) = args.size;
    let captured = Box::pin(payops_tui::capture(
        screen::operations(context, None)?,
        screen::options(context),
        &script,
        columns,
        rows,
    ))
    .await;
    let captured = captured.map_err(|error| {
        if let payops_tui::CaptureError::Waited { screen, .. } = &error {
            context.console.warn(format!("the screen was\n{screen}"));
        }
        OpsError::failed("the script did not finish").because(error)
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
