//! `payops local` and `payops demo`: the embedded platform.
#![expect(
    clippy::doc_markdown,
    reason = "these comments are the help text, read at a terminal"
)]

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::local::{self, ReadyEnv, Reindexed, Running};
use crate::output::{Cell, Column, Document, Look, Table, details};
use crate::screen;
use crate::settings::Target;

const DEMO_TRAFFIC: f64 = 5.0;

/// `payops local …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum LocalCommand {
    /// Start all services and stay in the foreground; SIGTERM or Ctrl-C drains and stops
    Up(UpArgs),
    /// Stop the platform that runs on the data directory
    Down(DownArgs),
    /// Whether a platform runs, where its APIs are, and how many payments are in each state
    Status,
    /// Build an environment's search index anew from its payments, while no platform runs
    ///
    /// The index before is set aside beside the new one, and may be deleted. A platform that
    /// finds a damaged index when it starts does this by itself.
    Reindex,
    /// Mend something that was broken on purpose: `poison`
    Fix(FixArgs),
}

/// `payops local up`
#[derive(Clone, Debug, Args)]
pub(crate) struct UpArgs {
    /// Payments a second to make by itself
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = rate)]
    traffic: f64,
}

/// `payops local down`
#[derive(Clone, Debug, Args)]
pub(crate) struct DownArgs {
    /// How many seconds to wait for it
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

/// `payops local fix`
#[derive(Clone, Debug, Args)]
pub(crate) struct FixArgs {
    /// What: `poison` makes the acquirer take the token tok_poison
    what: String,
}

/// `payops demo`
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// Print a line a second instead of opening the screen
    #[arg(long)]
    headless: bool,
    /// Payments a second
    #[arg(long, value_name = "N", default_value_t = DEMO_TRAFFIC, value_parser = rate)]
    traffic: f64,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=10_000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("from 0 to 10000".to_owned())
    }
}

/// The platform that runs:
/// `{"ready":true,"environments":[{"name":…,"api_url":…,"api_key":…,"counts":{…}}],"pid":…}`.
#[derive(Clone, Debug)]
struct Status(Running);

impl serde::Serialize for Status {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = local::ready_document(&self.0.ready);
        let environments = document
            .get_mut("environments")
            .and_then(Value::as_array_mut);
        for environment in environments.into_iter().flatten() {
            let name = environment
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let counts = self
                .0
                .counts
                .get(name)
                .cloned()
                .unwrap_or_else(|| json!({}));
            if let Some(members) = environment.as_object_mut() {
                members.insert("counts".to_owned(), counts);
            }
        }
        if let Some(members) = document.as_object_mut() {
            members.insert("pid".to_owned(), json!(self.0.pid));
        }
        document.serialize(serializer)
    }
}

/// An index that was built anew: `{"payments":…,"set_aside":…}`.
impl Document for Reindexed {
    fn human(&self, look: &Look) -> String {
        let aside = self
            .set_aside
            .as_ref()
            .map(|path| Cell::from(path.display().to_string()));
        details(
            look,
            [
                ("payments", Some(self.payments.to_string().into())),
                ("set aside", aside),
            ],
        )
    }
}

impl Document for Status {
    const ROWS: Option<&'static str> = Some("environments");

    fn human(&self, look: &Look) -> String {
        let mut table = Table::new([
            Column::text("ENV"),
            Column::text("API"),
            Column::text("PAYMENTS"),
        ]);
        for env in &self.0.ready {
            let counts = self
                .0
                .counts
                .get(&env.name)
                .and_then(Value::as_object)
                .map(words)
                .unwrap_or_default();
            table.row([
                Cell::from(&env.name),
                Cell::from(&env.api_url),
                Cell::maybe(Some(counts).filter(|counts| !counts.is_empty())),
            ]);
        }
        let mut out = details(look, [("process", Some(self.0.pid.to_string().into()))]);
        out.push_str(&table.render(look));
        out
    }
}

/// Runs `payops local …`.
pub(crate) async fn run(context: &Context, command: LocalCommand) -> CliResult<Exit> {
    let data_dir = &context.settings.data_dir.value;
    match command {
        LocalCommand::Up(args) => up(context, args.traffic, false).await,
        LocalCommand::Status => match local::status(data_dir).await? {
            Some(running) => {
                context.printer.document(&Status(running))?;
                Ok(Exit::Done)
            }
            None => Err(
                CliError::not_found(format!("no platform runs on {}", data_dir.display()))
                    .hint("payops local up starts one"),
            ),
        },
        LocalCommand::Down(args) => {
            let stopped = context
                .interruptible(local::down(data_dir, Duration::from_secs(args.timeout)))
                .await?;
            context.talk.say(if stopped {
                "stopped; everything accepted is on disk"
            } else {
                "nothing was running"
            });
            Ok(Exit::Done)
        }
        LocalCommand::Reindex => {
            let target = context.settings.one_target()?;
            let Target::Embedded { data_dir, name } = &target.target else {
                let error =
                    CliError::usage(format!("{} is not an embedded environment", target.name));
                return Err(error.hint("an index on OpenSearch is rebuilt by its own tools"));
            };
            // Cut off, it leaves its mark, and the next start of the platform goes on.
            let reindexed = context
                .interruptible(local::reindex(data_dir, name))
                .await?;
            context
                .talk
                .say(format!("the search index of {} is rebuilt", target.name));
            context.printer.document(&reindexed)?;
            Ok(Exit::Done)
        }
        LocalCommand::Fix(args) => {
            let target = context.settings.one_target()?;
            let Target::Embedded { data_dir, name } = &target.target else {
                return Err(CliError::usage(format!(
                    "{} is not an embedded environment",
                    target.name
                )));
            };
            local::fix(data_dir, name, &args.what).await?;
            context.talk.say(format!(
                "{} is mended in {}; payops dlq replay sends what died of it again",
                args.what, target.name
            ));
            Ok(Exit::Done)
        }
    }
}

