//! `payops local` and `payops demo`: the embedded platform.
#![expect(
    clippy::doc_markdown,
    reason = "these comments are the help text, read at a terminal"
)]

use std::time::Duration;

use clap::{Args, Subcommand};
use payops_core::domain::access::Action;
use payops_local::{Notice, ReadyEnv, Status, Summary, UpOptions};
use payops_ops::embedded;
use payops_ops::error::{OpsError, OpsResult};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use crate::commands::index;
use crate::consent::{ConsentArgs, Proposal};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, Document, Style, Table, details};
use crate::screen;

const DEMO_TRAFFIC: f64 = 5.0;

/// `payops local …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum LocalCommand {
    /// Start all services in the foreground; Ctrl-C or SIGTERM drains and stops them
    Up(UpArgs),
    /// Stop the platform running on the data directory
    Down(DownArgs),
    /// Show whether the platform is running, its API addresses, and payments by status
    Status,
    /// Rebuild an environment's search index from its payments; the platform must be stopped
    ///
    /// The old index is kept beside the new one and can be deleted. A platform that finds a damaged
    /// index when it starts rebuilds it by itself.
    Reindex {
        #[command(flatten)]
        consent: ConsentArgs,
    },
    /// Fix something that is broken on purpose: `poison`
    Fix(FixArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct UpArgs {
    /// Payments per second to generate
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = rate)]
    traffic: f64,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DownArgs {
    /// Seconds to wait for it to stop
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct FixArgs {
    /// What to fix: `poison` makes the acquirer accept the token tok_poison
    #[arg(value_name = "WHAT", value_parser = ["poison"])]
    what: String,
    #[command(flatten)]
    consent: ConsentArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// Print one line per second instead of opening the screen
    #[arg(long)]
    headless: bool,
    /// Payments per second to generate
    #[arg(long, value_name = "N", default_value_t = DEMO_TRAFFIC, value_parser = rate)]
    traffic: f64,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=10_000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("expected a number from 0 to 10000".to_owned())
    }
}

fn environment_document(env: &ReadyEnv) -> Value {
    json!({
        "name": env.name,
        "api_url": env.api_url,
        "api_key": env.api_key.expose_secret(),
    })
}

/// `{"ready":true,"environments":[{"name":…,"api_url":…,"api_key":…}]}`.
fn ready_document(environments: &[ReadyEnv]) -> Value {
    let environments: Vec<Value> = environments.iter().map(environment_document).collect();
    json!({ "ready": true, "environments": environments })
}

/// `{"ready":true,"environments":[{"name":…,"api_url":…,"api_key":…,"counts":{…}}],"pid":…}`.
#[derive(Clone, Debug)]
struct StatusView(Status);

impl serde::Serialize for StatusView {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let environment = |env: &ReadyEnv| {
            let mut document = environment_document(env);
            document["counts"] = json!(self.0.counts.get(&env.name).cloned().unwrap_or_default());
            document
        };
        let environments: Vec<Value> = self.0.ready.iter().map(environment).collect();
        json!({ "ready": true, "environments": environments, "pid": self.0.pid })
            .serialize(serializer)
    }
}

/// An index that was built anew: `{"payments":…,"set_aside":…}`.
impl Document for StatusView {
    const ROWS: Option<&'static str> = Some("environments");

    fn human(&self, style: &Style) -> String {
        let mut table = Table::new([
            Column::text("ENV"),
            Column::text("API"),
            Column::text("PAYMENTS"),
        ]);
        for env in &self.0.ready {
            let counts = self.0.counts.get(&env.name).map(|counts| json!(counts));
            let counts = counts
                .as_ref()
                .and_then(Value::as_object)
                .map(words)
                .unwrap_or_default();
            table.row([
                Cell::from(&env.name),
                Cell::from(&env.api_url),
                Cell::maybe(Some(counts).filter(|counts| !counts.is_empty())),
            ]);
        }
        let mut out = details(style, [("process", Some(self.0.pid.to_string().into()))]);
        out.push_str(&table.render(style));
        out
    }
}

