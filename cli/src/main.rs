//! The `payops` command: arguments, output, wiring. It decides nothing about payments itself;
//! that is `payops-core`'s.

mod args;
mod commands;
mod consent;
mod context;
mod exit;
mod help;
mod output;
mod report;
mod screen;
mod signals;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::FromArgMatches as _;
use jiff::Timestamp;
use payops_core::domain::privacy::Privacy;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use args::{Cli, Command, Global, When};
use context::Context;
use exit::Exit;
use output::{Console, Format, Printer, Style};
use payops_ops::backend::local::default_data_dir;
use payops_ops::environment::{Overrides, Settings};
use payops_ops::error::{Kind, OpsError, OpsResult};
use payops_ops::kubeconfig;
use payops_ops::operator::Operator;

fn main() -> ExitCode {
    let mut command = help::command();
    let parsed = command
        .try_get_matches_from_mut(std::env::args_os().map(commands::payment::shield))
        .and_then(|matches| {
            Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
        });
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            if exit == Exit::Usage
                && payops_core::domain::pan::contains_card_number(&error.to_string())
            {
                print_error(
                    &OpsError::usage("the arguments contain what looks like a card number")
                        .hint("payops --help"),
                    false,
                );
                return exit.into();
            }
            // A closed pipe behind --help is nobody's failure.
            drop(error.print());
            return exit.into();
        }
    };
    let json = matches!(format(&cli.global), Format::Json | Format::Ndjson);
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            print_error(&error, json);
            Exit::from(error.kind).into()
        }
    }
}

/// Prints an error, once: here.
fn print_error(error: &OpsError, json: bool) {
    if error.kind == Kind::OutputClosed {
        return;
    }
    let mut text = report::text(error);
    if json {
        text.push_str(&report::json(error));
        text.push('\n');
    }
    // Nobody can be told that stderr is gone.
    drop(std::io::stderr().lock().write_all(text.as_bytes()));
}

