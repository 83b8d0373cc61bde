//! From what AWS answered to the failure it means: pure, and tested with AWS's own words.

use std::error::Error;
use std::sync::Arc;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use payops_core::domain::mask;
use payops_core::port::{error_causes, error_chain};

use super::error::{Cause, IdentityError};
use super::spec::RoleSpec;
use crate::fail::short_code;

/// Characters of AWS's own message that are kept: it names two ARNs and a reason.
const MESSAGE_MAX: usize = 600;

/// The failure that AWS's code and words mean, of a call for `spec`.
#[must_use]
pub fn classify(code: &str, message: &str, spec: &RoleSpec) -> IdentityError {
    let (code, message, role_arn) = (short_code(code), clean(message), spec.role_arn.clone());
    match code {
        "ExpiredToken" | "ExpiredTokenException" => IdentityError::ExpiredBase(None),
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" => {
            IdentityError::UnknownBase { message }
        }
        "NoSuchEntity" | "NoSuchEntityException" => IdentityError::NoSuchRole { role_arn, message },
        "AccessDenied" | "AccessDeniedException" => to_access_denied(message, spec),
        "ValidationError" | "ValidationException" => to_invalid_request(code, message, spec),
        "ServiceUnavailable" | "InternalFailure" => IdentityError::Unreachable(None),
        _ => IdentityError::Other {
            code: code.to_owned(),
            message,
        },
    }
}

fn to_access_denied(message: String, spec: &RoleSpec) -> IdentityError {
    let role_arn = spec.role_arn.clone();
    if message.contains("must provide both MFA serial number and one time pass code") {
        return IdentityError::MfaNeeded {
            role_arn,
            mfa_serial: spec.mfa_serial.clone(),
        };
    }
    if message.contains("MultiFactorAuthentication failed") {
        return IdentityError::MfaWrong { message };
    }
    IdentityError::RoleRefused {
        role_arn,
        action: missing_action(&message),
        message,
    }
}

fn to_invalid_request(code: &str, message: String, spec: &RoleSpec) -> IdentityError {
    let role_arn = spec.role_arn.clone();
    if message.contains("DurationSeconds exceeds") || message.contains("'durationSeconds'") {
        return IdentityError::DurationTooLong {
            role_arn,
            asked_s: spec.duration.as_secs(),
            message,
        };
    }
    if message.contains("'tokenCode'") {
        return IdentityError::MfaWrong { message };
    }
    if message.contains("'roleArn'")
        || message.contains("Invalid RoleArn")
        || message == format!("{role_arn} is invalid")
    {
        return IdentityError::NoSuchRole { role_arn, message };
    }
    IdentityError::Other {
        code: code.to_owned(),
        message,
    }
}

/// The IAM action that an answer says is not allowed, as it spells it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
#[must_use]
pub fn missing_action(message: &str) -> Option<String> {
    let (_, after) = message.split_once("authorized to perform")?;
    let word = after
        .trim_start_matches([':', ' '])
        .split([' ', '\n', ','])
        .next()?;
    let (service, action) = word.trim_matches(['"', '\'', '`', '.']).split_once(':')?;
    let is_word = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_*".contains(c))
    };
    (is_word(service) && is_word(action)).then(|| format!("{service}:{action}"))
}

pub(super) fn to_error<E>(error: SdkError<E, HttpResponse>, spec: &RoleSpec) -> IdentityError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if let Some(refusal) = error.as_service_error() {
        let meta = refusal.meta();
        let status = error
            .raw_response()
            .map_or(0, |response| response.status().as_u16());
        if status >= 500 {
            return IdentityError::Unreachable(Some(Arc::new(error)));
        }
        return classify(
            meta.code().unwrap_or_default(),
            meta.message().unwrap_or("no reason given"),
            spec,
        );
    }
    let cause: Cause = Arc::new(error);
    signing_error(&cause).unwrap_or(IdentityError::Unreachable(Some(cause)))
}