/// Runs `payops local …`.
pub(crate) async fn run(context: &Context, command: LocalCommand) -> OpsResult<Exit> {
    let data_dir = &context.operator.settings.data_dir.value;
    match command {
        LocalCommand::Up(args) => up(context, args.traffic, false).await,
        LocalCommand::Status => match Box::pin(payops_local::status(data_dir)).await? {
            Some(status) => {
                context.printer.document(&StatusView(status))?;
                Ok(Exit::Done)
            }
            None => Err(OpsError::not_found(format!(
                "no platform is running on {}",
                data_dir.display()
            ))
            .hint("start it with: payops local up")),
        },
        LocalCommand::Down(args) => {
            let timeout = Duration::from_secs(args.timeout);
            let stopped = context
                .interruptible(async { Ok(payops_local::down(data_dir, timeout).await?) })
                .await?;
            context.console.say(if stopped {
                "stopped; every accepted payment is on disk"
            } else {
                "nothing was running"
            });
            Ok(Exit::Done)
        }
        LocalCommand::Reindex { consent } => reindex(context, consent).await,
        LocalCommand::Fix(args) => fix(context, &args).await,
    }
}

async fn reindex(context: &Context, consent: ConsentArgs) -> OpsResult<Exit> {
    embedded::data_dir(&*context.operator.one_session()?)
        .map_err(|error| error.hint("use: payops index rebuild"))?;
    index::rebuild(context, consent).await
}

async fn fix(context: &Context, args: &FixArgs) -> OpsResult<Exit> {
    let session = context.operator.one_session()?;
    embedded::data_dir(&session)?;
    if args.consent.dry_run {
        let what = format!("fix {} in {}", args.what, session.name());
        let proposal = Proposal::new(&session, Action::LocalFix, what);
        return proposal.print(context, &session).await;
    }
    let reason = context.operator.reason.as_deref();
    embedded::fix(&session, &args.what, reason).await?;
    context.console.say(format!(
        "{} is fixed in {env}; replay its dead letters with: payops dlq replay payments-work --env \
            {env}",
        args.what,
        env = session.name()
    ));
    Ok(Exit::Done)
}

pub(crate) async fn demo(context: &Context, args: DemoArgs) -> OpsResult<Exit> {
    if args.headless {
        return up(context, args.traffic, true).await;
    }
    if !screen::has_terminal() {
        return Err(OpsError::usage("the screen needs a terminal")
            .hint("without a terminal, use: payops demo --headless"));
    }
    let data_dir = &context.operator.settings.data_dir.value;
    // A data directory that cannot be used is told by what brings the platform up.
    if matches!(Box::pin(payops_local::status(data_dir)).await, Ok(Some(_))) {
        context.console.say(format!(
            "a platform is already running on {}; showing its screen",
            data_dir.display()
        ));
        return screen::run(context, None).await;
    }
    with_screen(context, args.traffic).await
}

/// Brings the platform up in this process, with the screen before it; both end together.
async fn with_screen(context: &Context, traffic: f64) -> OpsResult<Exit> {
    let (ready, is_ready) = tokio::sync::watch::channel(false);
    let shutdown = context.operator.stop.clone();
    let notices = std::sync::Mutex::new(Vec::new());
    let keep_notice = |notice: &Notice| {
        notices
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(notice.to_string());
    };
    let data_dir = &context.operator.settings.data_dir.value;
    let on_ready = |_: &[ReadyEnv]| {
        ready.send_replace(true);
    };
    let options = UpOptions {
        data_dir: data_dir.clone(),
        traffic_per_second: traffic,
        summary: false,
    };
    let platform = payops_local::up(
        options,
        on_ready,
        |_: &Summary| {},
        keep_notice,
        shutdown.clone(),
    );
    let mut platform = Box::pin(async { Ok(platform.await?) });
    let ended = tokio::select! {
        screen = screen::run(context, Some(is_ready)) => {
            shutdown.cancel();
            screen.and(platform.await.map(|()| Exit::Done))
        }
        ended = &mut platform => ended.map(|()| Exit::Done),
    };
    // What the operator should know, and could not be told while the screen was open.
    let kept = std::mem::take(
        &mut *notices
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner),
    );
    for notice in kept {
        context.console.warn(notice);
    }
    ended
}

