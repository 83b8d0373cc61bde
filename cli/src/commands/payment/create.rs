//! `payops payment create`: one payment by options, or a file of JSON lines, through the
//! environment's own API. Running a file again is safe: every line has its key.
#![expect(
    clippy::doc_markdown,
    reason = "these comments are the help text, read at a terminal"
)]

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, Args};
use payops_core::domain::id::PaymentId;
use payops_core::domain::money::{Currency, Money};
use payops_core::domain::text::IdempotencyKey;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::batch::{self, Halt, Paid, Tally};
use super::change::random_key;
use super::lines::{self, LineError};
use super::wait::{Ended, Watcher};
use crate::api::{Api, Created};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Column, Document, Look, Table, Tone, count, details};
use crate::settings::EnvTarget;

/// `payops payment create`
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["file", "amount", "amount_minor"]))]
pub(crate) struct CreateArgs {
    /// JSON lines, `-` for stdin: the API's bodies, each with an `idempotency_key`
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How many lines are sent side by side
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000), requires = "file")]
    concurrency: u16,
    /// How much, with the currency's decimals: 12.50 EUR, 1250 JPY
    #[arg(long, value_name = "DECIMAL", requires_all = ["currency", "source", "email"], conflicts_with_all = ["file", "amount_minor"])]
    amount: Option<String>,
    /// How much, in minor units: 1250 is 12.50 EUR
    #[arg(long, value_name = "INTEGER", requires_all = ["currency", "source", "email"], conflicts_with = "file")]
    amount_minor: Option<i64>,
    /// An ISO 4217 code
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// What is charged: a token, never a card number
    #[arg(long, value_name = "TOKEN")]
    source: Option<String>,
    /// Who gets the receipt
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The merchant's name for it
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    /// Names this request; random when left out, and then printed on stderr
    #[arg(long, value_name = "KEY", conflicts_with = "file")]
    idempotency_key: Option<String>,
    /// Wait until every accepted payment is final or dead
    #[arg(long)]
    wait: bool,
    /// For how many seconds --wait waits
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
    /// For how many seconds a request without a definite answer is repeated
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    retry_for: u64,
    /// Where the API is [env: PAYOPS_API_URL]
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,
}

/// What came of a file. `accepted` counts every line that has a payment; `replayed` those of
/// them whose payment was there before; `accepted + refused + unanswered = lines`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct FileResult {
    lines: u64,
    accepted: usize,
    replayed: usize,
    refused: usize,
    /// Lines read that have no definite answer: only after an interruption or a failure.
    unanswered: u64,
    errors: Vec<LineError>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
    payments: Vec<PaidView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct PaidView {
    line: u64,
    id: String,
    replayed: bool,
}

