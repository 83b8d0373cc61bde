//! Calls to Argo CD's API.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use payops_core::domain::rollout::RolloutKey;
use payops_core::port::{ErrorKind, PortError, PortResult};
use reqwest::{Client, Method, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::optional_text;
use crate::api::fail::{Cause, Failure, innermost, one_line};
use crate::api::{Timing, retry_after};
use crate::connect::CONNECT_LIMIT;
use crate::wire::text;

/// An application, by the names that Argo CD needs to find it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct App {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Object {
    pub(super) fn rollout(key: &RolloutKey) -> Self {
        Self {
            group: "argoproj.io".to_owned(),
            version: "v1alpha1".to_owned(),
            kind: "Rollout".to_owned(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }
    }
}

#[derive(Clone)]
pub(super) struct ArgoCdApi {
    http: Client,
    base: Url,
    token: SecretString,
    pub(super) cluster: Arc<str>,
    pub(super) timing: Timing,
    /// Whether it is older than 3.1, whose actions take another body.
    old_actions: Arc<AtomicBool>,
}

impl ArgoCdApi {
    pub(super) async fn connect(
        url: &str,
        token: SecretString,
        cluster: &str,
        timing: Timing,
    ) -> PortResult<Self> {
        let wrong = |message: String| {
            PortError::new(
                ErrorKind::Permanent,
                format!("cluster {cluster}: {message}"),
            )
        };
        let mut base = Url::parse(url)
            .map_err(|error| wrong(format!("`{url}` is not a valid Argo CD URL: {error}")))?;
        let local = matches!(base.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if base.cannot_be_a_base()
            || !(base.scheme() == "https" || base.scheme() == "http" && local)
        {
            return Err(wrong(format!(
                "Argo CD needs an https URL, not `{}`: the token would be sent unencrypted",
                base.scheme()
            )));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let http = Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .build();
        let http = http.map_err(|error| {
            PortError::because(
                ErrorKind::Unavailable,
                format!("cluster {cluster}: cannot create an HTTP client"),
                error,
            )
        })?;
        let api = Self {
            http,
            base,
            token,
            cluster: cluster.into(),
            timing,
            old_actions: Arc::default(),
        };
        let version = api
            .call(
                "read the version",
                Method::GET,
                &["api", "version"],
                &[],
                None,
            )
            .await?;
        api.old_actions
            .store(is_old(text(&version, "/Version")), Ordering::Relaxed);
        Ok(api)
    }

    /// Where it is, without what may be secret.
    pub(super) fn host(&self) -> String {
        self.base.host_str().unwrap_or_default().to_owned()
    }

    /// The rollouts of all applications, by application. One that several of them name is told
    /// once: of the same namespace and name there is one in a cluster.
    pub(super) async fn rollouts(&self) -> Result<Vec<(App, RolloutKey)>, Failure> {
        let listed = self
            .call(
                "list applications",
                Method::GET,
                &["api", "v1", "applications"],
                &[],
                None,
            )
            .await?;
        let apps = listed
            .get("items")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let mut out: Vec<(App, RolloutKey)> = Vec::new();
        for item in apps {
            let app = App {
                name: text(item, "/metadata/name").to_owned(),
                namespace: optional_text(item, "/metadata/namespace"),
            };
            for resource in item
                .pointer("/status/resources")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                if text(resource, "/group") == "argoproj.io" && text(resource, "/kind") == "Rollout"
                {
                    let key = RolloutKey {
                        namespace: text(resource, "/namespace").to_owned(),
                        name: text(resource, "/name").to_owned(),
                    };
                    out.push((app.clone(), key));
                }
            }
        }
        // The order of the answer is nobody's promise, and which application is asked must not
        // change.
        out.sort_by(|(app, key), (other, of)| (key, app).cmp(&(of, other)));
        out.dedup_by(|(app, key), (kept, of)| {
            let same = key == of;
            if same && app != kept {
                tracing::warn!(
                    rollout = %key,
                    used = kept.name,
                    ignored = app.name,
                    "two applications list the same rollout"
                );
            }
            same
        });
        Ok(out)
    }

    /// One object as the cluster holds it; `None` when it is not there.
    pub(super) async fn object(
        &self,
        app: &App,
        object: &Object,
    ) -> Result<Option<Value>, Failure> {
        let verb = format!(
            "read {} {}/{}",
            object.kind.to_lowercase(),
            object.namespace,
            object.name
        );
        let mut query = vec![
            ("namespace", object.namespace.as_str()),
            ("resourceName", object.name.as_str()),
            ("version", object.version.as_str()),
            ("group", object.group.as_str()),
            ("kind", object.kind.as_str()),
        ];
        query.extend(
            app.namespace
                .as_deref()
                .map(|namespace| ("appNamespace", namespace)),
        );
        let path = ["api", "v1", "applications", app.name.as_str(), "resource"];
        let answer = match self.call(&verb, Method::GET, &path, &query, None).await {
            Ok(answer) => answer,
            Err(failure) if is_absent(&failure) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let manifest = text(&answer, "/manifest");
        let read = serde_json::from_str(manifest).map(Some);
        read.map_err(|error| self.to_failure(&verb, false, Cause::Unreadable(error.into())))
    }

    pub(super) async fn tree(&self, app: &App) -> Result<Value, Failure> {
        let query: Vec<(&str, &str)> = app
            .namespace
            .as_deref()
            .map(|namespace| ("appNamespace", namespace))
            .into_iter()
            .collect();
        let path = [
            "api",
            "v1",
            "applications",
            app.name.as_str(),
            "resource-tree",
        ];
        self.call(
            &format!("read the tree of {}", app.name),
            Method::GET,
            &path,
            &query,
            None,
        )
        .await
    }

    pub(super) async fn run_action(
        &self,
        app: &App,
        key: &RolloutKey,
        action: &str,
    ) -> Result<(), Failure> {
        let verb = format!("{action} rollout {key}");
        let path = [
            "api",
            "v1",
            "applications",
            app.name.as_str(),
            "resource",
            "actions",
            "v2",
        ];
        if !self.old_actions.load(Ordering::Relaxed) {
            let mut body = json!({
                "namespace": key.namespace, "resourceName": key.name, "version": "v1alpha1",
                "group": "argoproj.io", "kind": "Rollout",
                "action": action,
            });
            if let (Some(namespace), Some(body)) = (&app.namespace, body.as_object_mut()) {
                body.insert("appNamespace".to_owned(), json!(namespace));
            }
            match self
                .call(&verb, Method::POST, &path, &[], Some(&body))
                .await
            {
                // The route is not there: nothing was done, and an older one is.
                Err(failure) if is_no_route(&failure) => {
                    self.old_actions.store(true, Ordering::Relaxed);
                }
                other => return other.map(drop),
            }
        }
        let mut query = vec![
            ("namespace", key.namespace.as_str()),
            ("resourceName", key.name.as_str()),
            ("version", "v1alpha1"),
            ("group", "argoproj.io"),
            ("kind", "Rollout"),
        ];
        query.extend(
            app.namespace
                .as_deref()
                .map(|namespace| ("appNamespace", namespace)),
        );
        let path = [
            "api",
            "v1",
            "applications",
            app.name.as_str(),
            "resource",
            "actions",
        ];
        self.call(&verb, Method::POST, &path, &query, Some(&json!(action)))
            .await
            .map(drop)
    }

    async fn call(
        &self,
        verb: &str,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let writes = method != Method::GET;
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            // Names are percent-encoded: none can leave its place.
            segments.pop_if_empty().extend(path);
        }
        url.query_pairs_mut().extend_pairs(query).finish();
        if query.is_empty() {
            url.set_query(None);
        }
        let mut request = self
            .http
            .request(method, url)
            .timeout(self.timing.call)
            .bearer_auth(self.token.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request)
            .await
            .map_err(|cause| self.to_failure(verb, writes, cause))
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Value, Cause> {
        let response = request.send().await.map_err(|error| self.to_cause(error))?;
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        let body = response
            .bytes()
            .await
            .map_err(|error| self.to_cause(error))?;
        if status.is_success() {
            return if body.is_empty() {
                Ok(Value::Null)
            } else {
                serde_json::from_slice(&body).map_err(|error| Cause::Unreadable(error.into()))
            };
        }
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        let message = [text(&told, "/message"), text(&told, "/error")]
            .into_iter()
            .find(|text| !text.is_empty())
            .map(one_line);
        let message =
            message.unwrap_or_else(|| status.canonical_reason().unwrap_or_default().to_owned());
        // gRPC's "not found" and "permission denied" come as other statuses from some proxies.
        let code = match told.get("code").and_then(Value::as_u64) {
            Some(5) => StatusCode::NOT_FOUND.as_u16(),
            Some(7) => StatusCode::FORBIDDEN.as_u16(),
            _ => status.as_u16(),
        };
        Err(Cause::Answer {
            code,
            message,
            retry_after,
        })
    }

    fn to_cause(&self, error: reqwest::Error) -> Cause {
        let error = error.without_url();
        if error.is_connect() {
            Cause::Connect {
                // No path and no user name: they may hold a secret.
                to: Some(self.base.origin().ascii_serialization().into()),
                why: innermost(&error),
            }
        } else if error.is_timeout() {
            Cause::TimedOut(self.timing.call)
        } else {
            Cause::Lost(error.into())
        }
    }

    fn to_failure(&self, verb: &str, writes: bool, cause: Cause) -> Failure {
        Failure {
            what: format!("cluster {} (Argo CD): {verb}", self.cluster),
            writes,
            cause,
        }
    }
}

/// Whether an object is not there. One that an application wants and that was not made yet, or is
/// gone, is "not found as part of" it, which Argo CD answers as a wrong argument.
fn is_absent(failure: &Failure) -> bool {
    match &failure.cause {
        Cause::Answer { code: 404, .. } => true,
        Cause::Answer {
            code: 400, message, ..
        } => message.contains("not found as part of application"),
        _ => false,
    }
}

/// Whether there is no such route: another method's (405, or gRPC's "unimplemented", 501), or none
/// at all, which says nothing but "Not Found"; what is not there behind a route is named.
fn is_no_route(failure: &Failure) -> bool {
    match &failure.cause {
        Cause::Answer {
            code: 405 | 501, ..
        } => true,
        Cause::Answer {
            code: 404, message, ..
        } => message == "Not Found",
        _ => false,
    }
}

/// Whether a version such as `v3.0.12+f8ee4f0` is before 3.1.
fn is_old(version: &str) -> bool {
    let mut numbers = version
        .trim_start_matches('v')
        .split(['.', '+', '-'])
        .map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < (3, 1),
        // One that nobody can read is taken for new: an old one answers 405, and is found out.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for (version, old) in [
            ("v3.0.12+f8ee4f0", true),
            ("v3.1.0", false),
            ("v2.14.9", true),
            ("v3.10.0-rc1", false),
            ("latest", false),
        ] {
            assert_eq!(is_old(version), old, "{version}");
        }
    }
}
