//! How getting a session fails: each cause is a variant of its own, with words and a next step.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use payops_core::Timestamp;
use payops_core::port::error_causes;

/// The failure beneath, kept whole. Shared: one failed renewal is told to all who waited for it.
pub type Cause = Arc<dyn Error + Send + Sync>;

#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    #[error("no AWS credentials found on this machine")]
    NoBaseCredentials(#[source] Option<Cause>),
    #[error("this machine's AWS credentials have expired")]
    ExpiredBase(#[source] Option<Cause>),
    /// There are credentials, and AWS does not know them.
    #[error("AWS does not recognize this machine's credentials: {message}")]
    UnknownBase { message: String },
    /// The role may not be assumed so, or does not exist: AWS answers both alike.
    #[error(
        "not allowed: {} on {role_arn}: {message}",
        action.as_deref().unwrap_or("sts:AssumeRole")
    )]
    RoleRefused {
        role_arn: String,
        /// What the caller lacks, when the answer says so: `sts:AssumeRole`, `sts:TagSession` or
        /// `sts:SetSourceIdentity`.
        action: Option<String>,
        message: String,
    },
    /// The role does not exist, and this answer says so.
    #[error("role {role_arn} does not exist: {message}")]
    NoSuchRole { role_arn: String, message: String },
    /// The role asks for a one-time code, and none was given.
    #[error("{role_arn} requires an MFA code")]
    MfaNeeded {
        role_arn: String,
        mfa_serial: Option<String>,
    },
    /// The one-time code was not taken.
    #[error("AWS rejected the MFA code: {message}")]
    MfaWrong { message: String },
    #[error("an MFA code has six digits")]
    BadCode,
    /// The role does not give sessions that long.
    #[error("{role_arn} does not allow a session of {asked_s} seconds: {message}")]
    DurationTooLong {
        role_arn: String,
        /// What was asked for, in seconds.
        asked_s: u64,
        message: String,
    },
    /// The session belongs to another account than it must; its credentials were dropped.
    #[error("expected account {expected}, found {found}")]
    WrongAccount { expected: String, found: String },
    #[error("the operator's name has no letter or digit that AWS accepts")]
    NoName,
    /// STS could not be reached, or gave no answer in time.
    #[error("cannot reach AWS STS")]
    Unreachable(#[source] Option<Cause>),
    /// The session that STS gave has ended already, by this machine's clock.
    #[error("by this machine's clock the new session already expired at {at}")]
    EndedAlready { at: Timestamp },
    /// The session cannot last as long as a batch needs.
    #[error(
        "the session has at most {} minutes left, but {} are needed",
        minutes(left),
        minutes(asked)
    )]
    TooShort { asked: Duration, left: Duration },
    /// Another batch holds the credentials, so they cannot be renewed for this one yet.
    #[error("another batch is using these credentials until {until}")]
    Held {
        /// When the last of them ends at the latest.
        until: Timestamp,
    },
    #[error("AWS STS answered {code}: {message}")]
    Other { code: String, message: String },
}

fn minutes(time: &Duration) -> u64 {
    time.as_secs() / 60
}

impl IdentityError {
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            Self::NoBaseCredentials(_) => {
                "log in: aws sso login --profile NAME, or set profile in payops.toml".to_owned()
            }
            Self::ExpiredBase(_) => "log in again: aws sso login --profile NAME".to_owned(),
            Self::UnknownBase { .. } => {
                "check which credentials are used: aws sts get-caller-identity --profile NAME"
                    .to_owned()
            }
            Self::RoleRefused {
                role_arn, action, ..
            } => role_refused_hint(role_arn, action.as_deref()),
            Self::NoSuchRole { .. } => {
                "check the role's name and account in payops.toml: payops config explain".to_owned()
            }
            Self::MfaNeeded {
                mfa_serial: Some(serial),
                ..
            } => format!("enter the current code of {serial}"),
            Self::MfaNeeded {
                mfa_serial: None, ..
            } => "set mfa_serial for this role in payops.toml, then enter its code".to_owned(),
            Self::MfaWrong { .. } => {
                "wait for the next code (each works only once) and check mfa_serial in payops.toml"
                    .to_owned()
            }
            Self::BadCode => "enter the six digits shown on the device".to_owned(),
            Self::DurationTooLong { .. } => {
                "shorten the duration in payops.toml, or raise the role's maximum session duration"
                    .to_owned()
            }
            Self::WrongAccount { .. } => {
                "check account_id, role and endpoint in payops.toml; nothing was read or changed"
                    .to_owned()
            }
            Self::NoName => "set your name as AWS should log it".to_owned(),
            Self::Unreachable(_) => {
                "check the network, the region and endpoint_url, then try again".to_owned()
            }
            Self::EndedAlready { .. } => {
                "correct this machine's clock: sessions last at least 15 minutes".to_owned()
            }
            Self::TooShort { .. } => {
                "split the work into smaller batches, or configure a longer session in payops.toml"
                    .to_owned()
            }
            Self::Held { .. } => "wait for the other batch to finish".to_owned(),
            Self::Other { code, .. } => code_hint(code).to_owned(),
        }
    }

    /// The failure of this kind within a failed call of any service, whose credentials came from
    /// `RoleCredentials`.
    #[must_use]
    pub fn within<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        error_causes(error).find_map(|cause| cause.downcast_ref::<Self>())
    }
}

fn role_refused_hint(role_arn: &str, action: Option<&str>) -> String {
    match action {
        Some("sts:TagSession") => {
            format!("allow sts:TagSession in the trust policy of {role_arn} and in your own policy")
        }
        Some("sts:SetSourceIdentity") => format!(
            "allow sts:SetSourceIdentity in the trust policy of {role_arn} and in your own policy; \
                a login that carries another source identity already cannot change it"
        ),
        _ => format!(
            "either {role_arn} does not exist, or its trust policy or your own policy does not \
                allow sts:AssumeRole (external id and MFA included); AWS does not say which"
        ),
    }
}

fn code_hint(code: &str) -> &'static str {
    match code {
        "RegionDisabledException" => {
            "activate STS for that region, or use another region in payops.toml"
        }
        "PackedPolicyTooLarge" | "PackedPolicyTooLargeException" => {
            "give a shorter reason, or shorten the session policy"
        }
        "MalformedPolicyDocument" | "MalformedPolicyDocumentException" => {
            "correct the session policy"
        }
        "SignatureDoesNotMatch" | "RequestTimeTooSkewed" => {
            "check this machine's clock, then the credentials"
        }
        _ => "see what AWS reported above; payops doctor checks each part",
    }
}
