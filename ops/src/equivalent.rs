//! The same with the AWS CLI: the line that is shown beside an act and kept with it in the record.
//! `…` stands for what only the moment knows, and for what an embedded environment does not have.
//! The credentials are those of the environment's session: the line of the elevation gives them.

use payops_core::domain::access::{Elevation, Freeze};
use payops_core::domain::id::PaymentId;
use payops_core::domain::replay::ReplayPlan;
use serde::Serialize;
use serde_json::json;

use crate::backend::aws;
use crate::environment::{Backend, Environment};

/// Looks at what is in a queue, or in any.
#[must_use]
pub fn look(queue: Option<&str>) -> String {
    let queue = queue.unwrap_or("…");
    format!(
        "aws sqs receive-message --queue-url …/{queue} --attribute-names All \
            --message-attribute-names All"
    )
}

#[must_use]
pub fn replay(plan: &ReplayPlan) -> String {
    let (queue, target) = (&plan.queue, &plan.target);
    let send = format!(
        "aws sqs send-message --queue-url …/{target} --message-body … --message-attributes …"
    );
    format!("{} && {send} && {}", look(Some(queue)), delete(queue))
}

#[must_use]
pub fn discard(queue: &str) -> String {
    format!("{} && {}", look(Some(queue)), delete(queue))
}

fn delete(queue: &str) -> String {
    format!("aws sqs delete-message --queue-url …/{queue} --receipt-handle …")
}

#[must_use]
pub fn purge(queue: &str) -> String {
    format!("aws sqs purge-queue --queue-url …/{queue}")
}

#[must_use]
pub fn redrive(queue: &str, target: &str, rate: Option<u32>) -> String {
    let rate = rate
        .map(|rate| format!(" --max-number-of-messages-per-second {rate}"))
        .unwrap_or_default();
    format!(
        "aws sqs start-message-move-task --source-arn …:{queue} --destination-arn …:{target}{rate}"
    )
}

#[must_use]
pub fn cancel_redrive() -> String {
    "aws sqs cancel-message-move-task --task-handle …".to_owned()
}

/// Creates a payment. The body stays out of the record: it has a person's e-mail address.
#[must_use]
pub fn create(api_url: &str, idempotency_key: &str) -> String {
    format!(
        "curl --request POST {} --header \"Authorization: Bearer $PAYOPS_API_KEY\" --header {} \
            --header 'Content-Type: application/json' --data @payment.json",
        word(&format!("{api_url}/v1/payments")),
        in_quotes(&format!("Idempotency-Key: {idempotency_key}")),
    )
}

/// Changes a payment: itself, its events, the outbox and the answer to its key, all of them or
/// none.
#[must_use]
pub fn change(target: &Environment, payment: &PaymentId, version: u64) -> String {
    let table = table(target);
    let put = |pk: String, sk: &str, only: &str| {
        format!(
            r#"{{"Put":{{"TableName":"{table}","Item":{{"pk":{{"S":"{pk}"}},"sk":{{"S":"{sk}"}},…}}{only}}}}}"#
        )
    };
    let only = format!(
        r#","ConditionExpression":"version = :at","ExpressionAttributeValues":{{":at":{{"N":"{version}"}}}}"#
    );
    let items = [
        put(format!("PAY#{payment}"), "PAY", &only),
        put(format!("PAY#{payment}"), "EVT#…", ""),
        put(format!("PAY#{payment}"), "OUT#…", ""),
        put("IDEM#…".to_owned(), "IDEM", ""),
    ];
    format!(
        "aws dynamodb transact-write-items --transact-items '[{}]'",
        items.join(",")
    )
}

/// `None` where the freeze is kept on this machine.
#[must_use]
pub fn freeze(target: &Environment, freeze: &Freeze) -> Option<String> {
    let item = json!({ "pk": { "S": "OPS#freeze" }, "sk": { "S": "OPS#freeze" }, "freeze": { "S": json!(freeze).to_string() } });
    target.kept_here().is_none().then(|| {
        format!(
            "aws dynamodb put-item --table-name {} --item {}",
            table(target),
            quoted(&item)
        )
    })
}

/// `None` where the freeze is kept on this machine.
#[must_use]
pub fn lift(target: &Environment) -> Option<String> {
    let key = json!({ "pk": { "S": "OPS#freeze" }, "sk": { "S": "OPS#freeze" } });
    target.kept_here().is_none().then(|| {
        format!(
            "aws dynamodb delete-item --table-name {} --key {}",
            table(target),
            quoted(&key)
        )
    })
}

#[must_use]
pub fn approve(target: &Environment, who: &str, plan_sha256: &str) -> String {
    let key = format!(
        r#""pk":{{"S":"OPS#approval#{}"}},"sk":{{"S":"{plan_sha256}"}}"#,
        session_name(who)
    );
    // What stands for the approval is no JSON on purpose: it must not be pasted over one.
    format!(
        "aws dynamodb put-item --table-name {} --item '{{{key},…}}'",
        table(target)
    )
}

