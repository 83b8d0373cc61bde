//! The frame of a service's `main`: arguments, settings, logs, runtime, exit code.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use crate::env::{Problems, Reader, Variable, help};
use crate::settings::{COMMON, Common};
use crate::telemetry;

pub type Failed = Box<dyn Error + Send + Sync>;

/// Reads [`COMMON`] and `tables` from the environment, sets up logs and runs `main` to its end.
/// `--help` prints the table of variables instead. Exit codes: 0 ended in order, 1 failed, 2 the
/// settings or arguments are not usable.
pub fn run_process<T, F>(
    program: &str,
    purpose: &str,
    tables: &[&[Variable]],
    read: impl FnOnce(&mut Reader<'_>) -> T,
    main: impl FnOnce(Common, T) -> F,
) -> ExitCode
where
    F: Future<Output = Result<(), Failed>>,
{
    let tables: Vec<&[Variable]> = std::iter::once(COMMON)
        .chain(tables.iter().copied())
        .collect();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        let shown = std::io::stdout().write_all(help(program, purpose, &tables).as_bytes());
        return if shown.is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let lookup = |name: &str| std::env::var(name).ok();
    let mut reader = Reader::new(&tables, &lookup);
    if !arguments.is_empty() {
        reader.problem("arguments", "are not taken; see --help");
    }
    let settings = (Common::read(&mut reader), read(&mut reader));
    let (common, settings) = match reader.finish(settings) {
        Ok(settings) => settings,
        Err(problems) => return unusable(program, &problems),
    };
    match turn(&common.log.clone(), main(common, settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Once, whole, and also where logs could not be set up.
            say(&format!("{program}: {}", chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

fn turn(log: &str, main: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    telemetry::init(log)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(main)
}

fn unusable(program: &str, problems: &Problems) -> ExitCode {
    say(&format!("{program}: {problems}\nSee {program} --help."));
    ExitCode::from(2)
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn say(text: &str) {
    // There is nowhere to say that standard error is closed.
    drop(writeln!(std::io::stderr(), "{text}"));
}
