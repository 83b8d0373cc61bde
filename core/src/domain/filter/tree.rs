//! An expression as a tree.

use regex::Regex;

use super::names::Name;
use super::value::{Kind, Number};

/// A part of an expression.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Compare(Op, Box<Expr>, Box<Expr>),
    /// In a list that is written out.
    OneOf(Box<Expr>, Vec<Expr>),
    /// In a list or a map of the letter.
    Within(Box<Expr>, Box<Expr>),
    Search(Search, Box<Expr>, Box<Expr>),
    Matches(Box<Expr>, Regex),
    Size(Box<Expr>),
    Has(Box<Expr>),
    Path(Name, Vec<Step>),
    Member(Member),
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    Duration(jiff::SignedDuration),
}

/// A member of what stands before it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Name(String),
    Place(usize),
}

/// A member of the payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Id,
    Status,
    Amount,
    Currency,
}

/// How two values are compared.
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
    pub(super) fn of(sign: &str) -> Option<Self> {
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

    /// Whether it asks which is greater.
    pub(super) fn orders(self) -> bool {
        !matches!(self, Self::Equal | Self::Unequal)
    }
}

/// How one text is looked for in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
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
