//! The parts that an environment may have, and what `payops.toml` must say for each.

use super::config::{AwsConfig, ClusterConfig, FILE};
use super::settings::{Backend, Environment};
use crate::error::OpsError;

/// A part of an environment that it may lack. Each stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Payments,
    Queues,
    Archive,
    Bus,
    Ledger,
    SearchIndex,
    Clusters,
}

impl Part {
    pub const ALL: [Self; 7] = [
        Self::Payments,
        Self::Queues,
        Self::Archive,
        Self::Bus,
        Self::Ledger,
        Self::SearchIndex,
        Self::Clusters,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payments => "payments",
            Self::Queues => "queues",
            Self::Archive => "archive",
            Self::Bus => "bus",
            Self::Ledger => "ledger",
            Self::SearchIndex => "search index",
            Self::Clusters => "clusters",
        }
    }

    /// The members of an environment in AWS that are missing for it.
    fn missing_members(self, aws: &AwsConfig) -> Vec<&'static str> {
        let is_said =
            |value: &Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
        let account = ("account_id", is_said(&aws.account_id));
        let own = match self {
            Self::Payments => vec![("table", is_said(&aws.table))],
            Self::Queues => vec![("queues", aws.queue_prefix().is_some())],
            Self::Archive => vec![("bucket", is_said(&aws.bucket))],
            Self::Bus => vec![("bus", is_said(&aws.bus))],
            Self::Ledger => vec![(
                "ledger_url_secret",
                is_said(&aws.ledger_url_secret) || is_said(&aws.ledger_url_env),
            )],
            Self::SearchIndex => vec![
                ("opensearch_url", is_said(&aws.opensearch_url)),
                ("index", is_said(&aws.index)),
            ],
            Self::Clusters => vec![("clusters", !aws.clusters.is_empty())],
        };
        let account = Some(account).filter(|_| self.is_in_account(aws));
        let members = account.into_iter().chain(own);
        members
            .filter(|(_, is_there)| !is_there)
            .map(|(member, _)| member)
            .collect()
    }

    /// Whether it is reached with credentials of the account.
    fn is_in_account(self, aws: &AwsConfig) -> bool {
        match self {
            Self::Payments | Self::Queues | Self::Archive | Self::Bus => true,
            Self::Ledger => aws.ledger_url_env.is_none(),
            // Of clusters only those of EKS are, and each of them says so itself.
            Self::SearchIndex | Self::Clusters => false,
        }
    }
}

impl Environment {
    /// That it does not have `part`, and which settings would give it one; `None` when it has.
    #[must_use]
    pub fn missing(&self, part: Part) -> Option<OpsError> {
        let (name, what) = (&self.name, part.as_str());
        let hint = match &self.target {
            Backend::Embedded { .. } => return None,
            Backend::Aws(aws) => {
                let members = part.missing_members(aws);
                if members.is_empty() {
                    return None;
                }
                format!(
                    "add {} to [environments.{name}] in {FILE}",
                    in_words(&members)
                )
            }
            Backend::Kubernetes(own) if part == Part::Clusters => {
                if !own.clusters.is_empty() {
                    return None;
                }
                format!("add clusters to [environments.{name}] in {FILE}")
            }
            Backend::Kubernetes(own) => {
                let members = in_words(&part.missing_members(&AwsConfig::default()));
                if own.is_from_kubeconfig {
                    format!(
                        "a context has clusters alone; declare an environment in {FILE} with \
                            kind = \"aws\", {members}"
                    )
                } else {
                    format!(
                        "it is of kind kubernetes; set kind = \"aws\" and add {members} to \
                            [environments.{name}] in {FILE}"
                    )
                }
            }
        };
        Some(OpsError::usage(format!("{name} has no {what}")).hint(hint))
    }

    /// Its clusters as they are configured; those of an embedded environment are not.
    #[must_use]
    pub fn clusters(&self) -> &[ClusterConfig] {
        match &self.target {
            Backend::Embedded { .. } => &[],
            Backend::Aws(aws) => &aws.clusters,
            Backend::Kubernetes(own) => &own.clusters,
        }
    }

    /// What a plan says where an environment has no table that would hold its freeze for everybody.
    #[must_use]
    pub fn kept_here(&self) -> Option<String> {
        let (has_table, is_shipped) = match &self.target {
            Backend::Embedded { .. } => return None,
            Backend::Aws(aws) => {
                let has_table = aws.table.as_ref().is_some_and(|table| !table.is_empty());
                (has_table, aws.audit_bus().is_some())
            }
            Backend::Kubernetes(_) => (false, false),
        };
        let what = match (has_table, is_shipped) {
            (true, _) => return None,
            (false, true) => "the freeze",
            (false, false) => "freeze and audit record",
        };
        let are = if is_shipped { "is" } else { "are" };
        Some(format!(
            "{what} of {} {are} kept on this machine: it has no table",
            self.name
        ))
    }
}

/// `a`, `a and b`, `a, b and c`.
fn in_words(members: &[&str]) -> String {
    match members {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_aws(aws: AwsConfig) -> Environment {
        Environment {
            name: "live".to_owned(),
            target: Backend::Aws(Box::new(aws)),
            protected: false,
        }
    }

    #[track_caller]
    fn check(env: &Environment, part: Part, hint: Option<&str>) {
        let missing = env.missing(part);
        let found = missing.and_then(|missing| missing.hint);
        assert_eq!(found.as_deref(), hint, "{part:?}");
    }

    #[test]
    fn what_is_missing_is_named_by_its_members() {
        let nothing = in_aws(AwsConfig::default());
        let add = |members: &str| format!("add {members} to [environments.live] in payops.toml");
        for (part, members) in [
            (Part::Payments, "account_id and table"),
            (Part::Queues, "account_id and queues"),
            (Part::Ledger, "account_id and ledger_url_secret"),
            (Part::SearchIndex, "opensearch_url and index"),
            (Part::Clusters, "clusters"),
        ] {
            check(&nothing, part, Some(&add(members)));
        }
        let payments = in_aws(AwsConfig {
            account_id: Some("111111111111".to_owned()),
            table: Some("t".to_owned()),
            ledger_url_env: Some("LEDGER".to_owned()),
            ..AwsConfig::default()
        });
        for part in [Part::Payments, Part::Queues, Part::Ledger] {
            check(&payments, part, None);
        }
        check(&payments, Part::Archive, Some(&add("bucket")));
        let clusters = Environment {
            target: Backend::Kubernetes(Box::default()),
            ..nothing
        };
        check(&clusters, Part::Clusters, Some(&add("clusters")));
        check(
            &clusters,
            Part::Queues,
            Some(
                "it is of kind kubernetes; set kind = \"aws\" and add account_id and queues to \
                    [environments.live] in payops.toml",
            ),
        );
    }

    #[test]
    fn a_plan_says_what_is_kept_on_this_machine() {
        let kept = |aws| in_aws(aws).kept_here();
        assert_eq!(
            kept(AwsConfig::default()).as_deref(),
            Some("freeze and audit record of live are kept on this machine: it has no table")
        );
        let shipped = AwsConfig {
            bus: Some("bus".to_owned()),
            ..AwsConfig::default()
        };
        assert_eq!(
            kept(shipped).as_deref(),
            Some("the freeze of live is kept on this machine: it has no table")
        );
        let with_table = AwsConfig {
            table: Some("t".to_owned()),
            ..AwsConfig::default()
        };
        assert_eq!(kept(with_table), None);
    }
}
