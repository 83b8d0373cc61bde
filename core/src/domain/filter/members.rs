//! Names, members and functions of an expression: which there are, and what is meant by others.

use regex::{Regex, RegexBuilder};

use super::error::FilterError;
use super::names::{MEMBERS, NAMES, Name, find_nearest, join_names};
use super::tree::{Expr, Member, Node, PathStep};
use super::value::Kind;

/// How large a compiled regular expression may be, in bytes.
const REGEX_SIZE_MAX: usize = 256 * 1024;

/// Members of the payment that are often asked for without it.
const WITHOUT_PAYMENT: [(&str, &str); 4] = [
    ("status", "payment.status"),
    ("amount", "payment.amount"),
    ("currency", "payment.currency"),
    ("id", "message_id"),
];

/// What is said of a name that there is not.
pub(super) fn unknown_name(at: usize, text: &str) -> FilterError {
    let of_payment = || {
        WITHOUT_PAYMENT
            .into_iter()
            .find(|(member, _)| *member == text)
            .map(|(_, name)| name)
    };
    let suggestion = find_nearest(text, NAMES.iter().map(|(name, _)| *name)).or_else(of_payment);
    FilterError::UnknownName {
        at,
        name: clip(text),
        suggestion,
        known: join_names(NAMES.iter().map(|(name, _)| *name)),
    }
}

/// A member of what `node` is.
pub(super) fn step(node: Node, at: usize, key: PathStep) -> Result<Node, FilterError> {
    match (node.expr, key) {
        (Expr::Path(Name::Payment, _), PathStep::Name(name)) => {
            let (kind, member) = match name.as_str() {
                "id" => (Kind::Text, Member::Id),
                "status" => (Kind::Text, Member::Status),
                "amount" => (Kind::Number, Member::Amount),
                "currency" => (Kind::Text, Member::Currency),
                _ => {
                    let suggestion = find_nearest(&name, MEMBERS.into_iter());
                    return Err(FilterError::UnknownMember {
                        at,
                        name: clip(&name),
                        suggestion,
                        known: join_names(MEMBERS.into_iter()),
                    });
                }
            };
            Ok(Node {
                at: node.at,
                kind,
                expr: Expr::Member(member),
            })
        }
        (Expr::Path(Name::Attr, steps), key @ PathStep::Name(_)) if steps.is_empty() => Ok(Node {
            at: node.at,
            kind: Kind::Text,
            expr: Expr::Path(Name::Attr, vec![key]),
        }),
        (Expr::Path(Name::Payload, mut steps), key) => {
            steps.push(key);
            Ok(Node {
                at: node.at,
                kind: Kind::Any,
                expr: Expr::Path(Name::Payload, steps),
            })
        }
        _ => Err(FilterError::Types {
            at,
            what: format!("{} has no fields", node.kind.describe()),
        }),
    }
}

pub(super) fn unknown_function(
    at: usize,
    name: &str,
    known: &'static [&'static str],
) -> FilterError {
    let suggestion = find_nearest(name, known.iter().copied());
    FilterError::UnknownFunction {
        at,
        name: clip(name),
        suggestion,
        known: join_names(known.iter().copied()),
    }
}

pub(super) fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}

pub(super) fn regex(pattern: &str, at: usize) -> Result<Regex, FilterError> {
    let built = RegexBuilder::new(pattern)
        .size_limit(REGEX_SIZE_MAX)
        .dfa_size_limit(REGEX_SIZE_MAX)
        .nest_limit(64)
        .build();
    built.map_err(|error| {
        let why = match error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            error => error
                .to_string()
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned(),
        };
        FilterError::Regex { at, why }
    })
}
