//! From words to a tree, by recursive descent; and which types go together, as far as that is
//! known before a dead letter is seen.

use super::error::FilterError;
use super::lex::{Token, lex, unexpected_token};
use super::members::{clip, regex, step, unknown_function, unknown_name};
use super::names::{FUNCTIONS, MEMBERS, METHODS, Name, join_names};
use super::tree::{Expr, Member, Node, Op, PathStep, TextMatch};
use super::value::{Kind, Number, duration};
use super::{DEPTH_MAX, check};

/// Reads a whole expression; returned with it are the names it mentions.
pub(super) fn parse(text: &str) -> Result<(Expr, Vec<Name>), FilterError> {
    let tokens = lex(text)?;
    let mut parser = Parser {
        tokens: tokens.into_iter().peekable(),
        depth: 0,
        mentioned: Vec::new(),
    };
    if parser.token() == Token::End {
        return Err(FilterError::Empty);
    }
    let node = parser.parse_or()?;
    if parser.token() != Token::End {
        return Err(parser.reject("an operator such as && or ==, or the end"));
    }
    check::truth(&node, "a filter")?;
    Ok((node.expr, parser.mentioned))
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<(usize, Token)>>,
    depth: usize,
    mentioned: Vec<Name>,
}

impl Parser {
    fn position(&mut self) -> usize {
        self.tokens.peek().map_or(1, |(at, _)| *at)
    }

    fn token(&mut self) -> Token {
        self.tokens
            .peek()
            .map_or(Token::End, |(_, token)| token.clone())
    }

