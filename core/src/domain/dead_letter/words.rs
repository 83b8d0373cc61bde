//! Which words of a reason are its own, and which are values that differ from dead letter to dead
//! letter.

/// Words in front of a number that is a code and no count: the number tells causes apart.
const BEFORE_CODES: [&str; 10] = [
    "http",
    "status",
    "statuscode",
    "code",
    "errno",
    "sqlstate",
    "errorcode",
    "errcode",
    "rc",
    "responsecode",
];
/// Prefixes of names that are written with a hyphen before their number.
const HYPHENED: [&str; 9] = [
    "ora", "pls", "sql", "rfc", "iso", "utf", "sha", "tls", "aes",
];
/// First words of the phrases that follow an HTTP status.
const PHRASES: [&str; 15] = [
    "bad",
    "unauthorized",
    "payment",
    "forbidden",
    "not",
    "method",
    "conflict",
    "gone",
    "unprocessable",
    "too",
    "internal",
    "service",
    "gateway",
    "precondition",
    "request",
];
/// Words that number things of one kind: `worker7` is a worker, not a code.
const NUMBERED: [&str; 32] = [
    "worker", "shard", "node", "host", "thread", "pod", "order", "item", "line", "row", "attempt",
    "retry", "part", "user", "batch", "page", "step", "task", "job", "msg", "req", "conn", "pool",
    "slot", "replica", "invoice", "id", "no", "nr", "col", "column", "offset",
];
/// Words that start with a digit and are no number.
const DIGIT_FIRST: [&str; 10] = [
    "3ds", "3ds1", "3ds2", "2fa", "1xx", "2xx", "3xx", "4xx", "5xx", "3d",
];
const UNITS: [&str; 17] = [
    "ms", "s", "sec", "secs", "m", "min", "mins", "h", "d", "us", "ns", "b", "kb", "mb", "gb",
    "kib", "mib",
];
const ID_PREFIXES: [&str; 23] = [
    "pay", "re", "ch", "pi", "cus", "tok", "pm", "evt", "req", "txn", "tx", "ord", "inv", "sub",
    "seti", "card", "ba", "po", "in", "src", "acct", "dp", "cs",
];

/// Whether a whole word is a value: an id, an address, a number, a time.
pub(super) fn is_value(word: &str) -> bool {
    if word.contains('@') && word.parse::<crate::domain::text::Email>().is_ok() {
        return true;
    }
    has_digit(word) && (is_number(word) || is_uuid(word) || is_prefixed_id(word) || is_run(word))
}

fn has_digit(word: &str) -> bool {
    word.chars().any(char::is_numeric)
}

/// Digits and what stands between them in amounts, addresses, dates and times.
fn is_number(word: &str) -> bool {
    let part = |c: char| {
        c.is_numeric() || matches!(c, '.' | ',' | ':' | '-' | '+' | '/' | '%' | 'T' | 'Z')
    };
    word.starts_with(char::is_numeric) && word.chars().all(part)
}

fn is_uuid(word: &str) -> bool {
    let mut parts = word.split('-');
    let long = [8, 4, 4, 4, 12].iter().all(|len| {
        parts
            .next()
            .is_some_and(|part| part.len() == *len && is_hex(part))
    });
    long && parts.next().is_none()
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `pay_01JD…`, `ch_3Nx…`: a short word, an underscore, letters and digits.
fn is_prefixed_id(word: &str) -> bool {
    let Some((prefix, tail)) = word.split_once('_') else {
        return false;
    };
    let own =
        (2..=8).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_lowercase());
    let id = has_digit(tail)
        && tail
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let mixed = !tail.contains('_') && (tail.len() >= 10 || split_runs(tail).len() > 2);
    own && id && (ID_PREFIXES.contains(&prefix) || (tail.len() >= 6 && mixed))
}

/// Hexadecimal of eight digits or more, `0x…`, a ULID, or letters and digits in a long jumble.
fn is_run(word: &str) -> bool {
    let hex = word
        .strip_prefix("0x")
        .map_or(word.len() >= 8 && is_hex(word), is_hex);
    let alphanumeric = word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    hex || (alphanumeric && word.len() >= 16 && split_runs(word).len() > 3)
}

/// One piece of letters and digits as it stands in a fingerprint; `before` is the piece in front
/// of it, `hyphen` whether only a hyphen stands between the two, `next` the piece behind it.
pub(super) fn piece(piece: &str, before: &str, hyphen: bool, next: &str) -> String {
    if !has_digit(piece) || is_code(piece, before, hyphen, next) {
        return piece.to_owned();
    }
    if is_run(piece) {
        return "#".to_owned();
    }
    let lower = piece.to_lowercase();
    let runs = split_runs(piece);
    match runs.as_slice() {
        [_] => "#".to_owned(),
        _ if DIGIT_FIRST.contains(&lower.as_str()) => piece.to_owned(),
        [_, unit] if piece.starts_with(char::is_numeric) => {
            if UNITS.contains(&unit.to_lowercase().as_str()) {
                format!("#{unit}")
            } else {
                "#".to_owned()
            }
        }
        [letters, digits] => {
            let most = if letters.len() <= 2 { 5 } else { 4 };
            let code = piece.len() <= 8
                && digits.len() <= most
                && !NUMBERED.contains(&letters.to_lowercase().as_str());
            if code {
                piece.to_owned()
            } else {
                format!("{letters}#")
            }
        }
        [first, digits, last] if !piece.starts_with(char::is_numeric) => {
            let short = piece.len() <= 6 && digits.len() <= 2;
            if short || is_camel(first, digits, last) {
                piece.to_owned()
            } else {
                "#".to_owned()
            }
        }
        _ => "#".to_owned(),
    }
}

/// Whether a number is a code that tells causes apart: an HTTP status, an error number.
pub(super) fn is_code(piece: &str, before: &str, hyphen: bool, next: &str) -> bool {
    let before_lower = before.to_lowercase();
    let digits = piece.bytes().all(|byte| byte.is_ascii_digit());
    if before_lower == "sqlstate" {
        return piece.len() <= 5;
    }
    if !digits || piece.len() > 5 {
        return false;
    }
    let labelled = BEFORE_CODES.contains(&before_lower.as_str())
        || before == "ERROR"
        || (hyphen && HYPHENED.contains(&before_lower.as_str()));
    let status = piece.len() == 3
        && piece.starts_with(['4', '5'])
        && PHRASES.contains(&next.to_lowercase().as_str());
    labelled || status
}

/// `Http2Client`, `X509Certificate`, `Log4jLogger`: a name of a type with one number in it.
fn is_camel(first: &str, digits: &str, last: &str) -> bool {
    let word = |text: &str| text.len() >= 3 && text.chars().any(|c| c.is_ascii_lowercase());
    first.starts_with(|c: char| c.is_ascii_uppercase()) && digits.len() <= 4 && word(last)
}

/// The runs of digits and of others that a word is made of.
fn split_runs(word: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let digit = first.is_numeric();
        let end = rest
            .find(|c: char| c.is_numeric() != digit)
            .unwrap_or(rest.len());
        let Some((run, after)) = rest.split_at_checked(end) else {
            break;
        };
        out.push(run);
        rest = after;
    }
    out
}
