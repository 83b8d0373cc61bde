//! Parses paths and queries of requests.

use http::Method;

use crate::kinds::Kind;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathTarget {
    Objects(ResourcePath),
    AccessReview,
    /// Discovery, health and version.
    Static(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    pub(crate) kind: Kind,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

impl ResourcePath {
    pub(crate) fn verb(&self, method: &Method, watch: bool) -> &'static str {
        match (method.as_str(), &self.name) {
            ("GET", _) if watch => "watch",
            ("GET", Some(_)) => "get",
            ("GET", None) => "list",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", Some(_)) => "delete",
            ("DELETE", None) => "deletecollection",
            _ => "other",
        }
    }

    /// `rollouts` or `rollouts/status`.
    pub(crate) fn resource(&self) -> String {
        match &self.subresource {
            Some(sub) => format!("{}/{sub}", self.kind.plural()),
            None => self.kind.plural().to_owned(),
        }
    }
}

/// Splits a path into the token of its prefix `/token/TOKEN` and the rest.
pub(crate) fn split_token(path: &str) -> Option<(String, String)> {
    let rest = path.strip_prefix("/token/")?;
    let (token, rest) = rest.split_once('/').unwrap_or((rest, ""));
    Some((percent_decode(token), format!("/{rest}")))
}

/// Returns `None` for a path that does not exist.
pub(crate) fn parse_path(path: &str) -> Option<PathTarget> {
    let parts: Vec<String> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(percent_decode)
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["api", "v1", rest @ ..] if !rest.is_empty() => parse_objects("", "v1", rest),
        [
            "apis",
            "authorization.k8s.io",
            "v1",
            "selfsubjectaccessreviews",
        ] => Some(PathTarget::AccessReview),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => {
            parse_objects(group, version, rest)
        }
        _ => Some(PathTarget::Static(path.trim_end_matches('/').to_owned())),
    }
}

fn parse_objects(group: &str, version: &str, rest: &[&str]) -> Option<PathTarget> {
    let at = |namespace: Option<&str>, plural: &str, name: Option<&str>, sub: Option<&str>| {
        let kind = Kind::find(group, version, plural)?;
        if namespace.is_some() && !kind.info().namespaced {
            return None;
        }
        // A path to an object of a namespaced kind has its namespace.
        if name.is_some() && kind.info().namespaced && namespace.is_none() {
            return None;
        }
        let own = |text: Option<&str>| text.map(ToOwned::to_owned);
        Some(PathTarget::Objects(ResourcePath {
            kind,
            namespace: own(namespace),
            name: own(name),
            subresource: own(sub),
        }))
    };
    match rest {
        ["namespaces", name] => {
            at(None, "namespaces", Some(name), None).filter(|_| group.is_empty())
        }
        ["namespaces", name, "status"] if group.is_empty() => {
            at(None, "namespaces", Some(name), Some("status"))
        }
        ["namespaces", namespace, plural] => at(Some(namespace), plural, None, None),
        ["namespaces", namespace, plural, name] => at(Some(namespace), plural, Some(name), None),
        ["namespaces", namespace, plural, name, sub] => {
            at(Some(namespace), plural, Some(name), Some(sub))
        }
        [plural] => at(None, plural, None, None),
        [plural, name] => at(None, plural, Some(name), None),
        [plural, name, sub] => at(None, plural, Some(name), Some(sub)),
        _ => None,
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueryParams(Vec<(String, String)>);

impl QueryParams {
    pub(crate) fn parse(text: &str) -> Self {
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| percent_decode(&text.replace('+', " "));
            (decode(key), decode(value))
        };
        Self(
            text.split('&')
                .filter(|part| !part.is_empty())
                .map(pair)
                .collect(),
        )
    }

    /// Returns a parameter that is set and not empty.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, value)| name == key && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        self.get(key)
            .is_some_and(|value| value == "true" || value == "1")
    }
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes
            .get(at + 1..at + 3)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        let value = hex
            .filter(|_| *byte == b'%')
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        decoded.push(value.unwrap_or(*byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Option<&'a str>);

    #[track_caller]
    fn check(path: &str, expected: Option<Parts<'_>>) {
        let found = match parse_path(path) {
            Some(PathTarget::Objects(at)) => {
                Some((at.kind.plural(), at.namespace, at.name, at.subresource))
            }
            _ => None,
        };
        let own = |text: Option<&str>| text.map(ToOwned::to_owned);
        assert_eq!(
            found,
            expected.map(|(kind, namespace, name, sub)| (
                kind,
                own(namespace),
                own(name),
                own(sub)
            )),
            "{path}"
        );
    }

    #[test]
    fn paths() {
        check("/api/v1/pods", Some(("pods", None, None, None)));
        check(
            "/api/v1/namespaces/a/pods/b",
            Some(("pods", Some("a"), Some("b"), None)),
        );
        check(
            "/api/v1/namespaces/a",
            Some(("namespaces", None, Some("a"), None)),
        );
        check(
            "/apis/argoproj.io/v1alpha1/namespaces/a/rollouts/b/status",
            Some(("rollouts", Some("a"), Some("b"), Some("status"))),
        );
        check(
            "/apis/argoproj.io/v1alpha1/clusteranalysistemplates/x",
            Some(("clusteranalysistemplates", None, Some("x"), None)),
        );
        check("/apis/argoproj.io/v1alpha1/rollouts/x", None);
        check("/apis/argoproj.io/v1/rollouts", None);
        check("/version", None);
    }

    #[test]
    fn queries() {
        let query = QueryParams::parse("labelSelector=a+in+%28b%2Cc%29&watch=1&limit=");
        assert_eq!(query.get("labelSelector"), Some("a in (b,c)"));
        assert!(query.flag("watch"));
        assert_eq!(query.get("limit"), None);
        assert_eq!(
            split_token("/token/a%2Fb/api/v1"),
            Some(("a/b".to_owned(), "/api/v1".to_owned()))
        );
    }
}
