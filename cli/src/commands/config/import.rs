//! `payops config import`: what Terraform made, as an environment of `payops.toml`. The difference
//! is shown first; the file is written whole or not at all.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::edit::merged;
use super::lines::{self, Line};
use super::outputs::{Held, Outputs};
use crate::config::{Config, FILE};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Document, Look, Tone};
use crate::settings::{Origin, Sourced};

const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// `payops config import`
#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArgs {
    /// What `terraform output -json` printed; `-` for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file to write [default: the one in use, else payops.toml here]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Said {
    name: String,
    value: String,
    output: String,
}

#[derive(Clone, Debug, Serialize)]
struct Import {
    file: String,
    env: String,
    changed: bool,
    settings: Vec<Said>,
    ignored: Vec<String>,
    diff: Vec<String>,
    #[serde(skip)]
    lines: Vec<Line>,
}

impl Document for Import {
    fn human(&self, look: &Look) -> String {
        if !self.changed {
            return format!("{} says so already\n", self.file);
        }
        let mut out = format!("{}\n", self.file);
        for line in &self.lines {
            let tone = match line.mark {
                '+' => Tone::Good,
                '-' => Tone::Bad,
                _ => Tone::Dim,
            };
            out.push_str(&look.paint(&line.told(), tone));
            out.push('\n');
        }
        out
    }
}

pub(super) fn run(context: &Context, args: &ImportArgs) -> CliResult<Exit> {
    let outputs = Outputs::parse(&input(&args.file)?)?;
    let env = name(context, &outputs)?;
    let found = context
        .settings
        .found
        .as_ref()
        .map(|found| found.path.clone());
    let path = args
        .to
        .clone()
        .or(found)
        .unwrap_or_else(|| PathBuf::from(FILE));
    let old = held(&path)?;
    Config::parse(&old, &path)?;
    let new = merged(&old, &path, &env, &outputs)?;
    Config::parse(&new, &path)?;
    let import = import(&path, &env, &outputs, lines::between(&old, &new));
    context.printer.document(&import)?;
    if !outputs.ignored.is_empty() {
        context.talk.say(format!(
            "ignored, since they are no settings: {}",
            outputs.ignored.join(", ")
        ));
    }
    if !import.changed || args.dry_run {
        return Ok(Exit::Done);
    }
    confirm(context, args, &path)?;
    if held(&path)? != old {
        return Err(CliError::refused(format!(
            "{} was changed meanwhile, so nothing was written",
            path.display()
        ))
        .hint("run it again"));
    }
    write(&path, &new).map_err(|error| {
        CliError::failed(format!("{} could not be written", path.display())).because(error)
    })?;
    context.talk.say(format!(
        "written; payops config explain --env {env} shows it, payops doctor --env {env} tries it"
    ));
    Ok(Exit::Done)
}

/// What the file says now; nothing when it is not there.
fn held(path: &Path) -> CliResult<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        text => text.map_err(|error| {
            CliError::usage(format!("{} cannot be read", path.display())).because(error)
        }),
    }
}

fn import(path: &Path, env: &str, outputs: &Outputs, lines: Vec<Line>) -> Import {
    let said = |fact: &super::outputs::Fact| Said {
        name: format!("environments.{env}.{}", fact.path.join(".")),
        value: match &fact.held {
            Held::Text(text) => text.clone(),
            Held::Flag(flag) => flag.to_string(),
            Held::Number(number) => number.to_string(),
        },
        output: fact.output.clone(),
    };
    Import {
        file: path.display().to_string(),
        env: env.to_owned(),
        changed: !lines.is_empty(),
        settings: outputs.facts.iter().map(said).collect(),
        ignored: outputs.ignored.clone(),
        diff: lines.iter().map(Line::told).collect(),
        lines,
    }
}

fn input(file: &Path) -> CliResult<String> {
    let unread =
        |error| CliError::usage(format!("{} cannot be read", file.display())).because(error);
    let reader: Box<dyn std::io::Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(fs::File::open(file).map_err(unread)?)
    };
    let mut bytes = Vec::new();
    reader
        .take(BYTES_MAX.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unread)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > BYTES_MAX) {
        return Err(CliError::usage(
            "the input is over 16 MB, which no outputs are",
        ));
    }
    String::from_utf8(bytes).map_err(|_| {
        CliError::usage("the input is not UTF-8")
            .hint("terraform output -json prints what is needed")
    })
}

/// The environment's name: what the command line says, else what the outputs say, else the
/// variable.
fn name(context: &Context, outputs: &Outputs) -> CliResult<String> {
    let (flag, variable) = match &context.settings.envs {
        Ok(Sourced {
            value,
            origin: Origin::Flag(_),
        }) => (Some(value.as_slice()), None),
        Ok(Sourced {
            value,
            origin: Origin::Variable(_),
        }) => (None, Some(value.as_slice())),
        _ => (None, None),
    };
    let one =
        |names: &[String]| match names {
            [name] => Ok(name.clone()),
            _ => Err(CliError::usage("the outputs are of one environment")
                .hint("give one name to --env")),
        };
    let name = match (
        flag.or(variable.filter(|_| outputs.env.is_none())),
        &outputs.env,
    ) {
        (Some(names), _) => one(names)?,
        (None, Some(name)) => name.clone(),
        (None, None) => {
            return Err(CliError::usage("which environment is this?")
                .hint("name it with --env, or in the output payops.environment"));
        }
    };
    if !name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        || name.is_empty()
    {
        return Err(
            CliError::usage(format!("`{name}` is no name of an environment"))
                .hint("letters, digits, `-` and `_`"),
        );
    }
    if let Some(other) = outputs.env.as_ref().filter(|other| **other != name) {
        context.talk.warn(format!(
            "the outputs call it {other}, and it will be {name}"
        ));
    }
    Ok(name)
}

fn confirm(context: &Context, args: &ImportArgs, path: &Path) -> CliResult<()> {
    if args.yes {
        return Ok(());
    }
    if args.file == Path::new("-") || !context.talk.asks {
        return Err(CliError::refused(format!(
            "writing {} needs a confirmation, and there is nobody to ask",
            path.display()
        ))
        .hint("add --yes once you are sure, or --dry-run to look only"));
    }
    match context.talk.ask("Type `yes` to write this:") {
        Some(typed) if typed.trim() == "yes" => Ok(()),
        _ => Err(CliError::refused("not confirmed; nothing was written")),
    }
}

/// Writes the file whole or not at all, with the mode that it has. A link stays one.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let (path, permissions) = match fs::metadata(path) {
        Ok(metadata) => (fs::canonicalize(path)?, Some(metadata.permissions())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (path.to_owned(), None),
        Err(error) => return Err(error),
    };
    let beside = path.with_extension(format!("toml.{}.new", std::process::id()));
    let written = || {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o644)
            .open(&beside)?;
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&beside, &path)
    };
    written().inspect_err(|_| drop(fs::remove_file(&beside)))
}
