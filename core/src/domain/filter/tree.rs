//! An expression as a tree.

use regex::Regex;

use super::names::Name;
use super::value::{Kind, Number};

#[derive(Clone, Debug)]
pub(super) enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Compare(Op, Box<Expr>, Box<Expr>),
    OneOf(Box<Expr>, Vec<Expr>),
    Within(Box<Expr>, Box<Expr>),
    TextMatch(TextMatch, Box<Expr>, Box<Expr>),
    Matches(Box<Expr>, Regex),
    Size(Box<Expr>),
    Has(Box<Expr>),
    Path(Name, Vec<PathStep>),
    Member(Member),
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    Duration(jiff::SignedDuration),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum PathStep {
    Name(String),
    Place(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Id,
    Status,
    Amount,
    Currency,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Op {
    pub(super) fn from_sign(sign: &str) -> Option<Self> {
        Some(match sign {
            "==" => Self::Equal,
            "!=" => Self::Unequal,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    pub(super) fn orders(self) -> bool {
        !matches!(self, Self::Equal | Self::Unequal)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextMatch {
    Contains,
    Starts,
    Ends,
}

/// A part of an expression, its kind, and the character it begins at.
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) kind: Kind,
    pub(super) expr: Expr,
}
