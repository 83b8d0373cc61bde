//! The token of a cluster of EKS: a signed call to STS that the cluster makes to learn who asks.
//!
//! `k8s-aws-v1.` and, in base64url without padding, the URL of a presigned GET of
//! `GetCallerIdentity` that is bound to the cluster by the signed header `x-k8s-aws-id`.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tower::BoxError;

/// Signs a token for `cluster` as of `now`. The cluster takes it for about 15 minutes.
pub(super) fn sign_token(credentials: Credentials, region: &str, cluster: &str, now: SystemTime) -> Result<String, BoxError> {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let url = format!("https://sts.{region}.{suffix}/?Action=GetCallerIdentity&Version=2011-06-15");
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_mins(1));
    let identity = credentials.into();
    let params = v4::SigningParams::builder().identity(&identity).region(region).name("sts").time(now).settings(settings).build()?;
    let headers = [("x-k8s-aws-id", cluster)].into_iter();
    let signable = SignableRequest::new("GET", url.as_str(), headers, SignableBody::Bytes(b""))?;
    let (instructions, _) = sign(signable, &params.into())?.into_parts();
    let mut request = http::Request::builder().method("GET").uri(&url).body(())?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(request.uri().to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_matches_the_known_one_to_the_character() {
        let credentials =
            Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Some("FwoGZX/tok+en==".to_owned()), None, "test");
        let at: jiff::Timestamp = "2026-11-22T06:12:18Z".parse().expect("a time");
        let token = sign_token(credentials, "eu-west-1", "prod-1", at.into()).expect("a token");
        let url = URL_SAFE_NO_PAD.decode(token.strip_prefix("k8s-aws-v1.").expect("a prefix")).expect("base64url");
        assert_eq!(
            String::from_utf8(url).expect("a text"),
            "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15\
             &X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261122%2Feu-west-1%2Fsts%2Faws4_request\
             &X-Amz-Date=20261122T061218Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id\
             &X-Amz-Signature=fb2cdfa1e0285d369e9b5db10516f74cd1760fcfa12290c44d4c6dd53234bfbb\
             &X-Amz-Security-Token=FwoGZX%2Ftok%2Ben%3D%3D"
        );
    }
}