#[must_use]
pub fn elevate(target: &Environment, elevation: &Elevation) -> String {
    let (who, duty) = (session_name(&elevation.who), elevation.level.as_str());
    let role = if let Backend::Aws(aws) = &target.target {
        aws.roles.get(duty)
    } else {
        None
    };
    let arn = role.map_or_else(|| format!("…:role/payops-{duty}"), |role| role.arn.clone());
    let line = format!(
        "aws sts assume-role --role-arn {} --role-session-name payops-{duty}-{who} \
            --source-identity {who}",
        word(&arn)
    );
    let tags = [
        ("payops:reason", Some(elevation.reason.as_str())),
        ("payops:ticket", elevation.ticket.as_deref()),
        ("payops:env", Some(target.name.as_str())),
        ("payops:duty", Some(duty)),
    ];
    let tags: Vec<_> = tags
        .into_iter()
        .filter_map(|(key, value)| Some(json!({ "Key": key, "Value": value? })))
        .collect();
    let line = format!("{line} --tags {}", quoted(&tags));
    let Some(role) = role else { return line };
    let span = role.duration_minutes.unwrap_or(60).saturating_mul(60);
    let id = if role.external_id.is_some() {
        " --external-id …"
    } else {
        ""
    };
    let mfa = role
        .mfa_serial
        .as_ref()
        .map(|serial| format!(" --serial-number {} --token-code …", word(serial)))
        .unwrap_or_default();
    format!("{line} --duration-seconds {span}{id}{mfa}")
}

fn session_name(who: &str) -> String {
    aws::source_identity(who).unwrap_or_else(|| "…".to_owned())
}

fn table(target: &Environment) -> &str {
    if let Backend::Aws(aws) = &target.target {
        aws.table.as_deref().unwrap_or("…")
    } else {
        "…"
    }
}

/// As JSON in one word of a shell, whatever is in it.
fn quoted(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).unwrap_or_default();
    in_quotes(&json)
}

/// As one word of a shell: in quotation marks where there is anything in it that a shell might act
/// on.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |c: char| {
        c.is_alphanumeric()
            || matches!(c, '-' | '_' | '.' | ',' | ':' | '/' | '@' | '+' | '=' | '…')
    };
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        in_quotes(text)
    }
}

fn in_quotes(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use payops_core::domain::access::AccessLevel;

    use super::*;
    use crate::environment::{AwsConfig, RoleConfig};

    fn prod() -> Environment {
        let role = RoleConfig {
            arn: "arn:aws:iam::333333333333:role/payops-operate".to_owned(),
            mfa_serial: Some("arn:aws:iam::1:mfa/anna".to_owned()),
            ..RoleConfig::default()
        };
        let roles = [("operate".to_owned(), role)].into_iter().collect();
        let aws = AwsConfig {
            table: Some("payops".to_owned()),
            roles,
            ..AwsConfig::default()
        };
        Environment {
            name: "prod".to_owned(),
            target: Backend::Aws(Box::new(aws)),
            protected: true,
        }
    }

    #[test]
    fn a_line_can_be_pasted_whatever_the_reason() {
        let reason = "don't; $(date) `id`";
        let freeze =
            Freeze::begin("prod", "anna", reason, Timestamp::UNIX_EPOCH, None).expect("a freeze");
        let line = super::freeze(&prod(), &freeze).expect("a line");
        let words = std::process::Command::new("sh")
            .arg("-c")
            .arg(format!("printf '%s\\n' {line}"))
            .output()
            .expect("a shell");
        let words = String::from_utf8(words.stdout).expect("text");
        let item = words.lines().last().expect("the item");
        let item: serde_json::Value = serde_json::from_str(item).expect("JSON");
        let held: Freeze =
            serde_json::from_str(item["freeze"]["S"].as_str().expect("text")).expect("a freeze");
        assert_eq!((held, words.lines().nth(4)), (freeze, Some("payops")));
    }

    #[test]
    fn a_payment_is_created_with_its_key_and_without_its_body() {
        assert_eq!(
            create("https://api.example.com", "it's-1"),
            "curl --request POST https://api.example.com/v1/payments --header \"Authorization: \
             Bearer $PAYOPS_API_KEY\" --header 'Idempotency-Key: it'\\''s-1' --header \
             'Content-Type: application/json' --data @payment.json"
        );
    }

    #[test]
    fn a_name_is_the_one_that_sessions_have() {
        let begun = Elevation::begin(
            "a'b; id",
            "prod",
            AccessLevel::Operate,
            "x",
            None,
            Timestamp::UNIX_EPOCH,
            SignedDuration::from_mins(15),
        );
        let line = elevate(&prod(), &begun.expect("an elevation"));
        assert!(
            line.contains(
                "--role-session-name payops-operate-a-b--id --source-identity a-b--id --tags"
            ),
            "{line}"
        );
        assert!(approve(&prod(), "a'b; id", "aa").contains("OPS#approval#a-b--id"));
    }

    #[test]
    fn an_elevation_names_role_person_reason_and_device() {
        let begun = Elevation::begin(
            "anna",
            "prod",
            AccessLevel::Operate,
            "OPS-1",
            None,
            Timestamp::UNIX_EPOCH,
            SignedDuration::from_mins(15),
        );
        let line = elevate(&prod(), &begun.expect("an elevation"));
        assert_eq!(
            line,
            "aws sts assume-role --role-arn arn:aws:iam::333333333333:role/payops-operate --role-session-name payops-operate-anna \
             --source-identity anna --tags '[{\"Key\":\"payops:reason\",\"Value\":\"OPS-1\"},{\"Key\":\"payops:env\",\"Value\":\"prod\"},{\"Key\":\"payops:duty\",\"Value\":\"operate\"}]' \
             --duration-seconds 3600 --serial-number arn:aws:iam::1:mfa/anna --token-code …"
        );
    }
}
