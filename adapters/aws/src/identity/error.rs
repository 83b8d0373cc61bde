//! How getting a session fails: each cause is a variant of its own, with words and a next step.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use payops_core::Timestamp;

/// The failure beneath, kept whole. Shared: one failed renewal is told to all who waited for it.
pub type Cause = Arc<dyn Error + Send + Sync>;

#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    #[error("no AWS credentials were found on this machine")]
    NoBaseCredentials(#[source] Option<Cause>),
    #[error("the AWS credentials of this machine have expired")]
    ExpiredBase(#[source] Option<Cause>),
    /// There are credentials, and AWS does not know them.
    #[error("AWS does not know the credentials of this machine: {message}")]
    UnknownBase { message: String },
    /// The role may not be assumed so, or does not exist: AWS answers both alike.
    #[error("not allowed: {} on {role_arn}: {message}", action.as_deref().unwrap_or("sts:AssumeRole"))]
    RoleRefused {
        role_arn: String,
        /// What the caller lacks, when the answer says so: `sts:AssumeRole`, `sts:TagSession` or
        /// `sts:SetSourceIdentity`.
        action: Option<String>,
        message: String,
    },
    /// The role does not exist, and this answer says so.
    #[error("there is no role {role_arn}: {message}")]
    NoSuchRole { role_arn: String, message: String },
    /// The role asks for a one-time code, and none was given.
    #[error("{role_arn} asks for the code of an MFA device")]
    MfaNeeded {
        role_arn: String,
        mfa_serial: Option<String>,
    },
    /// The one-time code was not taken.
    #[error("the MFA code was not taken: {message}")]
    MfaWrong { message: String },
    #[error("an MFA code is six digits")]
    BadCode,
    /// The role does not give sessions that long.
    #[error("{role_arn} gives no session of {asked_s} seconds: {message}")]
    DurationTooLong {
        role_arn: String,
        /// What was asked for, in seconds.
        asked_s: u64,
        message: String,
    },
    /// The session belongs to another account than it must; its credentials were dropped.
    #[error("the account must be {expected}, and it is {found}")]
    WrongAccount { expected: String, found: String },
    #[error("the person's name has no letter or digit that AWS takes")]
    NoName,
    /// STS could not be reached, or gave no answer in time.
    #[error("AWS STS cannot be reached")]
    Unreachable(#[source] Option<Cause>),
    /// The session that STS gave has ended already, by this machine's clock.
    #[error("the session ended at {at} by this machine's clock, before it began")]
    EndedAlready { at: Timestamp },
    /// The session cannot last as long as a batch needs.
    #[error(
        "the session lasts {} more minutes at most, and {} are needed",
        minutes(left),
        minutes(asked)
    )]
    TooShort { asked: Duration, left: Duration },
    /// Another batch holds the credentials, so they cannot be renewed for this one yet.
    #[error("another batch holds the credentials until {until}")]
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
            } => refused_step(role_arn, action.as_deref()),
            Self::NoSuchRole { .. } => {
                "check the role's name and account in payops.toml: payops config explain".to_owned()
            }
            Self::MfaNeeded {
                mfa_serial: Some(serial),
                ..
            } => format!("give the code that {serial} shows now"),
            Self::MfaNeeded {
                mfa_serial: None, ..
            } => "set mfa_serial of this role in payops.toml, then give its code".to_owned(),
            Self::MfaWrong { .. } => {
                "wait for the next code (each works once) and check mfa_serial in payops.toml"
                    .to_owned()
            }
            Self::BadCode => "type the six digits that the device shows".to_owned(),
            Self::DurationTooLong { .. } => {
                "ask for less in payops.toml, or raise the role's maximum session duration"
                    .to_owned()
            }
            Self::WrongAccount { .. } => {
                "check account_id, role and endpoint in payops.toml; nothing was read or changed"
                    .to_owned()
            }
            Self::NoName => "say who you are with the name that AWS shall log".to_owned(),
            Self::Unreachable(_) => {
                "check the network, the region and endpoint_url, then try again".to_owned()
            }
            Self::EndedAlready { .. } => {
                "set this machine's clock: sessions last 15 minutes at least".to_owned()
            }
            Self::TooShort { .. } => {
                "do it in smaller parts, or ask for a longer session in payops.toml".to_owned()
            }
            Self::Held { .. } => "wait for the other batch to end".to_owned(),
            Self::Other { code, .. } => other_step(code).to_owned(),
        }
    }

    /// The failure of this kind within a failed call of any service, whose credentials came from
    /// `RoleCredentials`.
    #[must_use]
    pub fn within<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }
}

fn refused_step(role_arn: &str, action: Option<&str>) -> String {
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

fn other_step(code: &str) -> &'static str {
    match code {
        "RegionDisabledException" => {
            "have STS activated for that region, or use another region in payops.toml"
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
        _ => "run it again with AWS's words in mind; payops doctor checks each part",
    }
}
