//! Shipping the record to another place: what was not shipped yet, in order, at least once. A
//! command does so by itself after it recorded something; `payops audit ship` does it when asked,
//! and says how it went.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use payops_core::domain::access::AccessLevel;
use payops_core::domain::audit::{ChainBreak, ChainBreakKind, Head, ShippedLine};
use payops_core::port::{AuditPlace, Taken};
use tokio::time::{Instant, sleep, timeout_at};

use super::FileAuditLog;
use super::cursor::{Cursor, Cursors};
use super::folder::FolderPlace;
use super::segment::{EntryOwner, Position, Segment};
use crate::backend::aws;
use crate::caller::{Caller, NoNotices};
use crate::environment::{Backend, Environment};
use crate::error::{OpsError, OpsResult};
use crate::operator::{Operator, records_dir};

const LINES_AT_ONCE: usize = 500;
/// How long a command that has done its work ships.
const BRIEFLY: Duration = Duration::from_secs(2);
/// How many lines may wait before a command that could not ship says so.
pub const BEHIND_MAX: usize = 100;
/// How often it is asked whether another process has shipped.
const ASK_AGAIN: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub struct Report {
    /// Lines that are there now and were not before, as far as is known.
    pub shipped: u64,
    /// The last line that is there.
    pub cursor: Option<Cursor>,
    /// Where the record is not what was written: nothing from there on was shipped.
    pub broken: Option<ChainBreak>,
    pub error: Option<OpsError>,
}

#[derive(Debug)]
pub struct Shipping<'a> {
    pub target: &'a Environment,
    pub log: FileAuditLog,
    pub place: String,
    folder: Option<PathBuf>,
    owner: EntryOwner,
}

impl<'a> Shipping<'a> {
    /// `None` when the environment names no place.
    #[must_use]
    pub fn of(operator: &Operator, target: &'a Environment) -> Option<Self> {
        let log = FileAuditLog {
            dir: records_dir(operator, target),
        };
        match &target.target {
            Backend::Aws(aws) => {
                let bus = aws.audit_bus()?;
                let owner = EntryOwner {
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
                    owner,
                })
            }
            Backend::Embedded { .. } | Backend::Kubernetes(_) => {
                let found = operator.settings.found.as_ref()?;
                let dir = found.config.environments.get(&target.name)?.audit_dir()?;
                // From wherever a command is run it is the same folder.
                let dir = found
                    .path
                    .parent()
                    .map_or_else(|| dir.to_owned(), |beside| beside.join(dir));
                let dir = std::path::absolute(&dir).unwrap_or(dir);
                let mut names = vec![target.name.clone()];
                if let Backend::Embedded { name, .. } = &target.target {
                    names.push(name.clone());
                }
                let owner = EntryOwner {
                    names,
                    account: None,
                };
                Some(Self {
                    target,
                    log,
                    place: format!("folder {}", dir.display()),
                    folder: Some(dir),
                    owner,
                })
            }
        }
    }

    /// How many lines were not shipped yet.
    pub fn waiting(&self) -> OpsResult<usize> {
        let mut cursor = self.cursor()?;
        let mut waiting = 0_usize;
        loop {
            let segment = self
                .log
                .segment(cursor.as_ref(), &self.owner, LINES_AT_ONCE, None);
            let Segment {
                lines, end, chain, ..
            } = segment.map_err(|error| self.unread(error))?;
            waiting = waiting.saturating_add(lines.len());
            match end {
                Some(end) if lines.len() == LINES_AT_ONCE => {
                    cursor = Some(self.moved(cursor.as_ref(), chain, end, None));
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
        Position { head, line, offset }: Position,
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
            at: Timestamp::now(),
        }
    }

    pub fn cursor(&self) -> OpsResult<Option<Cursor>> {
        Cursors(&self.log.dir)
            .get(&self.target.name, &self.place)
            .map_err(|error| self.unread(error))
    }

    fn unread(&self, error: std::io::Error) -> OpsError {
        OpsError::failed(format!(
            "cannot read or save how far {} was shipped",
            self.log.path().display()
        ))
        .because(error)
    }

    /// Ships what was not shipped yet; all of the record is checked first, up to the place that is
    /// shipped to.
    pub async fn ship_all(&self, operator: &Operator) -> OpsResult<Report> {
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
                    return Err(
                        OpsError::failed("another payops process is shipping this record")
                            .hint("run the same command again"),
                    );
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
        let caller = operator.caller(AccessLevel::View);
        let mut report = self.run(&caller, before).await?;
        report.broken = broken.or(report.broken);
        Ok(report)
    }

    /// Checks the record against its own anchor, and against what was shipped.
    fn check(&self, cursor: Option<&Cursor>) -> OpsResult<Option<ChainBreak>> {
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

    async fn run(&self, caller: &Caller, before: Option<u64>) -> OpsResult<Report> {
        let mut report = Report {
            cursor: self.cursor()?,
            ..Report::default()
        };
        let mut place: Option<Box<dyn AuditPlace>> = None;
        loop {
            let segment =
                self.log
                    .segment(report.cursor.as_ref(), &self.owner, LINES_AT_ONCE, before);
            let Segment {
                lines,
                end,
                chain,
                broken,
            } = segment.map_err(|error| self.unread(error))?;
            report.broken = broken;
            if !lines.is_empty() && place.is_none() {
                place = Some(self.open(caller).await?);
            }
            let (lines, places): (Vec<ShippedLine>, Vec<Position>) = lines.into_iter().unzip();
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
                OpsError::port(
                    format!("some lines could not be shipped to {}", self.place),
                    error,
                )
            });
            if !whole || lines.len() < LINES_AT_ONCE {
                return Ok(report);
            }
        }
    }

    async fn open(&self, caller: &Caller) -> OpsResult<Box<dyn AuditPlace>> {
        match (&self.target.target, &self.folder) {
            (Backend::Aws(aws), _) => {
                Box::pin(aws::audit_place(&self.target.name, aws, caller)).await
            }
            (Backend::Embedded { .. } | Backend::Kubernetes(_), folder) => {
                Ok(Box::new(FolderPlace {
                    dir: folder.clone().unwrap_or_default(),
                    env: self.target.name.clone(),
                }))
            }
        }
    }
}

