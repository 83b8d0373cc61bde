//! Credentials for the SDK: one request for many callers, renewals beside the calls, holds.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::ProvideCredentials as _;
use payops_aws::identity::{IdentityError, MfaCode, RoleCredentials, RoleSpec, SessionCache};
use payops_core::port::Clock;

use super::{
    USER, action, anna, assumed, clock, ends, generous, identity, refusal, session, spec, sts,
};
use crate::support::Service;

async fn credentials(service: &Service, clock: &Arc<dyn Clock>) -> RoleCredentials {
    RoleCredentials::new(identity(service, clock).await, spec(), anna(), None)
}

async fn key(credentials: &RoleCredentials) -> String {
    credentials
        .provide_credentials()
        .await
        .expect("credentials")
        .access_key_id()
        .to_owned()
}

/// One that gives sessions until `refuse_from` were given, and refuses from then on.
fn failing(clock: &Arc<dyn Clock>, refuse_from: usize) -> Service {
    let clock = Arc::clone(clock);
    sts(USER, move |before, asked| match before {
        before if before < refuse_from => session(before + 1, ends(clock.now(), asked)),
        _ => refusal(
            403,
            "AccessDenied",
            "Not authorized to perform sts:AssumeRole",
        ),
    })
}

async fn pass(minutes: u64) {
    tokio::time::sleep(Duration::from_mins(minutes)).await;
}

#[tokio::test(start_paused = true)]
async fn many_callers_make_one_request() {
    let clock = clock();
    let service = generous(USER, &clock);
    let credentials = credentials(&service, &clock).await;
    let keys = futures::future::join_all((0..50).map(|_| key(&credentials))).await;
    assert!(keys.iter().all(|key| key == "ASIA1"));
    assert_eq!(assumed(&service), 1);
}

#[tokio::test(start_paused = true)]
async fn many_callers_are_told_one_failure() {
    let clock = clock();
    let service = failing(&clock, 0);
    let credentials = credentials(&service, &clock).await;
    let results = futures::future::join_all((0..50).map(|_| credentials.session())).await;
    assert!(
        results
            .iter()
            .all(|result| matches!(result, Err(IdentityError::RoleRefused { .. })))
    );
    assert!(
        credentials.session().await.is_err(),
        "and a call right after it"
    );
    assert_eq!(assumed(&service), 1);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(credentials.session().await.is_err());
    assert_eq!(assumed(&service), 2);
}

#[tokio::test(start_paused = true)]
async fn the_background_renews_five_minutes_before_the_end_until_it_is_stopped() {
    let clock = clock();
    let service = generous(USER, &clock);
    let credentials = credentials(&service, &clock).await;
    let renewal = credentials.renew_in_background();
    pass(10).await;
    assert_eq!(assumed(&service), 0, "nobody asked yet");
    assert_eq!(key(&credentials).await, "ASIA1");
    pass(54).await;
    assert_eq!(
        (key(&credentials).await.as_str(), assumed(&service)),
        ("ASIA1", 1)
    );
    pass(2).await;
    assert_eq!(
        (key(&credentials).await.as_str(), assumed(&service)),
        ("ASIA2", 2)
    );
    pass(120).await;
    assert_eq!(assumed(&service), 4);
    renewal.stop().await;
    pass(120).await;
    assert_eq!(assumed(&service), 4);
    assert!(credentials.status().session.is_none());
    assert_eq!(key(&credentials).await, "ASIA5", "got when it is asked for");
}

