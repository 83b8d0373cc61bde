//! Expressions, and of which dead letters they are true.
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Asks `text` of one dead letter about a payment of 12.50 €.
fn ask(text: &str) -> Result<bool, FilterError> {
    let attributes = BTreeMap::from([
        ("trace-id".to_owned(), "1-65a".to_owned()),
        ("payops-replay-count".to_owned(), "2".to_owned()),
    ]);
    let body = json!({
        "source": "payops.payments", "detail-type": "PaymentCompleted",
        "detail": {"amount": "12.50", "count": 3, "big": u64::MAX, "ratio": 0.5, "ok": true, "none": null, "tags": ["a", 1], "name": "björn"},
    })
    .to_string();
    Filter::parse(text)?.matches(&FilterSubject {
        body: &body,
        attributes: &attributes,
        payload: None,
        payment: Some(PaymentFacts {
            id: "pay_1",
            status: Some("processing"),
            amount_minor: Some(1250),
            currency: Some("EUR"),
        }),
        age: SignedDuration::from_hours(2),
        receives: 5,
        cause: "603a99b8",
        class: "schema_error",
        reason: "amount: expected integer, got \"12.50\"",
        consumer: None,
        queue: "payments-work-dlq",
        message_id: "m-1",
        group: None,
    })
}

#[track_caller]
fn check(text: &str, expected: bool) {
    assert_eq!(ask(text), Ok(expected), "{text}");
}

#[track_caller]
fn refused(text: &str, words: &str) {
    let error = ask(text).expect_err(text).to_string();
    assert!(error.contains(words), "{text}: {error}");
}

#[test]
fn names_stand_for_what_is_known_of_the_letter() {
    check("class == 'schema_error' && cause == \"603a99b8\"", true);
    check(
        "queue == 'payments-work-dlq' && message_id == 'm-1' && receives >= 5",
        true,
    );
    check(
        "payment.status == 'processing' && payment.amount > 1000 && payment.currency in ['EUR', \
            'USD']",
        true,
    );
    check(
        "payment.id.startsWith('pay_') && payment['amount'] == 1250",
        true,
    );
    check(
        "attr['trace-id'].startsWith('1-65') && attr.missing == 'x'",
        false,
    );
    check("'trace-id' in attr && !('x' in attr)", true);
    check(
        "body.contains('PaymentCompleted') && reason.endsWith('\"')",
        true,
    );
    check(
        "payload.detail.count == 3 && payload['detail-type'] == 'PaymentCompleted'",
        true,
    );
    check(
        "payload.detail.tags[1] == 1 && 'a' in payload.detail.tags && 'count' in payload.detail",
        true,
    );
}

#[test]
fn operators_bind_as_in_cel() {
    check("true || false && false", true);
    check("(true || false) && false", false);
    check("!false && !!true && !!!false", true);
    check("false || false || true", true);
    check("1 in [3, 2, 1,] && !(1 in [])", true);
    refused("!receives == 5", "! expects true or false, got a number");
}

#[test]
fn durations_and_numbers_compare() {
    check(
        "age > duration('1h') && age < duration(\"1d\") && age == duration('120m')",
        true,
    );
    check("1 == 1.0 && 2 > 1.5 && -1 < 0 && -0.5 > -1", true);
    check(
        "payload.detail.big == 18446744073709551615 && payload.detail.ratio <= 0.5",
        true,
    );
    check("'a' < 'b' && 'é' > 'z'", true);
    check(
        "size('äb') == 2 && payload.detail.tags.size() == 2 && size(payload.detail.count) == 0",
        false,
    );
}

#[test]
fn what_is_missing_makes_a_comparison_false() {
    for text in [
        "payload.x == 1",
        "payload.x != 1",
        "payload.x.y.z < 1",
        "1 in payload.x",
        "payload.x in [1]",
        "payload.x.contains('a')",
    ] {
        check(text, false);
        check(&format!("!({text})"), true);
    }
    check(
        "group == 'a' || group != 'a' || consumer.startsWith('w')",
        false,
    );
    check(
        "has(group) || has(payload.x) || has(payload.detail.tags[2]) || has(attr['x'])",
        false,
    );
    check(
        "has(payload.detail) && has(payload.detail.none) && has(payment.status) && has(class)",
        true,
    );
    check("payload.x", false);
    check("payload.detail.none == null && payload.x == null", false);
}

#[test]
fn of_unknown_types_nothing_is_asked_too_much() {
    check(
        "payload.detail.amount == 12 || payload.detail.amount > 12 || 12 > payload.detail.amount",
        false,
    );
    check("payload.detail.amount != 12 && payload.detail.ok", true);
    check("payload.detail.count.contains('3')", false);
    refused(
        "payload.detail.amount",
        "payload.detail.amount must be true or false; for this dead letter it is text",
    );
    refused(
        "payload.detail.tags[1] && true",
        "payload.detail.tags[1] must be true or false; for this dead letter it is a number",
    );
    refused(
        "!payload['detail-type']",
        "payload[\"detail-type\"] must be true or false",
    );
}

