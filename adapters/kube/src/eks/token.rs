//! Tokens of EKS: a presigned request to STS that says who asks, and for which cluster.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use tokio::sync::Mutex;
use tower::BoxError;

/// Tokens are good for 15 minutes; they are renewed well before.
const RENEW_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// How long STS takes the request itself, as EKS asks for.
const EXPIRES_IN: Duration = Duration::from_mins(1);
const CLUSTER_HEADER: &str = "x-k8s-aws-id";

pub(super) type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Makes tokens for one cluster, and keeps the last while it is good.
pub(super) struct Tokens {
    credentials: SharedCredentialsProvider,
    region: String,
    cluster: String,
    now: Now,
    held: Mutex<Option<(HeaderValue, Timestamp)>>,
}

impl Tokens {
    pub(super) fn new(
        credentials: SharedCredentialsProvider,
        region: String,
        cluster: &str,
        now: Now,
    ) -> Self {
        Self {
            credentials,
            region,
            cluster: cluster.to_owned(),
            now,
            held: Mutex::new(None),
        }
    }

    /// The value of the header `Authorization`.
    pub(super) async fn bearer(&self) -> Result<HeaderValue, BoxError> {
        let mut held = self.held.lock().await;
        let now = (self.now)();
        if let Some((value, made)) = held.as_ref()
            && now.duration_since(*made) < RENEW_AFTER
        {
            return Ok(value.clone());
        }
        let credentials = self.credentials.provide_credentials().await?;
        let token = token(credentials, &self.region, &self.cluster, now)?;
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))?;
        value.set_sensitive(true);
        *held = Some((value.clone(), now));
        Ok(value)
    }

    /// The server did not take `refused`: the next request gets a new token.
    pub(super) async fn forget(&self, refused: &HeaderValue) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|(value, _)| value == refused) {
            *held = None;
        }
    }
}

/// A token for `cluster`, signed at `now`.
pub(super) fn token(
    credentials: Credentials,
    region: &str,
    cluster: &str,
    now: Timestamp,
) -> Result<String, BoxError> {
    let suffix = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    let host = format!("sts.{region}.{suffix}");
    let url = format!("https://{host}/?Action=GetCallerIdentity&Version=2011-06-15");
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES_IN);
    let identity = credentials.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(SystemTime::from(now))
        .settings(settings)
        .build()?
        .into();
    let headers = [("host", host.as_str()), (CLUSTER_HEADER, cluster)];
    let signable =
        SignableRequest::new("GET", &url, headers.into_iter(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(signable, &params)?.into_parts();
    let mut request = http::Request::builder().uri(&url).body(())?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(format!(
        "k8s-aws-v1.{}",
        URL_SAFE_NO_PAD.encode(request.uri().to_string())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(token: &str) -> String {
        let text = token.strip_prefix("k8s-aws-v1.").expect("the prefix");
        String::from_utf8(
            URL_SAFE_NO_PAD
                .decode(text)
                .expect("base64 without padding"),
        )
        .expect("a text")
    }

    fn credentials() -> Credentials {
        Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            Some("FwoGZX/tok+en==".into()),
            None,
            "test",
        )
    }

    #[test]
    fn the_golden_vector_matches() {
        let at = "2026-11-22T06:12:18Z".parse().expect("a time");
        let url = decoded(&token(credentials(), "eu-west-1", "prod-1", at).expect("a token"));
        assert_eq!(
            url,
            "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15\
             &X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261122%2Feu-west-1%2Fsts%2Faws4_request\
             &X-Amz-Date=20261122T061218Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id\
             &X-Amz-Signature=fb2cdfa1e0285d369e9b5db10516f74cd1760fcfa12290c44d4c6dd53234bfbb\
             &X-Amz-Security-Token=FwoGZX%2Ftok%2Ben%3D%3D"
        );
    }

    #[tokio::test]
    async fn a_token_is_renewed_after_ten_minutes_or_when_it_is_refused() {
        let clock = Arc::new(std::sync::Mutex::new(
            "2026-11-22T06:00:00Z".parse::<Timestamp>().expect("a time"),
        ));
        let now = Arc::clone(&clock);
        let tokens = Tokens::new(
            SharedCredentialsProvider::new(credentials()),
            "eu-west-1".into(),
            "prod-1",
            Arc::new(move || *now.lock().expect("a clock")),
        );
        let wait = |minutes| {
            let mut now = clock.lock().expect("a clock");
            *now = now
                .checked_add(SignedDuration::from_mins(minutes))
                .expect("a time");
        };
        let first = tokens.bearer().await.expect("a token");
        wait(9);
        assert_eq!(tokens.bearer().await.expect("a token"), first);
        wait(1);
        let second = tokens.bearer().await.expect("a token");
        assert_ne!(second, first);
        wait(1);
        tokens.forget(&first).await;
        assert_eq!(
            tokens.bearer().await.expect("a token"),
            second,
            "a late refusal of an older token changes nothing"
        );
        tokens.forget(&second).await;
        assert_ne!(tokens.bearer().await.expect("a token"), second);
        assert!(format!("{second:?}").contains("Sensitive"));
    }

    #[test]
    fn china_has_names_of_its_own() {
        let url = decoded(
            &token(credentials(), "cn-north-1", "c", Timestamp::UNIX_EPOCH).expect("a token"),
        );
        assert!(
            url.starts_with("https://sts.cn-north-1.amazonaws.com.cn/?"),
            "{url}"
        );
    }
}