pub(crate) async fn demo(context: &Context, args: DemoArgs) -> CliResult<Exit> {
    if args.headless {
        return up(context, args.traffic, true).await;
    }
    if !screen::has_terminal() {
        return Err(
            CliError::usage("the screen needs a terminal, and there is none")
                .hint("payops demo --headless prints a line a second"),
        );
    }
    let data_dir = &context.settings.data_dir.value;
    // A data directory that cannot be used is told by what brings the platform up.
    if matches!(local::status(data_dir).await, Ok(Some(_))) {
        context.talk.say(format!(
            "a platform runs on {} already, with its own traffic: this is its screen",
            data_dir.display()
        ));
        return screen::run(context, None).await;
    }
    with_screen(context, args.traffic).await
}

/// Brings the platform up in this process, with the screen before it; both end together.
async fn with_screen(context: &Context, traffic: f64) -> CliResult<Exit> {
    let (ready, is_ready) = tokio::sync::watch::channel(false);
    let shutdown = context.stop.clone();
    let notices = std::sync::Mutex::new(Vec::new());
    let noted = |notice: &str| {
        notices
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(notice.to_owned())
    };
    let data_dir = &context.settings.data_dir.value;
    let on_ready = |_: &[ReadyEnv]| {
        ready.send_replace(true);
    };
    let platform = local::up(
        data_dir,
        traffic,
        on_ready,
        None::<fn(&Value)>,
        noted,
        shutdown.clone(),
    );
    let mut platform = std::pin::pin!(platform);
    let ended = tokio::select! {
        screen = screen::run(context, Some(is_ready)) => {
            shutdown.cancel();
            screen.and(platform.await.map(|()| Exit::Done))
        }
        ended = &mut platform => ended.map(|()| Exit::Done),
    };
    // What the operator should know, and could not be told while the screen was open.
    let told = std::mem::take(
        &mut *notices
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner),
    );
    for notice in told {
        context.talk.warn(notice);
    }
    ended
}

async fn up(context: &Context, traffic: f64, summaries: bool) -> CliResult<Exit> {
    let (printer, talk) = (&context.printer, &context.talk);
    let shutdown = context.stop.clone();
    // A reader that is gone ends the demo: there is nobody to print for.
    let unheard = shutdown.clone();
    let on_ready = |ready: &[ReadyEnv]| {
        if printer
            .stream(&local::ready_document(ready), &ready_text(ready))
            .is_err()
            && summaries
        {
            unheard.cancel();
        }
        talk.say("ready; Ctrl-C drains and stops, a second one stops at once");
    };
    let silent = context.stop.clone();
    let on_second = |summary: &Value| {
        if printer.stream(summary, &summary_text(summary)).is_err() {
            silent.cancel();
        }
    };
    let data_dir = &context.settings.data_dir.value;
    talk.say(format!("starting on {}", data_dir.display()));
    let on_notice = |notice: &str| talk.warn(notice);
    local::up(
        data_dir,
        traffic,
        on_ready,
        summaries.then_some(on_second),
        on_notice,
        shutdown,
    )
    .await?;
    talk.say("stopped; everything accepted is on disk");
    Ok(Exit::Done)
}

fn ready_text(ready: &[ReadyEnv]) -> String {
    use secrecy::ExposeSecret as _;
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
        let document = local::ready_document(std::slice::from_ref(&env));
        assert_eq!(
            document.to_string(),
            r#"{"ready":true,"environments":[{"name":"prod","api_url":"http://127.0.0.1:1","api_key":"sk_live_1"}]}"#
        );
        let running = Running {
            pid: 7,
            ready: vec![env],
            counts: json!({"prod": {"completed": 2}}),
        };
        insta::assert_json_snapshot!(Status(running));
    }

    #[test]
    fn rates_are_bounded() {
        assert_eq!(rate("2.5"), Ok(2.5));
        assert!(rate("-1").is_err() && rate("NaN").is_err() && rate("x").is_err());
    }
}
