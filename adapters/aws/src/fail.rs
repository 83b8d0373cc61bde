//! How a failed call to AWS is told: what the caller may conclude, in words that hold no payload
//! and no secret. What to do about a refusal that a port has a name for is decided where it is
//! called.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;
use payops_core::domain::mask;
use payops_core::port::{ErrorKind, PortError, PortResult, error_chain};

const MESSAGE_MAX: usize = 300;

/// One call: what is asked, of what, and whether it changes anything.
#[derive(Debug)]
pub(crate) struct Call {
    action: &'static str,
    resource: String,
    writes: bool,
    unsure: Arc<AtomicBool>,
}

impl Call {
    /// A call that changes nothing. `action` as IAM names it, `resource` such as `table payments`.
    pub(crate) fn read(action: &'static str, resource: impl Into<String>) -> Self {
        Self {
            action,
            resource: resource.into(),
            writes: false,
            unsure: Arc::default(),
        }
    }

    /// A call that changes something: without an answer, nobody knows whether it did.
    pub(crate) fn write(action: &'static str, resource: impl Into<String>) -> Self {
        Self {
            writes: true,
            ..Self::read(action, resource)
        }
    }

    /// What every write must be sent with: the SDK repeats a failed attempt, and reports only the
    /// last. A refused connection after an attempt without an answer is not "certainly no effect".
    pub(crate) fn track_attempts(&self) -> AttemptTracker {
        AttemptTracker(Arc::clone(&self.unsure))
    }

    pub(crate) fn to_error<E: ProvideErrorMetadata + Error + Send + Sync + 'static>(
        &self,
        error: SdkError<E, HttpResponse>,
    ) -> PortError {
        match error {
            SdkError::ServiceError(refusal) => {
                let meta = refusal.err().meta();
                let status = refusal.raw().status().as_u16();
                self.service_error(
                    meta.code().unwrap_or_default(),
                    meta.message(),
                    status,
                    meta.extra("aws_request_id"),
                )
            }
            SdkError::ConstructionFailure(_) => {
                let source = error
                    .into_source()
                    .unwrap_or_else(|_| "no cause given".into());
                self.with_source(
                    ErrorKind::Unavailable,
                    "the request could not be built",
                    source,
                )
            }
            SdkError::DispatchFailure(ref failure) => {
                let (kind, words) = failure
                    .as_connector_error()
                    .map_or((ErrorKind::Ambiguous, "no answer"), classify_transport);
                let source = error
                    .into_source()
                    .unwrap_or_else(|_| "no cause given".into());
                self.with_source(kind, words, source)
            }
            _ => {
                let source = error
                    .into_source()
                    .unwrap_or_else(|_| "no cause given".into());
                self.with_source(
                    ErrorKind::Ambiguous,
                    "the response could not be read",
                    source,
                )
            }
        }
    }

    /// The failure that AWS's code names, of the call or of one entry of it.
    pub(crate) fn service_error(
        &self,
        code: &str,
        message: Option<&str>,
        status: u16,
        request: Option<&str>,
    ) -> PortError {
        let code = short_code(code);
        let kind = self.final_kind(kind_of(code, status));
        let words = match kind {
            ErrorKind::Denied if code.starts_with("Expired") => {
                "the credentials have expired".to_owned()
            }
            ErrorKind::Throttled => "throttled".to_owned(),
            _ => message
                .map(safe)
                .filter(|message| !message.is_empty())
                .unwrap_or_else(|| "no reason given".to_owned()),
        };
        let name = if code.is_empty() {
            format!("HTTP {status}")
        } else {
            code.to_owned()
        };
        let trace = request
            .map(|id| format!(" [request {id}]"))
            .unwrap_or_default();
        PortError::new(
            kind,
            format!("{}: {words} ({name}){trace}", self.subject(kind)),
        )
    }

    pub(crate) fn error(&self, kind: ErrorKind, words: impl std::fmt::Display) -> PortError {
        PortError::new(kind, format!("{}: {words}", self.subject(kind)))
    }

    /// A part of the request that the SDK refuses to make.
    pub(crate) fn check_built<T>(&self, part: Result<T, BuildError>) -> PortResult<T> {
        part.map_err(|error| {
            PortError::because(
                ErrorKind::Permanent,
                self.subject(ErrorKind::Permanent),
                error,
            )
        })
    }

    fn with_source(&self, kind: ErrorKind, words: &str, source: BoxError) -> PortError {
        let kind = self.final_kind(kind);
        let tail = if kind == ErrorKind::Ambiguous {
            "; it may or may not have taken effect"
        } else {
            ""
        };
        PortError::because(
            kind,
            format!("{}: {words}{tail}", self.subject(kind)),
            source,
        )
    }

    /// A read has no effect, and a write has surely none only if each of its attempts surely had
    /// none.
    fn final_kind(&self, kind: ErrorKind) -> ErrorKind {
        match kind {
            ErrorKind::Ambiguous if !self.writes => ErrorKind::Unavailable,
            ErrorKind::Unavailable | ErrorKind::Throttled
                if self.writes && self.unsure.load(Ordering::Relaxed) =>
            {
                ErrorKind::Ambiguous
            }
            kind => kind,
        }
    }

    fn subject(&self, kind: ErrorKind) -> String {
        match kind {
            ErrorKind::Denied => format!("not allowed: {} on {}", self.action, self.resource),
            ErrorKind::NotFound => format!("not found: {} ({})", self.resource, self.action),
            _ => format!("{} on {}", self.action, self.resource),
        }
    }
}

