//! The fingerprint of a reason: what is left when everything that differs from dead letter to dead
//! letter is taken out. Dead letters with one fingerprint died of the same thing.

use super::headline::headline;
use super::words::{is_code, is_value, piece};

const FINGERPRINT_MAX: usize = 160;

/// A reason without what differs from message to message. Of a stack trace only the line that says
/// what happened is kept. In it, values become `#`: payment ids and other ids, UUIDs, runs of
/// hexadecimal digits, numbers, times, e-mail addresses, and what stands in quotation marks.
///
/// What stays is what tells causes apart: words with a digit in them that are names or codes
/// (`utf8`, `sha256`, `v2`, `E1001`, `3ds`), HTTP statuses and error numbers (`status code 503`,
/// `ORA-00001`), and quoted names behind words such as `field`, `column` or `constraint`.
#[must_use]
pub fn fingerprint(reason: &str) -> String {
    let line = headline(reason);
    let mut out = String::with_capacity(line.len());
    let unquoted = remove_quoted(&line);
    let mut before = String::new();
    let mut words = unquoted.split_whitespace().peekable();
    while let Some(word) = words.next() {
        if !out.is_empty() {
            out.push(' ');
        }
        let next = words.peek().copied().unwrap_or_default();
        if is_calendar_word(word, &before, next) {
            out.push('#');
        } else {
            push_word(&mut out, word, next, &mut before);
        }
    }
    collapse(&out).chars().take(FINGERPRINT_MAX).collect()
}

/// Words in front of a quoted name; behind others, quotation marks hold a value.
const NAMING: [&str; 28] = [
    "field",
    "column",
    "property",
    "key",
    "parameter",
    "param",
    "member",
    "attribute",
    "table",
    "relation",
    "constraint",
    "index",
    "enum",
    "type",
    "class",
    "method",
    "function",
    "variable",
    "header",
    "module",
    "reading",
    "queue",
    "topic",
    "setting",
    "keyerror",
    "invoke",
    "because",
    "breaker",
];

/// Puts `#` in the place of quoted values. Quoted names stay: behind a naming word, or as the
/// name of a JSON member.
fn remove_quoted(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let Some((held, behind)) = split_quoted(c, after, out.chars().next_back()) else {
            out.push(c);
            rest = after;
            continue;
        };
        if is_name(held, behind, &out) {
            out.extend([c]);
            out.push_str(held);
            out.extend([c]);
        } else {
            out.push('#');
        }
        rest = behind;
    }
    out
}

/// What the quotation mark `mark` holds, and what comes behind its partner.
fn split_quoted(mark: char, after: &str, before: Option<char>) -> Option<(&str, &str)> {
    let partner = match mark {
        '"' | '\'' | '`' => mark,
        '“' => '”',
        '«' => '»',
        _ => return None,
    };
    // An apostrophe within a word is none.
    if mark == '\'' && before.is_some_and(char::is_alphanumeric) {
        return None;
    }
    let ends = |(at, _): &(usize, &str)| {
        let held = after.get(..*at).unwrap_or_default();
        let behind = after
            .get(at.saturating_add(partner.len_utf8())..)
            .unwrap_or_default();
        !held.ends_with('\\') && (partner != '\'' || !behind.starts_with(char::is_alphanumeric))
    };
    let (at, found) = after.match_indices(partner).find(ends)?;
    Some((
        after.get(..at)?,
        after.get(at.saturating_add(found.len())..)?,
    ))
}

fn is_name(held: &str, behind: &str, out: &str) -> bool {
    let part = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '_' | '.' | '-' | '$' | '/' | '[' | ']' | '(' | ')')
    };
    if held.is_empty()
        || held.len() > 60
        || !held.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        || !held.chars().all(part)
    {
        return false;
    }
    let member = behind.trim_start().starts_with(':') && out.trim_end().ends_with(['{', ',']);
    let word = out
        .trim_end_matches([' ', ':'])
        .rsplit(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    member || NAMING.contains(&word.to_lowercase().as_str())
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Whether a word is part of a date that is written out: `Sun, 22 Nov 2026`.
fn is_calendar_word(word: &str, before: &str, next: &str) -> bool {
    let short: String = word.chars().take(3).flat_map(char::to_lowercase).collect();
    let number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    if word.trim_end_matches(',').len() != 3 {
        return false;
    }
    if DAYS.contains(&short.as_str()) {
        return number(next) || MONTHS.iter().any(|month| next.to_lowercase() == *month);
    }
    MONTHS.contains(&short.as_str()) && (number(before) || number(next))
}

/// Writes a word without its values; `before` is the last piece written, and then the new one.
fn push_word(out: &mut String, word: &str, next: &str, before: &mut String) {
    let core = word.trim_matches(|c: char| !c.is_alphanumeric());
    let following = next
        .split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    let Some((lead, tail)) = word.split_once(core).filter(|_| !core.is_empty()) else {
        out.push_str(word);
        return;
    };
    out.push_str(lead);
    if core.to_lowercase().starts_with("http/") && core.len() <= 8 {
        // The number behind it is a status.
        out.push_str(core);
        "http".clone_into(before);
    } else if is_value(core) && !is_code(core, before, false, following) {
        out.push('#');
        core.clone_into(before);
    } else {
        push_parts(out, core, following, before);
    }
    out.push_str(tail);
}

/// Writes what stands between the separators of a word: `Foo.java:12`, `payments/pay_01JD….json`.
fn push_parts(out: &mut String, core: &str, following: &str, before: &mut String) {
    let separator = |c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-');
    for part in core.split_inclusive(separator) {
        let (text, end) = part.strip_suffix(separator).map_or((part, ""), |text| {
            (text, part.get(text.len()..).unwrap_or_default())
        });
        if is_value(text) && !is_code(text, before, false, following) {
            out.push('#');
            text.clone_into(before);
        } else {
            push_pieces(out, text, following, before);
        }
        out.push_str(end);
    }
}

fn push_pieces(out: &mut String, text: &str, following: &str, before: &mut String) {
    let mut hyphen = false;
    for part in text.split_inclusive(['_', '-']) {
        let bare = part.strip_suffix(['_', '-']).unwrap_or(part);
        if !bare.is_empty() {
            out.push_str(&piece(bare, before, hyphen, following));
            bare.clone_into(before);
        }
        out.push_str(part.get(bare.len()..).unwrap_or_default());
        hyphen = part.ends_with('-');
    }
}

/// Makes several values in a row one, and drops signs: a list of ids is as good as one id. A colon
/// with a space behind it parts what is told from whom it is told of, and stays.
fn collapse(text: &str) -> String {
    let between = |c: char| {
        c == ' '
            || matches!(
                c,
                ',' | ':' | ';' | '.' | '-' | '+' | '/' | '|' | '_' | '=' | '*' | '%' | '~' | '@'
            )
    };
    let mut out = String::with_capacity(text.len());
    let mut pieces = text.split('#');
    out.push_str(pieces.next().unwrap_or_default());
    let mut after_value = false;
    for gap in pieces {
        if !after_value {
            let sign = out.ends_with(['-', '+'])
                && !out
                    .trim_end_matches(['-', '+'])
                    .ends_with(char::is_alphanumeric);
            if sign {
                out.truncate(out.trim_end_matches(['-', '+']).len());
            }
            out.push('#');
        }
        after_value = gap.chars().all(between) && !gap.is_empty() && !gap.ends_with(": ");
        if !after_value {
            out.push_str(gap);
        }
    }
    out
}

#[cfg(test)]
mod tests;
