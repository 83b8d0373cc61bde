//! What an expression is of one dead letter. Nothing is copied.

use std::cmp::Ordering;

use serde_json::Value;

use super::FilterSubject;
use super::error::FilterError;
use super::names::Name;
use super::tree::{Expr, Member, Op, PathStep, TextMatch};
use super::value::{Number, Val};

pub(super) struct Scope<'a> {
    pub(super) subject: &'a FilterSubject<'a>,
    pub(super) payload: Option<&'a Value>,
}

/// Whether `expr` is true; what is missing is not.
pub(super) fn truth<'a>(expr: &'a Expr, scope: &'a Scope<'a>) -> Result<bool, FilterError> {
    match expr {
        Expr::And(parts) => {
            for part in parts {
                if !truth(part, scope)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Expr::Or(parts) => {
            for part in parts {
                if truth(part, scope)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Expr::Not(part) => truth(part, scope).map(|held| !held),
        other => match value(other, scope)? {
            Val::Bool(held) => Ok(held),
            Val::Missing => Ok(false),
            found => Err(FilterError::NotBoolean {
                what: describe(other),
                found: found.describe(),
            }),
        },
    }
}

fn value<'a>(expr: &'a Expr, scope: &'a Scope<'a>) -> Result<Val<'a>, FilterError> {
    Ok(match expr {
        Expr::And(_) | Expr::Or(_) | Expr::Not(_) => Val::Bool(truth(expr, scope)?),
        Expr::Compare(op, left, right) => {
            Val::Bool(compare(*op, value(left, scope)?, value(right, scope)?))
        }
        Expr::OneOf(left, items) => {
            let left = value(left, scope)?;
            let mut found = false;
            for item in items {
                found = found || left.equals(value(item, scope)?) == Some(true);
            }
            Val::Bool(found)
        }
        Expr::Within(left, right) => Val::Bool(within(value(left, scope)?, value(right, scope)?)),
        Expr::TextMatch(search, on, part) => {
            Val::Bool(match (value(on, scope)?, value(part, scope)?) {
                (Val::Text(on), Val::Text(part)) => match search {
                    TextMatch::Contains => on.contains(part),
                    TextMatch::Starts => on.starts_with(part),
                    TextMatch::Ends => on.ends_with(part),
                },
                _ => false,
            })
        }
        Expr::Matches(on, regex) => {
            Val::Bool(matches!(value(on, scope)?, Val::Text(text) if regex.is_match(text)))
        }
        Expr::Size(on) => value(on, scope)?.size(),
        Expr::Has(on) => Val::Bool(!matches!(value(on, scope)?, Val::Missing)),
        Expr::Path(name, steps) => path(*name, steps, scope),
        Expr::Member(member) => of_payment(*member, scope),
        Expr::Null => Val::Null,
        Expr::Bool(held) => Val::Bool(*held),
        Expr::Number(number) => Val::Number(*number),
        Expr::Text(text) => Val::Text(text),
        Expr::Duration(span) => Val::Duration(*span),
    })
}

fn compare(op: Op, left: Val<'_>, right: Val<'_>) -> bool {
    let order = || left.order(right);
    match op {
        Op::Equal => left.equals(right) == Some(true),
        Op::Unequal => left.equals(right) == Some(false),
        Op::Less => order() == Some(Ordering::Less),
        Op::LessOrEqual => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
        Op::Greater => order() == Some(Ordering::Greater),
        Op::GreaterOrEqual => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
    }
}

fn within(left: Val<'_>, right: Val<'_>) -> bool {
    match (left, right) {
        (left, Val::Json(Value::Array(items))) => items
            .iter()
            .any(|item| left.equals(Val::of_json(item)) == Some(true)),
        (Val::Text(name), Val::Json(Value::Object(members))) => members.contains_key(name),
        (Val::Text(name), Val::Attributes(members)) => members.contains_key(name),
        _ => false,
    }
}

fn path<'a>(name: Name, steps: &[PathStep], scope: &'a Scope<'a>) -> Val<'a> {
    let subject = scope.subject;
    let maybe = |text: Option<&'a str>| text.map_or(Val::Missing, Val::Text);
    match name {
        Name::Body => Val::Text(subject.body),
        Name::Attr => match steps.first() {
            Some(PathStep::Name(name)) => maybe(subject.attributes.get(name).map(String::as_str)),
            Some(PathStep::Place(_)) => Val::Missing,
            None => Val::Attributes(subject.attributes),
        },
        Name::Payload => scope
            .payload
            .and_then(|payload| descend(payload, steps))
            .map_or(Val::Missing, Val::of_json),
        // Members of the payment are no paths.
        Name::Payment => Val::Missing,
        Name::PaymentId => of_payment(Member::Id, scope),
        Name::Age => Val::Duration(subject.age),
        Name::Receives => Val::Number(Number::Whole(subject.receives.into())),
        Name::Cause => Val::Text(subject.cause),
        Name::Class => Val::Text(subject.class),
        Name::Reason => Val::Text(subject.reason),
        Name::Consumer => maybe(subject.consumer),
        Name::Queue => Val::Text(subject.queue),
        Name::MessageId => Val::Text(subject.message_id),
        Name::Group => maybe(subject.group),
    }
}

fn descend<'a>(payload: &'a Value, steps: &[PathStep]) -> Option<&'a Value> {
    steps.iter().try_fold(payload, |value, step| match step {
        PathStep::Name(name) => value.get(name),
        PathStep::Place(place) => value.get(place),
    })
}

fn of_payment<'a>(member: Member, scope: &'a Scope<'a>) -> Val<'a> {
    let Some(payment) = &scope.subject.payment else {
        return Val::Missing;
    };
    match member {
        Member::Id => Val::Text(payment.id),
        Member::Status => payment.status.map_or(Val::Missing, Val::Text),
        Member::Amount => payment.amount_minor.map_or(Val::Missing, |amount| {
            Val::Number(Number::Whole(amount.into()))
        }),
        Member::Currency => payment.currency.map_or(Val::Missing, Val::Text),
    }
}

/// How a part is called that is not true or false: only of the payload is that not known before.
fn describe(expr: &Expr) -> String {
    let Expr::Path(Name::Payload, steps) = expr else {
        return "a part of the filter".to_owned();
    };
    let step = |step: &PathStep| match step {
        PathStep::Name(name)
            if name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') =>
        {
            format!(".{name}")
        }
        PathStep::Name(name) => format!("[{name:?}]"),
        PathStep::Place(place) => format!("[{place}]"),
    };
    std::iter::once("payload".to_owned())
        .chain(steps.iter().map(step))
        .collect()
}