/// Remembers whether an attempt of a call may have had its effect.
#[derive(Debug)]
pub(crate) struct AttemptTracker(Arc<AtomicBool>);

impl Intercept for AttemptTracker {
    fn name(&self) -> &'static str {
        "AttemptTracker"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Err(error)) = context.output_or_error() else {
            return Ok(());
        };
        let status = context
            .response()
            .map_or(0, |response| response.status().as_u16());
        let lost = match error.as_connector_error() {
            Some(failure) => classify_transport(failure).0 == ErrorKind::Ambiguous,
            None => error.is_timeout_error() || error.is_response_error(),
        };
        if lost || is_vague(status) {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The code that AWS gave, without the service's prefix; empty when the failure is not a refusal.
pub(crate) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> &str {
    error
        .as_service_error()
        .and_then(|refusal| refusal.meta().code())
        .map_or("", short_code)
}

/// What a code means by itself; `Permanent` for one that is not known and has no telling status.
pub(crate) fn kind_of(code: &str, status: u16) -> ErrorKind {
    match short_code(code) {
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "ThrottlingError"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "ProvisionedThroughputExceededException"
        | "ProvisionedThroughputExceeded"
        | "RequestLimitExceeded"
        | "LimitExceededException"
        | "SlowDown"
        | "BandwidthLimitExceeded"
        | "OverLimit"
        | "KmsThrottled"
        | "TransactionInProgressException" => ErrorKind::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "KmsAccessDenied"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "AuthorizationError"
        | "NotAuthorizedForSourceException"
        | "NotAuthorizedForDetailTypeException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "InvalidSignatureException"
        | "InvalidSignature"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "OptInRequired"
        | "AuthFailure"
        | "InvalidSecurity"
        | "AccountSuspendedException"
        | "SendingPausedException"
        | "DecryptionFailure" => ErrorKind::Denied,
        "ResourceNotFoundException"
        | "QueueDoesNotExist"
        | "NonExistentQueue"
        | "NoSuchBucket"
        | "NoSuchKey"
        | "NotFoundException"
        | "NotFound" => ErrorKind::NotFound,
        "InternalFailure" | "InternalError" | "InternalException" if status < 500 => {
            ErrorKind::Unavailable
        }
        "RequestTimeout" | "RequestTimeoutException" => ErrorKind::Ambiguous,
        _ => match status {
            429 => ErrorKind::Throttled,
            401 | 403 => ErrorKind::Denied,
            404 => ErrorKind::NotFound,
            503 => ErrorKind::Unavailable,
            status if is_vague(status) => ErrorKind::Ambiguous,
            _ => ErrorKind::Permanent,
        },
    }
}

/// Whether a status says that something broke, but not when. 503 says that nothing was begun.
fn is_vague(status: u16) -> bool {
    status >= 500 && status != 503
}

/// What a failure on the way there means, and in which words.
fn classify_transport(failure: &ConnectorError) -> (ErrorKind, &'static str) {
    let text = error_chain(failure).to_lowercase();
    let has = |words: &str| text.contains(words);
    if has("credential") || has("identity") {
        // Nothing was signed, so nothing was sent. A provider that did not answer may do so later.
        let never =
            has("not enabled") || has("not properly configured") || has("no providers in chain");
        return if never {
            (ErrorKind::Denied, "no AWS credentials")
        } else {
            (
                ErrorKind::Unavailable,
                "AWS credentials could not be loaded",
            )
        };
    }
    if has("client error (connect)")
        || has("http connect")
        || has("connection refused")
        || has("dns error")
    {
        return (ErrorKind::Unavailable, "cannot connect to AWS");
    }
    (
        ErrorKind::Ambiguous,
        if failure.is_timeout() {
            "timed out"
        } else {
            "the connection was lost"
        },
    )
}

/// `AWS.SimpleQueueService.NonExistentQueue` and `com.amazonaws.sqs#QueueDoesNotExist` by their
/// last part.
pub(crate) fn short_code(code: &str) -> &str {
    code.rsplit(['.', '#']).next().unwrap_or(code)
}

/// AWS's message up to where it quotes something, without addresses, card numbers and control
/// characters: it may quote the request.
fn safe(message: &str) -> String {
    let own = message
        .split(['{', '[', '"', '\'', '='])
        .next()
        .unwrap_or_default();
    let words: Vec<&str> = own
        .split_whitespace()
        .map(|word| {
            if word.contains('@') {
                "•••"
            } else {
                word
            }
        })
        .collect();
    let text: String = words.join(" ").chars().take(MESSAGE_MAX).collect();
    mask::terminal(&mask::text(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, status: u16, expected: ErrorKind) {
        assert_eq!(kind_of(code, status), expected, "{code} {status}");
    }

    #[test]
    fn codes_say_what_may_be_concluded() {
        check(
            "AWS.SimpleQueueService.NonExistentQueue",
            400,
            ErrorKind::NotFound,
        );
        check(
            "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
            400,
            ErrorKind::Throttled,
        );
        check("KMS.AccessDeniedException", 400, ErrorKind::Denied);
        check("ExpiredTokenException", 400, ErrorKind::Denied);
        check("ValidationException", 400, ErrorKind::Permanent);
        check("InternalServerError", 500, ErrorKind::Ambiguous);
        check("ServiceUnavailable", 503, ErrorKind::Unavailable);
        check("", 403, ErrorKind::Denied);
        check("", 429, ErrorKind::Throttled);
    }

    #[test]
    fn a_refusal_names_the_action_and_the_resource() {
        let call = Call::write("dynamodb:TransactWriteItems", "table payments");
        let error = call.service_error(
            "AccessDeniedException",
            Some("User: x is not authorized"),
            400,
            None,
        );
        assert!(
            error
                .message
                .starts_with("not allowed: dynamodb:TransactWriteItems on table payments"),
            "{error}"
        );
    }

    #[test]
    fn a_message_is_told_without_addresses_and_cards() {
        let call = Call::write("ses:SendEmail", "sender");
        let error = call.service_error(
            "MessageRejected",
            Some("not verified: anna@example.com\u{1b}[2J"),
            400,
            None,
        );
        assert!(
            !error.message.contains("anna") && !error.message.contains('\u{1b}'),
            "{error}"
        );
        for message in [
            "bad 4242 4242 4242 4242",
            "1 validation error detected: Value '[4242]' at 'items'",
        ] {
            let error = call.service_error("BadRequestException", Some(message), 400, None);
            assert!(!error.message.contains("4242"), "{error}");
        }
    }

    #[test]
    fn a_read_is_never_ambiguous_and_a_write_after_a_lost_attempt_always_is() {
        let read = Call::read("s3:GetObject", "bucket b");
        assert_eq!(
            read.service_error("InternalError", None, 500, None).kind,
            ErrorKind::Unavailable
        );
        let write = Call::write("sqs:SendMessage", "queue q");
        assert_eq!(
            write
                .service_error("ThrottlingException", None, 400, None)
                .kind,
            ErrorKind::Throttled
        );
        write.unsure.store(true, Ordering::Relaxed);
        assert_eq!(
            write
                .service_error("ThrottlingException", None, 400, None)
                .kind,
            ErrorKind::Ambiguous
        );
        assert_eq!(
            write
                .service_error("ValidationException", None, 400, None)
                .kind,
            ErrorKind::Permanent
        );
    }
}
