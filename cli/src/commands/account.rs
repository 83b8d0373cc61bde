//! `payops account`: who you are in each environment, with which access level, and until when.

use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;
use payops_core::domain::access::{AccessLevel, Action, ELEVATION_MAX};
use payops_ops::access::Identity;
use payops_ops::act::IN_PLACE;
use payops_ops::equivalent;
use payops_ops::error::{Kind, OpsError, OpsResult};
use payops_ops::session::Session;
use payops_ops::times::parse_span;
use serde::Serialize;

use crate::consent::{self, ConsentArgs, Proposal};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, Document, InEnv, Row, Style, Tone, details};
use crate::report;

/// `payops account …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// List the environments, and your access level in each
    List,
    /// Show who you are in the environments named
    Whoami,
    /// Elevate: act with a higher access level for a while
    Login(LoginArgs),
    /// End an elevation, and forget kept sessions
    Logout {
        #[command(flatten)]
        consent: ConsentArgs,
    },
    /// Open each environment, and report whether it works
    Test,
}

/// `payops account login`
#[derive(Clone, Debug, Args)]
pub(crate) struct LoginArgs {
    /// The access level to act with
    #[arg(long, alias = "duty", value_enum, default_value_t = LoginAccess::Operate)]
    access: LoginAccess,
    /// How long the elevation lasts, at most 1h [default: 15m]
    #[arg(long = "for", value_name = "DURATION", value_parser = span)]
    span: Option<SignedDuration>,
    /// Ticket to record with the elevation
    #[arg(long, value_name = "TICKET")]
    ticket: Option<String>,
    #[command(flatten)]
    consent: ConsentArgs,
}

/// An access level that an elevation can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoginAccess {
    /// Make changes, subject to rules and freezes
    Operate,
    /// Make changes in an emergency, even during a freeze
    BreakGlass,
}

fn span(text: &str) -> Result<SignedDuration, String> {
    parse_span(text, ELEVATION_MAX)
}

impl Row for Identity {
    const FIELDS: &'static [&'static str] = &[
        "env",
        "account_id",
        "role",
        "duty",
        "access",
        "expires_at",
        "source_identity",
    ];
    const COLUMNS: &'static [Column] = &[
        Column::text("ENV"),
        Column::text("ACCOUNT"),
        Column::text("WHO"),
        Column::text("ACCESS"),
        Column::text("UNTIL"),
        Column::text("ROLE"),
    ];

    fn cells(&self, _: &Style) -> Vec<Cell> {
        let tone = match self.level {
            AccessLevel::View => Tone::Plain,
            AccessLevel::Operate => Tone::Warn,
            AccessLevel::BreakGlass => Tone::Bad,
        };
        vec![
            Cell::from(&self.env),
            Cell::maybe(self.account_id.as_ref()),
            Cell::from(&self.source_identity),
            Cell::toned(self.level.as_str(), tone),
            Cell::maybe(
                self.expires_at
                    .map(|at| at.strftime("%H:%M:%S UTC").to_string()),
            ),
            Cell::from(&self.role),
        ]
    }
}

#[derive(Clone, Debug, Serialize)]
struct Tested {
    env: String,
    ok: bool,
    detail: String,
    fix: Option<String>,
}

impl Row for Tested {
    const FIELDS: &'static [&'static str] = &["env", "ok", "detail", "fix"];
    const COLUMNS: &'static [Column] = &[
        Column::text("ENV"),
        Column::text(""),
        Column::text("WHAT"),
        Column::text("NEXT"),
    ];

    fn cells(&self, _: &Style) -> Vec<Cell> {
        vec![
            Cell::from(&self.env),
            if self.ok {
                Cell::toned("ok", Tone::Good)
            } else {
                Cell::toned("failed", Tone::Bad)
            },
            Cell::from(&self.detail),
            Cell::maybe(self.fix.as_ref()),
        ]
    }
}

pub(crate) async fn run(context: &Context, command: AccountCommand) -> OpsResult<Exit> {
    match command {
        AccountCommand::List => list(context, &context.operator.all_sessions()?),
        AccountCommand::Whoami => whoami(context).await,
        AccountCommand::Login(args) => login(context, &args).await,
        AccountCommand::Logout { consent } => logout(context, consent).await,
        AccountCommand::Test => test(context).await,
    }
}

fn list(context: &Context, sessions: &[Arc<Session>]) -> OpsResult<Exit> {
    let rows = sessions
        .iter()
        .map(|session| Ok(in_env(session.identity()?)))
        .collect::<OpsResult<Vec<_>>>()?;
    context.printer.list(&rows, false)?;
    Ok(Exit::Done)
}