/// The failure of a request that could not be signed; `None` when it was not for that.
fn signing_error(cause: &Cause) -> Option<IdentityError> {
    if let Some(own) = IdentityError::within(&**cause) {
        return Some(own.clone());
    }
    let text = error_chain(&**cause).to_lowercase();
    let failure = error_causes(&**cause).find_map(|error| error.downcast_ref::<CredentialsError>());
    if let Some(failure) = failure {
        return Some(base_credentials_error(failure, &text, cause));
    }
    // Without any provider the SDK finds no way to sign, and says so in words only.
    text.contains("auth scheme")
        .then(|| IdentityError::NoBaseCredentials(Some(Arc::clone(cause))))
}

fn base_credentials_error(failure: &CredentialsError, text: &str, cause: &Cause) -> IdentityError {
    let cause = Some(Arc::clone(cause));
    let has = |words: &str| text.contains(words);
    match failure {
        // A login by SSO that has ended: its token in ~/.aws/sso/cache, or what the portal answers.
        _ if has("expired") || has("unauthorizedexception") => IdentityError::ExpiredBase(cause),
        CredentialsError::ProviderTimedOut(_) => IdentityError::Unreachable(cause),
        CredentialsError::ProviderError(_) | CredentialsError::Unhandled(_)
            if has("dns error") || has("connect") || has("timeout") =>
        {
            IdentityError::Unreachable(cause)
        }
        _ => IdentityError::NoBaseCredentials(cause),
    }
}