#[tokio::test(start_paused = true)]
async fn while_renewals_fail_the_old_credentials_go_on_until_they_end() {
    let clock = clock();
    let service = failing(&clock, 1);
    let credentials = credentials(&service, &clock).await;
    assert_eq!(key(&credentials).await, "ASIA1");
    let _renewal = credentials.renew_in_background();
    pass(59).await;
    assert_eq!(key(&credentials).await, "ASIA1");
    let status = credentials.status();
    assert!(
        matches!(status.failure, Some(IdentityError::RoleRefused { .. }))
            && status.left > Duration::ZERO,
        "{status:?}"
    );
    let tries = assumed(&service);
    assert!((6..=10).contains(&tries), "every half a minute: {tries}");
    pass(2).await;
    let error = credentials.provide_credentials().await.expect_err("ended");
    assert!(
        matches!(
            IdentityError::within(&error),
            Some(IdentityError::RoleRefused { .. })
        ),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn sts_is_not_hammered_when_what_it_gives_has_ended() {
    let clock = clock();
    let behind = Arc::clone(&clock);
    // Good for a quarter of an hour first; what comes after it has ended before it began.
    let service = sts(USER, move |before, _| {
        let until = if before == 0 {
            behind
                .now()
                .checked_add(Duration::from_mins(15))
                .expect("within range")
        } else {
            behind.now()
        };
        session(before + 1, until)
    });
    let credentials = credentials(&service, &clock).await;
    credentials.session().await.expect("a session");
    let _renewal = credentials.renew_in_background();
    pass(20).await;
    let tries = assumed(&service);
    assert!((2..=45).contains(&tries), "{tries}");
    assert!(matches!(
        credentials.session().await,
        Err(IdentityError::EndedAlready { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_cannot_be_used_is_told_and_stops_nobody() {
    let clock = clock();
    let service = generous(USER, &clock);
    let temp = tempfile::tempdir().expect("a folder");
    std::fs::write(temp.path().join("sessions"), "a file").expect("written");
    let cache = SessionCache::new(temp.path().join("sessions"));
    let credentials = RoleCredentials::new(
        identity(&service, &clock).await,
        spec(),
        anna(),
        Some(cache),
    );
    assert_eq!(key(&credentials).await, "ASIA1");
    let trouble = credentials.status().cache_trouble.expect("told");
    assert!(trouble.contains("cannot cache the session"), "{trouble}");
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_service_tells_why_there_are_no_credentials() {
    let clock = clock();
    let service = failing(&clock, 0);
    let credentials = credentials(&service, &clock).await;
    let client = aws_sdk_sqs::Client::new(&credentials.config());
    let error = client
        .list_queues()
        .send()
        .await
        .expect_err("no credentials");
    assert!(
        matches!(
            IdentityError::within(&error),
            Some(IdentityError::RoleRefused { .. })
        ),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn clients_use_the_renewed_credentials_at_once() {
    let clock = clock();
    let service = generous(USER, &clock);
    let credentials = credentials(&service, &clock).await;
    let client = aws_sdk_sts::Client::new(&credentials.config());
    let _renewal = credentials.renew_in_background();
    client.get_caller_identity().send().await.expect("told");
    pass(56).await;
    client.get_caller_identity().send().await.expect("told");
    let signed = service.asked().last().map(action);
    assert_eq!(signed, Some(("GetCallerIdentity".to_owned(), 2)));
}

#[tokio::test(start_paused = true)]
async fn a_hold_renews_first_and_nothing_changes_during_it() {
    let clock = clock();
    let service = generous(USER, &clock);
    let credentials = credentials(&service, &clock).await;
    let _renewal = credentials.renew_in_background();
    assert_eq!(key(&credentials).await, "ASIA1");
    pass(30).await;
    let hold = credentials
        .hold(Duration::from_mins(50))
        .await
        .expect("held");
    assert_eq!(
        (key(&credentials).await.as_str(), assumed(&service)),
        ("ASIA2", 2),
        "the first would not have lasted"
    );
    let second = credentials
        .hold(Duration::from_mins(58))
        .await
        .expect("held, as it lasts");
    pass(57).await;
    assert_eq!(
        (key(&credentials).await.as_str(), assumed(&service)),
        ("ASIA2", 3),
        "renewed, and not yet swapped"
    );
    assert!(credentials.status().held_until.is_some());
    drop((hold, second));
    assert_eq!(key(&credentials).await, "ASIA3");
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_cannot_be_kept_is_refused() {
    let clock = clock();
    let service = generous(USER, &clock);
    let credentials = credentials(&service, &clock).await;
    let error = credentials
        .hold(Duration::from_hours(2))
        .await
        .expect_err("too long");
    assert!(
        matches!(error, IdentityError::TooShort { .. }) && assumed(&service) == 0,
        "{error:?}"
    );
    let first = credentials
        .hold(Duration::from_mins(20))
        .await
        .expect("held");
    pass(10).await;
    let error = credentials
        .hold(Duration::from_mins(55))
        .await
        .expect_err("the first must not be disturbed");
    assert!(
        matches!(error, IdentityError::Held { until } if until == first.until()),
        "{error:?}"
    );
    drop(first);
    assert!(credentials.hold(Duration::from_mins(55)).await.is_ok());
    assert_eq!(assumed(&service), 2);
}

#[tokio::test(start_paused = true)]
async fn the_cache_saves_a_request_for_the_next_command() {
    let clock = clock();
    let service = generous(USER, &clock);
    let temp = tempfile::tempdir().expect("a folder");
    let cache = SessionCache::new(temp.path().join("sessions"));
    let command = async || {
        RoleCredentials::new(
            identity(&service, &clock).await,
            spec(),
            anna(),
            Some(cache.clone()),
        )
    };
    assert_eq!(key(&command().await).await, "ASIA1");
    assert_eq!(key(&command().await).await, "ASIA1");
    assert_eq!(service.asked().len(), 3);
    pass(56).await;
    assert_eq!(
        key(&command().await).await,
        "ASIA2",
        "the kept one was to be renewed"
    );
    assert_eq!(key(&command().await).await, "ASIA2");
}

#[tokio::test(start_paused = true)]
async fn a_role_with_a_device_goes_on_with_what_is_kept_and_needs_a_code_to_renew() {
    let clock = clock();
    let service = generous(USER, &clock);
    let temp = tempfile::tempdir().expect("a folder");
    let cache = SessionCache::new(temp.path().join("sessions"));
    let spec = RoleSpec {
        mfa_serial: Some("arn:aws:iam::471122334455:mfa/anna".to_owned()),
        ..spec()
    };
    let command = async || {
        RoleCredentials::new(
            identity(&service, &clock).await,
            spec.clone(),
            anna(),
            Some(cache.clone()),
        )
    };
    let first = command().await;
    assert!(matches!(
        first.session().await,
        Err(IdentityError::MfaNeeded { .. })
    ));
    first
        .renew_with(MfaCode::parse("123456").expect("a code"))
        .await
        .expect("assumed");
    assert_eq!(key(&first).await, "ASIA1");
    pass(57).await;
    let second = command().await;
    assert_eq!(key(&second).await, "ASIA1", "better than none");
    assert!(matches!(
        second.hold(Duration::from_mins(10)).await,
        Err(IdentityError::MfaNeeded { .. })
    ));
    second
        .renew_with(MfaCode::parse("654321").expect("a code"))
        .await
        .expect("assumed");
    assert_eq!(
        (key(&second).await.as_str(), assumed(&service)),
        ("ASIA2", 2)
    );
}
