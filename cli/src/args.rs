//! The command line: the options that every command knows, and the nouns.
//!
//! Environment variables are read by [`crate::settings`], not here, so that `config explain`
//! can say where each value came from.
#![expect(
    clippy::doc_markdown,
    reason = "these comments are the help text, read at a terminal"
)]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands;
use crate::exit::Exit;
use crate::output::Format;

/// What `payops` alone prints.
pub(crate) const SHORT_HELP: &str = "\
payops operates a payments platform.

  payops                             open the screen, at a terminal
  payops demo                        run the whole platform here, with traffic, and look at it
  payops demo --headless             the same without a terminal
  payops payment search QUERY        find payments
  payops dlq list                    what died, and why

payops --help lists all commands.
";

fn after_help() -> String {
    let codes: Vec<String> = Exit::ALL
        .iter()
        .map(|(exit, what)| format!("  {:<4} {what}", exit.code()))
        .collect();
    format!(
        "Exit codes:\n{}\n\nData goes to stdout, everything else to stderr.",
        codes.join("\n")
    )
}

/// Operates a payments platform: payments, queues, dead letters, rollouts. Alone, at a terminal,
/// it opens the screen.
#[derive(Clone, Debug, Parser)]
#[command(name = "payops", version, about, after_help = after_help(), max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Options that every command knows.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Where the embedded platform keeps its data [env: PAYOPS_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The configuration file; else payops.toml here or above, else the user's own [env:
    /// PAYOPS_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Which environment; commands that only read take several, `a,b` [env: PAYOPS_ENV]
    #[arg(long, global = true, value_name = "NAME", value_delimiter = ',')]
    pub(crate) env: Vec<String>,
    /// How data is written to stdout [default: table]
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// Only these members, as JSON unless -o says otherwise; `a.b` reaches inside
    #[arg(long, global = true, value_name = "FIELD,FIELD", value_delimiter = ',')]
    pub(crate) json: Vec<String>,
    /// Never ask anything
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Show personal data; needs --reason, and is recorded
    #[arg(long, global = true)]
    pub(crate) reveal: bool,
    /// Why this is done; kept with what is done
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Colours; NO_COLOR turns them off too
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = When::Auto)]
    pub(crate) color: When,
    /// Say less on stderr
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more on stderr; twice for more still
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// At a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The nouns.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// The embedded platform: all services in one process on this machine
    #[command(subcommand)]
    Local(commands::local::LocalCommand),
    /// The embedded platform with traffic, to look at
    Demo(commands::local::DemoArgs),
    /// Payments: create, look at, search, change, compare stores
    #[command(subcommand)]
    Payment(commands::payment::PaymentCommand),
    /// Queues: how they stand and what is in them
    #[command(subcommand)]
    Queue(commands::queue::QueueCommand),
    /// Dead letters: what died, why, and sending it again
    #[command(subcommand)]
    Dlq(commands::dlq::DlqCommand),
    /// Rollouts: what they wait for, and steering canaries
    #[command(subcommand)]
    Rollout(commands::rollout::RolloutCommand),
    /// Who you are in each environment, and elevation
    #[command(subcommand)]
    Account(commands::account::AccountCommand),
    /// Stop all writes in an environment, for everybody
    #[command(subcommand)]
    Freeze(commands::freeze::FreezeCommand),
    /// Check reach and permissions of each environment, and say what is missing
    Doctor,
    /// The record of what was done: who, what, to what, why
    #[command(subcommand)]
    Audit(commands::audit::AuditCommand),
    /// Where settings come from
    #[command(subcommand)]
    Config(commands::config::ConfigCommand),
    /// The screen without a terminal: keys from a script in, text or a picture out
    #[command(hide = true)]
    Capture(commands::capture::CaptureArgs),
    /// Completions for a shell, on stdout
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// The manual page, on stdout
    Man {
        /// Writes the pages of all commands into this folder instead
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_anywhere() {
        let cli = Cli::try_parse_from([
            "payops",
            "payment",
            "get",
            "pay_x",
            "-o",
            "json",
            "--env",
            "prod,test",
        ])
        .expect("parsed");
        assert_eq!(
            (cli.global.output, cli.global.env),
            (
                Some(Format::Json),
                vec!["prod".to_owned(), "test".to_owned()]
            )
        );
    }
}
