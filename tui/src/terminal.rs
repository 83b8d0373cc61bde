//! The terminal: set up, restored (after a panic too), and suspended by the shell's job control.

use std::io::{self, Stdout, Write as _, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Size;

use crate::model::Model;
use crate::views::view;

/// Set by a panic: from then on nothing is drawn over its message.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// The terminal while the screen has it. Dropping this restores it.
pub(crate) struct Screen {
    pub(crate) terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    pub(crate) fn open() -> io::Result<Self> {
        hook();
        enter()?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout()));
        // The set-up is undone when the rest fails.
        terminal
            .map(|terminal| Self { terminal })
            .inspect_err(|_| leave())
    }

    pub(crate) fn draw(&mut self, model: &Model) -> io::Result<()> {
        if !PANICKED.load(Ordering::Relaxed) {
            self.terminal.draw(|frame| view(model, frame))?;
        }
        Ok(())
    }

    /// Restores the terminal and stops this process and its group, as the shell's Ctrl-Z does.
    /// [`Screen::resume`] sets it up again once the process is continued.
    #[expect(
        clippy::unused_self,
        reason = "who gives the terminal back is who has it"
    )]
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        leave();
        // The whole group: the process that started this one in the foreground must stop with it.
        rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?;
        Ok(())
    }

    /// Sets the terminal up again after a stop, with nothing drawn; returns its size.
    pub(crate) fn resume(&mut self) -> io::Result<Size> {
        enter()?;
        execute!(stdout(), Clear(ClearType::All))?;
        // A new one, since clearing the old one would ask the terminal where its cursor is, and
        // the answer would be read as keys.
        self.terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        self.terminal.size()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(
        stdout(),
        EnterAlternateScreen,
        EnableMouseCapture,
        EnableBracketedPaste
    )
    .inspect_err(|_| leave())
}

/// Restores the terminal; failures are ignored, since nothing can be done about them.
fn leave() {
    let _ = execute!(
        stdout(),
        DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = disable_raw_mode();
}

/// Makes a panic restore the terminal before its message is printed.
fn hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICKED.store(true, Ordering::Relaxed);
            leave();
            before(info);
        }));
    });
}

/// Puts text on the clipboard through the terminal (OSC 52), also over ssh.
pub(crate) fn copy(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(osc52(text).as_bytes())?;
    out.flush()
}

fn osc52(text: &str) -> String {
    format!(
        "\u{1b}]52;c;{}\u{7}",
        base64::engine::general_purpose::STANDARD.encode(text)
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_for_the_clipboard_is_encoded() {
        assert_eq!(
            super::osc52("a•••@e•••.com"),
            "\u{1b}]52;c;YeKAouKAouKAokBl4oCi4oCi4oCiLmNvbQ==\u{7}"
        );
    }
}
