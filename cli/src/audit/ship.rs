//! Shipping the record to another place: what was not shipped yet, in order, at least once. A
//! command does so by itself after it recorded something; `payops audit ship` does it when asked,
//! and says how it went.

use std::path::PathBuf;
use std::time::Duration;

use payops_core::domain::access::AccessLevel;
use payops_core::domain::audit::{ChainBreak, ChainBreakKind, Head, ShippedLine};
use payops_core::port::{AuditPlace, Taken};
use tokio::time::{Instant, sleep, timeout_at};

use super::FileAuditLog;
use super::cursor::{Cursor, Cursors};
use super::folder::FolderPlace;
use super::stretch::{Place, Stretch, Whose};
use crate::aws;
use crate::context::{Caller, Context};
use crate::error::{CliError, CliResult};
use crate::settings::{EnvTarget, Target};

const LINES_AT_ONCE: usize = 500;
/// How long a command that has done its work ships.
const BY_ITSELF: Duration = Duration::from_secs(2);
/// How many lines may wait before a command that could not ship says so.
pub(crate) const BEHIND_MAX: usize = 100;
/// How often it is asked whether another process has shipped.
const ASK_AGAIN: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Lines that are there now and were not before, as far as is known.
    pub(crate) shipped: u64,
    /// The last line that is there.
    pub(crate) cursor: Option<Cursor>,
    /// Where the record is not what was written: nothing from there on was shipped.
    pub(crate) broken: Option<ChainBreak>,
    pub(crate) error: Option<CliError>,
}

#[derive(Debug)]
pub(crate) struct Shipping<'a> {
    pub(crate) target: &'a EnvTarget,
    pub(crate) log: FileAuditLog,
    pub(crate) place: String,
    folder: Option<PathBuf>,
    whose: Whose,
}

impl<'a> Shipping<'a> {
    /// `None` when the environment names no place.
    pub(crate) fn of(context: &Context, target: &'a EnvTarget) -> Option<Self> {
        let log = FileAuditLog {
            dir: context.records_dir(target),
        };
        match &target.target {
            Target::Aws(aws) => {
                let bus = aws.audit_bus()?;
                let whose = Whose {
                    names: vec![target.name.clone()],
                    account: aws.account_id.clone(),
                };
                let place = format!(
                    "bus {bus} of {}",
                    aws.account_id.as_deref().unwrap_or("no account")
                );
                Some(Self {
                    target,
                    log,
                    place,
                    folder: None,
                    whose,
                })
            }
            Target::Embedded { name, .. } => {
                let found = context.settings.found.as_ref()?;
                let dir = found.config.environments.get(&target.name)?.audit_dir()?;
                // From wherever a command is run it is the same folder.
                let dir = found
                    .path
                    .parent()
                    .map_or_else(|| dir.to_owned(), |beside| beside.join(dir));
                let dir = std::path::absolute(&dir).unwrap_or(dir);
                let whose = Whose {
                    names: vec![target.name.clone(), name.clone()],
                    account: None,
                };
                Some(Self {
                    target,
                    log,
                    place: format!("folder {}", dir.display()),
                    folder: Some(dir),
                    whose,
                })
            }
        }
    }

    /// How many lines were not shipped yet.
    pub(crate) fn waiting(&self) -> CliResult<usize> {
        let mut cursor = self.cursor()?;
        let mut waiting = 0_usize;
        loop {
            let stretch = self
                .log
                .stretch(cursor.as_ref(), &self.whose, LINES_AT_ONCE, None);
            let Stretch {
                lines, end, chain, ..
            } = stretch.map_err(|error| self.unread(error))?;
            waiting = waiting.saturating_add(lines.len());
            match end {
                Some(end) if lines.len() == LINES_AT_ONCE => {
                    cursor = Some(self.moved(cursor.as_ref(), chain, end, None))
                }
                _ => return Ok(waiting),
            }
        }
    }

    /// The cursor at a line, when `last` was the last that was shipped up to there.
    fn moved(
        &self,
        from: Option<&Cursor>,
        chain: String,
        Place { head, line, offset }: Place,
        last: Option<Head>,
    ) -> Cursor {
        let shipped = last.or_else(|| from.and_then(|cursor| cursor.shipped.clone()));
        let (env, place) = (self.target.name.clone(), self.place.clone());
        Cursor {
            env,
            place,
            chain,
            seen: head,
            line,
            offset,
            shipped,
            at: Context::now(),
        }
    }

    pub(crate) fn cursor(&self) -> CliResult<Option<Cursor>> {
        Cursors(&self.log.dir)
            .get(&self.target.name, &self.place)
            .map_err(|error| self.unread(error))
    }

    fn unread(&self, error: std::io::Error) -> CliError {
        CliError::failed(format!(
            "how far {} was shipped could not be read or kept",
            self.log.path().display()
        ))
        .because(error)
    }

    /// Ships what was not shipped yet; all of the record is checked first, up to the place that is
    /// shipped to.
    pub(crate) async fn all(&self, context: &Context) -> CliResult<Report> {
        if !self.log.dir.is_dir() {
            return Ok(Report::default());
        }
        let begun = Instant::now();
        let _held = loop {
            match Cursors(&self.log.dir)
                .lock()
                .map_err(|error| self.unread(error))?
            {
                Some(held) => break held,
                None if begun.elapsed() > WAIT_MAX => {
                    return Err(CliError::failed("another payops ships this record")
                        .hint("run the same command again"));
                }
                None => sleep(ASK_AGAIN).await,
            }
        };
        let broken = self.check(self.cursor()?.as_ref())?;
        let before = broken.as_ref().map(|broken| match broken.kind {
            // Nobody knows which of the lines before are what was written.
            ChainBreakKind::Rewritten => 0,
            ChainBreakKind::Truncated { .. } => u64::MAX,
            _ => broken.line,
        });
        let caller = context.caller(AccessLevel::View);
        let mut report = self.run(&caller, before).await?;
        report.broken = broken.or(report.broken);
        Ok(report)
    }

