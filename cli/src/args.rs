//! The command line: the options that every command knows, and the nouns.
//!
//! Environment variables are read by the settings of `payops_ops`, not here, so that `config explain`
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
  payops demo                        run the embedded platform with traffic and open the screen
  payops demo --headless             the same without a terminal
  payops payment search QUERY        find payments
  payops dlq list                    dead letters and why each one failed

payops --help lists all commands; payops help errors says what to do when one fails.
";

fn after_help() -> String {
    let codes: Vec<String> = Exit::ALL
        .iter()
        .map(|(exit, what)| format!("  {:<4} {what}", exit.code()))
        .collect();
    format!(
        "Exit codes:\n{}\n\nWhat to do about each: payops help errors, and docs/errors.md.\nData goes \
            to stdout, everything else to stderr.",
        codes.join("\n")
    )
}

/// Operate a payments platform: payments, queues, dead letters, rollouts. Without a command, open
/// the screen.
#[derive(Clone, Debug, Parser)]
#[command(name = "payops", version = payops_ops::version::version(), about, after_help = after_help(), max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Options that every command knows.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Data directory of the embedded platform [default: ~/.local/share/payops] [env:
    /// PAYOPS_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Configuration file [default: payops.toml in the working directory or a parent, then
    /// ~/.config/payops/payops.toml] [env: PAYOPS_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Environment; read-only commands accept several, separated by commas [env: PAYOPS_ENV]
    #[arg(long, global = true, value_name = "NAME", value_delimiter = ',')]
    pub(crate) env: Vec<String>,
    /// Kubeconfig context to work on, where no payops.toml declares environments [default: the
    /// current one]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Output format [default: table]
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// Output only these fields, as JSON unless -o is given; use a.b for nested fields
    #[arg(long, global = true, value_name = "FIELD,FIELD", value_delimiter = ',')]
    pub(crate) json: Vec<String>,
    /// Never prompt; fail instead
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Show personal data unmasked; requires --reason and is recorded
    #[arg(long, global = true)]
    pub(crate) reveal: bool,
    /// Reason for this action; kept in the audit record
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// When to use colors; NO_COLOR also disables them
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = When::Auto)]
    pub(crate) color: When,
    /// Print less on stderr
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Print more on stderr; repeat for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// Use colors if stdout is a terminal
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
    /// Run the embedded platform: all services in one process on this machine
    #[command(subcommand)]
    Local(commands::local::LocalCommand),
    /// Run the embedded platform with generated traffic and open the screen
    Demo(commands::local::DemoArgs),
    /// Create, show, search, change and reconcile payments
    #[command(subcommand)]
    Payment(commands::payment::PaymentCommand),
    /// Show queues and the messages in them
    #[command(subcommand)]
    Queue(commands::queue::QueueCommand),
    /// Rebuild the search index
    #[command(subcommand)]
    Index(commands::index::IndexCommand),
    /// Show, replay, edit and discard dead letters
    #[command(subcommand)]
    Dlq(commands::dlq::DlqCommand),
    /// Show rollouts and steer canaries
    #[command(subcommand)]
    Rollout(commands::rollout::RolloutCommand),
    /// Show who you are, and elevate your access
    #[command(subcommand)]
    Account(commands::account::AccountCommand),
    /// Freeze an environment: stop all writes, for everyone
    #[command(subcommand)]
    Freeze(commands::freeze::FreezeCommand),
    /// Check connections and permissions of each environment
    Doctor,
    /// Show, verify and ship the audit record
    #[command(subcommand)]
    Audit(commands::audit::AuditCommand),
    /// Show settings and import them
    #[command(subcommand)]
    Config(commands::config::ConfigCommand),
    /// Render the screen without a terminal, driven by a script
    #[command(hide = true)]
    Capture(commands::capture::CaptureArgs),
    /// Show what each exit code means, and what to do
    #[command(hide = true)]
    Errors,
    /// Print shell completions
    Completions {
        /// Shell to print completions for
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man {
        /// Write the pages of all commands to this directory instead
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
