//! The screen, on the environments that the command line knows.

mod steering;

use std::io::{IsTerminal as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use payops_core::domain::access::AccessLevel;
use payops_core::domain::privacy::Privacy;
use payops_core::domain::rollout::{Related, Rollout, RolloutAction, RolloutKey, RolloutPlan};
use payops_core::port::{
    Depth, ErrorKind, Executed, PortError, PortResult, RolloutWatch, Rollouts,
};
use payops_system::SystemClock;
use payops_tui::{EnvInfo, Environments, Opened, Options, Tab, ThemeName};
use tokio::sync::watch;

use crate::access;
use crate::audit::{FileAuditLog, ship};
use crate::clusters;
use crate::context::{self, Access, Caller, Context};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::Talk;
use crate::settings::{EnvTarget, Target};
use steering::Steered;

/// Whether the screen is open: what is written to stderr would stand in the middle of it.
static OPEN: AtomicBool = AtomicBool::new(false);

/// Says that the platform, which is being brought up beside the screen, is ready.
pub(crate) type Ready = watch::Receiver<bool>;

/// Whether there is a terminal that the screen can be opened on.
pub(crate) fn has_terminal() -> bool {
    // A dumb terminal, or one of which nothing is known, cannot place text.
    let can_place = std::env::var("TERM").is_ok_and(|term| !term.is_empty() && term != "dumb");
    can_place && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Where logs go: to stderr, but not while the screen is open.
pub(crate) fn log() -> Box<dyn Write> {
    if OPEN.load(Ordering::Relaxed) {
        Box::new(std::io::sink())
    } else {
        Box::new(std::io::stderr())
    }
}

struct Known {
    /// Nothing of it is written or asked beside the screen.
    context: Context,
    targets: Vec<EnvTarget>,
    ready: Option<Ready>,
}

/// The environments that the screen shows: those that were named, or all.
pub(crate) fn environments(
    context: &Context,
    ready: Option<Ready>,
) -> CliResult<Arc<dyn Environments>> {
    Ok(Arc::new(Known {
        targets: context.settings.all_targets()?,
        context: mute(context),
        ready,
    }))
}

/// A context that neither writes nor asks, and shows nothing personal.
fn mute(context: &Context) -> Context {
    Context {
        talk: Talk::mute(),
        reason: None,
        privacy: Privacy::default(),
        ..context.clone()
    }
}

pub(crate) fn options(context: &Context) -> Options {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let theme = match std::env::var("PAYOPS_THEME").as_deref() {
        _ if no_color || !context.printer.look.color => ThemeName::NoColour,
        Ok("light") => ThemeName::Light,
        _ => ThemeName::Dark,
    };
    Options {
        theme,
        read_only: false,
        start: Tab::Overview,
        env: None,
        clock: Arc::new(SystemClock),
    }
}

/// Opens the screen, and stays until the user leaves it.
pub(crate) async fn run(context: &Context, ready: Option<Ready>) -> CliResult<Exit> {
    let (environments, options) = (environments(context, ready)?, options(context));
    OPEN.store(true, Ordering::Relaxed);
    let (mute, targets) = (mute(context), context.settings.all_targets()?);
    let (ended, under_way) = tokio::select! {
        ended = Box::pin(payops_tui::run(environments, options)) => ended,
        () = Box::pin(ship::while_open(&mute, &targets)) => (Ok(()), Vec::new()),
    };
    OPEN.store(false, Ordering::Relaxed);
    for line in under_way {
        context.talk.warn(line);
    }
    ended.map(|()| Exit::Done).map_err(|error| {
        CliError::failed("the screen ended")
            .because(error)
            .hint("commands work without it: payops --help")
    })
}

#[async_trait]
impl Environments for Known {
    fn list(&self) -> Vec<EnvInfo> {
        let info = |target: &EnvTarget| {
            let (account, region) = match &target.target {
                Target::Embedded { .. } => (None, None),
                Target::Aws(aws) => (aws.account_id.clone(), aws.region.clone()),
            };
            EnvInfo {
                name: target.name.clone(),
                protected: target.protected,
                account,
                region,
            }
        };
        self.targets.iter().map(info).collect()
    }

    async fn open(&self, name: &str) -> PortResult<Opened> {
        let target = self.targets.iter().find(|target| target.name == name);
        let Some(target) = target else {
            return Err(CliError::usage(format!("there is no environment {name}")).into_port());
        };
        if let Some(mut ready) = self.ready.clone() {
            let gone = |_| PortError::new(ErrorKind::Unavailable, "the platform did not come up");
            ready.wait_for(|ready| *ready).await.map_err(gone)?;
        }
        let caller = self.context.caller(AccessLevel::View);
        // What changes something opens ports of its own, by the rules and with the role for that.
        let ports = Box::pin(context::open(target, Access::Read, &caller))
            .await
            .map_err(CliError::into_port)?;
        let audit = Arc::new(FileAuditLog {
            dir: self.context.records_dir(target),
        });
        let operates = Caller {
            duty: AccessLevel::Operate,
            ..caller.clone()
        };
        let write = clusters::lazily(target, &operates);
        let ruled = |(read, write)| {
            Arc::new(Ruled {
                read,
                write,
                context: self.context.clone(),
                target: target.clone(),
            }) as Arc<dyn Rollouts>
        };
        let clusters = clusters::lazily(target, &caller)
            .into_iter()
            .zip(write)
            .map(ruled)
            .collect();
        let steering = Arc::new(Steered {
            context: self.context.clone(),
            target: target.clone(),
        });
        Ok(Opened {
            ports,
            clusters,
            audit,
            who: self.context.who().to_owned(),
            steering: Some(steering),
        })
    }
}

struct Ruled {
    read: Arc<dyn Rollouts>,
    /// By the role that may change; reached when something is.
    write: Arc<dyn Rollouts>,
    context: Context,
    target: EnvTarget,
}

#[async_trait]
impl Rollouts for Ruled {
    fn cluster(&self) -> &str {
        self.read.cluster()
    }

    fn driver(&self) -> String {
        self.read.driver()
    }

    fn can(&self, action: &RolloutAction) -> bool {
        self.read.can(action)
    }

    async fn list(&self) -> PortResult<Vec<Rollout>> {
        self.read.list().await
    }

    async fn get(&self, key: &RolloutKey) -> PortResult<Option<Rollout>> {
        self.read.get(key).await
    }

    async fn related(&self, rollout: &Rollout, depth: Depth) -> PortResult<Related> {
        self.read.related(rollout, depth).await
    }

    async fn execute(&self, plan: &RolloutPlan) -> PortResult<Executed> {
        access::confirmed(&self.context, &self.target, (&plan.action).into()).await?;
        self.write.execute(plan).await
    }

    fn watch(&self) -> RolloutWatch {
        self.read.watch()
    }

    fn watch_related(&self, rollout: &Rollout, depth: Depth) -> BoxStream<'static, PortResult<()>> {
        self.read.watch_related(rollout, depth)
    }
}
