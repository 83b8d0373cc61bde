//! Whether somebody may do what they want now: rules, freeze, elevation. Every write asks here
//! before anything is changed; what is refused is recorded too.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use payops_core::domain::access::{
    AccessLevel, AccessRequest, Action, Approval, Elevation, Freeze, PolicyDecision, PolicyRefusal,
    PolicyRules,
};
use payops_core::domain::audit::AuditOutcome;
use payops_core::domain::money::Money;
use payops_core::port::{ErrorKind, FreezeStore, PortError, PortResult};
use tokio_util::sync::CancellationToken;

use crate::context::{Caller, Context};
use crate::error::{CliError, CliResult};
use crate::same_as;
use crate::settings::{EnvTarget, Settings, Target};

pub(crate) const IN_PLACE: SignedDuration = SignedDuration::from_mins(15);
/// The file of rules: beside payops.toml, or in the data directory of an embedded environment.
pub(crate) const POLICY: &str = "policy.toml";

#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) deed: Action,
    pub(crate) count: Option<u64>,
    pub(crate) amount: Option<Money>,
    pub(crate) reason: Option<&'a str>,
    /// What will be done, as a hash that approvals are bound to.
    pub(crate) plan_sha256: Option<&'a str>,
    pub(crate) approvals: &'a [Approval],
    /// The commands by which an approval is given, for whoever lacks one.
    pub(crate) approving: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// One thing, without more to say of it.
    pub(crate) fn new(deed: Action) -> Self {
        Self {
            deed,
            count: Some(1),
            amount: None,
            reason: None,
            plan_sha256: None,
            approvals: &[],
            approving: None,
        }
    }

    pub(crate) fn because(self, reason: Option<&'a str>) -> Self {
        Self { reason, ..self }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permit {
    pub(crate) duty: AccessLevel,
}

struct Decided {
    verdict: PolicyDecision,
    duty: AccessLevel,
    begun: Option<Elevation>,
}

async fn decide(
    settings: &Settings,
    target: &EnvTarget,
    caller: &Caller,
    wanted: &Wanted<'_>,
) -> CliResult<Decided> {
    let rules = rules(settings, target)?;
    let freeze = freezes(target, caller).current().await.map_err(|error| {
        CliError::port(
            format!(
                "whether {} is frozen could not be read, so nothing was done",
                target.name
            ),
            error,
        )
    })?;
    let (who, now) = (settings.who.value.as_str(), Context::now());
    let held = Elevations::of(settings).read(&target.name)?;
    let ask = |elevation: Option<&Elevation>| {
        let ask = AccessRequest {
            protected: target.protected,
            count: wanted.count,
            amount: wanted.amount,
            duty: standing(target),
            elevation,
            freeze: freeze.as_ref(),
            reason: wanted.reason,
            plan_sha256: wanted.plan_sha256,
            approvals: wanted.approvals,
            ..AccessRequest::new(who, wanted.deed, &target.name, now)
        };
        rules.decide(&ask)
    };
    let duty_of = |elevation: Option<&Elevation>| {
        let holds = elevation.filter(|held| {
            held.who == who && held.env == target.name && held.left(now).is_positive()
        });
        holds.map_or(standing(target), |held| held.duty.max(standing(target)))
    };
    let verdict = ask(held.as_ref());
    if let (
        PolicyDecision::Refused(
            PolicyRefusal::NotElevated { .. } | PolicyRefusal::ElevationEnded { .. },
        ),
        Some(reason),
    ) = (&verdict, wanted.reason)
    {
        let begun = Elevation::begin(
            who,
            &target.name,
            AccessLevel::Operate,
            reason,
            None,
            now,
            IN_PLACE,
        );
        let begun = begun.map_err(|error| {
            CliError::usage("the reason is not right")
                .because(error)
                .hint("add --reason TEXT")
        })?;
        let verdict = ask(Some(&begun));
        let duty = duty_of(Some(&begun));
        let begun = Some(begun).filter(|_| matches!(verdict, PolicyDecision::Allowed { .. }));
        return Ok(Decided {
            verdict,
            duty,
            begun,
        });
    }
    Ok(Decided {
        verdict,
        duty: duty_of(held.as_ref()),
        begun: None,
    })
}

/// Whether something that was confirmed on the screen may be done: rules and freezes hold there
/// too.
pub(crate) async fn confirmed(
    context: &Context,
    target: &EnvTarget,
    deed: Action,
) -> PortResult<()> {
    let wanted = Wanted::new(deed).because(Some("confirmed on the screen"));
    permit(context, target, &wanted)
        .await
        .map(drop)
        .map_err(CliError::into_port)
}

/// Lets something pass or refuses it. In a protected environment a write with a reason elevates in
/// place, for a quarter of an hour.
pub(crate) async fn permit(
    context: &Context,
    target: &EnvTarget,
    wanted: &Wanted<'_>,
) -> CliResult<Permit> {
    let Decided {
        verdict,
        duty,
        begun,
    } = decide(
        &context.settings,
        target,
        &context.caller(AccessLevel::View),
        wanted,
    )
    .await?;
    match verdict {
        PolicyDecision::Allowed { despite_freeze } => {
            if let Some(begun) = begun {
                elevate(context, target, &Elevations::of(&context.settings), &begun)?;
            }
            if despite_freeze {
                context.talk.warn(format!(
                    "{} is frozen; break-glass goes on all the same",
                    target.name
                ));
            }
            Ok(Permit { duty })
        }
        PolicyDecision::Refused(refusal) => {
            let entry = context.entry(
                target,
                wanted.deed.as_str(),
                wanted.reason.filter(|reason| !reason.trim().is_empty()),
            );
            let entry = entry
                .role(duty.as_str())
                .outcome(AuditOutcome::Refused)
                .detail("outcome", refusal.to_string());
            context.record(target, &entry)?;
            let hint = match (&refusal, wanted.approving) {
                (PolicyRefusal::NeedsApproval { .. }, Some(commands)) => {
                    format!("{}: {commands}", refusal.instead())
                }
                _ => refusal.instead(),
            };
            Err(CliError::refused(refusal.to_string()).hint(hint))
        }
    }
}

/// Why the rules would refuse something now, if they would. Nothing is begun or recorded.
pub(crate) async fn refusal(
    context: &Context,
    target: &EnvTarget,
    wanted: &Wanted<'_>,
) -> CliResult<Option<PolicyRefusal>> {
    let decided = decide(
        &context.settings,
        target,
        &context.caller(AccessLevel::View),
        wanted,
    )
    .await?;
    Ok(if let PolicyDecision::Refused(refusal) = decided.verdict {
        Some(refusal)
    } else {
        None
    })
}

/// How often it is looked at, while something long is done, whether the environment was frozen
/// meanwhile.
const FREEZE_EVERY: Duration = Duration::from_secs(5);

/// Returns once the environment is frozen, with the refusal; never for who may act in a freeze.
pub(crate) async fn frozen(context: &Context, target: &EnvTarget, deed: Action) -> PolicyRefusal {
    loop {
        tokio::time::sleep(FREEZE_EVERY).await;
        let wanted = Wanted {
            count: Some(0),
            ..Wanted::new(deed).because(Some("under way"))
        };
        // What cannot be read now could be read when it began.
        if let Ok(Some(refusal @ PolicyRefusal::Frozen { .. })) =
            self::refusal(context, target, &wanted).await
        {
            return refusal;
        }
    }
}

/// Does `work`; tells it to stop when the environment is frozen meanwhile, and waits for its end.
/// Who freezes an environment wants what is under way to stop too.
pub(crate) async fn until_frozen<T>(
    context: &Context,
    target: &EnvTarget,
    deed: Action,
    stop: &CancellationToken,
    work: impl Future<Output = T>,
) -> (T, Option<PolicyRefusal>) {
    let mut work = Box::pin(work);
    tokio::select! {
        done = &mut work => (done, None),
        refusal = frozen(context, target, deed) => {
            stop.cancel();
            (work.await, Some(refusal))
        }
    }
}

/// The duty that is everybody's without elevation.
pub(crate) fn standing(target: &EnvTarget) -> AccessLevel {
    if target.protected {
        AccessLevel::View
    } else {
        AccessLevel::Operate
    }
}

/// Begins an elevation: recorded first, then kept.
pub(crate) fn elevate(
    context: &Context,
    target: &EnvTarget,
    elevations: &Elevations,
    elevation: &Elevation,
) -> CliResult<()> {
    let entry = context
        .entry(target, "elevate", Some(&elevation.reason))
        .role(elevation.duty.as_str())
        .outcome(AuditOutcome::Done);
    let entry = entry
        .detail("until", elevation.expires_at.to_string())
        .same_as(same_as::elevate(target, elevation));
    let entry = match &elevation.ticket {
        Some(ticket) => entry.ticket(ticket),
        None => entry,
    };
    context.record(target, &entry)?;
    elevations.keep(elevation)
}

/// The rules that hold in an environment; without a file everybody may do what their duty allows.
pub(crate) fn rules(settings: &Settings, target: &EnvTarget) -> CliResult<PolicyRules> {
    let beside = settings
        .found
        .as_ref()
        .and_then(|found| found.path.parent())
        .map(|dir| dir.join(POLICY));
    let inside = if let Target::Embedded { data_dir, .. } = &target.target {
        Some(data_dir.join(POLICY))
    } else {
        None
    };
    // The rules of the data, which all who use it share, come before one's own.
    for path in [inside, beside].into_iter().flatten() {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(CliError::failed(format!(
                    "the rules {} could not be read, so nothing was done",
                    path.display()
                ))
                .because(error));
            }
        };
        let wrong = |error: String| {
            CliError::usage(format!(
                "the rules {} are not right, so nothing was done: {error}",
                path.display()
            ))
            .hint("docs/policy.md describes the file")
        };
        let rules: PolicyRules =
            toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
        let known = settings.all_names();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        rules
            .check_envs(&known)
            .map_err(|error| wrong(error.to_string()))?;
        return Ok(rules);
    }
    Ok(PolicyRules::default())
}