async fn up(context: &Context, traffic: f64, summaries: bool) -> OpsResult<Exit> {
    let (printer, console) = (&context.printer, &context.console);
    let shutdown = context.operator.stop.clone();
    // A reader that is gone ends the demo: there is nobody to print for.
    let unheard = shutdown.clone();
    let on_ready = |ready: &[ReadyEnv]| {
        if printer
            .stream(&ready_document(ready), &ready_text(ready))
            .is_err()
            && summaries
        {
            unheard.cancel();
        }
        console.say("ready; press Ctrl-C to drain and stop, again to stop at once");
    };
    let silent = context.operator.stop.clone();
    let on_second = |summary: &Summary| {
        let summary = serde_json::to_value(summary).unwrap_or_default();
        if printer.stream(&summary, &summary_text(&summary)).is_err() {
            silent.cancel();
        }
    };
    let data_dir = &context.operator.settings.data_dir.value;
    console.say(format!("starting on {}", data_dir.display()));
    let on_notice = |notice: &Notice| console.warn(notice.to_string());
    let options = UpOptions {
        data_dir: data_dir.clone(),
        traffic_per_second: traffic,
        summary: summaries,
    };
    Box::pin(payops_local::up(
        options, on_ready, on_second, on_notice, shutdown,
    ))
    .await?;
    console.say("stopped; every accepted payment is on disk");
    Ok(Exit::Done)
}

fn ready_text(ready: &[ReadyEnv]) -> String {
    let line = |env: &ReadyEnv| {
        format!(
            "{:<8} {}  key {}\n",
            env.name,
            env.api_url,
            env.api_key.expose_secret()
        )
    };
    ready.iter().map(line).collect()
}

/// A summary in one line: `prod accepted 12 completed 10 … · test …`.
fn summary_text(summary: &Value) -> String {
    let environments: Vec<(String, &Map<String, Value>)> =
        match summary.get("environments").unwrap_or(summary) {
            Value::Array(items) => items
                .iter()
                .filter_map(Value::as_object)
                .map(|members| {
                    let name = members
                        .get("name")
                        .or_else(|| members.get("env"))
                        .and_then(Value::as_str)
                        .unwrap_or_default();
                    (name.to_owned(), members)
                })
                .collect(),
            Value::Object(members) => members
                .iter()
                .filter_map(|(name, members)| Some((name.clone(), members.as_object()?)))
                .collect(),
            _ => Vec::new(),
        };
    let quiet = |words: String| {
        if words.is_empty() {
            "quiet".to_owned()
        } else {
            words
        }
    };
    let parts: Vec<String> = environments
        .iter()
        .map(|(name, members)| format!("{name} {}", quiet(words(members))))
        .collect();
    format!("{}\n", parts.join(" · "))
}

/// `accepted 12 completed 10`: numbers of a flat object with their names, those that are not 0.
fn words(members: &Map<String, Value>) -> String {
    let number = |(name, value): (&String, &Value)| match value {
        Value::Number(number) if number.as_u64() != Some(0) => {
            Some(format!("{} {number}", name.trim_end_matches("_seconds")))
        }
        _ => None,
    };
    members
        .iter()
        .filter_map(number)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_one_line() {
        let list = json!({"environments": [{"name": "prod", "accepted": 12, "oldest_age_seconds": 3}, {"name": "test", "accepted": 0}]});
        assert_eq!(
            summary_text(&list),
            "prod accepted 12 oldest_age 3 · test quiet\n"
        );
        let map = json!({"prod": {"accepted": 1}});
        assert_eq!(summary_text(&map), "prod accepted 1\n");
    }

    #[test]
    fn the_ready_document_is_what_scripts_read() {
        let env = ReadyEnv {
            name: "prod".into(),
            api_url: "http://127.0.0.1:1".into(),
            api_key: "sk_live_1".into(),
        };
        let document = ready_document(std::slice::from_ref(&env));
        assert_eq!(
            document.to_string(),
            r#"{"ready":true,"environments":[{"name":"prod","api_url":"http://127.0.0.1:1","api_key":"sk_live_1"}]}"#
        );
        let status = Status {
            pid: 7,
            since: jiff::Timestamp::UNIX_EPOCH,
            ready: vec![env],
            counts: [("prod".into(), [("completed".into(), 2)].into())].into(),
        };
        insta::assert_json_snapshot!(StatusView(status));
    }

    #[test]
    fn rates_are_bounded() {
        assert_eq!(rate("2.5"), Ok(2.5));
        assert!(rate("-1").is_err() && rate("NaN").is_err() && rate("x").is_err());
    }
}
