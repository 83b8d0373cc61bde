//! The line of a reason that says what happened, and the type of the exception that it names.
//! What follows it, such as a stack trace, tells where and not what, and is left out.

/// How much of a line is read, in bytes.
const LINE_MAX: usize = 2_000;

/// The headline of `reason`: its first line, without a prefix that says nothing, cut where a
/// stack trace begins. A Python traceback has its headline last; a Rust panic on its second line.
pub(super) fn headline(reason: &str) -> String {
    let mut lines = reason
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(clip_line);
    let first = lines.next().unwrap_or_default();
    if first.starts_with("Traceback (most recent call last)") {
        let last = lines.next_back().unwrap_or(first);
        return strip_level_prefix(last).to_owned();
    }
    if let Some(said) = panic_message(first) {
        let said = if said.is_empty() {
            lines.next().unwrap_or_default()
        } else {
            said
        };
        return format!("panic: {}", strip_frames(said));
    }
    strip_frames(strip_level_prefix(first)).to_owned()
}

fn clip_line(line: &str) -> &str {
    line.get(..line.floor_char_boundary(LINE_MAX))
        .unwrap_or(line)
}

/// What a Rust panic says, when it says it on the same line: `thread 'main' panicked at
/// src/a.rs:1:2:`, or in the form of before 2023, `thread 'main' panicked at 'message',
/// src/a.rs:1:2`.
fn panic_message(line: &str) -> Option<&str> {
    let (_, rest) = line
        .split_once(" panicked at ")
        .filter(|_| line.starts_with("thread '"))?;
    if let Some((message, _)) = rest
        .strip_prefix('\'')
        .and_then(|rest| rest.rsplit_once("', "))
    {
        return Some(message);
    }
    // The place ends with line and column; a message may stand behind it when line breaks were
    // lost.
    let end = rest.match_indices(':').nth(2).map(|(at, _)| at);
    Some(
        end.and_then(|end| rest.get(end.saturating_add(1)..))
            .unwrap_or_default()
            .trim(),
    )
}

fn strip_level_prefix(line: &str) -> &str {
    let mut rest = line;
    for prefix in [
        "Uncaught (in promise) ",
        "Uncaught ",
        "Unhandled rejection ",
        "Unhandled exception: ",
        "Caused by: ",
    ] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    if let Some((_, after)) = rest
        .strip_prefix("Exception in thread \"")
        .and_then(|rest| rest.split_once("\" "))
    {
        rest = after;
    }
    rest
}

/// Cuts a line where a stack frame begins: `at com.acme.Pay.run(Pay.java:10)`,
/// `at charge (/app/charge.js:1:2)`, `at /app/charge.js:1:2`. When line breaks were lost on the
/// way, the first frame may stand right behind the last word.
fn strip_frames(line: &str) -> &str {
    let frame = line.match_indices("at ").find(|(at, found)| {
        let rest = line
            .get(at.saturating_add(found.len())..)
            .unwrap_or_default();
        is_frame(rest)
    });
    frame
        .and_then(|(at, _)| line.get(..at))
        .unwrap_or(line)
        .trim_end()
}

/// Whether `text` goes on like a stack frame after `at `.
fn is_frame(text: &str) -> bool {
    let text = text
        .strip_prefix("async ")
        .or_else(|| text.strip_prefix("new "))
        .unwrap_or(text);
    let word = text.split_whitespace().next().unwrap_or_default();
    if let Some((path, place)) = word.split_once('(') {
        let file = place.split([':', ')']).next().unwrap_or_default();
        let source = [".java", ".kt", ".scala", ".groovy"]
            .iter()
            .any(|end| file.ends_with(end));
        return path.contains('.')
            && (source || matches!(file, "Native" | "Unknown" | "<generated>"));
    }
    if is_place(word) {
        return true;
    }
    let place = text
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'))
        .map(|(place, _)| place);
    place.is_some_and(is_place)
}

