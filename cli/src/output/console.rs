//! The console: everything on stderr that is not an error. Kept apart so that `-q` silences it.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use payops_core::domain::mask::terminal;
use payops_ops::caller::Notices;

#[derive(Clone, Debug)]
pub(crate) struct Console {
    pub(crate) quiet: bool,
    /// Whether questions may be asked: a terminal on both sides and no `--no-input`.
    pub(crate) can_ask: bool,
}

impl Console {
    pub(crate) fn new(quiet: bool, no_input: bool) -> Self {
        let can_ask =
            !no_input && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self { quiet, can_ask }
    }

    /// Says something, unless `-q`. Each line of `text` is made safe for a terminal.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            self.warn(text);
        }
    }

    /// Says something even with `-q`: it matters.
    #[expect(
        clippy::unused_self,
        reason = "what is silenced and what is not is said alike"
    )]
    pub(crate) fn warn(&self, text: impl AsRef<str>) {
        let mut err = std::io::stderr().lock();
        for line in text.as_ref().lines() {
            // Nobody can be told that stderr is gone.
            drop(writeln!(err, "{}", terminal(line)));
        }
    }

    /// Asks, and reads one line without its line break; `None` at the end of input.
    pub(crate) fn ask(&self, question: &str) -> Option<String> {
        if !self.can_ask {
            return None;
        }
        let mut err = std::io::stderr().lock();
        drop(write!(err, "{} ", terminal(question)).and_then(|()| err.flush()));
        let mut line = String::new();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(read) if read > 0 => Some(line.trim_end_matches(['\n', '\r']).to_owned()),
            _ => None,
        }
    }

    /// A progress bar on stderr; nothing is drawn when it is not a terminal or with `-q`.
    /// `total` is `None` when nobody knows it.
    pub(crate) fn progress(&self, what: &'static str, total: Option<u64>) -> ProgressBar {
        let target = if self.quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(total, target);
        let template = if total.is_some() {
            "{msg} [{bar:30}] {pos}/{len} {per_sec} {eta}"
        } else {
            "{spinner} {msg} {human_pos} {elapsed}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what);
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        bar
    }
}

impl Notices for Console {
    fn warn(&self, text: &str) {
        self.warn(text);
    }

    fn ask_mfa_code(&self) -> Option<String> {
        self.ask("MFA code:")
    }
}