/// The freeze of an environment, as the caller may ask of it.
pub(crate) fn freezes(target: &EnvTarget, caller: &Caller) -> Box<dyn FreezeStore> {
    match &target.target {
        Target::Embedded { data_dir, name } => Box::new(FileFreezeStore {
            path: data_dir.join(format!("{name}.freeze.json")),
        }),
        Target::Aws(aws) => crate::aws::freezes(&target.name, aws, caller),
    }
}

/// A freeze as a file in a data directory, which all processes on it obey.
struct FileFreezeStore {
    path: PathBuf,
}

impl FileFreezeStore {
    fn failed(&self, what: &str, error: std::io::Error) -> PortError {
        PortError::because(
            ErrorKind::Unavailable,
            format!("{} could not be {what}", self.path.display()),
            error,
        )
    }
}

#[async_trait]
impl FreezeStore for FileFreezeStore {
    async fn current(&self) -> PortResult<Option<Freeze>> {
        match fs::read(&self.path) {
            Ok(bytes) => {
                let freeze = serde_json::from_slice(&bytes);
                freeze.map(Some).map_err(|error| {
                    PortError::because(
                        ErrorKind::Corrupt,
                        format!("{} is damaged", self.path.display()),
                        error,
                    )
                })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read", error)),
        }
    }

    async fn set(&self, freeze: &Freeze) -> PortResult<()> {
        let bytes = serde_json::to_vec(freeze).map_err(|error| {
            PortError::because(
                ErrorKind::Permanent,
                "a freeze could not be written as JSON",
                error,
            )
        })?;
        write_private(&self.path, &bytes).map_err(|error| self.failed("written", error))
    }

    async fn lift(&self) -> PortResult<bool> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed("removed", error)),
        }
    }
}

