//! `payops rollout get`: one rollout as a tree; `--watch` follows it.
use clap::Args;
use jiff::Timestamp;
use payops_core::domain::mask::terminal;
use payops_core::domain::rollout::Rollout;
use payops_core::port::{Depth, Rollouts};
use payops_ops::error::{Kind, OpsError, OpsResult};
use payops_ops::session::Session;

use super::find::{RolloutNameArgs, find};
use super::view::{
    AnalysisView, PodView, ReplicaSetView, RolloutView, number, phase_cell, run_glyph, step_text,
};
use super::wait::{self, Until};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Document, Style, Tone, details};

/// `payops rollout get`
#[derive(Clone, Debug, Args)]
pub(crate) struct RolloutGetArgs {
    #[command(flatten)]
    which: RolloutNameArgs,
    /// Do not show pods
    #[arg(long)]
    no_pods: bool,
    /// Show it again on every change
    #[arg(short, long)]
    watch: bool,
    /// With --watch: exit once it has this phase; exit 1 if it is degraded instead
    #[arg(long, value_enum, requires = "watch")]
    until: Option<Until>,
}

/// How soon what could not be read is read again.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(500);

pub(crate) async fn run(context: &Context, args: &RolloutGetArgs) -> OpsResult<Exit> {
    let (session, found) = find(context, &args.which).await?;
    let depth = if args.no_pods {
        Depth::Runs
    } else {
        Depth::Pods
    };
    let cluster = &*found.cluster;
    if !args.watch {
        let view = view(session.name(), cluster, &found.rollout, depth).await?;
        context.printer.document(&view)?;
        return Ok(Exit::Done);
    }
    follow(context, args, &session, cluster, &found.rollout, depth).await
}

async fn view(
    env: &str,
    rollouts: &dyn Rollouts,
    rollout: &Rollout,
    depth: Depth,
) -> OpsResult<RolloutView> {
    let related = rollouts.related(rollout, depth).await;
    let related = related.map_err(|error| {
        OpsError::port(
            format!(
                "cannot read the ReplicaSets and analysis runs of {}",
                rollout.key
            ),
            error,
        )
    })?;
    Ok(RolloutView::new(env, rollouts.cluster(), rollout, &related))
}

