//! The policy file: who is allowed what, who is denied it, and what needs a second person.
//!
//! ```toml
//! [groups]
//! sre = ["anna", "ben"]
//!
//! [[allow]]
//! who = ["group:sre", "*@support.example.com"]
//! what = ["dlq.*"]
//! where = ["prod"]
//! access = "break-glass" # only to those who act with at least this access level
//!
//! [[deny]]
//! who = ["ben"]
//! what = ["payment.refund"]
//! where = ["*"]
//!
//! [[four_eyes]]
//! what = ["payment.refund"]
//! where = ["prod"]
//! above_minor = 50000
//! currency = "EUR"
//! approvals = 2          # 1 if not given
//! ```
//!
//! Without any `[[allow]]`, everybody may do what their level allows. With one, only what an
//! `[[allow]]` covers is allowed, in every environment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::glob::{glob, matches_any};
use super::{AccessLevel, Action};
use crate::domain::money::Currency;

const GROUP: &str = "group:";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesFile {
    /// People by the name of their group. Groups do not hold groups.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Allow>,
    /// What is not, whatever is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<Deny>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub four_eyes: Vec<FourEyes>,
}

/// One `[[allow]]` table of `policy.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// People, `group:NAME`, or patterns with `*`.
    pub who: Vec<String>,
    /// Deeds, or patterns with `*`.
    pub what: Vec<String>,
    /// Environments, or patterns with `*`.
    #[serde(rename = "where")]
    pub places: Vec<String>,
    /// Only with this access level or more. It never lowers what the action needs by itself.
    #[serde(
        rename = "access",
        alias = "duty",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub level: Option<AccessLevel>,
}

/// One `[[deny]]` table of `policy.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deny {
    /// People, `group:NAME`, or patterns with `*`.
    pub who: Vec<String>,
    /// Deeds, or patterns with `*`.
    pub what: Vec<String>,
    /// Environments, or patterns with `*`.
    #[serde(rename = "where")]
    pub places: Vec<String>,
}

/// One `[[four_eyes]]`. With neither limit it holds always; with both it holds when either is
/// passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FourEyes {
    /// Deeds, or patterns with `*`.
    pub what: Vec<String>,
    /// Environments, or patterns with `*`.
    #[serde(rename = "where")]
    pub places: Vec<String>,
    /// For more than so many at once, such as messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<u64>,
    /// For more than so many minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_minor: Option<u64>,
    /// Of this currency. Amounts in a currency that no limit is given in need an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    #[serde(default = "one")]
    pub approvals: u32,
}