pub(super) fn clean(message: &str) -> String {
    let line: String = message
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(MESSAGE_MAX)
        .collect();
    mask::terminal(&line)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ROLE: &str = "arn:aws:iam::471122334455:role/payops-operate";

    fn spec() -> RoleSpec {
        RoleSpec {
            env: "prod".to_owned(),
            access_level: "operate".to_owned(),
            account_id: "471122334455".to_owned(),
            role_arn: ROLE.to_owned(),
            external_id: None,
            mfa_serial: Some("arn:aws:iam::471122334455:mfa/anna".to_owned()),
            duration: Duration::from_hours(2),
            session_policy: None,
            region: "eu-west-1".to_owned(),
            endpoint_url: None,
        }
    }

    #[track_caller]
    fn check(code: &str, message: &str, right: impl Fn(&IdentityError) -> bool) {
        let error = classify(code, message, &spec());
        assert!(right(&error), "{error:?}");
        assert!(!error.to_string().is_empty() && !error.next_step().is_empty());
    }

    fn lacks(action: &'static str) -> impl Fn(&IdentityError) -> bool {
        move |error| {
            matches!(error, IdentityError::RoleRefused { role_arn, action: found, .. }
                if role_arn == ROLE && found.as_deref() == Some(action))
                && error.to_string().contains(action)
                && error.to_string().contains(ROLE)
                && error.next_step().contains(action)
        }
    }

    #[test]
    fn a_refusal_names_what_is_lacking() {
        for action in ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"] {
            let message = format!(
                "User: arn:aws:sts::913550007193:assumed-role/ci/run is not authorized to perform: \
                    {action} on resource: {ROLE}"
            );
            check("AccessDenied", &message, lacks(action));
        }
        check(
            "AccessDenied",
            "Not authorized to perform sts:AssumeRole",
            lacks("sts:AssumeRole"),
        );
        let deny = format!(
            "User: arn:aws:iam::1:user/a is not authorized to perform: sts:AssumeRole on resource: \
                {ROLE} with an explicit deny in a service control policy"
        );
        check("AccessDenied", &deny, |error| {
            error.to_string().contains("service control policy")
        });
        check("AccessDenied", "Access denied", |error| {
            matches!(error, IdentityError::RoleRefused { action: None, .. })
        });
    }

    #[test]
    fn a_refusal_says_that_the_role_may_not_exist() {
        let message = format!(
            "User: arn:aws:iam::471122334455:user/a is not authorized to perform: sts:AssumeRole \
                on resource: {ROLE}"
        );
        check("AccessDenied", &message, |error| {
            error.next_step().contains("either") && error.next_step().contains("does not exist")
        });
    }

    #[test]
    fn a_role_that_cannot_exist_is_told_as_such() {
        let no_role = |error: &IdentityError| matches!(error, IdentityError::NoSuchRole { .. });
        check(
            "NoSuchEntity",
            "The role with name payops-operate cannot be found.",
            no_role,
        );
        check("ValidationError", &format!("{ROLE} is invalid"), no_role);
        check(
            "ValidationError",
            "1 validation error detected: Value 'x' at 'roleArn' failed to satisfy constraint: \
                Member must have length greater than or equal to 20",
            no_role,
        );
    }

    #[test]
    fn the_codes_of_a_device() {
        let wrong = |error: &IdentityError| matches!(error, IdentityError::MfaWrong { .. });
        check(
            "AccessDenied",
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
            wrong,
        );
        check(
            "AccessDenied",
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your \
                MFA serial number is valid and associated with this user.",
            wrong,
        );
        check(
            "AccessDenied",
            "MultiFactorAuthentication failed, must provide both MFA serial number and one time \
                pass code.",
            |error| matches!(error, IdentityError::MfaNeeded { .. }),
        );
    }

    #[test]
    fn durations_that_the_role_does_not_give() {
        let long = |error: &IdentityError| {
            matches!(error, IdentityError::DurationTooLong { asked_s: 7200, .. })
        };
        check(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            long,
        );
        check(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
                role chaining.",
            long,
        );
        let constraint = "1 validation error detected: Value '50000' at 'durationSeconds' failed \
            to satisfy constraint: Member must have value less than or equal to 43200";
        check("ValidationError", constraint, long);
    }

    #[test]
    fn the_base_itself() {
        let expired = |error: &IdentityError| matches!(error, IdentityError::ExpiredBase(_));
        check(
            "ExpiredToken",
            "The security token included in the request is expired",
            expired,
        );
        check(
            "ExpiredTokenException",
            "The security token included in the request is expired",
            expired,
        );
        check(
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
            |error| matches!(error, IdentityError::UnknownBase { .. }),
        );
    }

    #[test]
    fn the_rest_keeps_code_and_words() {
        let message = "One of the specified transitive tag keys can't be set because it conflicts \
            with a transitive tag key from the calling session.";
        check("InvalidParameterValue", message, |error| {
            error.to_string().contains("InvalidParameterValue: One of")
        });
        check(
            "RegionDisabledException",
            "STS is not activated in this region",
            |error| error.next_step().contains("activate STS"),
        );
        check("ValidationError", "something\n\u{1b}[2Jelse", |error| {
            !error.to_string().contains(['\u{1b}', '\n'])
        });
    }

    #[test]
    fn actions_are_read_out_of_the_words_of_several_services() {
        let found = |message: &str| missing_action(message).unwrap_or_default();
        let sqs = "User: arn:aws:iam::1:user/a is not authorized to perform: \
            sqs:getqueueattributes on resource: arn:aws:sqs:eu-west-1:1:q because no \
            identity-based policy allows the sqs:getqueueattributes action";
        assert_eq!(found(sqs), "sqs:getqueueattributes");
        let s3 = "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: \
            s3:ListBucket on resource: \"arn:aws:s3:::b\" because no session policy allows the \
            s3:ListBucket action";
        assert_eq!(found(s3), "s3:ListBucket");
        assert_eq!(
            found("not authorized to perform: execute-api:Invoke, sorry"),
            "execute-api:Invoke"
        );
        assert_eq!(found("Access Denied"), "");
        assert_eq!(found("not authorized to perform: this operation"), "");
    }
}
