//! What differs between two texts, line by line, with a little of what stands around it.

use payops_core::domain::mask::terminal;

const AROUND: usize = 2;

/// A line: `+` added, `-` removed, ` ` the same, `…` some are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) mark: char,
    pub(super) text: String,
}

impl Line {
    pub(super) fn told(&self) -> String {
        format!("{} {}", self.mark, terminal(&self.text))
            .trim_end()
            .to_owned()
    }
}

/// The changes that turn `old` into `new`; empty when there are none.
pub(super) fn between(old: &str, new: &str) -> Vec<Line> {
    if old == new {
        return Vec::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // What is the same at both ends needs no comparing of each line with each.
    let start = old
        .iter()
        .zip(&new)
        .take_while(|(one, other)| one == other)
        .count();
    let rest = old.len().min(new.len()) - start;
    let end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(rest)
        .take_while(|(one, other)| one == other)
        .count();
    let same = |lines: &[&str]| {
        lines
            .iter()
            .map(|text| Line {
                mark: ' ',
                text: (*text).to_owned(),
            })
            .collect::<Vec<_>>()
    };
    let middle = marked(&old[start..old.len() - end], &new[start..new.len() - end]);
    let all = [same(&old[..start]), middle, same(&old[old.len() - end..])].concat();
    let near = |place: usize| {
        let from = place.saturating_sub(AROUND);
        all.iter()
            .skip(from)
            .take(place.saturating_sub(from) + AROUND + 1)
            .any(|line| line.mark != ' ')
    };
    let mut out: Vec<Line> = Vec::new();
    for (place, line) in all.iter().enumerate() {
        if near(place) {
            out.push(line.clone());
        } else if out.last().is_some_and(|last| last.mark != '…') {
            out.push(Line {
                mark: '…',
                text: String::new(),
            });
        }
    }
    out
}

/// All lines of both, those of a longest common part once.
fn marked(old: &[&str], new: &[&str]) -> Vec<Line> {
    let line = |mark: char, text: &&str| Line {
        mark,
        text: (*text).to_owned(),
    };
    // `common[i][j]`: how many lines `old[i..]` and `new[j..]` have in common.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (i, one) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            common[i][j] = if one == other {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    loop {
        match (old.get(i), new.get(j)) {
            (Some(one), Some(other)) if one == other => {
                out.push(line(' ', one));
                (i, j) = (i + 1, j + 1);
            }
            (Some(one), _) if j == new.len() || common[i + 1][j] >= common[i][j + 1] => {
                out.push(line('-', one));
                i += 1;
            }
            (_, Some(other)) => {
                out.push(line('+', other));
                j += 1;
            }
            (None | Some(_), None) => return out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(old: &str, new: &str) -> Vec<String> {
        between(old, new).iter().map(Line::told).collect()
    }

    #[test]
    fn only_what_changes_and_its_neighbours_are_shown() {
        assert_eq!(
            told("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nd\nx\nf\n"),
            ["  c", "  d", "- e", "+ x", "  f"]
        );
        assert_eq!(
            told("1\n2\n3\n4\n5\n6\n7\n8\n", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"),
            ["+ 0", "  1", "  2", "…", "  7", "  8", "+ 9"]
        );
        assert_eq!(told("", "a\nb\n"), ["+ a", "+ b"]);
        assert_eq!(told("a\nb\n", ""), ["- a", "- b"]);
        assert!(told("a\n", "a\n").is_empty());
    }
}