fn one() -> u32 {
    1
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// A list that is empty, or has an empty text in it.
    #[error("{rule}: `{member}` is empty; use `*` for all")]
    Empty { rule: String, member: &'static str },
    #[error("{rule}: unknown action `{what}`; expected a name such as dlq.replay or dlq.*")]
    NoSuchAction { rule: String, what: String },
    #[error("{rule}: group `{group}` is not defined in [groups]")]
    NoSuchGroup { rule: String, group: String },
    #[error("[groups] {group}: a group cannot contain a group")]
    Nested { group: String },
    /// An amount without a currency, or a currency without an amount.
    #[error("{rule}: `above_minor` and `currency` must be set together")]
    HalfAmount { rule: String },
    #[error("{rule}: `approvals` must be at least 1")]
    NoApprovals { rule: String },
    #[error("{rule}: unknown environment `{place}`")]
    NoSuchEnv { rule: String, place: String },
}

/// Checked rules. The default are those that hold without a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RulesFile", into = "RulesFile")]
pub struct PolicyRules(RulesFile);

impl TryFrom<RulesFile> for PolicyRules {
    type Error = RulesError;
    fn try_from(file: RulesFile) -> Result<Self, RulesError> {
        check(&file)?;
        Ok(Self(file))
    }
}

impl From<PolicyRules> for RulesFile {
    fn from(rules: PolicyRules) -> Self {
        rules.0
    }
}

impl PolicyRules {
    #[must_use]
    pub fn file(&self) -> &RulesFile {
        &self.0
    }

    /// Refuses rules for environments that are none of `known`: a mistyped `[[deny]]` denies
    /// nothing.
    pub fn check_envs<E: AsRef<str>>(&self, known: &[E]) -> Result<(), RulesError> {
        for (rule, _, places) in scopes(&self.0) {
            let unknown = places
                .iter()
                .find(|place| !known.iter().any(|env| glob(place, env.as_ref())));
            if let Some(place) = unknown {
                return Err(RulesError::NoSuchEnv {
                    rule,
                    place: place.clone(),
                });
            }
        }
        Ok(())
    }

    /// Whether one of `patterns` names `who`, by a group perhaps.
    pub(super) fn names(&self, patterns: &[String], who: &str) -> bool {
        patterns
            .iter()
            .any(|pattern| match pattern.strip_prefix(GROUP) {
                Some(group) => self
                    .0
                    .groups
                    .get(group)
                    .is_some_and(|people| matches_any(people, who)),
                None => glob(pattern, who),
            })
    }
}

/// Whether a rule is about an action in an environment.
pub(super) fn covers(what: &[String], places: &[String], action: Action, env: &str) -> bool {
    let is_named = matches_any(what, action.as_str())
        || action
            .old_names()
            .iter()
            .any(|name| matches_any(what, name));
    is_named && matches_any(places, env)
}

/// The name of a rule: its table, and its place among those of the same name.
pub(super) fn name(table: &str, place: usize) -> String {
    format!("[[{table}]] #{}", place.saturating_add(1))
}

fn scopes(file: &RulesFile) -> impl Iterator<Item = (String, &[String], &[String])> {
    let allow = file
        .allow
        .iter()
        .enumerate()
        .map(|(place, rule)| (name("allow", place), &*rule.what, &*rule.places));
    let deny = file
        .deny
        .iter()
        .enumerate()
        .map(|(place, rule)| (name("deny", place), &*rule.what, &*rule.places));
    let four_eyes = file
        .four_eyes
        .iter()
        .enumerate()
        .map(|(place, rule)| (name("four_eyes", place), &*rule.what, &*rule.places));
    allow.chain(deny).chain(four_eyes)
}

fn check(file: &RulesFile) -> Result<(), RulesError> {
    for (group, people) in &file.groups {
        if people.iter().any(|person| person.starts_with(GROUP)) {
            return Err(RulesError::Nested {
                group: group.clone(),
            });
        }
        if people.iter().any(String::is_empty) {
            return Err(RulesError::Empty {
                rule: "[groups]".to_owned(),
                member: "a group",
            });
        }
    }
    for (rule, what, places) in scopes(file) {
        check_filled(&rule, "what", what)?;
        check_filled(&rule, "where", places)?;
        if let Some(what) = what.iter().find(|what| {
            !Action::ALL.iter().any(|action| {
                glob(what, action.as_str())
                    || action.old_names().iter().any(|name| glob(what, name))
            })
        }) {
            return Err(RulesError::NoSuchAction {
                rule,
                what: what.clone(),
            });
        }
    }
    for (place, rule) in file.allow.iter().enumerate() {
        check_people(file, &name("allow", place), &rule.who)?;
    }
    for (place, rule) in file.deny.iter().enumerate() {
        check_people(file, &name("deny", place), &rule.who)?;
    }
    file.four_eyes
        .iter()
        .enumerate()
        .try_for_each(|(place, rule)| check_limits(rule, name("four_eyes", place)))
}

fn check_filled(rule: &str, member: &'static str, list: &[String]) -> Result<(), RulesError> {
    if list.is_empty() || list.iter().any(String::is_empty) {
        return Err(RulesError::Empty {
            rule: rule.to_owned(),
            member,
        });
    }
    Ok(())
}

fn check_people(file: &RulesFile, rule: &str, who: &[String]) -> Result<(), RulesError> {
    check_filled(rule, "who", who)?;
    let mut groups = who.iter().filter_map(|who| who.strip_prefix(GROUP));
    match groups.find(|group| !file.groups.contains_key(*group)) {
        Some(group) => Err(RulesError::NoSuchGroup {
            rule: rule.to_owned(),
            group: group.to_owned(),
        }),
        None => Ok(()),
    }
}

fn check_limits(rule: &FourEyes, name: String) -> Result<(), RulesError> {
    if rule.above_minor.is_some() != rule.currency.is_some() {
        return Err(RulesError::HalfAmount { rule: name });
    }
    if rule.approvals == 0 {
        Err(RulesError::NoApprovals { rule: name })
    } else {
        Ok(())
    }
}