    fn next_is(&mut self, sign: &str) -> bool {
        matches!(self.tokens.peek(), Some((_, Token::Sign(found))) if *found == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let is = self.next_is(sign);
        if is {
            self.tokens.next();
        }
        is
    }

    fn expect_sign(&mut self, sign: &'static str) -> Result<(), FilterError> {
        if self.take(sign) {
            Ok(())
        } else {
            Err(self.reject(sign))
        }
    }

    fn reject(&mut self, expected: &'static str) -> FilterError {
        let found = self.token().describe();
        unexpected_token(self.position(), expected, found)
    }

    /// `a || b`; the one place where an expression may be nested in another.
    fn parse_or(&mut self) -> Result<Node, FilterError> {
        if self.depth >= DEPTH_MAX {
            return Err(FilterError::TooDeep {
                at: self.position(),
            });
        }
        self.depth = self.depth.saturating_add(1);
        let node = self.parse_chain("||", Self::parse_and, Expr::Or);
        self.depth = self.depth.saturating_sub(1);
        node
    }

    fn parse_and(&mut self) -> Result<Node, FilterError> {
        self.parse_chain("&&", Self::parse_relation, Expr::And)
    }

    fn parse_chain(
        &mut self,
        sign: &'static str,
        part: fn(&mut Self) -> Result<Node, FilterError>,
        make: fn(Vec<Expr>) -> Expr,
    ) -> Result<Node, FilterError> {
        let first = part(self)?;
        if !self.next_is(sign) {
            return Ok(first);
        }
        check::truth(&first, sign)?;
        let at = first.at;
        let mut parts = vec![first.expr];
        while self.take(sign) {
            let next = part(self)?;
            check::truth(&next, sign)?;
            parts.push(next.expr);
        }
        Ok(Node {
            at,
            kind: Kind::Bool,
            expr: make(parts),
        })
    }

    /// `a == b`, `a in b`, or a value alone.
    fn parse_relation(&mut self) -> Result<Node, FilterError> {
        let left = self.parse_unary()?;
        let at = left.at;
        let expr = match self.token() {
            Token::Sign(sign) => {
                let Some(op) = Op::from_sign(sign) else {
                    return Ok(left);
                };
                self.tokens.next();
                let right = self.parse_unary()?;
                check::compare(op, &left, &right)?;
                Expr::Compare(op, Box::new(left.expr), Box::new(right.expr))
            }
            Token::Name(name) if name == "in" => {
                self.tokens.next();
                self.parse_in(left)?
            }
            _ => return Ok(left),
        };
        Ok(Node {
            at,
            kind: Kind::Bool,
            expr,
        })
    }

    /// What stands behind `in`: a list that is written out, `attr`, or something of the payload.
    fn parse_in(&mut self, left: Node) -> Result<Expr, FilterError> {
        if !self.take("[") {
            let right = self.parse_unary()?;
            check::within(&left, &right)?;
            return Ok(Expr::Within(Box::new(left.expr), Box::new(right.expr)));
        }
        let mut items = Vec::new();
        while !self.take("]") {
            if !items.is_empty() {
                self.expect_sign(",")?;
                if self.take("]") {
                    break;
                }
            }
            let item = self.parse_unary()?;
            check::compare(Op::Equal, &left, &item)?;
            items.push(item.expr);
        }
        Ok(Expr::OneOf(Box::new(left.expr), items))
    }

    /// Parses what may stand after a sign: `!a`, `-1`.
    fn parse_unary(&mut self) -> Result<Node, FilterError> {
        let at = self.position();
        let mut nots = 0_usize;
        while self.take("!") {
            nots = nots.saturating_add(1);
        }
        if nots == 0 && self.take("-") {
            return match self.tokens.next() {
                Some((_, Token::Number(number))) => Ok(Node {
                    at,
                    kind: Kind::Number,
                    expr: Expr::Number(number.negate()),
                }),
                other => Err(unexpected_token(
                    at,
                    "a number after `-`",
                    other.map_or(Token::End, |(_, token)| token).describe(),
                )),
            };
        }
        let mut node = self.postfix()?;
        if nots > 0 {
            check::truth(&node, "!")?;
            node = Node {
                at,
                kind: Kind::Bool,
                expr: Expr::Not(Box::new(node.expr)),
            };
        }
        if nots > 0 && nots.is_multiple_of(2) {
            node.expr = Expr::Not(Box::new(node.expr));
        }
        Ok(node)
    }

    fn postfix(&mut self) -> Result<Node, FilterError> {
        let mut node = self.parse_primary()?;
        loop {
            let at = self.position();
            if self.take(".") {
                let Some((name_at, Token::Name(name))) = self.tokens.next() else {
                    return Err(unexpected_token(
                        at,
                        "a name after `.`",
                        "something else".to_owned(),
                    ));
                };
                node = if self.take("(") {
                    self.method(node, name_at, &name)?
                } else {
                    self.step(node, name_at, PathStep::Name(name))?
                };
            } else if self.take("[") {
                let key = self.key()?;
                node = self.step(node, at, key)?;
            } else {
                break;
            }
        }
        if let Expr::Path(Name::Payment, _) = node.expr {
            let what = format!(
                "payment is an object; use one of its fields: {}",
                join_names(MEMBERS.into_iter())
            );
            return Err(FilterError::Types { at: node.at, what });
        }
        Ok(node)
    }

    fn step(&mut self, node: Node, at: usize, key: PathStep) -> Result<Node, FilterError> {
        let node = step(node, at, key)?;
        if let Expr::Member(member) = node.expr {
            // The id stands in the dead letter; for the others the payment must be looked up.
            self.note_name(if member == Member::Id {
                Name::PaymentId
            } else {
                Name::Payment
            });
        }
        Ok(node)
    }

    /// What stands between `[` and `]`.
    fn key(&mut self) -> Result<PathStep, FilterError> {
        let at = self.position();
        let key = match self.tokens.next() {
            Some((_, Token::Text(text))) => Some(PathStep::Name(text)),
            Some((_, Token::Number(Number::Whole(place)))) => {
                usize::try_from(place).ok().map(PathStep::Place)
            }
            _ => None,
        };
        let key = key.ok_or_else(|| {
            unexpected_token(
                at,
                "a string or an index in [ ]",
                "something else".to_owned(),
            )
        })?;
        self.expect_sign("]")?;
        Ok(key)
    }

    fn method(&mut self, on: Node, at: usize, name: &str) -> Result<Node, FilterError> {
        let search = match name {
            "contains" => Some(TextMatch::Contains),
            "startsWith" => Some(TextMatch::Starts),
            "endsWith" => Some(TextMatch::Ends),
            "matches" => None,
            "size" => {
                self.expect_sign(")")?;
                return check::size(on);
            }
            _ => return Err(unknown_function(at, name, &METHODS)),
        };
        check::text(on.at, on.kind, name)?;
        let argument_at = self.position();
        let argument = self.parse_or()?;
        self.expect_sign(")")?;
        let on_at = on.at;
        let expr = match (search, argument.expr) {
            (None, Expr::Text(pattern)) => {
                Expr::Matches(Box::new(on.expr), regex(&pattern, argument_at)?)
            }
            (None, _) => {
                let what = "matches() expects a quoted regular expression".to_owned();
                return Err(FilterError::Types {
                    at: argument_at,
                    what,
                });
            }
            (Some(search), expr) => {
                check::text(argument_at, argument.kind, name)?;
                Expr::TextMatch(search, Box::new(on.expr), Box::new(expr))
            }
        };
        Ok(Node {
            at: on_at,
            kind: Kind::Bool,
            expr,
        })
    }

    fn parse_primary(&mut self) -> Result<Node, FilterError> {
        let at = self.position();
        let node = |kind, expr| Ok(Node { at, kind, expr });
        match self.token() {
            Token::Sign("(") => {
                self.tokens.next();
                let held = self.parse_or()?;
                self.expect_sign(")")?;
                Ok(Node { at, ..held })
            }
            Token::Sign("[") => Err(FilterError::Types {
                at,
                what: "a list may only follow `in`".to_owned(),
            }),
            Token::Number(number) => {
                self.tokens.next();
                node(Kind::Number, Expr::Number(number))
            }
            Token::Text(text) => {
                self.tokens.next();
                node(Kind::Text, Expr::Text(text))
            }
            Token::Name(name) => {
                self.tokens.next();
                match name.as_str() {
                    "true" | "false" => node(Kind::Bool, Expr::Bool(name == "true")),
                    "null" => node(Kind::Null, Expr::Null),
                    _ if self.take("(") => self.function(at, &name),
                    _ => self.name(at, &name),
                }
            }
            _ => Err(self.reject("a name or a value")),
        }
    }

    fn name(&mut self, at: usize, text: &str) -> Result<Node, FilterError> {
        let name = Name::from_text(text).ok_or_else(|| unknown_name(at, text))?;
        if name != Name::Payment {
            self.note_name(name);
        }
        Ok(Node {
            at,
            kind: name.kind(),
            expr: Expr::Path(name, Vec::new()),
        })
    }

    fn note_name(&mut self, name: Name) {
        if !self.mentioned.contains(&name) {
            self.mentioned.push(name);
        }
    }

    fn function(&mut self, at: usize, name: &str) -> Result<Node, FilterError> {
        if !FUNCTIONS.contains(&name) {
            return Err(unknown_function(at, name, &FUNCTIONS));
        }
        let argument = self.parse_or()?;
        self.expect_sign(")")?;
        match (name, argument.expr) {
            ("size", expr) => check::size(Node { expr, ..argument }),
            ("has", expr @ (Expr::Path(..) | Expr::Member(_))) => Ok(Node {
                at,
                kind: Kind::Bool,
                expr: Expr::Has(Box::new(expr)),
            }),
            ("duration", Expr::Text(text)) => match duration(&text) {
                Some(span) => Ok(Node {
                    at,
                    kind: Kind::Duration,
                    expr: Expr::Duration(span),
                }),
                None => Err(FilterError::Duration {
                    at: argument.at,
                    text: clip(&text),
                }),
            },
            ("has", _) => Err(FilterError::Types {
                at: argument.at,
                what: "has() expects a name or a field, such as payload.detail".to_owned(),
            }),
            _ => Err(FilterError::Types {
                at: argument.at,
                what: "duration() expects a string such as \"1h30m\"".to_owned(),
            }),
        }
    }
}
