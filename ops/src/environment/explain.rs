//! Where each setting comes from.

use serde::Serialize;

use super::config::{AwsConfig, ClusterConfig, EnvConfig};
use super::settings::{Origin, Settings};

/// A setting: `{"name":…,"value":…,"source":…}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name; those of an environment are `environments.NAME.…`.
    pub name: String,
    /// Its value; `null` when it has none.
    pub value: Option<String>,
    pub source: String,
}

/// Every setting, its value and where it came from; secrets are never shown.
#[must_use]
pub fn explain(settings: &Settings) -> Vec<Setting> {
    let row = |name: &str, value: Option<String>, source: &Origin| Setting {
        name: name.to_owned(),
        value,
        source: source.to_string(),
    };
    let mut out = vec![
        row(
            "config",
            settings
                .found
                .as_ref()
                .map(|found| found.path.display().to_string()),
            &settings.found_by,
        ),
        row(
            "data_dir",
            Some(settings.data_dir.value.display().to_string()),
            &settings.data_dir.origin,
        ),
        row(
            "user",
            Some(settings.who.value.clone()),
            &settings.who.origin,
        ),
    ];
    match &settings.envs {
        Ok(envs) => out.push(row("env", Some(envs.value.join(",")), &envs.origin)),
        Err(_) => out.push(row("env", None, &Origin::Default)),
    }
    let url = settings.api_url.as_ref();
    out.push(row(
        "api_url",
        url.map(|url| url.value.clone()),
        url.map_or(&Origin::Default, |url| &url.origin),
    ));
    out.push(secret("api_key", "PAYOPS_API_KEY"));
    if let Some(context) = &settings.context {
        out.push(row(
            "context",
            context.cluster.context.clone(),
            &context.origin,
        ));
    }
    let Some(found) = &settings.found else {
        return out;
    };
    let origin = Origin::File(found.path.clone());
    for (name, environment) in &found.config.environments {
        for (field, value) in fields(environment) {
            out.push(row(
                &format!("environments.{name}.{field}"),
                Some(value),
                &origin,
            ));
        }
        if let EnvConfig::Aws(aws) = environment {
            if let (None, Some(bus)) = (&aws.audit_bus, aws.audit_bus()) {
                let name = format!("environments.{name}.audit_bus");
                out.push(Setting {
                    name,
                    value: Some(bus.to_owned()),
                    source: "default: bus".to_owned(),
                });
            }
            let secrets = [
                ("api_key", &aws.api_key_env),
                ("ledger_url", &aws.ledger_url_env),
            ];
            out.extend(secrets.into_iter().filter_map(|(field, variable)| {
                Some(secret(
                    &format!("environments.{name}.{field}"),
                    variable.as_deref()?,
                ))
            }));
        }
    }
    out
}

/// A secret that an environment variable holds: only whether it does is told.
fn secret(name: &str, variable: &str) -> Setting {
    let set = std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    Setting {
        name: name.to_owned(),
        value: set.then(|| "•••".to_owned()),
        source: if set {
            format!("{variable} (environment variable)")
        } else {
            format!("default ({variable} is not set)")
        },
    }
}

fn explain_cluster(cluster: &ClusterConfig) -> (&'static str, Option<String>) {
    let access = format!("{}: {}", cluster.name, cluster.describe_access());
    ("clusters", Some(access))
}

fn fields(environment: &EnvConfig) -> Vec<(&'static str, String)> {
    let flag = |value: Option<bool>| value.map(|value| value.to_string());
    let mut pairs: Vec<(&'static str, Option<String>)> = match environment {
        EnvConfig::Embedded(own) => vec![
            ("kind", Some("embedded".to_owned())),
            (
                "data_dir",
                own.data_dir.as_ref().map(|dir| dir.display().to_string()),
            ),
            ("env", own.env.clone()),
            (
                "audit_dir",
                own.audit_dir.as_ref().map(|dir| dir.display().to_string()),
            ),
            ("protected", flag(own.protected)),
        ],
        EnvConfig::Aws(aws) => {
            let AwsConfig {
                region,
                account_id,
                profile,
                endpoint_url,
                table,
                bucket,
                bus,
                audit_bus,
                ..
            } = &**aws;
            let mut pairs = vec![
                ("kind", Some("aws".to_owned())),
                ("region", region.clone()),
                ("account_id", account_id.clone()),
                ("profile", profile.clone()),
                ("endpoint_url", endpoint_url.clone()),
                ("table", table.clone()),
                ("bucket", bucket.clone()),
                ("bus", bus.clone()),
                ("audit_bus", audit_bus.clone()),
                ("queues.prefix", aws.queue_prefix().map(str::to_owned)),
            ];
            pairs.extend([
                ("ledger_url_secret", aws.ledger_url_secret.clone()),
                ("ledger_url_env", aws.ledger_url_env.clone()),
                ("opensearch_url", aws.opensearch_url.clone()),
                ("index", aws.index.clone()),
                ("api_url", aws.api_url.clone()),
                ("api_key_env", aws.api_key_env.clone()),
                ("from_address", aws.from_address.clone()),
                ("protected", flag(aws.protected)),
            ]);
            let roles = [
                ("view", "roles.view"),
                ("operate", "roles.operate"),
                ("break-glass", "roles.break-glass"),
            ];
            pairs.extend(
                roles
                    .into_iter()
                    .map(|(duty, name)| (name, aws.roles.get(duty).map(|role| role.arn.clone()))),
            );
            pairs.extend(aws.clusters.iter().map(explain_cluster));
            pairs
        }
        EnvConfig::Kubernetes(own) => {
            let mut pairs = vec![
                ("kind", Some("kubernetes".to_owned())),
                (
                    "audit_dir",
                    own.audit_dir.as_ref().map(|dir| dir.display().to_string()),
                ),
                ("protected", flag(own.protected)),
            ];
            pairs.extend(own.clusters.iter().map(explain_cluster));
            pairs
        }
    };
    let consumers = environment
        .consumers()
        .into_iter()
        .flatten()
        .map(|(queue, rollout)| ("consumers", Some(format!("{queue}: {}", rollout.0))));
    pairs.extend(consumers);
    pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}
