//! What `terraform output -json` says of an environment: known names become settings, all others
//! are left alone. A secret is refused: the file holds none. docs/config.md has the names.

use payops_core::domain::bus::{QUEUES, dead_letter_queue, parking_queue};
use serde_json::{Map, Value};

use crate::error::{OpsError, OpsResult};

/// The output that is an object with all of it.
const WHOLE: &str = "payops";
const TEXTS: &[(&[&str], &[&str])] = &[
    (&["account_id"], &["account_id"]),
    (&["region", "aws_region"], &["region"]),
    (&["table", "table_name"], &["table"]),
    (&["bucket", "archive_bucket"], &["bucket"]),
    (&["bus", "event_bus_name"], &["bus"]),
    (&["audit_bus"], &["audit_bus"]),
    (&["queue_prefix"], &["queues", "prefix"]),
    (
        &["ledger_secret_arn", "ledger_url_secret"],
        &["ledger_url_secret"],
    ),
    (
        &["opensearch_url", "opensearch_endpoint"],
        &["opensearch_url"],
    ),
    (&["opensearch_index", "index"], &["index"]),
    (&["api_url"], &["api_url"]),
    (&["from_address"], &["from_address"]),
    (&["role_view_arn"], &["roles", "view", "arn"]),
    (&["role_operate_arn"], &["roles", "operate", "arn"]),
    (&["role_break_glass_arn"], &["roles", "break-glass", "arn"]),
];
/// What else is known: names with a shape of their own.
const OTHERS: &[&str] = &[
    "environment",
    "protected",
    "roles",
    "queue_urls",
    "cluster_name",
    "clusters",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    Text(String),
    Flag(bool),
    Number(u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub path: Vec<&'static str>,
    pub held: Held,
    pub output: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    pub env: Option<String>,
    pub facts: Vec<Fact>,
    pub clusters: Vec<(String, String)>,
    /// Outputs, and members of `payops`, that are no settings.
    pub ignored: Vec<String>,
}

impl Outputs {
    pub fn parse(text: &str) -> OpsResult<Self> {
        let hint = "use the output of terraform output -json without a name";
        if text.trim().is_empty() {
            return Err(OpsError::usage("the input is empty").hint(hint));
        }
        // What stands there may be a secret: the parser's words are told, its text is not.
        let value: Value = serde_json::from_str(text).map_err(|error| {
            let place = format!("line {} column {}", error.line(), error.column());
            OpsError::usage(format!("the input is not JSON (at {place})")).hint(hint)
        })?;
        let Value::Object(outputs) = value else {
            return Err(OpsError::usage("the input is not an object of outputs").hint(hint));
        };
        if outputs.is_empty() {
            return Err(OpsError::usage("the input contains no outputs")
                .hint("run terraform apply first; is this the right directory?"));
        }
        let mut out = Self::default();
        for (name, output) in &outputs {
            let (Some(value), Some(sensitive)) = (
                output.get("value"),
                output.get("sensitive").and_then(Value::as_bool),
            ) else {
                return Err(OpsError::usage(format!(
                    "`{name}` has no `value` and `sensitive`; this looks like a single output, not all of them"
                ))
                .hint(hint));
            };
            if !is_known_output(name) && name != WHOLE {
                out.ignored.push(name.clone());
                continue;
            }
            if sensitive {
                return Err(secret(name, "is marked as sensitive"));
            }
            match value {
                Value::Object(members) if name == WHOLE => out.whole(members)?,
                other if name == WHOLE => return Err(wrong(name, other, "an object")),
                value => out.member(name, name, value)?,
            }
        }
        out.fit()?;
        Ok(out)
    }

    fn whole(&mut self, members: &Map<String, Value>) -> OpsResult<()> {
        for (member, value) in members {
            let output = format!("{WHOLE}.{member}");
            if is_known_output(member) {
                self.member(member, &output, value)?;
            } else {
                self.ignored.push(output);
            }
        }
        Ok(())
    }

    fn member(&mut self, name: &str, output: &str, value: &Value) -> OpsResult<()> {
        if value.is_null() {
            return Ok(());
        }
        if let Some((_, path)) = TEXTS.iter().find(|(names, _)| names.contains(&name)) {
            let text = checked(path, output, text(output, value)?)?;
            return self.add(path, Held::Text(text), output);
        }
        match name {
            "environment" => self.env = Some(text(output, value)?),
            "protected" => {
                let flag = value
                    .as_bool()
                    .ok_or_else(|| wrong(output, value, "true or false"))?;
                if flag {
                    self.add(&["protected"], Held::Flag(flag), output)?;
                } else {
                    // An import may protect an environment; to take that away is for a person.
                    self.ignored.push(format!("{output}, which is false"));
                }
            }
            "roles" => self.roles(output, value)?,
            "queue_urls" => self.add(
                &["queues", "prefix"],
                Held::Text(prefix(output, value)?),
                output,
            )?,
            "cluster_name" => {
                let name = text(output, value)?;
                self.clusters.push((name.clone(), name));
            }
            "clusters" => self.clusters(output, value)?,
            _ => {}
        }
        Ok(())
    }

    /// `{ view = "arn:…" }`, or `{ view = { arn = "arn:…", external_id = "…" } }`.
    fn roles(&mut self, output: &str, value: &Value) -> OpsResult<()> {
        let roles = value
            .as_object()
            .ok_or_else(|| wrong(output, value, "an object of roles by access level"))?;
        for (duty, role) in roles {
            let output = format!("{output}.{duty}");
            let duty = match duty.as_str() {
                "view" => "view",
                "operate" => "operate",
                "break-glass" | "break_glass" => "break-glass",
                _ => {
                    return Err(OpsError::usage(format!(
                        "output `{output}`: access levels are view, operate and break_glass"
                    )));
                }
            };
            let Some(members) = role.as_object() else {
                let arn = checked(&["roles", duty, "arn"], &output, text(&output, role)?)?;
                self.add(&["roles", duty, "arn"], Held::Text(arn), &output)?;
                continue;
            };
            for (member, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                let output = format!("{output}.{member}");
                let (path, held) = match member.as_str() {
                    "arn" => (
                        "arn",
                        Held::Text(checked(
                            &["roles", duty, "arn"],
                            &output,
                            text(&output, value)?,
                        )?),
                    ),
                    "external_id" => ("external_id", Held::Text(text(&output, value)?)),
                    "mfa_serial" => ("mfa_serial", Held::Text(text(&output, value)?)),
                    "duration_minutes" => {
                        let minutes = value
                            .as_u64()
                            .and_then(|minutes| u32::try_from(minutes).ok());
                        (
                            "duration_minutes",
                            Held::Number(
                                minutes.ok_or_else(|| wrong(&output, value, "a whole number"))?,
                            ),
                        )
                    }
                    _ => {
                        self.ignored.push(output);
                        continue;
                    }
                };
                self.add(&["roles", duty, path], held, &output)?;
            }
        }
        Ok(())
    }

    /// Names of clusters in EKS, or `{ name = "…", eks = "…" }`.
    fn clusters(&mut self, output: &str, value: &Value) -> OpsResult<()> {
        for (place, cluster) in value
            .as_array()
            .ok_or_else(|| wrong(output, value, "a list of clusters"))?
            .iter()
            .enumerate()
        {
            let output = format!("{output}[{place}]");
            let member = |name: &str| {
                cluster
                    .get(name)
                    .map(|value| text(&format!("{output}.{name}"), value))
                    .transpose()
            };
            let (name, eks) = if cluster.is_object() {
                (member("name")?, member("eks")?)
            } else {
                (None, Some(text(&output, cluster)?))
            };
            let eks = eks.or_else(|| name.clone()).ok_or_else(|| {
                OpsError::usage(format!("output `{output}` does not name a cluster"))
            })?;
            self.clusters
                .push((name.unwrap_or_else(|| eks.clone()), eks));
        }
        Ok(())
    }

    /// Two outputs may say the same, and must not say different things.
    fn add(&mut self, path: &[&'static str], held: Held, output: &str) -> OpsResult<()> {
        match self.facts.iter().find(|fact| fact.path == path) {
            Some(other) if other.held == held => Ok(()),
            Some(other) => Err(OpsError::usage(format!(
                "outputs `{}` and `{output}` disagree about {}",
                other.output,
                path.join(".")
            ))),
            None => {
                self.facts.push(Fact {
                    path: path.to_vec(),
                    held,
                    output: output.to_owned(),
                });
                Ok(())
            }
        }
    }

    fn fit(&mut self) -> OpsResult<()> {
        self.clusters.sort();
        self.clusters.dedup();
        self.ignored.sort();
        if self.facts.is_empty() && self.clusters.is_empty() {
            let hint = format!(
                "the outputs are {}; docs/config.md lists those that payops knows",
                self.ignored.join(", ")
            );
            return Err(OpsError::usage("none of the outputs is a payops setting").hint(hint));
        }
        let account = self.facts.iter().find(|fact| fact.path == ["account_id"]);
        let Some(Fact {
            held: Held::Text(account),
            output,
            ..
        }) = account
        else {
            return Ok(());
        };
        for fact in self
            .facts
            .iter()
            .filter(|fact| fact.path.first() == Some(&"roles"))
        {
            let Held::Text(arn) = &fact.held else {
                continue;
            };
            if fact.path.last() == Some(&"arn") && arn.split(':').nth(4) != Some(account) {
                let message = format!(
                    "the role in output `{}` is not in account {account}, which output `{output}` names",
                    fact.output
                );
                return Err(OpsError::usage(message));
            }
        }
        Ok(())
    }
}

fn is_known_output(name: &str) -> bool {
    OTHERS.contains(&name) || TEXTS.iter().any(|(names, _)| names.contains(&name))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn wrong(output: &str, value: &Value, needed: &str) -> OpsError {
    OpsError::usage(format!(
        "output `{output}` is {}; expected {needed}",
        kind(value)
    ))
}

fn secret(output: &str, what: &str) -> OpsError {
    OpsError::refused(format!(
        "output `{output}` {what}; secrets are not written to the file"
    ))
    .hint(
        "let it name the secret, and not hold it; nonsensitive() in the output says that it \
            is none",
    )
}

fn text(output: &str, value: &Value) -> OpsResult<String> {
    let text = value
        .as_str()
        .ok_or_else(|| wrong(output, value, "a text"))?;
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(OpsError::usage(format!(
            "output `{output}` is empty or contains line breaks"
        )));
    }
    let key = |start| {
        text.starts_with(start)
            && text.len() == 20
            && text.chars().all(|c| c.is_ascii_alphanumeric())
    };
    if key("AKIA") || key("ASIA") {
        return Err(secret(output, "contains what looks like an access key"));
    }
    let authority = text.split_once("://").map_or("", |(_, rest)| {
        rest.split(['/', '?', '#']).next().unwrap_or_default()
    });
    if authority.contains('@') {
        return Err(secret(
            output,
            "contains a URL with a user name or password",
        ));
    }
    Ok(text.to_owned())
}

/// The text of a setting, if it can be one.
fn checked(path: &[&str], output: &str, text: String) -> OpsResult<String> {
    let bad = |needed: &str| {
        Err(OpsError::usage(format!(
            "output `{output}` is not {needed}"
        )))
    };
    match path {
        ["account_id"] if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) => {
            bad("an account id of twelve digits")
        }
        ["roles", ..] if !(text.starts_with("arn:") && text.contains(":role/")) => {
            bad("the ARN of a role")
        }
        ["ledger_url_secret"] if text.contains("://") => Err(secret(
            output,
            "contains a URL instead of the name of a secret",
        )),
        // A domain of OpenSearch names its endpoint without a scheme.
        ["opensearch_url"] if !text.contains("://") => Ok(format!("https://{text}")),
        ["api_url"] if !text.contains("://") => bad("a URL that starts with https://"),
        _ => Ok(text),
    }
}

fn prefix(output: &str, value: &Value) -> OpsResult<String> {
    let urls: Vec<(String, &Value)> = match value {
        Value::Array(urls) => urls
            .iter()
            .enumerate()
            .map(|(place, url)| (format!("{output}[{place}]"), url))
            .collect(),
        Value::Object(urls) => urls
            .iter()
            .map(|(name, url)| (format!("{output}.{name}"), url))
            .collect(),
        other => return Err(wrong(output, other, "a list or an object of URLs")),
    };
    let mut found: Option<String> = None;
    for (output, url) in urls {
        let url = text(&output, url)?;
        let name = url.rsplit('/').next().unwrap_or_default();
        let names = QUEUES.iter().flat_map(|queue| {
            [
                (*queue).to_owned(),
                dead_letter_queue(queue),
                parking_queue(queue),
            ]
        });
        let Some(prefix) = names
            .into_iter()
            .find_map(|queue| name.strip_suffix(queue.as_str()).map(str::to_owned))
        else {
            continue;
        };
        if found.as_ref().is_some_and(|found| *found != prefix) {
            return Err(OpsError::usage(format!(
                "output `{output}`: the queues have different prefixes"
            )));
        }
        found = Some(prefix);
    }
    found.ok_or_else(|| {
        OpsError::usage(format!(
            "output `{output}` contains no payops queue; expected {}",
            QUEUES.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Kind;

    fn output(value: Value) -> Value {
        Value::Object(Map::from_iter([
            ("sensitive".to_owned(), Value::Bool(false)),
            ("value".to_owned(), value),
        ]))
    }

    fn read(outputs: &Value) -> OpsResult<Outputs> {
        Outputs::parse(&outputs.to_string())
    }

    fn fact(outputs: &Outputs, path: &[&str]) -> Option<Held> {
        outputs
            .facts
            .iter()
            .find(|fact| fact.path == path)
            .map(|fact| fact.held.clone())
    }

    #[test]
    fn an_object_and_flat_names_say_the_same() {
        let arn = |role: &str| format!("arn:aws:iam::471122334455:role/{role}");
        let queues = json!({"work": "https://sqs.eu-west-1.amazonaws.com/471122334455/pp-payments-work", "own": "https://sqs/x/other"});
        let whole = json!({"payops": output(json!({
            "environment": "preprod", "account_id": "471122334455", "queue_urls": queues, "opensearch_endpoint": "search.internal",
            "roles": {"view": arn("v"), "break_glass": {"arn": arn("b"), "duration_minutes": 15}}, "clusters": ["one"], "colour": "blue",
        })), "vpc_id": output(json!("vpc-1"))});
        let whole = read(&whole).expect("outputs");
        assert_eq!(whole.env.as_deref(), Some("preprod"));
        assert_eq!(
            fact(&whole, &["queues", "prefix"]),
            Some(Held::Text("pp-".to_owned()))
        );
        assert_eq!(
            fact(&whole, &["opensearch_url"]),
            Some(Held::Text("https://search.internal".to_owned()))
        );
        assert_eq!(
            fact(&whole, &["roles", "break-glass", "duration_minutes"]),
            Some(Held::Number(15))
        );
        assert_eq!(whole.ignored, ["payops.colour", "vpc_id"]);
        let flat = json!({"account_id": output(json!("471122334455")), "queue_prefix": output(json!("pp-")),
            "role_view_arn": output(json!(arn("v"))), "cluster_name": output(json!("one"))});
        let flat = read(&flat).expect("outputs");
        for path in [
            &["account_id"] as &[&str],
            &["queues", "prefix"],
            &["roles", "view", "arn"],
        ] {
            assert!(
                fact(&flat, path).is_some() && fact(&flat, path) == fact(&whole, path),
                "{path:?}"
            );
        }
        assert_eq!(flat.clusters, whole.clusters);
    }

    #[test]
    fn what_is_wrong_names_its_output() {
        for (value, told) in [
            (
                json!({"table": output(json!(7))}),
                "output `table` is a number; expected a text",
            ),
            (
                json!({"payops": output(json!({"bus": ["x"]}))}),
                "output `payops.bus` is a list; expected a text",
            ),
            (
                json!({"payops": output(json!("x"))}),
                "output `payops` is a text; expected an object",
            ),
            (
                json!({"account_id": output(json!("4711"))}),
                "output `account_id` is not an account id",
            ),
            (
                json!({"payops": output(json!({"roles": {"view": "me"}}))}),
                "output `payops.roles.view` is not the ARN of a role",
            ),
            (
                json!({"table": output(json!("a")), "table_name": output(json!("b"))}),
                "outputs `table` and `table_name` disagree about table",
            ),
            (
                json!({"queue_urls": output(json!(["https://x/a-payments-work", "https://x/b-projections"]))}),
                "have different prefixes",
            ),
            (
                json!({"account_id": output(json!("111122223333")), "role_view_arn": output(json!("arn:aws:iam::999:role/x"))}),
                "is not in account",
            ),
            (
                json!({"vpc_id": output(json!("x"))}),
                "none of the outputs is a payops setting",
            ),
            (
                json!({"table": "x"}),
                "looks like a single output, not all of them",
            ),
            (json!({}), "the input contains no outputs"),
            (json!([]), "not an object of outputs"),
        ] {
            let error = read(&value).expect_err(told);
            assert!(
                error.kind == Kind::Usage && error.message.contains(told),
                "{}",
                error.message
            );
        }
        for (text, told) in [
            (" \n", "the input is empty"),
            (
                "table = \"x\"\n",
                "the input is not JSON (at line 1 column 2)",
            ),
        ] {
            let error = Outputs::parse(text).expect_err(told);
            assert!(
                error.kind == Kind::Usage && error.message.contains(told),
                "{}",
                error.message
            );
        }
    }

    #[test]
    fn secrets_are_refused_and_not_quoted() {
        for value in [
            json!({"opensearch_url": {"sensitive": true, "type": "string", "value": "hunter2"}}),
            json!({"payops": {"sensitive": true, "type": "dynamic", "value": {"table": "hunter2"}}}),
            json!({"ledger_url_secret": output(json!("postgres://hunter2"))}),
            json!({"opensearch_url": output(json!("https://admin:hunter2@search"))}),
            json!({"payops": output(json!({"index": "AKIAHUNTER2HUNTER2AB"}))}),
        ] {
            let error = read(&value).expect_err("refused");
            assert_eq!(error.kind, Kind::Refused);
            assert!(
                !format!("{} {:?}", error.chain(), error.hint)
                    .to_lowercase()
                    .contains("hunter2"),
                "{}",
                error.chain()
            );
        }
        let ignored = json!({"table": output(json!("t")), "db_password": {"sensitive": true, "type": "string", "value": "hunter2"}});
        assert_eq!(
            read(&ignored).expect("outputs").ignored,
            ["db_password"],
            "an output that is no setting is left alone"
        );
    }
}
