//! From an expression's characters to its words.

use super::error::FilterError;
use super::value::{Number, duration};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Text(String),
    Number(Number),
    Sign(&'static str),
    End,
}

impl Token {
    /// How it is called in an error.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Name(name) => format!("`{}`", shorten(name)),
            Self::Text(_) => "a text".to_owned(),
            Self::Number(_) => "a number".to_owned(),
            Self::Sign(sign) => format!("`{sign}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// A word, and the character that it begins at, counted from 1.
pub(super) type Placed = (usize, Token);

const SIGNS: [&str; 18] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ".", ",", "-", "?", ":",
];

/// All words of `text`, the last of them [`Token::End`].
pub(super) fn lex(text: &str) -> Result<Vec<Placed>, FilterError> {
    let mut out = Vec::new();
    let (mut rest, mut at) = (text, 1_usize);
    loop {
        let blank = rest.len().saturating_sub(rest.trim_start().len());
        at = at.saturating_add(rest.get(..blank).map_or(0, |blank| blank.chars().count()));
        rest = rest.get(blank..).unwrap_or_default();
        let Some(first) = rest.chars().next() else {
            break;
        };
        let (token, length) = match first {
            '"' | '\'' => text_token(rest, first, false, at)?,
            'r' if rest.starts_with("r\"") || rest.starts_with("r'") => {
                let quote = rest.chars().nth(1).unwrap_or('"');
                let (token, length) =
                    text_token(rest.get(1..).unwrap_or_default(), quote, true, at)?;
                (token, length.saturating_add(1))
            }
            c if c.is_ascii_digit() => number_token(rest, at)?,
            c if c.is_ascii_alphabetic() || c == '_' => {
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                (
                    Token::Name(rest.get(..end).unwrap_or_default().to_owned()),
                    end,
                )
            }
            c => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Token::Sign(sign), sign.len()),
                None if c == '=' => {
                    return Err(unexpected_token(
                        at,
                        "an operator",
                        "`=`; equality is ==".to_owned(),
                    ));
                }
                None if c == '&' || c == '|' => {
                    return Err(unexpected_token(
                        at,
                        "an operator",
                        format!("`{c}`; write {c}{c}"),
                    ));
                }
                None => {
                    return Err(unexpected_token(
                        at,
                        "a name, a value or an operator",
                        format!("`{}`", c.escape_debug()),
                    ));
                }
            },
        };
        out.push((at, token));
        let (word, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        at = at.saturating_add(word.chars().count());
        rest = after;
    }
    out.push((at, Token::End));
    Ok(out)
}

pub(super) fn unexpected_token(at: usize, expected: &'static str, found: String) -> FilterError {
    FilterError::Unexpected {
        at,
        expected,
        found,
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

/// A text in quotation marks, and how many bytes it takes. In a raw one, a backslash is itself.
fn text_token(
    rest: &str,
    quote: char,
    raw: bool,
    at: usize,
) -> Result<(Token, usize), FilterError> {
    let mut out = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((place, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((Token::Text(out), place.saturating_add(c.len_utf8()))),
            '\\' if !raw => {
                let (_, escaped) = chars.next().ok_or_else(|| unclosed_text(at))?;
                out.push(match escaped {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    '\\' | '"' | '\'' | '`' => escaped,
                    'u' => {
                        let digits: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                        let code = u32::from_str_radix(&digits, 16)
                            .ok()
                            .filter(|_| digits.len() == 4);
                        code.and_then(char::from_u32).ok_or_else(|| {
                            unexpected_token(
                                at,
                                "\\u and four hexadecimal digits",
                                "something else".to_owned(),
                            )
                        })?
                    }
                    other => {
                        let found = format!("`\\{}`", other.escape_debug());
                        return Err(unexpected_token(
                            at,
                            "one of \\n \\r \\t \\\\ \\\" \\' \\uXXXX in a text (or r\"…\")",
                            found,
                        ));
                    }
                });
            }
            c => out.push(c),
        }
    }
    Err(unclosed_text(at))
}

fn unclosed_text(at: usize) -> FilterError {
    unexpected_token(
        at,
        "a text with a quotation mark at its end",
        "the end".to_owned(),
    )
}

fn number_token(rest: &str, at: usize) -> Result<(Token, usize), FilterError> {
    let digits = |from: usize| {
        let tail = rest.get(from..).unwrap_or_default();
        from.saturating_add(
            tail.find(|c: char| !c.is_ascii_digit())
                .unwrap_or(tail.len()),
        )
    };
    let mut end = digits(0);
    let fraction = digits(end.saturating_add(1));
    if rest.get(end..).is_some_and(|tail| tail.starts_with('.')) && fraction > end.saturating_add(1)
    {
        end = fraction;
    }
    let word = rest.get(..end).unwrap_or_default();
    let joined = rest
        .get(end..)
        .is_some_and(|tail| tail.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
    if let Some(number) = Number::parse(word).filter(|_| !joined) {
        return Ok((Token::Number(number), end));
    }
    let found = rest.split_whitespace().next().unwrap_or(word);
    let words = if duration(found).is_some() {
        format!("`{found}`; write durations as duration(\"{found}\")")
    } else {
        shorten(&format!("`{found}`"))
    };
    Err(unexpected_token(at, "a number such as 1250 or 12.5", words))
}