/// Without AWS there is no environment in it, and so no freeze of one.
#[cfg(not(feature = "aws"))]
pub(crate) struct NoFreezes;

#[cfg(not(feature = "aws"))]
#[async_trait]
impl FreezeStore for NoFreezes {
    async fn current(&self) -> PortResult<Option<Freeze>> {
        Err(PortError::new(
            ErrorKind::Permanent,
            "this payops was built without AWS",
        ))
    }

    async fn set(&self, _: &Freeze) -> PortResult<()> {
        Err(PortError::new(
            ErrorKind::Permanent,
            "this payops was built without AWS",
        ))
    }

    async fn lift(&self) -> PortResult<bool> {
        Err(PortError::new(
            ErrorKind::Permanent,
            "this payops was built without AWS",
        ))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Elevations {
    dir: PathBuf,
}

impl Elevations {
    /// Those of the user whose settings these are: apart for each data directory and person.
    pub(crate) fn of(settings: &Settings) -> Self {
        let who = [
            settings.data_dir.value.as_os_str().as_encoded_bytes(),
            b"\0",
            settings.who.value.as_bytes(),
        ]
        .concat();
        let place = payops_core::domain::sha256_hex(&who);
        Self {
            dir: settings
                .state_dir
                .join("elevations")
                .join(place.get(..12).unwrap_or_default()),
        }
    }

    fn path(&self, env: &str) -> PathBuf {
        let name: String = env
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '-' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        self.dir.join(format!("{name}.json"))
    }

    /// The elevation in an environment, ended or not.
    pub(crate) fn read(&self, env: &str) -> CliResult<Option<Elevation>> {
        let path = self.path(env);
        match fs::read(&path) {
            // One that cannot be read is none.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(
                CliError::failed(format!("{} could not be read", path.display())).because(error),
            ),
        }
    }

    pub(crate) fn keep(&self, elevation: &Elevation) -> CliResult<()> {
        let path = self.path(&elevation.env);
        let write = || {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.dir)?;
            write_private(&path, &serde_json::to_vec(elevation)?)
        };
        write().map_err(|error: std::io::Error| {
            CliError::failed(format!(
                "the elevation could not be kept in {}",
                path.display()
            ))
            .because(error)
            .hint("make the place writable")
        })
    }

    /// Ends the elevation in an environment; whether there was one.
    pub(crate) fn forget(&self, env: &str) -> CliResult<bool> {
        let path = self.path(env);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(
                CliError::failed(format!("{} could not be removed", path.display())).because(error),
            ),
        }
    }

    /// When the elevation in an environment ends, if one holds now.
    pub(crate) fn holds(
        &self,
        env: &str,
        who: &str,
        now: Timestamp,
    ) -> CliResult<Option<Elevation>> {
        Ok(self
            .read(env)?
            .filter(|held| held.who == who && held.env == env && held.left(now).is_positive()))
    }
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&beside, path)
}
