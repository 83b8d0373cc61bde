//! `payops account`: who one is in each environment, with which duty, and until when.

use clap::{Args, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use payops_core::domain::access::{AccessLevel, ELEVATION_MAX, Elevation};
use payops_core::domain::audit::AuditOutcome;
use serde::Serialize;

use crate::access::{self, Elevations, standing};
use crate::context::{Access, Caller, Context};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Column, Look, Of, Row, Tone};
use crate::settings::{EnvTarget, Target};
use crate::{safety, same_as};

/// `payops account …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// The environments, and with which duty you act in each
    List,
    /// Who you are in the environments named
    Whoami,
    /// Elevate: act with another duty for a while
    Login(LoginArgs),
    /// Give an elevation back, and forget kept sessions
    Logout,
    /// Open each environment, and say what came of it
    Test,
}

/// `payops account login`
#[derive(Clone, Debug, Args)]
pub(crate) struct LoginArgs {
    /// With which duty
    #[arg(long, value_enum, default_value_t = LoginDuty::Operate)]
    duty: LoginDuty,
    /// For how long, at most 1h
    #[arg(long = "for", value_name = "DURATION", value_parser = span)]
    span: Option<SignedDuration>,
    /// The ticket it belongs to
    #[arg(long, value_name = "TICKET")]
    ticket: Option<String>,
}

/// A duty that can be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoginDuty {
    /// Changing, by the rules.
    Operate,
    /// Changing in an emergency, a freeze notwithstanding.
    BreakGlass,
}

