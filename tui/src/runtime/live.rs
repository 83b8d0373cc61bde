//! The loop on a real terminal: keys, signals, frames.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use crossterm::event::{Event, EventStream};
use futures::StreamExt as _;
use futures::future::OptionFuture;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, sleep_until};

use super::doing::{Doing, Own};
use super::{FRAME, batch, channel, until_wake};
use crate::effect::Effect;
use crate::environments::Environments;
use crate::model::{Model, Options};
use crate::msg::Msg;
use crate::terminal::{self, Screen};
use crate::update::update;

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(
        "the screen needs a terminal for its input and output; commands work without one: payops \
            help"
    )]
    NoTerminal,
    /// The terminal could not be used.
    #[error("the terminal could not be used: is this one? commands work without: payops help")]
    Terminal(#[from] io::Error),
}

/// SIGTSTP and SIGCONT have the same numbers wherever we run but on macOS.
const TSTP: i32 = if cfg!(target_os = "macos") { 18 } else { 20 };
const CONT: i32 = if cfg!(target_os = "macos") { 19 } else { 18 };

struct Signals {
    end: [Signal; 3],
    stop: Signal,
    goes_on: Signal,
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
            goes_on: signal(SignalKind::from_raw(CONT))?,
        })
    }

    async fn next(&mut self) -> Msg {
        let [terminate, interrupt, hangup] = &mut self.end;
        tokio::select! {
            _ = terminate.recv() => Msg::Shutdown,
            _ = interrupt.recv() => Msg::Shutdown,
            _ = hangup.recv() => Msg::Shutdown,
            _ = self.stop.recv() => Msg::Suspend,
            _ = self.goes_on.recv() => Msg::Resumed,
        }
    }
}

/// Opens the terminal and runs until the user quits or the process is asked to end. With it come
/// lines to tell, one for each action that was still under way when it was not waited for any
/// longer.
pub async fn run(
    environments: Arc<dyn Environments>,
    options: Options,
) -> (Result<(), RunError>, Vec<String>) {
    let (mut signals, mut screen, mut model, effects) = match open(&*environments, &options) {
        Ok(opened) => opened,
        Err(error) => return (Err(error), Vec::new()),
    };
    let (to, from) = channel();
    let mut doing = Doing::new(environments, Arc::clone(&options.clock), to);
    doing.all(effects);
    let ended = turn(
        &mut model,
        &options,
        &mut screen,
        &mut doing,
        (&mut signals, from),
    )
    .await;
    // The user has the terminal back before an action that was sent is waited for.
    drop(screen);
    (ended, doing.finish().await)
}

/// Takes the terminal. The first frame comes before the first question.
fn open(
    environments: &dyn Environments,
    options: &Options,
) -> Result<(Signals, Screen, Model, Vec<Effect>), RunError> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Err(RunError::NoTerminal);
    }
    let signals = Signals::new()?;
    let mut screen = Screen::open()?;
    let size = screen.terminal.size()?;
    let (model, effects) = Model::new(environments.list(), options, size.width, size.height);
    screen.draw(&model)?;
    Ok((signals, screen, model, effects))
}

async fn turn(
    model: &mut Model,
    options: &Options,
    screen: &mut Screen,
    doing: &mut Doing,
    (signals, mut from): (&mut Signals, Receiver<Msg>),
) -> Result<(), RunError> {
    let mut events = EventStream::new();
    let (mut drawn_at, mut dirty, mut stopped) = (Instant::now(), false, false);
    loop {
        doing.reap();
        let wake: OptionFuture<_> = until_wake(model, options.clock.now()).map(sleep).into();
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
            // The window may have another size than before the stop.
            let size = screen.resume()?;
            effects.extend(update(model, Msg::Resize(size.width, size.height)));
            stopped = false;
        }
        for own in doing.all(effects) {
            match own {
                Own::Quit => return Ok(()),
                Own::Copy(text) => terminal::copy(&text)?,
                // The terminal is taken again when we are let go on ([`Msg::Resumed`]), and left
                // alone until then: a stop may come a moment after it was asked for.
                Own::Suspend => {
                    screen.suspend()?;
                    stopped = true;
                }
            }
        }
        // A lone change is drawn at once; a stream of them at most once a frame.
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