fn run(cli: Cli) -> OpsResult<Exit> {
    let command = cli.command;
    if command.is_none() && !screen::has_terminal() {
        drop(
            std::io::stderr()
                .lock()
                .write_all(args::SHORT_HELP.as_bytes()),
        );
        return Ok(Exit::Usage);
    }
    // These need nothing of the outside.
    match &command {
        Some(Command::Errors) => return commands::shell::errors(),
        Some(Command::Completions { shell }) => return commands::shell::completions(*shell),
        Some(Command::Man { dir }) => return commands::shell::man(dir.as_deref()),
        _ => {}
    }
    let is_embedded = matches!(&command, Some(Command::Local(_) | Command::Demo(_)));
    let context = context(cli.global, is_embedded)?;
    if let Some(Command::Config(command)) = &command {
        return commands::config::run(&context, command);
    }
    let runtime = runtime(command.as_ref())
        .map_err(|error| OpsError::failed("cannot start the command").because(error))?;
    let result = runtime.block_on(async {
        signals::watch(&context.operator.stop);
        let result = match command {
            Some(command) => Box::pin(dispatch(&context, command)).await,
            None => Box::pin(screen::run(&context, None)).await,
        };
        Box::pin(context.operator.ship_recorded()).await;
        result
    });
    // A read of stdin that never ends must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}

fn runtime(command: Option<&Command>) -> std::io::Result<Runtime> {
    // The platform in one process uses all cores, and the screen must not wait for answers; a
    // command waits for others most of the time.
    let whole = matches!(
        command,
        None | Some(
            Command::Demo(_)
                | Command::Capture(_)
                | Command::Local(commands::local::LocalCommand::Up(_))
        )
    );
    let mut builder = if whole {
        Builder::new_multi_thread()
    } else {
        Builder::new_current_thread()
    };
    builder.enable_all().build()
}

async fn dispatch(context: &Context, command: Command) -> OpsResult<Exit> {
    match command {
        Command::Local(command) => Box::pin(commands::local::run(context, command)).await,
        Command::Demo(args) => Box::pin(commands::local::demo(context, args)).await,
        Command::Payment(command) => Box::pin(commands::payment::run(context, command)).await,
        Command::Queue(command) => Box::pin(commands::queue::run(context, command)).await,
        Command::Index(command) => Box::pin(commands::index::run(context, command)).await,
        Command::Dlq(command) => Box::pin(commands::dlq::run(context, command)).await,
        Command::Capture(args) => {
            context
                .interruptible(commands::capture::run(context, &args))
                .await
        }
        Command::Rollout(command) => Box::pin(commands::rollout::run(context, command)).await,
        Command::Freeze(command) => commands::freeze::run(context, command).await,
        Command::Account(command) => commands::account::run(context, command).await,
        Command::Doctor => commands::doctor::run(context).await,
        Command::Audit(command) => commands::audit::run(context, &command).await,
        Command::Config(command) => commands::config::run(context, &command),
        Command::Errors => commands::shell::errors(),
        Command::Completions { shell } => commands::shell::completions(shell),
        Command::Man { dir } => commands::shell::man(dir.as_deref()),
    }
}

/// The format asked for: `--json` alone asks for JSON.
fn format(global: &Global) -> Format {
    let default = if global.json.is_empty() {
        Format::Table
    } else {
        Format::Json
    };
    match global.output {
        Some(Format::Table | Format::Wide) if !global.json.is_empty() => Format::Json,
        other => other.unwrap_or(default),
    }
}

/// What a command is handed; one of the embedded platform (`is_embedded`) knows no other clusters.
fn context(global: Global, is_embedded: bool) -> OpsResult<Context> {
    init_log(global.verbose);
    let cwd = std::env::current_dir().ok();
    let overrides = Overrides {
        data_dir: global.data_dir.clone(),
        config: global.config.clone(),
        env: global.env.clone(),
        context: global.context.clone(),
    };
    let lookup = |name: &str| std::env::var_os(name);
    let mut settings = Settings::read(&overrides, &lookup, cwd.as_deref(), default_data_dir())?;
    match (&overrides.context, is_embedded) {
        (_, false) => kubeconfig::add_context(&mut settings, &overrides, &lookup)?,
        (Some(_), true) => {
            return Err(OpsError::usage(
                "--context names a cluster, and this command runs the embedded platform",
            )
            .hint("omit --context"));
        }
        (None, true) => {}
    }
    let format = format(&global);
    let reason = global
        .reason
        .clone()
        .filter(|reason| !reason.trim().is_empty())
        .map(consent::check_reason)
        .transpose()?;
    if global.reveal && reason.is_none() {
        return Err(
            OpsError::refused("--reveal shows personal data and requires a reason")
                .hint("add --reason TEXT"),
        );
    }
    let terminal = output::stdout_is_terminal();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let color = match global.color {
        When::Always => true,
        When::Never => false,
        When::Auto => terminal && !no_color,
    };
    let style = Style {
        now: Timestamp::now(),
        color,
        wide: format == Format::Wide,
    };
    let console = Console::new(global.quiet, global.no_input);
    let (stop, notices) = (CancellationToken::new(), Arc::new(console.clone()));
    Ok(Context {
        operator: Operator::new(settings, reason, stop, notices),
        printer: Printer {
            format,
            fields: global.json,
            style,
            pretty: terminal,
        },
        console,
        privacy: Privacy {
            reveal: global.reveal,
        },
    })
}

/// Logs go to stderr: warnings, with `-v` what happens, with `-vv` everything. `PAYOPS_LOG`
/// takes a filter such as `payops_local=debug`.
fn init_log(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let default = match verbose {
        // What it logs as an error is told in our own words.
        0 => "error,kube_client=off",
        1 => "info",
        _ => "debug",
    };
    let filter = std::env::var("PAYOPS_LOG")
        .ok()
        .and_then(|filter| EnvFilter::try_new(filter).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(default));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(screen::log)
        .compact();
    // A second log in one process is a test's; the first one stays.
    drop(log.try_init());
}
