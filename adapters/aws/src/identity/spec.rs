//! What is asked for: which role, for whom, for how long, and with which one-time code.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::error::IdentityError;

/// The shortest session that STS gives.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html> (`DurationSeconds`)
pub const DURATION_MIN: Duration = Duration::from_mins(15);
/// The longest session that STS gives to a caller that is no assumed role itself.
pub const DURATION_MAX: Duration = Duration::from_hours(12);
/// The longest session that STS gives to a caller that is an assumed role itself.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>
pub const DURATION_MAX_CHAINED: Duration = Duration::from_hours(1);
const CODE_DIGITS: usize = 6;

/// A role of one environment, and how it is assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSpec {
    /// The environment, such as `prod`.
    pub env: String,
    /// What the role is for: `view`, `operate`, `break-glass`.
    pub access_level: String,
    /// The account that the session must belong to; any other is refused.
    pub account_id: String,
    /// The role, such as `arn:aws:iam::471122334455:role/payops-operate`.
    pub role_arn: String,
    /// What the role's trust policy asks for as `sts:ExternalId`.
    pub external_id: Option<String>,
    /// The MFA device whose code the role's trust policy asks for.
    pub mfa_serial: Option<String>,
    /// How long the session shall last. STS gives 15 minutes to 12 hours, or up to the role's own
    /// maximum; what is outside is moved inside, and told as `Session::capped`.
    pub duration: Duration,
    /// A policy, as JSON, that narrows what the session may do.
    pub session_policy: Option<String>,
    /// The region whose STS is asked, such as `eu-west-1`; empty for that of the base.
    pub region: String,
    pub endpoint_url: Option<String>,
}

impl RoleSpec {
    /// The account that the role's ARN names; empty when it is not an ARN.
    #[must_use]
    pub fn account_of_role(&self) -> &str {
        self.role_arn.split(':').nth(4).unwrap_or_default()
    }

    /// What STS is asked for, in seconds, by a caller that is (`chained`) or is not an assumed
    /// role.
    pub(super) fn seconds(&self, chained: bool) -> i32 {
        let most = if chained {
            DURATION_MAX_CHAINED
        } else {
            DURATION_MAX
        };
        let asked = self.duration.clamp(DURATION_MIN, most).as_secs();
        i32::try_from(asked).unwrap_or(i32::MAX)
    }
}

/// Who acts, and why. AWS logs it with every call of the session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The person's login or mail address: STS's source identity, which stays through chaining.
    pub name: String,
    pub reason: Option<String>,
    pub ticket: Option<String>,
}

impl Person {
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            reason: None,
            ticket: None,
        }
    }
}

/// A one-time code of an MFA device. It cannot be printed.
#[derive(Clone, Debug)]
pub struct MfaCode(SecretString);

impl MfaCode {
    /// Six digits; spaces between them are dropped, as authenticator apps show some.
    pub fn parse(typed: &str) -> Result<Self, IdentityError> {
        let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        let right = digits.len() == CODE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        if right {
            Ok(Self(digits.into()))
        } else {
            Err(IdentityError::BadCode)
        }
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(minutes: u64) -> RoleSpec {
        RoleSpec {
            env: "prod".to_owned(),
            access_level: "view".to_owned(),
            account_id: "471122334455".to_owned(),
            role_arn: "arn:aws:iam::471122334455:role/ops/payops-view".to_owned(),
            external_id: None,
            mfa_serial: None,
            duration: Duration::from_mins(minutes),
            session_policy: None,
            region: String::new(),
            endpoint_url: None,
        }
    }

    #[test]
    fn the_duration_is_moved_to_what_sts_gives() {
        let asked = |minutes, chained| spec(minutes).seconds(chained);
        assert_eq!(
            (asked(5, false), asked(30, false), asked(24 * 60, false)),
            (900, 1800, 43_200)
        );
        assert_eq!(
            (asked(5, true), asked(30, true), asked(120, true)),
            (900, 1800, 3600)
        );
    }

    #[test]
    fn the_account_is_read_out_of_the_arn() {
        assert_eq!(spec(60).account_of_role(), "471122334455");
        assert_eq!(
            RoleSpec {
                role_arn: "payops-view".to_owned(),
                ..spec(60)
            }
            .account_of_role(),
            ""
        );
    }

    #[test]
    fn a_code_is_six_digits_and_cannot_be_printed() {
        let code = MfaCode::parse(" 123 456\n").expect("a code");
        assert_eq!(code.expose(), "123456");
        assert!(!format!("{code:?}").contains("123456"));
        for bad in ["", "12345", "1234567", "12345a", "١٢٣٤٥٦"] {
            assert!(
                matches!(MfaCode::parse(bad), Err(IdentityError::BadCode)),
                "{bad}"
            );
        }
    }
}