    /// Checks the record against its own anchor, and against what was shipped.
    fn check(&self, cursor: Option<&Cursor>) -> CliResult<Option<ChainBreak>> {
        let unread = |error| self.unread(error);
        let own = self.log.verify().map_err(unread)?.and_then(Result::err);
        let shipped = match cursor {
            Some(cursor) => self
                .log
                .verify_against(&cursor.seen)
                .map_err(unread)?
                .and_then(Result::err),
            None => None,
        };
        Ok([own, shipped]
            .into_iter()
            .flatten()
            .min_by_key(|broken| broken.line))
    }

    async fn run(&self, caller: &Caller, before: Option<u64>) -> CliResult<Report> {
        let mut report = Report {
            cursor: self.cursor()?,
            ..Report::default()
        };
        let mut place: Option<Box<dyn AuditPlace>> = None;
        loop {
            let stretch =
                self.log
                    .stretch(report.cursor.as_ref(), &self.whose, LINES_AT_ONCE, before);
            let Stretch {
                lines,
                end,
                chain,
                broken,
            } = stretch.map_err(|error| self.unread(error))?;
            report.broken = broken;
            if !lines.is_empty() && place.is_none() {
                place = Some(self.open(caller).await?);
            }
            let (lines, places): (Vec<ShippedLine>, Vec<Place>) = lines.into_iter().unzip();
            let Taken { count, error } = match &place {
                Some(place) if !lines.is_empty() => place.take(&lines).await,
                _ => Taken {
                    count: 0,
                    error: None,
                },
            };
            let whole = count >= lines.len();
            let reached = if whole {
                end
            } else {
                count
                    .checked_sub(1)
                    .and_then(|last| places.get(last).cloned())
            };
            if let Some(reached) = reached {
                let last = count
                    .checked_sub(1)
                    .and_then(|last| lines.get(last))
                    .map(|line| line.head.clone());
                let cursor = self.moved(report.cursor.as_ref(), chain, reached, last);
                Cursors(&self.log.dir)
                    .keep(&cursor)
                    .map_err(|error| self.unread(error))?;
                report.cursor = Some(cursor);
            }
            report.shipped = report
                .shipped
                .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            report.error = error.map(|error| {
                CliError::port(
                    format!("not all of it could be shipped to {}", self.place),
                    error,
                )
            });
            if !whole || lines.len() < LINES_AT_ONCE {
                return Ok(report);
            }
        }
    }

    async fn open(&self, caller: &Caller) -> CliResult<Box<dyn AuditPlace>> {
        match (&self.target.target, &self.folder) {
            (Target::Aws(aws), _) => {
                Box::pin(aws::audit_place(&self.target.name, aws, caller)).await
            }
            (Target::Embedded { .. }, folder) => Ok(Box::new(FolderPlace {
                dir: folder.clone().unwrap_or_default(),
                env: self.target.name.clone(),
            })),
        }
    }
}

/// Ships what a command recorded, for a little while; what that comes to changes nothing of the
/// command.
pub(crate) async fn by_itself(context: &Context, targets: &[EnvTarget]) {
    let until = Instant::now() + BY_ITSELF;
    for target in targets {
        let Some(shipping) = Shipping::of(context, target) else {
            continue;
        };
        let told = match timeout_at(until, quietly(context, &shipping)).await {
            Ok(Ok(told)) => told,
            Ok(Err(error)) => Some(error.message),
            Err(_) => Some("no answer in time".to_owned()),
        };
        if let Some(why) = told {
            behind(context, &shipping, &why);
        }
    }
}

const WHILE_OPEN: Duration = Duration::from_secs(20);

/// Ships what the screen records, now and then; does not end by itself.
pub(crate) async fn while_open(context: &Context, targets: &[EnvTarget]) {
    loop {
        tokio::time::sleep(WHILE_OPEN).await;
        let waits = |target: &&EnvTarget| {
            Shipping::of(context, target)
                .is_some_and(|shipping| shipping.waiting().is_ok_and(|waiting| waiting > 0))
        };
        let waiting: Vec<EnvTarget> = targets.iter().filter(waits).cloned().collect();
        by_itself(context, &waiting).await;
    }
}

async fn quietly(context: &Context, shipping: &Shipping<'_>) -> CliResult<Option<String>> {
    if !shipping.log.dir.is_dir() {
        return Ok(None);
    }
    // Somebody else ships: what was recorded here goes with it, or with the next command.
    let Some(_held) = Cursors(&shipping.log.dir)
        .lock()
        .map_err(|error| shipping.unread(error))?
    else {
        return Ok(None);
    };
    let caller = Caller {
        asks: false,
        ..context.caller(AccessLevel::View)
    };
    let report = shipping.run(&caller, None).await?;
    if let Some(broken) = report.broken {
        let path = shipping.log.path();
        context.talk.warn(format!(
            "{} is not what was written ({broken}) and is not shipped: payops audit verify",
            path.display()
        ));
        return Ok(None);
    }
    Ok(report.error.map(|error| {
        error
            .source
            .map_or(error.message, |source| source.to_string())
    }))
}

fn behind(context: &Context, shipping: &Shipping<'_>, why: &str) {
    let Ok(waiting) = shipping.waiting() else {
        return;
    };
    if waiting > BEHIND_MAX {
        let (env, place) = (&shipping.target.name, &shipping.place);
        context.talk.warn(format!(
            "{waiting} entries of the record of {env} wait to be shipped to \
            {place} ({why}): payops audit ship"
        ));
    }
}
