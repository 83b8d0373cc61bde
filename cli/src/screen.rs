//! The screen, on the environments that the command line knows.

use std::io::{IsTerminal as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use payops_core::operations::Operations;
use payops_ops::audit::ship;
use payops_ops::caller::NoNotices;
use payops_ops::error::{OpsError, OpsResult};
use payops_ops::operations::OperatorOperations;
use payops_system::SystemClock;
use payops_tui::{Options, Tab, ThemeName};
use tokio::sync::watch;

use crate::context::Context;
use crate::exit::Exit;

/// Whether the screen is open: what is written to stderr would stand in the middle of it.
static OPEN: AtomicBool = AtomicBool::new(false);

/// Says that the platform, which is being brought up beside the screen, is ready.
pub(crate) type Ready = watch::Receiver<bool>;

/// Whether there is a terminal that the screen can be opened on.
pub(crate) fn has_terminal() -> bool {
    // A dumb terminal, or one of which nothing is known, cannot place text.
    let can_place = std::env::var("TERM").is_ok_and(|term| !term.is_empty() && term != "dumb");
    can_place && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Where logs go: to stderr, but not while the screen is open.
pub(crate) fn log() -> Box<dyn Write> {
    if OPEN.load(Ordering::Relaxed) {
        Box::new(std::io::sink())
    } else {
        Box::new(std::io::stderr())
    }
}

/// What may be done on the screen, in the environments that were named, or all.
pub(crate) fn operations(
    context: &Context,
    ready: Option<Ready>,
) -> OpsResult<Arc<dyn Operations>> {
    let environments = context.operator.settings.all_targets()?;
    Ok(Arc::new(OperatorOperations::new(
        &context.operator,
        environments,
        ready,
    )))
}

pub(crate) fn options(context: &Context) -> Options {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let theme = match std::env::var("PAYOPS_THEME").as_deref() {
        _ if no_color || !context.printer.style.color => ThemeName::NoColour,
        Ok("light") => ThemeName::Light,
        _ => ThemeName::Dark,
    };
    Options {
        theme,
        read_only: false,
        start: Tab::Overview,
        env: None,
        clock: Arc::new(SystemClock),
    }
}

/// Opens the screen, and stays until the user leaves it.
pub(crate) async fn run(context: &Context, ready: Option<Ready>) -> OpsResult<Exit> {
    let (operations, options) = (operations(context, ready)?, options(context));
    let environments = context.operator.settings.all_targets()?;
    // A word on stderr would stand in the middle of the screen.
    let quiet = context.operator.with_notices(Arc::new(NoNotices));
    OPEN.store(true, Ordering::Relaxed);
    let (ended, unfinished) = tokio::select! {
        ended = Box::pin(payops_tui::run(operations, options)) => ended,
        () = Box::pin(ship::ship_repeatedly(&quiet, &environments)) => {
            (Ok(()), Vec::new())
        }
    };
    OPEN.store(false, Ordering::Relaxed);
    for line in unfinished {
        context.console.warn(line);
    }
    ended.map(|()| Exit::Done).map_err(|error| {
        OpsError::failed("the screen failed")
            .because(error)
            .hint("the commands work without the screen: payops --help")
    })
}