impl Document for FileResult {
    fn human(&self, look: &Look) -> String {
        let number = |number: u64| Some(Cell::from(number.to_string()));
        let some =
            |number: usize, tone| (number > 0).then(|| Cell::toned(number.to_string(), tone));
        let size = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let mut pairs = vec![
            ("lines", number(self.lines)),
            ("accepted", number(size(self.accepted))),
            ("replayed", some(self.replayed, Tone::Plain)),
            ("refused", some(self.refused, Tone::Bad)),
            (
                "unanswered",
                (self.unanswered > 0).then(|| Cell::toned(self.unanswered.to_string(), Tone::Bad)),
            ),
        ];
        if let Some(ended) = &self.ended {
            pairs.extend([
                ("completed", some(ended.completed, Tone::Good)),
                ("failed", some(ended.failed, Tone::Bad)),
                ("canceled", some(ended.canceled, Tone::Plain)),
                ("review", some(ended.review, Tone::Bad)),
                ("dead", some(ended.dead, Tone::Bad)),
                ("processing", some(ended.processing, Tone::Warn)),
            ]);
        }
        let mut out = details(look, pairs);
        let mut table = Table::new([
            Column::number("LINE"),
            Column::text("CODE"),
            Column::text("PARAM"),
            Column::text("MESSAGE"),
        ]);
        for error in &self.errors {
            let param = Cell::maybe(error.param.as_ref());
            table.row([
                Cell::from(error.line.to_string()),
                Cell::toned(&error.code, Tone::Bad),
                param,
                Cell::from(&error.message),
            ]);
        }
        out.push_str(&table.render(look));
        out
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct OneResult {
    id: String,
    status: String,
    amount: i64,
    currency: String,
    version: Option<u64>,
    reference: Option<String>,
    idempotency_key: String,
    replayed: bool,
}

impl Document for OneResult {
    fn human(&self, look: &Look) -> String {
        let replayed = self.replayed.then(|| Cell::from("it was there before"));
        details(
            look,
            [
                ("payment", Some(Cell::from(&self.id))),
                (
                    "status",
                    Some(Cell::toned(&self.status, Tone::of_status(&self.status))),
                ),
                ("replayed", replayed),
            ],
        )
    }
}

pub(crate) async fn run(context: &Context, args: CreateArgs) -> CliResult<Exit> {
    let target = context.settings.one_target()?;
    // What is wrong with the command line is said before anything is asked.
    let one = if args.file.is_none() {
        Some(one_body(&args)?)
    } else {
        None
    };
    let api = Api::locate(context, &target, args.api_url.as_deref()).await?;
    match (&args.file, one) {
        (Some(file), _) => many(context, &target, &api, &args, file).await,
        (None, Some(body)) => single(context, &target, &api, &args, &body).await,
        (None, None) => Err(CliError::usage("nothing to create")),
    }
}

fn one_body(args: &CreateArgs) -> CliResult<Value> {
    let wrong = |what: &str, error: Box<dyn std::error::Error + Send + Sync>| {
        CliError::usage(format!("{what} is not right")).because(error)
    };
    let currency = args.currency.as_deref().unwrap_or_default();
    let currency: Currency = currency
        .parse()
        .map_err(|error| wrong("--currency", Box::new(error)))?;
    let money = match (&args.amount, args.amount_minor) {
        (Some(text), _) => Money::parse_major(text, currency)
            .map_err(|error| wrong("--amount", Box::new(error)))?,
        (None, minor) => Money::new(minor.unwrap_or_default(), currency)
            .map_err(|error| wrong("--amount-minor", Box::new(error)))?,
    };
    Ok(json!({
        "amount": money.minor(), "currency": currency, "source": args.source, "reference": args.reference,
        "customer": {"email": args.email},
    }))
}

async fn single(
    context: &Context,
    target: &EnvTarget,
    api: &Api,
    args: &CreateArgs,
    body: &Value,
) -> CliResult<Exit> {
    let key = args.idempotency_key.clone().unwrap_or_else(random_key);
    let key: IdempotencyKey = key
        .parse()
        .map_err(|error| CliError::usage("--idempotency-key is not right").because(error))?;
    let key = key.as_str();
    if args.idempotency_key.is_none() {
        // Said before the request: who is cut off can ask again with it.
        context.talk.warn(format!("idempotency key {key}"));
    }
    let text = body.to_string();
    let created = api.create(
        key,
        &text,
        Duration::from_secs(args.retry_for),
        &context.stop,
    );
    let created = tokio::select! {
        biased;
        created = created => created,
        () = context.stop.cancelled() => Created::Stopped,
    };
    let again = format!("run it again with --idempotency-key {key}: it pays once at most");
    match created {
        Created::Accepted {
            id,
            body: answer,
            replayed,
        } => {
            let member = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
            let mut result = OneResult {
                status: member("status").unwrap_or_else(|| "processing".to_owned()),
                amount: body
                    .get("amount")
                    .and_then(Value::as_i64)
                    .unwrap_or_default(),
                currency: body
                    .get("currency")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
                version: answer.get("version").and_then(Value::as_u64),
                reference: args
                    .reference
                    .as_deref()
                    .map(|reference| context.privacy.text(reference)),
                idempotency_key: key.to_owned(),
                id: id.clone(),
                replayed,
            };
            let paid = Paid {
                line: 1,
                id,
                replayed,
            };
            // It is accepted, whatever becomes of the waiting: that is always told.
            let waited = wait(context, target, api, args, &[paid]).await;
            if let Ok((_, Some(ended))) = &waited {
                status_of(&ended.ended).clone_into(&mut result.status);
                // The answer's version is that of the first moment; the status shown is a later
                // one.
                result.version = match result.id.parse() {
                    Ok(id) => ended.watcher.version_of(&id).await,
                    Err(_) => None,
                };
            }
            context.printer.document(&result)?;
            waited.map(|(exit, _)| exit)
        }
        Created::Refused(problem) => {
            let hint = problem.param.as_deref().map_or_else(
                || "payops payment create --help".to_owned(),
                |param| format!("look at `{param}`"),
            );
            Err(
                CliError::failed(format!("refused: {} ({})", problem.message, problem.code))
                    .hint(hint),
            )
        }
        Created::NotAllowed(problem) => {
            Err(CliError::new(Exit::NotAuthenticated, problem.message).hint("check PAYOPS_API_KEY"))
        }
        Created::NoAnswer { rate_limited, last } => Err(no_answer(rate_limited, &last).hint(again)),
        Created::Stopped => Err(CliError::interrupted().hint(again)),
    }
}

fn status_of(ended: &Ended) -> &'static str {
    let states = [
        (ended.completed, "completed"),
        (ended.failed, "failed"),
        (ended.canceled, "canceled"),
        (ended.review, "review"),
        (ended.dead, "dead"),
    ];
    states
        .into_iter()
        .find(|(count, _)| *count > 0)
        .map_or("processing", |(_, name)| name)
}

fn no_answer(rate_limited: bool, last: &str) -> CliError {
    if rate_limited {
        CliError::new(Exit::RateLimited, "the API keeps asking to slow down").because(last)
    } else {
        CliError::failed("the API gives no definite answer").because(last)
    }
}

async fn many(
    context: &Context,
    target: &EnvTarget,
    api: &Api,
    args: &CreateArgs,
    file: &Path,
) -> CliResult<Exit> {
    let (lines, total) = open(file)?;
    let bar = context.talk.progress("lines", total);
    let patience = Duration::from_secs(args.retry_for);
    let send = |line: lines::Line| async move {
        api.create(&line.key, &line.body, patience, &context.stop)
            .await
    };
    let told = |tally: &Tally| bar.set_position(tally.lines.saturating_sub(tally.unanswered()));
    let tally = batch::run(
        lines,
        usize::from(args.concurrency),
        &context.stop,
        send,
        told,
    )
    .await;
    bar.finish_and_clear();
    let waited = if tally.halt.is_none() {
        wait(context, target, api, args, &tally.paid).await
    } else {
        Ok((Exit::Done, None))
    };
    // What was accepted is printed even if the waiting failed.
    let (mut exit, ended, failure) = match waited {
        Ok((exit, waited)) => (exit, waited.map(|waited| waited.ended), None),
        Err(error) => (Exit::Done, None, Some(error)),
    };
    let replayed = tally.paid.iter().filter(|paid| paid.replayed).count();
    let result = FileResult {
        lines: tally.lines,
        accepted: tally.paid.len(),
        replayed,
        refused: tally.errors.len(),
        unanswered: tally.unanswered(),
        ended,
        payments: tally
            .paid
            .iter()
            .map(|paid| PaidView {
                line: paid.line,
                id: paid.id.clone(),
                replayed: paid.replayed,
            })
            .collect(),
        errors: tally.errors,
    };
    context.printer.document(&result)?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let again = "run the same command again: every line has its key, so nothing is paid twice";
    match tally.halt {
        Some(Halt::Interrupted) => return Err(CliError::interrupted().hint(again)),
        Some(Halt::NotAllowed(problem)) => {
            return Err(
                CliError::new(Exit::NotAuthenticated, problem.message).hint("check PAYOPS_API_KEY")
            );
        }
        Some(Halt::NoAnswer { rate_limited, last }) => {
            return Err(no_answer(rate_limited, &last).hint(again));
        }
        None => {}
    }
    if exit == Exit::Done && result.refused > 0 {
        context.talk.say(format!(
            "{} refused; each error names its line",
            count(result.refused, "line")
        ));
        exit = Exit::Partial;
    }
    Ok(exit)
}

/// Opens the file; its lines come from a thread of their own, since reading stdin blocks.
fn open(file: &Path) -> CliResult<(mpsc::Receiver<lines::Read>, Option<u64>)> {
    let (sender, receiver) = mpsc::channel(256);
    let failed =
        |error| CliError::usage(format!("{} cannot be read", file.display())).because(error);
    let from_stdin = file == Path::new("-");
    let input: Box<dyn std::io::BufRead + Send> = if from_stdin {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        let opened = File::open(file).map_err(failed)?;
        if opened.metadata().map_err(failed)?.is_dir() {
            return Err(CliError::usage(format!("{} is a folder", file.display())));
        }
        Box::new(BufReader::with_capacity(1 << 18, opened))
    };
    let total = if from_stdin { None } else { count_lines(file) };
    std::thread::spawn(move || {
        let result = lines::read_all(input, |read| sender.blocking_send(read).is_ok());
        if let Err(error) = result {
            // Told as a line of its own, so that the run does not look complete.
            let message = format!("the rest could not be read: {error}");
            drop(sender.blocking_send(Err(LineError::new(0, "unreadable", message, None))));
        }
    });
    Ok((receiver, total))
}

/// How many lines a regular file has, for the progress bar alone.
fn count_lines(file: &Path) -> Option<u64> {
    let mut input = File::open(file)
        .ok()
        .filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()))?;
    let (mut buffer, mut lines) = (vec![0_u8; 1 << 18], 0_u64);
    loop {
        match input.read(&mut buffer).ok()? {
            0 => return Some(lines),
            read => {
                let part = buffer.get(..read).unwrap_or_default();
                let breaks = part.split(|byte| *byte == b'\n').count().saturating_sub(1);
                lines = lines.saturating_add(u64::try_from(breaks).unwrap_or(0));
            }
        }
    }
}