/// Whether `text` is `path:line:column`.
fn is_place(text: &str) -> bool {
    let number = |part: Option<&str>| {
        part.is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut parts = text.trim_end_matches([',', ';']).rsplitn(3, ':');
    let numbers = number(parts.next()) && number(parts.next());
    numbers
        && parts
            .next()
            .is_some_and(|path| path.contains(['/', '\\']) || path.starts_with("node:"))
}

/// The type of the exception that `reason` tells of: `java.net.SocketTimeoutException`,
/// `TypeError`, `reqwest::Error`; `panic` for a Rust or Go panic.
#[must_use]
pub fn exception(reason: &str) -> Option<String> {
    let line = headline(reason);
    if line.starts_with("panic: ") {
        return Some("panic".to_owned());
    }
    let path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '$');
    line.split(|c| !path(c))
        .enumerate()
        .find_map(|(place, word)| {
            let colon = word.ends_with(':');
            let word = word.trim_matches([':', '.']);
            is_exception(word, place == 0 && colon).then(|| word.to_owned())
        })
}

/// A bare `Error` counts only where a type stands: at the beginning, before a colon.
fn is_exception(word: &str, leads: bool) -> bool {
    let (path, name) = word
        .rfind([':', '.', '$'])
        .and_then(|at| word.split_at_checked(at.saturating_add(1)))
        .unwrap_or(("", word));
    if name == "Error" || name == "Exception" {
        return leads || path.ends_with("::") || path.contains('.');
    }
    if path.ends_with("Exception$") || path.ends_with("Error$") {
        return true;
    }
    let camel = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.contains(|c: char| c.is_ascii_lowercase());
    camel && (name.ends_with("Exception") || name.ends_with("Error"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reason: &str, line: &str, named: Option<&str>) {
        assert_eq!(
            (headline(reason).as_str(), exception(reason).as_deref()),
            (line, named),
            "{reason}"
        );
    }

    #[test]
    fn java_traces_are_cut_at_their_first_frame() {
        let line = "java.net.SocketTimeoutException: Read timed out";
        check(
            &format!("{line}\n\tat a.b.C.d(C.java:10)\nCaused by: x.Y: z"),
            line,
            Some("java.net.SocketTimeoutException"),
        );
        check(
            &format!("{line}at java.base/sun.nio.Impl.read(Impl.java:288)"),
            line,
            Some("java.net.SocketTimeoutException"),
        );
        check(
            &format!("Exception in thread \"worker-7\" {line}"),
            line,
            Some("java.net.SocketTimeoutException"),
        );
        check(
            "charge failed: c.a.ProviderException$Declined",
            "charge failed: c.a.ProviderException$Declined",
            Some("c.a.ProviderException$Declined"),
        );
    }

    #[test]
    fn node_traces_are_cut_at_their_first_frame() {
        let line = "TypeError: Cannot read properties of undefined (reading 'amount')";
        check(
            &format!("{line}\n    at charge (/app/dist/charge.js:42:17)"),
            line,
            Some("TypeError"),
        );
        check(
            &format!("{line}    at async Worker.run (/app/dist/worker.js:9:3)"),
            line,
            Some("TypeError"),
        );
        check(
            &format!("Uncaught {line} at /app/dist/charge.js:42:17"),
            line,
            Some("TypeError"),
        );
        check(
            "Error: connect ECONNREFUSED 10.0.0.1:443",
            "Error: connect ECONNREFUSED 10.0.0.1:443",
            Some("Error"),
        );
        check(
            "amount is wrong at line 3",
            "amount is wrong at line 3",
            None,
        );
    }

    #[test]
    fn panics_and_tracebacks_have_their_headline_elsewhere() {
        check(
            "thread 'main' panicked at src/main.rs:10:5:\nindex out of bounds",
            "panic: index out of bounds",
            Some("panic"),
        );
        check(
            "thread 'tokio' panicked at 'no amount', src/main.rs:10:5",
            "panic: no amount",
            Some("panic"),
        );
        check(
            "panic: runtime error: index out of range\n\ngoroutine 1 [running]:",
            "panic: runtime error: index out of range",
            Some("panic"),
        );
        let trace = "Traceback (most recent call last):\n  File \"a.py\", line 3, in \
            f\nbotocore.exceptions.ClientError: denied";
        check(
            trace,
            "botocore.exceptions.ClientError: denied",
            Some("botocore.exceptions.ClientError"),
        );
    }

    #[test]
    fn words_that_only_sound_like_it_name_no_exception() {
        check(
            "503 Internal Server Error",
            "503 Internal Server Error",
            None,
        );
        check("schema error", "schema error", None);
        check(
            "reqwest::Error { kind: Request }",
            "reqwest::Error { kind: Request }",
            Some("reqwest::Error"),
        );
        check("", "", None);
    }
}
