//! The frame of a service's `main`: arguments, settings, logs, runtime, exit code.
use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use payops_core::port::error_chain;

use crate::env::{SettingsError, SettingsReader, Variable, render_help};
use crate::settings::{COMMON, CommonSettings};
use crate::telemetry;

pub type BoxError = Box<dyn Error + Send + Sync>;

/// Reads [`COMMON`] and `tables` from the environment, sets up logs and runs `main` to its end.
/// `--help` prints the table of variables instead. Exit codes: 0 stopped as asked, 1 failed,
/// 2 invalid settings or arguments.
pub fn run_process<T, F>(
    program: &str,
    purpose: &str,
    tables: &[&[Variable]],
    read: impl FnOnce(&mut SettingsReader<'_>) -> T,
    main: impl FnOnce(CommonSettings, T) -> F,
) -> ExitCode
where
    F: Future<Output = Result<(), BoxError>>,
{
    let tables: Vec<&[Variable]> = std::iter::once(COMMON)
        .chain(tables.iter().copied())
        .collect();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        let written =
            std::io::stdout().write_all(render_help(program, purpose, &tables).as_bytes());
        return if written.is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let lookup = |name: &str| std::env::var(name).ok();
    let mut reader = SettingsReader::new(&tables, &lookup);
    if !arguments.is_empty() {
        reader.problem("arguments", "are not supported; see --help");
    }
    let settings = (CommonSettings::read(&mut reader), read(&mut reader));
    let (common, settings) = match reader.finish(settings) {
        Ok(settings) => settings,
        Err(error) => return report_settings_error(program, &error),
    };
    match run_to_end(&common.log.clone(), main(common, settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not logged: it may be the logs that could not be set up.
            print_error(&format!("{program}: {}", error_chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

fn run_to_end(log: &str, main: impl Future<Output = Result<(), BoxError>>) -> Result<(), BoxError> {
    telemetry::init(log)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(main)
}

fn report_settings_error(program: &str, error: &SettingsError) -> ExitCode {
    print_error(&format!(
        "{program}: {error}\nFor all variables, run: {program} --help"
    ));
    ExitCode::from(2)
}

fn print_error(text: &str) {
    // A closed standard error cannot be reported anywhere.
    drop(writeln!(std::io::stderr(), "{text}"));
}
