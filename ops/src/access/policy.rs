//! The policy file of an environment.

use std::fs;

use payops_core::domain::access::PolicyRules;

use crate::environment::{Backend, Environment, Settings};
use crate::error::{OpsError, OpsResult};

/// The policy file: beside payops.toml, or in the data directory of an embedded environment.
pub const POLICY_FILE: &str = "policy.toml";

/// The rules of an environment; without a file everybody may do what their access level allows.
pub fn read_policy(settings: &Settings, target: &Environment) -> OpsResult<PolicyRules> {
    let beside = settings
        .found
        .as_ref()
        .and_then(|found| found.path.parent())
        .map(|dir| dir.join(POLICY_FILE));
    let inside = if let Backend::Embedded { data_dir, .. } = &target.target {
        Some(data_dir.join(POLICY_FILE))
    } else {
        None
    };
    // The rules of the data, which all who use it share, come before one's own.
    for path in [inside, beside].into_iter().flatten() {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(OpsError::failed(format!(
                    "cannot read the policy file {}; nothing was done",
                    path.display()
                ))
                .because(error));
            }
        };
        let wrong = |error: String| {
            OpsError::usage(format!(
                "the policy file {} is not valid; nothing was done: {error}",
                path.display()
            ))
            .hint("docs/policy.md describes the file")
        };
        let rules: PolicyRules =
            toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
        let known = settings.all_names();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        rules
            .check_envs(&known)
            .map_err(|error| wrong(error.to_string()))?;
        return Ok(rules);
    }
    Ok(PolicyRules::default())
}