#[test]
fn mistakes_are_told_with_their_place() {
    refused("", "empty filter");
    refused(
        "clas == 'x'",
        "at character 1: unknown name `clas`, did you mean `class`?; names are body, attr, payload",
    );
    refused(
        "true && recieves > 1",
        "at character 9: unknown name `recieves`, did you mean `receives`?",
    );
    refused("status == 'x'", "did you mean `payment.status`?");
    refused("payment.state == 'x'", "payment has no field `state`");
    refused("payment.statsu == 'x'", "did you mean `status`?");
    refused(
        "payment == 'x'",
        "use one of its fields: id, status, amount, currency",
    );
    refused(
        "body.contain('x')",
        "unknown function `contain`, did you mean `contains`?",
    );
    refused("hass(body)", "unknown function `hass`, did you mean `has`?");
    refused("class = 'x'", "equality is ==");
    refused(
        "class == 'x' and true",
        "at character 14: expected an operator such as && or ==, or the end, found `and`",
    );
    refused("class == 'x", "a quotation mark at its end");
    refused("class == ", "expected a name or a value, found the end");
    refused("(true", "expected ), found the end");
    refused("class == 5", "text cannot be compared with a number");
    refused("age > 5", "write a duration as duration(\"1h\")");
    refused("age > 1h", "`1h`; write durations as duration(\"1h\")");
    refused(
        "age > 1h30m && true",
        "write durations as duration(\"1h30m\")",
    );
    refused("age > duration('5 minutes')", "is not a duration");
    refused(
        "group == null",
        "use has(…) to test whether something exists",
    );
    refused("class", "a filter expects true or false, got text");
    refused("receives && true", "&& expects true or false, got a number");
    refused(
        "receives.contains('x')",
        "contains() expects a string, got a number",
    );
    refused("body.matches(class)", "expects a quoted regular expression");
    refused(
        "body.matches('(')",
        "not a regular expression: unclosed group",
    );
    refused(
        "class == 'ü' && ö",
        "at character 17: expected a name, a value or an operator, found `ö`",
    );
    refused("class in 'x'", "`in` expects a list or a map");
    refused("12x == 1", "a number such as");
    refused("class.x == 1", "has no fields");
}

#[test]
fn texts_have_escapes_and_raw_forms() {
    check(
        r#"'\u00e4\n\\' != "a" && r'\d' == '\\d' && body.matches(r'"count":\s*\d')"#,
        true,
    );
    refused(r"'\d' == ''", "(or r\"…\")");
    refused(r"'\ud800' == ''", "four hexadecimal digits");
}

#[test]
fn hostile_expressions_cost_little() {
    refused(&"(".repeat(100_000), "the filter has 100000 bytes");
    refused(&"(".repeat(4_000), "nested deeper than 32 levels");
    refused(
        &format!("{}true", "!(".repeat(2_000)),
        "nested deeper than 32 levels",
    );
    refused(&"has(".repeat(1_000), "nested deeper than 32 levels");
    check(&format!("{}true", "!".repeat(4_000)), true);
    check(&vec!["false"; 580].join("||"), false);
    check(&format!("payload{} == 1", ".a".repeat(2_000)), false);
    refused("body.matches('(a{1000}){1000}')", "it is too large");
    refused(
        &format!("body.matches('{}')", "(".repeat(3_000)),
        "not a regular expression",
    );
    // Regular expressions take time in proportion to the text, whatever they are.
    let filter = Filter::parse("body.matches('(a|a)*(a|aa)*b$')").expect("a filter");
    assert!(
        !filter
            .matches(&FilterSubject {
                body: &"a".repeat(100_000),
                ..plain(&BTreeMap::new())
            })
            .expect("an answer")
    );
}

fn plain(attributes: &BTreeMap<String, String>) -> FilterSubject<'_> {
    FilterSubject {
        body: "{}",
        attributes,
        payload: None,
        payment: None,
        age: SignedDuration::ZERO,
        receives: 1,
        cause: "",
        class: "",
        reason: "",
        consumer: None,
        queue: "",
        message_id: "",
        group: None,
    }
}

#[test]
fn only_what_is_mentioned_is_needed() {
    let needs = |text: &str| {
        Filter::parse(text)
            .map(|filter| (filter.needs_payment(), filter.needs_payload()))
            .expect("a filter")
    };
    assert_eq!(needs("class == 'x'"), (false, false));
    assert_eq!(needs("payment.id == 'x'"), (false, false));
    assert_eq!(
        needs("payment.status == 'x' || has(payload.x)"),
        (true, true)
    );
}

#[test]
fn many_letters_are_asked_in_a_moment() {
    let attributes = BTreeMap::new();
    let payload = json!({"detail": {"amount": 1200}});
    let filter =
        Filter::parse("body.contains('x') || payload.detail.amount > 1000 && class in ['a', '']")
            .expect("a filter");
    let count = (0..100_000)
        .filter(|_| {
            filter.matches(&FilterSubject {
                payload: Some(&payload),
                ..plain(&attributes)
            }) == Ok(true)
        })
        .count();
    assert_eq!(count, 100_000);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
        let _ = ask(&text);
    }

    #[test]
    fn no_words_of_the_language_make_it_panic(words in prop::collection::vec(prop::sample::select(vec![
        "(", ")", "[", "]", ".", ",", "!", "-", "&&", "||", "==", "!=", "<", ">=", " in ", "body", "attr", "payload", "payment", "status", "age",
        "receives", "has(", "duration(", "size(", "matches(", "contains(", "'a'", "\"1h\"", "r'(a'", "1", "1.5", "true", "null", "x", "\\", "'", "é",
    ]), 0..24)) {
        let _ = ask(&words.concat());
    }
}
