//! Success and failure conditions of a metric.
//!
//! Argo Rollouts evaluates them with the expr language. This is the part of it that conditions on
//! numbers use; anything else is an error, which the measurement reports:
//!
//! ```text
//! or         = and { "||" and }
//! and        = not { "&&" not }
//! not        = "!" not | "(" or ")" | comparison
//! comparison = operand ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) operand
//! operand    = number | "result" | "result[" index "]" | "asFloat(" operand ")" | "asInt(" operand
//! ")"
//! ```

use serde_json::Value;

/// Evaluates `condition` for the measured `result`.
pub(super) fn evaluate(condition: &str, result: &Value) -> Result<bool, String> {
    let mut parser = Parser {
        tokens: tokenize(condition)?,
        at: 0,
        result,
    };
    let value = parser.or()?;
    match parser.next() {
        None => Ok(value),
        Some(token) => Err(format!("unexpected {token:?} in condition {condition:?}")),
    }
}

fn tokenize(text: &str) -> Result<Vec<String>, String> {
    let (mut out, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let two = rest
            .get(..2)
            .filter(|two| ["||", "&&", "<=", ">=", "==", "!="].contains(two));
        let length = if let Some(two) = two {
            two.len()
        } else if "()[]<>!".contains(first) {
            1
        } else if first.is_ascii_alphanumeric() || first == '-' || first == '.' {
            let word =
                |letter: char| letter.is_ascii_alphanumeric() || letter == '.' || letter == '_';
            rest.char_indices()
                .skip(1)
                .find(|(_, letter)| !word(*letter))
                .map_or(rest.len(), |(at, _)| at)
        } else {
            return Err(format!("unexpected {first:?} in condition {text:?}"));
        };
        let (token, left) = rest.split_at(length);
        out.push(token.to_owned());
        rest = left.trim_start();
    }
    Ok(out)
}

struct Parser<'a> {
    tokens: Vec<String>,
    at: usize,
    result: &'a Value,
}

impl Parser<'_> {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn next(&mut self) -> Option<String> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self.peek() == wanted;
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        if self.take(wanted) {
            Ok(())
        } else {
            Err(format!("expected {wanted:?}, found {:?}", self.peek()))
        }
    }

    fn or(&mut self) -> Result<bool, String> {
        let mut value = self.and()?;
        while self.take("||") {
            // Parse both sides whatever the first gives, so that errors are always found.
            value |= self.and()?;
        }
        Ok(value)
    }

    fn and(&mut self) -> Result<bool, String> {
        let mut value = self.not()?;
        while self.take("&&") {
            value &= self.not()?;
        }
        Ok(value)
    }

    fn not(&mut self) -> Result<bool, String> {
        if self.take("!") {
            return Ok(!self.not()?);
        }
        if self.take("(") {
            let value = self.or()?;
            self.expect(")")?;
            return Ok(value);
        }
        let left = self.operand()?;
        let operator = self.next().unwrap_or_default();
        let right = self.operand()?;
        // Two JSON numbers that were read from text are equal when they are the same.
        let order = left
            .partial_cmp(&right)
            .ok_or_else(|| "cannot compare a value that is not a number".to_owned())?;
        match operator.as_str() {
            "<" => Ok(order.is_lt()),
            "<=" => Ok(order.is_le()),
            ">" => Ok(order.is_gt()),
            ">=" => Ok(order.is_ge()),
            "==" => Ok(order.is_eq()),
            "!=" => Ok(order.is_ne()),
            other => Err(format!("expected a comparison, found {other:?}")),
        }
    }

    fn operand(&mut self) -> Result<f64, String> {
        let token = self.next().unwrap_or_default();
        match token.as_str() {
            "result" if self.take("[") => {
                let index = self.next().unwrap_or_default();
                self.expect("]")?;
                let index: usize = index
                    .parse()
                    .map_err(|_| format!("expected an index, found {index:?}"))?;
                let items = self
                    .result
                    .as_array()
                    .ok_or_else(|| format!("result is {}, which has no items", self.result))?;
                let item = items.get(index).ok_or_else(|| {
                    format!("result has {} items, none at [{index}]", items.len())
                })?;
                item.as_f64()
                    .ok_or_else(|| format!("result[{index}] is {item}, not a number"))
            }
            "result" => self
                .result
                .as_f64()
                .ok_or_else(|| format!("result is {}, not a number", self.result)),
            "asFloat" | "asInt" => {
                self.expect("(")?;
                let value = self.operand()?;
                self.expect(")")?;
                Ok(if token == "asInt" {
                    value.trunc()
                } else {
                    value
                })
            }
            number => number
                .parse()
                .map_err(|_| format!("expected a number or result, found {number:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(condition: &str, result: &Value, wanted: bool) {
        assert_eq!(
            evaluate(condition, result),
            Ok(wanted),
            "{condition} for {result}"
        );
    }

    #[test]
    fn numbers_are_compared() {
        check("result[0] < 0.35", &json!([0.21]), true);
        check("result[0] < 0.35", &json!([0.35]), false);
        check("result >= 0.95", &json!(0.95), true);
        check("result[1] != -2", &json!([1, -2]), false);
        check("asInt(result) == 3", &json!(3.7), true);
    }

    #[test]
    fn and_binds_closer_than_or() {
        check("result < 1 || result > 2 && result > 5", &json!(0), true);
        check("(result < 1 || result > 2) && result > 5", &json!(0), false);
        check("!(result == 1) && result <= 4", &json!(4), true);
    }

    #[test]
    fn anything_else_is_an_error_that_says_what() {
        for (condition, result, wanted) in [
            ("result[0] < 0.35", json!(0.2), "has no items"),
            ("result[0] < 0.35", json!([]), "none at [0]"),
            ("result < 1", json!("NaN"), "not a number"),
            ("len(result) > 1", json!([1]), "found \"len\""),
            ("result", json!(1), "expected a number or result"),
            ("result < 1 result", json!(1), "unexpected"),
            ("all(result, {# > 1})", json!(1), "unexpected ','"),
            ("", json!(1), "expected"),
        ] {
            let error = evaluate(condition, &result).unwrap_err();
            assert!(error.contains(wanted), "{condition}: {error}");
        }
    }
}