impl Operator {
    /// Ships what was recorded, for a little while. What that comes to changes nothing of what was
    /// done.
    pub async fn ship_recorded(&self) {
        ship_briefly(self, &self.take_recorded()).await;
    }
}

/// Ships what a command recorded, for a little while; what that comes to changes nothing of the
/// command.
pub async fn ship_briefly(operator: &Operator, targets: &[Environment]) {
    let until = Instant::now() + BRIEFLY;
    for target in targets {
        let Some(shipping) = Shipping::of(operator, target) else {
            continue;
        };
        let told = match timeout_at(until, quietly(operator, &shipping)).await {
            Ok(Ok(told)) => told,
            Ok(Err(error)) => Some(error.message),
            Err(_) => Some("timed out".to_owned()),
        };
        if let Some(why) = told {
            behind(operator, &shipping, &why);
        }
    }
}

const WHILE_OPEN: Duration = Duration::from_secs(20);

/// Ships what the screen records, now and then; does not end by itself.
pub async fn ship_repeatedly(operator: &Operator, targets: &[Environment]) {
    loop {
        tokio::time::sleep(WHILE_OPEN).await;
        let waits = |target: &&Environment| {
            Shipping::of(operator, target)
                .is_some_and(|shipping| shipping.waiting().is_ok_and(|waiting| waiting > 0))
        };
        let waiting: Vec<Environment> = targets.iter().filter(waits).cloned().collect();
        ship_briefly(operator, &waiting).await;
    }
}

async fn quietly(operator: &Operator, shipping: &Shipping<'_>) -> OpsResult<Option<String>> {
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
        notices: Arc::new(NoNotices),
        ..operator.caller(AccessLevel::View)
    };
    let report = shipping.run(&caller, None).await?;
    if let Some(broken) = report.broken {
        let path = shipping.log.path();
        operator.notices.warn(&format!(
            "{} was changed ({broken}) and is not shipped; run payops audit verify",
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

fn behind(operator: &Operator, shipping: &Shipping<'_>, why: &str) {
    let Ok(waiting) = shipping.waiting() else {
        return;
    };
    if waiting > BEHIND_MAX {
        let (env, place) = (&shipping.target.name, &shipping.place);
        operator.notices.warn(&format!(
            "{waiting} entries of the record of {env} wait to be shipped to \
            {place} ({why}): payops audit ship"
        ));
    }
}