struct Waited {
    ended: Ended,
    watcher: Watcher,
}

async fn wait(
    context: &Context,
    target: &EnvTarget,
    api: &Api,
    args: &CreateArgs,
    paid: &[Paid],
) -> CliResult<(Exit, Option<Waited>)> {
    if !args.wait {
        return Ok((Exit::Done, None));
    }
    let ids: BTreeSet<PaymentId> = paid
        .iter()
        .filter_map(|paid| paid.id.parse().ok())
        .collect();
    let elsewhere = args.api_url.is_some() || context.settings.api_url.is_some();
    let watcher = Watcher::new(context, target, api, elsewhere).await?;
    let bar = context
        .talk
        .progress("payments at their end", u64::try_from(ids.len()).ok());
    let told = |ended: usize| bar.set_position(u64::try_from(ended).unwrap_or(0));
    let ended = watcher
        .wait(context, ids, Duration::from_secs(args.timeout), told)
        .await?;
    bar.finish_and_clear();
    let exit = match ended.processing {
        0 => Exit::Done,
        _ if context.stop.is_cancelled() => Exit::Interrupted,
        left => {
            context.talk.warn(format!(
                "{} still processing after {} s; payops payment search status:processing",
                count(left, "payment"),
                args.timeout
            ));
            Exit::TimedOut
        }
    };
    Ok((exit, Some(Waited { ended, watcher })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_of_a_file_has_the_names_scripts_read() {
        let result = FileResult {
            lines: 3,
            accepted: 2,
            replayed: 1,
            refused: 1,
            unanswered: 0,
            errors: vec![LineError::new(
                2,
                "invalid_amount",
                "`amount` must be an integer",
                Some("amount"),
            )],
            ended: None,
            payments: vec![
                PaidView {
                    line: 1,
                    id: "pay_1".into(),
                    replayed: false,
                },
                PaidView {
                    line: 3,
                    id: "pay_3".into(),
                    replayed: true,
                },
            ],
        };
        insta::assert_json_snapshot!(result);
        let waited = FileResult {
            ended: Some(Ended {
                completed: 2,
                ..Ended::default()
            }),
            ..result
        };
        insta::assert_json_snapshot!(waited);
        insta::assert_snapshot!(waited.human(&Look::plain()));
    }
}
