//! `payops config import`: what Terraform made, as an environment of `payops.toml`. The difference
//! is shown first; the file is written whole or not at all.
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use payops_ops::environment::{
    Config, DiffLine, FILE, Fact, Held, Origin, Outputs, Sourced, diff_lines, merged,
    read_or_empty, write_whole,
};
use payops_ops::error::{OpsError, OpsResult};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Document, Style, Tone};

const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// `payops config import`
#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArgs {
    /// File with the output of `terraform output -json`; - for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// File to write [default: the one in use, or payops.toml in the working directory]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Show the changes without writing them
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
}

#[derive(Clone, Debug, Serialize)]
struct ImportedSetting {
    name: String,
    value: String,
    output: String,
}

#[derive(Clone, Debug, Serialize)]
struct Import {
    file: String,
    env: String,
    changed: bool,
    settings: Vec<ImportedSetting>,
    ignored: Vec<String>,
    diff: Vec<String>,
    #[serde(skip)]
    lines: Vec<DiffLine>,
}

impl Document for Import {
    fn human(&self, style: &Style) -> String {
        if !self.changed {
            return format!("{} is already up to date\n", self.file);
        }
        let mut out = format!("{}\n", self.file);
        for line in &self.lines {
            let tone = match line.mark {
                '+' => Tone::Good,
                '-' => Tone::Bad,
                _ => Tone::Dim,
            };
            out.push_str(&style.paint(&line.label(), tone));
            out.push('\n');
        }
        out
    }
}

pub(super) fn run(context: &Context, args: &ImportArgs) -> OpsResult<Exit> {
    let outputs = Outputs::parse(&input(&args.file)?)?;
    let env = name(context, &outputs)?;
    let found = context
        .operator
        .settings
        .found
        .as_ref()
        .map(|found| found.path.clone());
    let path = args
        .to
        .clone()
        .or(found)
        .unwrap_or_else(|| PathBuf::from(FILE));
    let old = read_or_empty(&path)?;
    Config::parse(&old, &path)?;
    let new = merged(&old, &path, &env, &outputs)?;
    Config::parse(&new, &path)?;
    let import = import(&path, &env, &outputs, diff_lines(&old, &new));
    context.printer.document(&import)?;
    if !outputs.ignored.is_empty() {
        context.console.say(format!(
            "ignored, because they are not settings: {}",
            outputs.ignored.join(", ")
        ));
    }
    if !import.changed || args.dry_run {
        return Ok(Exit::Done);
    }
    confirm(context, args, &path)?;
    if read_or_empty(&path)? != old {
        return Err(OpsError::refused(format!(
            "{} changed in the meantime; nothing was written",
            path.display()
        ))
        .hint("run the same command again"));
    }
    write_whole(&path, &new).map_err(|error| {
        OpsError::failed(format!("{} could not be written", path.display())).because(error)
    })?;
    context.console.say(format!(
        "written; see it with payops config explain --env {env}, test it with payops doctor --env {env}"
    ));
    Ok(Exit::Done)
}

fn import(path: &Path, env: &str, outputs: &Outputs, lines: Vec<DiffLine>) -> Import {
    let setting = |fact: &Fact| ImportedSetting {
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
        settings: outputs.facts.iter().map(setting).collect(),
        ignored: outputs.ignored.clone(),
        diff: lines.iter().map(DiffLine::label).collect(),
        lines,
    }
}

fn input(file: &Path) -> OpsResult<String> {
    let unread = |error| OpsError::usage(format!("cannot read {}", file.display())).because(error);
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
        return Err(OpsError::usage("the input is larger than 16 MB"));
    }
    String::from_utf8(bytes).map_err(|_| {
        OpsError::usage("the input is not UTF-8").hint("use the output of: terraform output -json")
    })
}

/// The environment's name: what the command line says, else what the outputs say, else the
/// variable.
fn name(context: &Context, outputs: &Outputs) -> OpsResult<String> {
    let (flag, variable) = match &context.operator.settings.envs {
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
    let one = |names: &[String]| match names {
        [name] => Ok(name.clone()),
        _ => Err(OpsError::usage("the outputs describe one environment")
            .hint("name one environment with --env")),
    };
    let name = match (
        flag.or(variable.filter(|_| outputs.env.is_none())),
        &outputs.env,
    ) {
        (Some(names), _) => one(names)?,
        (None, Some(name)) => name.clone(),
        (None, None) => {
            return Err(OpsError::usage("no environment given")
                .hint("name it with --env, or with the output payops.environment"));
        }
    };
    if !name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        || name.is_empty()
    {
        return Err(
            OpsError::usage(format!("`{name}` is not a valid environment name"))
                .hint("use letters, digits, `-` and `_`"),
        );
    }
    if let Some(other) = outputs.env.as_ref().filter(|other| **other != name) {
        context.console.warn(format!(
            "the outputs name it {other}; it is written as {name}"
        ));
    }
    Ok(name)
}

fn confirm(context: &Context, args: &ImportArgs, path: &Path) -> OpsResult<()> {
    if args.yes {
        return Ok(());
    }
    if args.file == Path::new("-") || !context.console.can_ask {
        return Err(OpsError::refused(format!(
            "writing {} requires confirmation, but there is no terminal to ask on",
            path.display()
        ))
        .hint("add --yes to confirm, or --dry-run to only see the changes"));
    }
    match context.console.ask("Type `yes` to write these changes:") {
        Some(typed) if typed.trim() == "yes" => Ok(()),
        _ => Err(OpsError::refused("not confirmed; nothing was written")),
    }
}
