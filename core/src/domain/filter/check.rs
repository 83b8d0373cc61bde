//! Which types go together. What is of unknown type (the payload) goes with everything.

use super::error::FilterError;
use super::tree::{Expr, Node, Op};
use super::value::Kind;

fn wrong(at: usize, what: String) -> FilterError {
    FilterError::Types { at, what }
}

/// Refuses what is surely not true or false.
pub(super) fn truth(node: &Node, by: &str) -> Result<(), FilterError> {
    if matches!(node.kind, Kind::Bool | Kind::Any) {
        return Ok(());
    }
    Err(wrong(
        node.at,
        format!("{by} expects true or false, got {}", node.kind.describe()),
    ))
}

/// Refuses a comparison of two values that can never be compared.
pub(super) fn compare(op: Op, left: &Node, right: &Node) -> Result<(), FilterError> {
    let ordered = |kind| matches!(kind, Kind::Text | Kind::Number | Kind::Duration | Kind::Any);
    if op.orders()
        && let Some(node) = [left, right].into_iter().find(|node| !ordered(node.kind))
    {
        return Err(wrong(
            node.at,
            format!("{} cannot be compared with < or >", node.kind.describe()),
        ));
    }
    if left.kind == right.kind || left.kind == Kind::Any || right.kind == Kind::Any {
        return Ok(());
    }
    let hint = match (left.kind, right.kind) {
        (Kind::Null, _) | (_, Kind::Null) => "; use has(…) to test whether something exists",
        (Kind::Duration, _) | (_, Kind::Duration) => "; write a duration as duration(\"1h\")",
        _ => "",
    };
    Err(wrong(
        right.at,
        format!(
            "{} cannot be compared with {}{hint}",
            left.kind.describe(),
            right.kind.describe()
        ),
    ))
}

/// Refuses `in` before something that holds nothing, or behind something that nothing holds.
pub(super) fn within(left: &Node, right: &Node) -> Result<(), FilterError> {
    if !matches!(right.kind, Kind::Map | Kind::Any) {
        return Err(wrong(
            right.at,
            format!(
                "`in` expects a list or a map, got {}",
                right.kind.describe()
            ),
        ));
    }
    if right.kind == Kind::Map && !matches!(left.kind, Kind::Text | Kind::Any) {
        return Err(wrong(
            left.at,
            format!(
                "attribute names must be strings, got {}",
                left.kind.describe()
            ),
        ));
    }
    Ok(())
}

pub(super) fn text(at: usize, kind: Kind, function: &str) -> Result<(), FilterError> {
    if matches!(kind, Kind::Text | Kind::Any) {
        return Ok(());
    }
    Err(wrong(
        at,
        format!("{function}() expects a string, got {}", kind.describe()),
    ))
}

/// The size of `node`, if it can have one.
pub(super) fn size(node: Node) -> Result<Node, FilterError> {
    if matches!(node.kind, Kind::Text | Kind::Map | Kind::Any) {
        return Ok(Node {
            at: node.at,
            kind: Kind::Number,
            expr: Expr::Size(Box::new(node.expr)),
        });
    }
    Err(wrong(
        node.at,
        format!(
            "size() expects a string, a list or a map, got {}",
            node.kind.describe()
        ),
    ))
}