fn span(text: &str) -> Result<SignedDuration, String> {
    let wrong = || "write 15m or 1h, at most 1h".to_owned();
    let span: SignedDuration = text.parse().map_err(|_| wrong())?;
    if span.is_positive() && span <= ELEVATION_MAX {
        Ok(span)
    } else {
        Err(wrong())
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Who {
    env: String,
    account_id: Option<String>,
    role: String,
    duty: AccessLevel,
    expires_at: Option<Timestamp>,
    source_identity: String,
}

impl Row for Who {
    const FIELDS: &'static [&'static str] = &[
        "env",
        "account_id",
        "role",
        "duty",
        "expires_at",
        "source_identity",
    ];
    const COLUMNS: &'static [Column] = &[
        Column::text("ENV"),
        Column::text("ACCOUNT"),
        Column::text("WHO"),
        Column::text("DUTY"),
        Column::text("UNTIL"),
        Column::text("ROLE"),
    ];

    fn cells(&self, _: &Look) -> Vec<Cell> {
        let tone = match self.duty {
            AccessLevel::View => Tone::Plain,
            AccessLevel::Operate => Tone::Warn,
            AccessLevel::BreakGlass => Tone::Bad,
        };
        vec![
            Cell::from(&self.env),
            Cell::maybe(self.account_id.as_ref()),
            Cell::from(&self.source_identity),
            Cell::toned(self.duty.as_str(), tone),
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

    fn cells(&self, _: &Look) -> Vec<Cell> {
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

pub(crate) fn who(context: &Context, target: &EnvTarget) -> CliResult<Who> {
    let held =
        Elevations::of(&context.settings).holds(&target.name, context.who(), Context::now())?;
    let duty = held
        .as_ref()
        .map_or(standing(target), |held| held.duty.max(standing(target)));
    let (account_id, role) = match &target.target {
        Target::Embedded { .. } => (None, format!("payops-{duty}")),
        Target::Aws(aws) => {
            let role = aws.roles.get(duty.as_str()).map(|role| role.arn.clone());
            (
                aws.account_id.clone(),
                role.unwrap_or_else(|| "the SDK's own credentials".to_owned()),
            )
        }
    };
    let expires_at = held
        .filter(|held| held.duty == duty)
        .map(|held| held.ends_at());
    Ok(Who {
        env: target.name.clone(),
        account_id,
        role,
        duty,
        expires_at,
        source_identity: context.who().to_owned(),
    })
}

pub(crate) async fn run(context: &Context, command: AccountCommand) -> CliResult<Exit> {
    match command {
        AccountCommand::List => list(context, context.settings.all_targets()?),
        AccountCommand::Whoami => whoami(context).await,
        AccountCommand::Login(args) => login(context, &args).await,
        AccountCommand::Logout => logout(context),
        AccountCommand::Test => test(context).await,
    }
}

fn list(context: &Context, targets: Vec<EnvTarget>) -> CliResult<Exit> {
    let row = |target: EnvTarget| {
        Ok(Of {
            env: target.name.clone(),
            value: who(context, &target)?,
        })
    };
    let rows = targets
        .into_iter()
        .map(row)
        .collect::<CliResult<Vec<_>>>()?;
    context.printer.list(&rows, false)?;
    Ok(Exit::Done)
}

/// Asks STS where there is one; fails closed when it is another account.
async fn whoami(context: &Context) -> CliResult<Exit> {
    let targets = context.settings.targets()?;
    let many = targets.len() > 1;
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for target in targets {
        let asked = async {
            let mut row = who(context, &target)?;
            if let Target::Aws(aws) = &target.target {
                let access = if row.duty == AccessLevel::View {
                    Access::Read
                } else {
                    Access::Write
                };
                let found = Box::pin(crate::aws::whoami(
                    &target.name,
                    aws,
                    &context.caller_for(&target, access)?,
                ))
                .await?;
                // The earlier of both ends it.
                row.expires_at = [row.expires_at, found.expires_at]
                    .into_iter()
                    .flatten()
                    .min();
                row.role = found.arn;
                row.account_id = Some(found.account_id);
                row.source_identity = found.source_identity.unwrap_or(row.source_identity);
            }
            Ok::<Who, CliError>(row)
        };
        match asked.await {
            Ok(value) => rows.push(Of {
                env: target.name.clone(),
                value,
            }),
            Err(error) => failures.push((target.name.clone(), error)),
        }
    }
    if !many && let Some((_, error)) = failures.pop() {
        return Err(error);
    }
    for (env, error) in &failures {
        context.talk.warn(format!("{env}: {}", error.text()));
    }
    match rows.as_slice() {
        [one] if !many && context.printer.is_for_programs() => {
            context.printer.document(&WhoDocument(one.value.clone()))?
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
struct WhoDocument(Who);

impl crate::output::Document for WhoDocument {
    fn human(&self, look: &Look) -> String {
        crate::output::details(look, [("duty", Some(Cell::from(self.0.duty.as_str())))])
    }
}

async fn login(context: &Context, args: &LoginArgs) -> CliResult<Exit> {
    let target = context.settings.one_target()?;
    let reason = safety::reason(context, &target)?
        .or_else(|| context.talk.ask("Why? (kept with the elevation):"));
    let reason = reason.filter(|reason| !reason.trim().is_empty());
    let reason = reason.ok_or_else(|| {
        CliError::refused("an elevation needs a reason").hint("add --reason TEXT")
    })?;
    let duty = match args.duty {
        LoginDuty::Operate => AccessLevel::Operate,
        LoginDuty::BreakGlass => AccessLevel::BreakGlass,
    };
    let span = args.span.unwrap_or(access::IN_PLACE);
    let begun = begin(
        context,
        &target,
        &Begin {
            duty,
            reason: &reason,
            ticket: args.ticket.as_deref(),
            span,
            code: None,
        },
    )
    .await?;
    same_as::said(context, same_as::elevate(&target, &begun));
    list(context, vec![target])
}

pub(crate) struct Begin<'a> {
    pub(crate) duty: AccessLevel,
    pub(crate) reason: &'a str,
    pub(crate) ticket: Option<&'a str>,
    pub(crate) span: SignedDuration,
    /// The code of an MFA device that was given already.
    pub(crate) code: Option<String>,
}

/// Begins an elevation: by a session of its role where there are roles, recorded, then kept.
pub(crate) async fn begin(
    context: &Context,
    target: &EnvTarget,
    wanted: &Begin<'_>,
) -> CliResult<Elevation> {
    let Begin {
        duty,
        reason,
        ticket,
        span,
        code,
    } = wanted;
    let begun = Elevation::begin(
        context.who(),
        &target.name,
        *duty,
        reason,
        *ticket,
        Context::now(),
        *span,
    );
    let begun =
        begun.map_err(|error| CliError::usage("this elevation cannot be").because(error))?;
    if let Target::Aws(aws) = &target.target {
        // What STS refuses is not kept as if it were ours.
        let (reason, ticket) = (Some(begun.reason.clone()), begun.ticket.clone());
        let caller = Caller {
            reason,
            ticket,
            code: code.clone(),
            ..context.caller(*duty)
        };
        Box::pin(crate::aws::whoami(&target.name, aws, &caller)).await?;
    }
    if *duty == AccessLevel::BreakGlass {
        context.talk.warn(format!(
            "BREAK-GLASS in {} until {:.0}: everything is recorded",
            target.name.to_uppercase(),
            begun.expires_at
        ));
    }
    access::elevate(context, target, &Elevations::of(&context.settings), &begun)?;
    Ok(begun)
}

/// Gives an elevation back before it ends; whether there was one.
pub(crate) fn end(context: &Context, target: &EnvTarget) -> CliResult<bool> {
    let was = Elevations::of(&context.settings).forget(&target.name)?;
    if was {
        context.record(
            target,
            &context
                .entry(target, "give-back", None)
                .outcome(AuditOutcome::Done),
        )?;
    }
    context.sessions.forget(&target.name)?;
    Ok(was)
}

fn logout(context: &Context) -> CliResult<Exit> {
    let targets = context.settings.all_targets()?;
    for target in &targets {
        end(context, target)?;
    }
    list(context, targets)
}

async fn test(context: &Context) -> CliResult<Exit> {
    let mut rows = Vec::new();
    for target in context.settings.all_targets()? {
        let opened = context.open(&target, Access::Read).await;
        let names = match opened {
            Ok(ports) => ports.queues.names().await.map_err(CliError::from),
            Err(error) => Err(error),
        };
        let value = match names {
            Ok(names) => Tested {
                env: target.name.clone(),
                ok: true,
                detail: format!("{} queues", names.len()),
                fix: None,
            },
            Err(error) => Tested {
                env: target.name.clone(),
                ok: false,
                detail: error.message.clone(),
                fix: error.hint.clone(),
            },
        };
        rows.push(Of {
            env: target.name.clone(),
            value,
        });
    }
    let failed = rows.iter().filter(|row| !row.value.ok).count();
    context.printer.list(&rows, false)?;
    Ok(match failed {
        0 => Exit::Done,
        failed if failed == rows.len() => Exit::Failed,
        _ => Exit::Partial,
    })
}
