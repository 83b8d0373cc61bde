//! The loop on a real terminal: keys, signals, frames.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use crossterm::event::{Event, EventStream};
use futures::StreamExt as _;
use futures::future::OptionFuture;
use payops_core::operations::Operations;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, sleep_until};

use super::effects::{EffectRunner, TerminalAction};
use super::{FRAME, batch, channel, time_until_wake};
use crate::effect::Effect;
use crate::model::{Model, Options};
use crate::msg::Msg;
use crate::terminal::{self, Screen};
use crate::update::{start, update};

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(
        "the screen needs a terminal for input and output; commands work without one: payops \
            help"
    )]
    NoTerminal,
    #[error("cannot use the terminal; commands work without one: payops help")]
    Terminal(#[from] io::Error),
}

/// SIGTSTP and SIGCONT have the same numbers everywhere but on macOS.
const TSTP: i32 = if cfg!(target_os = "macos") { 18 } else { 20 };
const CONT: i32 = if cfg!(target_os = "macos") { 19 } else { 18 };

struct Signals {
    end: [Signal; 3],
    stop: Signal,
    continued: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            end: [
                signal(SignalKind::terminate())?,
                signal(SignalKind::interrupt())?,
                signal(SignalKind::hangup())?,
            ],
            stop: signal(SignalKind::from_raw(TSTP))?,
            continued: signal(SignalKind::from_raw(CONT))?,
        })
    }

    async fn next(&mut self) -> Msg {
        let [terminate, interrupt, hangup] = &mut self.end;
        tokio::select! {
            _ = terminate.recv() => Msg::Shutdown,
            _ = interrupt.recv() => Msg::Shutdown,
            _ = hangup.recv() => Msg::Shutdown,
            _ = self.stop.recv() => Msg::Suspend,
            _ = self.continued.recv() => Msg::Resumed,
        }
    }
}

/// Opens the terminal and runs until the user quits or the process is asked to end. Returns also
/// lines to print, one for each action that had not ended by then.
pub async fn run(
    operations: Arc<dyn Operations>,
    options: Options,
) -> (Result<(), RunError>, Vec<String>) {
    let (mut signals, mut screen, mut model, effects) = match open(&*operations, &options) {
        Ok(opened) => opened,
        Err(error) => return (Err(error), Vec::new()),
    };
    let (to, from) = channel();
    let notices = operations.notices();
    let mut runner = EffectRunner::new(operations, Arc::clone(&options.clock), to);
    runner.run_all(effects);
    runner.forward_notices(notices);
    let result = run_loop(
        &mut model,
        &options,
        &mut screen,
        &mut runner,
        (&mut signals, from),
    )
    .await;
    // The terminal is restored before waiting for actions that were sent.
    drop(screen);
    (result, runner.finish().await)
}

/// Takes the terminal. The first frame is drawn before the first request.
fn open(
    operations: &dyn Operations,
    options: &Options,
) -> Result<(Signals, Screen, Model, Vec<Effect>), RunError> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Err(RunError::NoTerminal);
    }
    let signals = Signals::new()?;
    let mut screen = Screen::open()?;
    let size = screen.terminal.size()?;
    let (model, effects) = start(operations.environments(), options, size.width, size.height);
    screen.draw(&model)?;
    Ok((signals, screen, model, effects))
}

async fn run_loop(
    model: &mut Model,
    options: &Options,
    screen: &mut Screen,
    runner: &mut EffectRunner,
    (signals, mut from): (&mut Signals, Receiver<Msg>),
) -> Result<(), RunError> {
    let mut events = EventStream::new();
    let (mut drawn_at, mut dirty, mut stopped) = (Instant::now(), false, false);
    loop {
        runner.reap();
        let wake: OptionFuture<_> = time_until_wake(model, options.clock.now())
            .map(sleep)
            .into();
        let msg = tokio::select! {
            msg = signals.next() => msg,
            event = events.next() => match event {
                Some(Ok(event)) => match message(event) {
                    Some(msg) => msg,
                    None => continue,
                },
                Some(Err(error)) => return Err(error.into()),
                // The terminal is gone.
                None => Msg::Shutdown,
            },
            Some(msg) = from.recv() => msg,
            Some(()) = wake => Msg::Tick(options.clock.now()),
            () = sleep_until(drawn_at + FRAME), if dirty && !stopped => {
                screen.draw(model)?;
                (drawn_at, dirty) = (Instant::now(), false);
                continue;
            }
        };
        let resumed = matches!(msg, Msg::Resumed);
        let mut effects = batch(model, &*options.clock, msg, &mut from);
        if resumed {
            // The window may have been resized while the process was stopped.
            let size = screen.resume()?;
            effects.extend(update(model, Msg::Resize(size.width, size.height)));
            stopped = false;
        }
        for action in runner.run_all(effects) {
            match action {
                TerminalAction::Quit => return Ok(()),
                TerminalAction::Copy(text) => terminal::copy(&text)?,
                // The terminal is taken again on [`Msg::Resumed`], and left alone until then: the
                // stop may come a moment after it was requested.
                TerminalAction::Suspend => {
                    screen.suspend()?;
                    stopped = true;
                }
            }
        }
        // A single change is drawn at once; a stream of them at most once a frame.
        dirty = true;
        if !stopped && drawn_at.elapsed() >= FRAME {
            screen.draw(model)?;
            (drawn_at, dirty) = (Instant::now(), false);
        }
    }
}

fn message(event: Event) -> Option<Msg> {
    match event {
        Event::Key(event) => Some(Msg::Key(event)),
        Event::Mouse(event) => Some(Msg::Mouse(event)),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(columns, rows) => Some(Msg::Resize(columns, rows)),
        Event::FocusGained | Event::FocusLost => None,
    }
}
