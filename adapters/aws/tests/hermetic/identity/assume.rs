//! What is sent to STS, and what its answers mean.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use payops_aws::identity::{IdentityError, MfaCode, Person, RoleSpec, Session};
use payops_core::port::Clock;
use payops_testkit::ManualClock;

use super::{
    ACCOUNT, SSO, USER, action, anna, assumed, caller, ends, form, generous, identity, refusal,
    session, spec, sts,
};
use crate::support::{Reply, Service};

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new())
}

async fn assume(service: &Service, spec: &RoleSpec) -> Result<Session, IdentityError> {
    identity(service, &clock())
        .await
        .assume(spec, &anna(), None)
        .await
}

/// What an `AssumeRole` that is refused so comes to.
async fn refused(code: &'static str, message: &'static str) -> IdentityError {
    let service = sts(USER, move |_, _| {
        refusal(
            if code == "ValidationError" { 400 } else { 403 },
            code,
            message,
        )
    });
    assume(&service, &spec()).await.expect_err("refused")
}

#[tokio::test]
async fn the_request_says_who_and_why() {
    let service = generous(USER, &clock());
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let spec = RoleSpec {
        external_id: Some("ext".to_owned()),
        mfa_serial: Some("arn:aws:iam::471122334455:mfa/anna".to_owned()),
        session_policy: Some(policy.to_owned()),
        ..spec()
    };
    let code = MfaCode::parse("123 456").expect("a code");
    let given = identity(&service, &clock())
        .await
        .assume(&spec, &anna(), Some(code))
        .await
        .expect("assumed");
    let asked = service
        .asked()
        .into_iter()
        .find(|asked| action(asked).0 == "AssumeRole")
        .expect("asked");
    let sent = form(&asked);
    let expected = [
        ("RoleArn", spec.role_arn.as_str()),
        ("RoleSessionName", "payops-operate-anna@example.com"),
        ("SourceIdentity", "anna@example.com"),
        ("DurationSeconds", "3600"),
        ("ExternalId", "ext"),
        ("SerialNumber", "arn:aws:iam::471122334455:mfa/anna"),
        ("TokenCode", "123456"),
        ("Policy", policy),
        ("Tags.member.1.Key", "payops:reason"),
        ("Tags.member.1.Value", "queue -stuck-"),
        ("Tags.member.2.Key", "payops:ticket"),
        ("Tags.member.2.Value", "INC-4711"),
        ("Tags.member.3.Key", "payops:env"),
        ("Tags.member.3.Value", "prod"),
        ("Tags.member.4.Key", "payops:duty"),
        ("Tags.member.4.Value", "operate"),
        ("TransitiveTagKeys.member.1", "payops:reason"),
        ("TransitiveTagKeys.member.4", "payops:duty"),
    ];
    for (name, value) in expected {
        assert_eq!(sent.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(
        (given.account_id.as_str(), given.source_identity.as_str()),
        (ACCOUNT, "anna@example.com")
    );
    assert_eq!(
        (given.life(), given.capped),
        (Duration::from_hours(1), None)
    );
    assert_eq!(given.credentials().session_token(), Some("hush-token"));
    let shown = format!("{given:?} {:?}", given.credentials());
    assert!(!shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn a_person_without_a_reason_has_no_tag_for_it() {
    let service = generous(USER, &clock());
    identity(&service, &clock())
        .await
        .assume(&spec(), &Person::new("bo"), None)
        .await
        .expect("assumed");
    let sent = form(
        service
            .asked()
            .iter()
            .find(|asked| action(asked).0 == "AssumeRole")
            .expect("asked"),
    );
    assert_eq!(
        sent.get("Tags.member.1.Key").map(String::as_str),
        Some("payops:env")
    );
    assert!(!sent.contains_key("Tags.member.3.Key") && !sent.contains_key("TokenCode"));
}

#[tokio::test]
async fn a_caller_that_is_a_role_gets_an_hour_and_is_told() {
    let long = RoleSpec {
        duration: Duration::from_hours(4),
        ..spec()
    };
    let given = assume(&generous(SSO, &clock()), &long)
        .await
        .expect("assumed");
    assert_eq!(
        (given.life(), given.capped),
        (Duration::from_hours(1), Some(Duration::from_hours(4)))
    );
    let given = assume(&generous(USER, &clock()), &long)
        .await
        .expect("assumed");
    assert_eq!(
        (given.life(), given.capped),
        (Duration::from_hours(4), None)
    );
}

#[tokio::test]
async fn another_account_is_refused_and_nothing_is_asked_for_a_role_of_one() {
    let clock = clock();
    let now = clock.now();
    let service = Service::new(move |_, asked| match action(&asked) {
        (name, 0) if name == "AssumeRole" => session(1, ends(now, &form(&asked))),
        (_, 0) => caller(ACCOUNT, USER),
        _ => caller(
            "999999999999",
            "arn:aws:sts::999999999999:assumed-role/payops-operate/s",
        ),
    });
    let error = assume(&service, &spec())
        .await
        .expect_err("another account");
    assert!(
        matches!(&error, IdentityError::WrongAccount { expected, found } if expected == ACCOUNT && found == "999999999999"),
        "{error:?}"
    );
    let elsewhere = RoleSpec {
        role_arn: "arn:aws:iam::999999999999:role/payops-operate".to_owned(),
        ..spec()
    };
    let service = generous(USER, &clock);
    assert!(matches!(
        assume(&service, &elsewhere).await,
        Err(IdentityError::WrongAccount { .. })
    ));
    assert!(service.asked().is_empty());
}

#[tokio::test]
async fn whoami_assumes_nothing() {
    let service = generous(SSO, &clock());
    let found = identity(&service, &clock())
        .await
        .whoami(&spec())
        .await
        .expect("told");
    assert!(found.is_assumed_role() && found.account_id == "913550007193" && found.arn == SSO);
    assert_eq!(service.asked().len(), 1);
}

#[tokio::test]
async fn refusals_by_sts() {
    let words = "User: arn:aws:iam::471122334455:user/anna is not authorized to perform: \
        sts:TagSession on resource: arn:aws:iam::471122334455:role/payops-operate";
    let error = refused("AccessDenied", words).await;
    assert!(
        matches!(&error, IdentityError::RoleRefused { action: Some(action), .. } if action == "sts:TagSession"),
        "{error:?}"
    );
    let error = refused(
        "AccessDenied",
        "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
    )
    .await;
    assert!(matches!(error, IdentityError::MfaWrong { .. }), "{error:?}");
    let error = refused(
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )
    .await;
    assert!(
        matches!(error, IdentityError::DurationTooLong { asked_s: 3600, .. }),
        "{error:?}"
    );
    let error = refused("NoSuchEntity", "The role cannot be found.").await;
    assert!(
        matches!(error, IdentityError::NoSuchRole { .. }),
        "{error:?}"
    );
    let error = refused(
        "MalformedPolicyDocument",
        "This policy contains invalid Json",
    )
    .await;
    assert!(
        matches!(&error, IdentityError::Other { code, .. } if code == "MalformedPolicyDocument"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_role_with_a_device_needs_its_code_and_a_person_a_name() {
    let service = generous(USER, &clock());
    let with_device = RoleSpec {
        mfa_serial: Some("arn:aws:iam::471122334455:mfa/anna".to_owned()),
        ..spec()
    };
    assert!(matches!(
        assume(&service, &with_device).await,
        Err(IdentityError::MfaNeeded {
            mfa_serial: Some(_),
            ..
        })
    ));
    let nobody = identity(&service, &clock())
        .await
        .assume(&spec(), &Person::new(" "), None)
        .await;
    assert!(matches!(nobody, Err(IdentityError::NoName)));
    assert!(service.asked().is_empty());
}

#[tokio::test]
async fn base_credentials_that_have_ended_or_are_not_known() {
    let service = Service::new(|_, _| {
        refusal(
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
        )
    });
    assert!(matches!(
        assume(&service, &spec()).await,
        Err(IdentityError::ExpiredBase(_))
    ));
    let service = Service::new(|_, _| {
        refusal(
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )
    });
    assert!(matches!(
        assume(&service, &spec()).await,
        Err(IdentityError::UnknownBase { .. })
    ));
}

#[tokio::test]
async fn no_answer_is_unreachable() {
    for reply in [
        || Reply::Refused,
        || Reply::Timeout,
        || Reply::Reset,
        || refusal(503, "ServiceUnavailable", "later"),
    ] {
        let service = Service::new(move |_, _| reply());
        let error = assume(&service, &spec()).await.expect_err("no answer");
        assert!(matches!(error, IdentityError::Unreachable(_)), "{error:?}");
    }
}

#[derive(Debug)]
struct Broken(fn() -> CredentialsError);

impl ProvideCredentials for Broken {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(self.0()))
    }
}

async fn without_base(config: SdkConfig) -> IdentityError {
    let identity = payops_aws::identity::Identity::new(config, clock());
    identity
        .assume(&spec(), &anna(), None)
        .await
        .expect_err("no credentials")
}

#[tokio::test]
async fn what_the_chain_says_is_told() {
    let config = generous(USER, &clock()).config().await;
    let with = |failure: fn() -> CredentialsError| {
        config
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(Broken(failure)))
            .build()
    };
    let error = without_base(with(CredentialsError::not_loaded_no_source)).await;
    assert!(
        matches!(error, IdentityError::NoBaseCredentials(_)),
        "{error:?}"
    );
    let error = without_base(with(|| {
        CredentialsError::provider_error("the SSO token has expired and cannot be refreshed")
    }))
    .await;
    assert!(matches!(error, IdentityError::ExpiredBase(_)), "{error:?}");
    let error = without_base(with(|| {
        CredentialsError::provider_timed_out(Duration::from_secs(5))
    }))
    .await;
    assert!(matches!(error, IdentityError::Unreachable(_)), "{error:?}");
    let nothing = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .http_client(config.http_client().expect("a client"))
        .endpoint_url("http://service.test")
        .build();
    let error = without_base(nothing).await;
    assert!(
        matches!(error, IdentityError::NoBaseCredentials(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn each_assume_asks_once() {
    let service = generous(USER, &clock());
    assume(&service, &spec()).await.expect("assumed");
    assert_eq!(
        (service.asked().len(), assumed(&service)),
        (3, 1),
        "who am I, the role, who am I now"
    );
}
