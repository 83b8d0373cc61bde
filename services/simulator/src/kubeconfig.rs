//! A kubeconfig for served clusters.

use std::fmt::Write as _;

/// Renders a kubeconfig with one context for each `(name, url, token)`; the first is current.
///
/// kubectl sends tokens over TLS only. For a plain `http` URL the token is therefore also a path
/// prefix, `URL/token/TOKEN`, which the server accepts too.
#[must_use]
pub fn kubeconfig(contexts: &[(String, String, String)]) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = String::from("apiVersion: v1\nkind: Config\npreferences: {}\n");
    if let Some((name, ..)) = contexts.first() {
        let _ = writeln!(text, "current-context: {}", quoted(name));
    }
    text.push_str("clusters:\n");
    for (name, url, token) in contexts {
        let url = url.trim_end_matches('/');
        let server = if url.starts_with("http://") && !token.is_empty() {
            format!("{url}/token/{token}")
        } else {
            url.to_owned()
        };
        let _ = writeln!(
            text,
            "- name: {}\n  cluster:\n    server: {}",
            quoted(name),
            quoted(&server)
        );
    }
    text.push_str("users:\n");
    for (name, _, token) in contexts {
        let _ = writeln!(
            text,
            "- name: {}\n  user:\n    token: {}",
            quoted(name),
            quoted(token)
        );
    }
    text.push_str("contexts:\n");
    for (name, ..) in contexts {
        let name = quoted(name);
        let _ = writeln!(
            text,
            "- name: {name}\n  context:\n    cluster: {name}\n    user: {name}\n    namespace: \
                \"payments\""
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_context_for_each_environment() {
        let one = |name: &str, port: &str| {
            (
                name.to_owned(),
                format!("http://127.0.0.1:{port}"),
                "s3cret".to_owned(),
            )
        };
        let text = kubeconfig(&[one("prod", "1"), one("test", "2")]);
        assert!(text.contains("current-context: \"prod\"\n"), "{text}");
        assert!(
            text.contains("server: \"http://127.0.0.1:2/token/s3cret\"\n"),
            "{text}"
        );
        assert_eq!(text.matches("token: \"s3cret\"").count(), 2);
    }
}