/// Prints the rollout whenever it changed, until it is what is waited for.
async fn follow(
    context: &Context,
    args: &RolloutGetArgs,
    session: &Session,
    rollouts: &dyn Rollouts,
    rollout: &Rollout,
    depth: Depth,
) -> OpsResult<Exit> {
    let env = session.name();
    let (tell, mut heard) = tokio::sync::watch::channel(rollout.clone());
    let until = args.until;
    let watching = wait::watch(
        context,
        session,
        rollouts,
        &rollout.key,
        |rollout| drop(tell.send(rollout.clone())),
        move |rollout| until.and_then(|until| wait::reached(rollout.phase().0, until)),
    );
    let printing = async {
        loop {
            let rollout = heard.borrow_and_update().clone();
            let view = match view(env, rollouts, &rollout, depth).await {
                Ok(view) => view,
                // The watch is cut too, and says so; what belongs to the rollout may be back later
                // than the watch.
                Err(error)
                    if matches!(
                        error.kind,
                        Kind::Failed | Kind::RateLimited | Kind::TimedOut
                    ) =>
                {
                    tokio::select! {
                        changed = heard.changed() => if changed.is_err() {
                            return Ok(());
                        },
                        () = tokio::time::sleep(AGAIN) => {}
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            let value = serde_json::to_value(&view).unwrap_or_default();
            let rule = "─".repeat(40);
            let style = Style {
                now: Timestamp::now(),
                ..context.printer.style.clone()
            };
            context
                .printer
                .stream(&value, &format!("{}{rule}\n", view.human(&style)))?;
            if heard.changed().await.is_err() {
                return Ok(());
            }
        }
    };
    tokio::select! {
        ended = watching => {
            let (exit, rollout) = ended?;
            let view = view(env, rollouts, &rollout, depth).await?;
            context.printer.stream(&serde_json::to_value(&view).unwrap_or_default(), &view.human(&context.printer.style))?;
            Ok(exit)
        }
        printed = printing => printed.map(|()| Exit::Done),
    }
}

impl Document for RolloutView {
    fn human(&self, style: &Style) -> String {
        let row = &self.row;
        let percent = |share: f64| format!("{} %", number(share));
        let observed = row
            .weight_observed
            .map_or_else(|| "unknown".to_owned(), percent);
        let weight = match (row.weight_desired, row.weight_set) {
            (Some(desired), Some(set)) => format!(
                "desired {}, set {}, observed {observed}",
                percent(desired),
                percent(set)
            ),
            _ => format!("– ({})", row.message),
        };
        let waits = row
            .waiting_why
            .as_ref()
            .map(|why| Cell::toned(format!("a person: {why}"), Tone::Bad));
        let resumes = row
            .resumes_at
            .map(|at| Cell::from(format!("time: resumes at {at}")));
        let mut out = details(
            style,
            [
                (
                    "rollout",
                    Some(Cell::from(format!("{}/{}", row.namespace, row.name))),
                ),
                (
                    "where",
                    Some(Cell::from(format!("{}, cluster {}", self.env, row.cluster))),
                ),
                ("phase", Some(phase_cell(row.phase))),
                (
                    "message",
                    Some(&row.message)
                        .filter(|message| !message.is_empty())
                        .map(Cell::from),
                ),
                ("waits for", waits.or(resumes)),
                ("step", step_text(row.step, row.steps).map(Cell::from)),
                match &self.services {
                    Some(services) => ("services", Some(Cell::from(services))),
                    None => ("weight", Some(Cell::from(weight))),
                },
                (
                    "pods",
                    Some(Cell::from(format!(
                        "{} desired, {} updated, {} ready, {} available",
                        row.replicas, row.updated, row.ready, row.available
                    ))),
                ),
                ("template", self.workload.as_ref().map(Cell::from)),
                ("images", Some(Cell::from(row.images.join(" ")))),
            ],
        );
        self.steps_text(&mut out);
        for set in &self.replica_sets {
            set_text(set, style, &mut out);
        }
        if !self.unreadable.is_empty() {
            out.push('\n');
        }
        for what in &self.unreadable {
            put(&mut out, &format!("not readable: {what}"));
        }
        for run in &self.analysis_runs {
            run_text(run, style, &mut out);
        }
        for run in &self.experiments {
            put(
                &mut out,
                &format!(
                    "experiment {} {} {}",
                    run.name,
                    run_glyph(run.phase).0,
                    run.phase
                ),
            );
        }
        out
    }
}

impl RolloutView {
    fn steps_text(&self, out: &mut String) {
        if self.steps_detail.is_empty() {
            return;
        }
        let glyph = |state: &str| match state {
            "done" => "✔",
            "current" => "◐",
            "failed" => "✖",
            _ => "○",
        };
        let steps: Vec<String> = self
            .steps_detail
            .iter()
            .map(|step| format!("{} {}", glyph(step.state), step.step))
            .collect();
        out.push('\n');
        put(out, &format!("steps  {}", steps.join(" ─ ")));
    }
}

/// Adds a line. What a cluster tells may hold anything.
fn put(out: &mut String, text: &str) {
    out.push_str(&terminal(text));
    out.push('\n');
}

fn set_text(set: &ReplicaSetView, style: &Style, out: &mut String) {
    let revision = set
        .revision
        .map(|revision| revision.to_string())
        .unwrap_or_default();
    out.push('\n');
    let images = set.images.join(" ");
    let stands = set
        .scale_down_at
        .filter(|_| set.desired > 0)
        .map(|at| format!("  pods stand until {at}"))
        .unwrap_or_default();
    put(
        out,
        &format!(
            "revision {revision} {}  {}/{} ready  {}  {images}{stands}",
            set.role, set.ready, set.desired, set.name
        ),
    );
    for pod in &set.pods {
        let PodView {
            name,
            status,
            ready,
            containers,
            restarts,
            created_at,
            ..
        } = pod;
        let age = created_at.map(|at| style.ago(at)).unwrap_or_default();
        let restarts = if *restarts > 0 {
            format!("  {restarts} restarts")
        } else {
            String::new()
        };
        put(
            out,
            &format!("  □ {name}  {status}  {ready}/{containers}  {age}{restarts}"),
        );
    }
}

fn run_text(run: &AnalysisView, style: &Style, out: &mut String) {
    let place = run
        .step_index
        .map(|index| format!(" {}", index.saturating_add(1)))
        .unwrap_or_default();
    let age = run.created_at.map(|at| style.ago(at)).unwrap_or_default();
    out.push('\n');
    put(
        out,
        &format!(
            "analysis {} ({}{place})  {} {}  {age}",
            run.name,
            run.kind,
            run_glyph(run.phase).0,
            run.phase
        ),
    );
    if !run.message.is_empty() {
        put(out, &format!("  {}", run.message));
    }
    if let Some(suspicion) = run.suspicion {
        put(out, &format!("  warning: {suspicion}"));
    }
    for metric in &run.metrics {
        let values: Vec<String> = metric
            .measurements
            .iter()
            .map(|taken| format!("{} {}", run_glyph(taken.phase).0, taken.value))
            .collect();
        let condition = metric
            .success_condition
            .as_deref()
            .or(metric.failure_condition.as_deref())
            .unwrap_or("no condition");
        let of = metric
            .count
            .map(|count| format!(" of {count}"))
            .unwrap_or_default();
        let dry = if metric.dry_run { ", dry run" } else { "" };
        let text = format!(
            "  {}  {}  {}{of} measured, {} of {} failures allowed{dry}  {condition}",
            metric.name,
            values.join("  "),
            metric.measured,
            metric.failures,
            metric.failures_max,
        );
        put(out, &text);
    }
}