fn in_env(identity: Identity) -> InEnv<Identity> {
    InEnv {
        env: identity.env.clone(),
        value: identity,
    }
}

async fn whoami(context: &Context) -> OpsResult<Exit> {
    let sessions = context.operator.sessions()?;
    let many = sessions.len() > 1;
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for session in sessions {
        match session.verified_identity().await {
            Ok(identity) => rows.push(in_env(identity)),
            Err(error) => failures.push((session.name().to_owned(), error)),
        }
    }
    if !many && let Some((_, error)) = failures.pop() {
        return Err(error);
    }
    for (env, error) in &failures {
        context
            .console
            .warn(format!("{env}: {}", report::text(error)));
    }
    match rows.as_slice() {
        [one] if !many && context.printer.is_for_programs() => {
            context.printer.document(&WhoDocument(one.value.clone()))?;
        }
        _ => context.printer.list(&rows, false)?,
    }
    Ok(if failures.is_empty() {
        Exit::Done
    } else {
        Exit::Partial
    })
}

/// One environment's answer: a document and not a list.
#[derive(Clone, Debug, Serialize)]
struct WhoDocument(Identity);

impl Document for WhoDocument {
    fn human(&self, style: &Style) -> String {
        details(style, [("access", Some(Cell::from(self.0.level.as_str())))])
    }
}

async fn login(context: &Context, args: &LoginArgs) -> OpsResult<Exit> {
    let session = context.operator.one_session()?;
    let missing = || {
        let message = format!("an elevation in {} requires a reason", session.name());
        OpsError::refused(message).hint("add --reason TEXT")
    };
    let reason = consent::reason_unless_dry_run(context, &session.env, args.consent)
        .map_err(|error| match error.kind {
            Kind::Refused => missing(),
            _ => error,
        })?
        .or_else(|| context.console.ask("Reason (recorded with the elevation):"))
        .filter(|reason| !reason.trim().is_empty())
        .ok_or_else(missing)?;
    let level = match args.access {
        LoginAccess::Operate => AccessLevel::Operate,
        LoginAccess::BreakGlass => AccessLevel::BreakGlass,
    };
    let span = args.span.unwrap_or(IN_PLACE);
    let elevation = session.plan_login(level, &reason, args.ticket.as_deref(), span)?;
    let line = equivalent::elevate(&session.env, &elevation);
    if args.consent.dry_run {
        let what = format!("elevate to {level} in {}", session.name());
        let proposal = Proposal {
            equivalent: Some(line),
            ..Proposal::new(&session, Action::AccountLogin, what)
        };
        return proposal.print(context, &session).await;
    }
    session.login(&elevation, None).await?;
    context.console.say(format!("equivalent: {line}"));
    list(context, &[session])
}

async fn logout(context: &Context, consent: ConsentArgs) -> OpsResult<Exit> {
    let sessions = context.operator.all_sessions()?;
    if consent.dry_run {
        let held = sessions.iter().filter_map(|session| {
            let held = session.elevation().ok()??;
            Some(format!("{} in {}", held.level, session.name()))
        });
        let held: Vec<String> = held.collect();
        context.console.say(match held.as_slice() {
            [] => "no elevation holds; nothing was changed".to_owned(),
            held => format!("dry run: would end {}", held.join(", ")),
        });
        return list(context, &sessions);
    }
    let mut failed = None;
    for session in &sessions {
        // The others are given back whatever becomes of one.
        if let Err(error) = session.logout().await {
            context.console.warn(report::text(&error));
            failed = Some(error);
        }
    }
    list(context, &sessions)?;
    failed.map_or(Ok(Exit::Done), Err)
}

async fn test(context: &Context) -> OpsResult<Exit> {
    let mut rows = Vec::new();
    for session in context.operator.all_sessions()? {
        let names = async {
            let ports = session.ports().await?;
            ports.queue_admin.names().await.map_err(OpsError::from)
        };
        let env = session.name().to_owned();
        let value = match names.await {
            Ok(names) => Tested {
                env: env.clone(),
                ok: true,
                detail: format!("{} queues", names.len()),
                fix: None,
            },
            Err(error) => Tested {
                env: env.clone(),
                ok: false,
                detail: error.message.clone(),
                fix: error.hint.clone(),
            },
        };
        rows.push(InEnv { env, value });
    }
    let failed = rows.iter().filter(|row| !row.value.ok).count();
    context.printer.list(&rows, false)?;
    Ok(match failed {
        0 => Exit::Done,
        failed if failed == rows.len() => Exit::Failed,
        _ => Exit::Partial,
    })
}
