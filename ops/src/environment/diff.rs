//! What differs between two texts, line by line, with a little of what stands around it.

use payops_core::domain::mask::terminal;
use similar::{ChangeTag, TextDiff};

const CONTEXT_LINES: usize = 2;

/// A line of a difference: added (`+`), removed (`-`), the same, or `…` for lines left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffLine {
    pub mark: char,
    pub text: String,
}

impl DiffLine {
    /// The line as it is shown, safe for a terminal.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} {}", self.mark, terminal(&self.text))
            .trim_end()
            .to_owned()
    }
}

#[must_use]
pub fn diff_lines(old: &str, new: &str) -> Vec<DiffLine> {
    let diff = TextDiff::from_lines(old, new);
    let mut out: Vec<DiffLine> = Vec::new();
    for group in diff.grouped_ops(CONTEXT_LINES) {
        if !out.is_empty() {
            out.push(DiffLine {
                mark: '…',
                text: String::new(),
            });
        }
        let changes = group.iter().flat_map(|op| diff.iter_changes(op));
        out.extend(changes.map(|change| DiffLine {
            mark: match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            },
            text: change.value().trim_end_matches('\n').to_owned(),
        }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(old: &str, new: &str) -> Vec<String> {
        diff_lines(old, new).iter().map(DiffLine::label).collect()
    }

    #[test]
    fn only_what_changes_and_its_neighbours_are_shown() {
        assert_eq!(
            labels("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nd\nx\nf\n"),
            ["  c", "  d", "- e", "+ x", "  f"]
        );
        assert_eq!(
            labels("1\n2\n3\n4\n5\n6\n7\n8\n", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"),
            ["+ 0", "  1", "  2", "…", "  7", "  8", "+ 9"]
        );
        assert_eq!(labels("", "a\nb\n"), ["+ a", "+ b"]);
        assert_eq!(labels("a\nb\n", ""), ["- a", "- b"]);
        assert!(labels("a\n", "a\n").is_empty());
    }
}
