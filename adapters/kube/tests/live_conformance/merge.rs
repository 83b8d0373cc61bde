//! Recording what several runs have in common.

use super::common::sequence::MAY_BE_MISSING;

/// What is recorded, so that `seen` fits it too: what not both have may be missing.
pub(crate) fn merge(recorded: &str, seen: &[String]) -> String {
    let old: Vec<&str> = recorded.lines().collect();
    let bare = |line: &'_ str| line.strip_prefix(MAY_BE_MISSING).unwrap_or(line).to_owned();
    let (rows, columns) = (old.len(), seen.len());
    // The length of the longest common sequence of what is left of both.
    let mut common = vec![vec![0_usize; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            common[row][column] = if bare(old[row]) == seen[column] {
                common[row + 1][column + 1] + 1
            } else {
                common[row + 1][column].max(common[row][column + 1])
            };
        }
    }
    let (mut row, mut column, mut out) = (0, 0, Vec::new());
    while row < rows || column < columns {
        if row < rows && column < columns && bare(old[row]) == seen[column] {
            out.push(old[row].to_owned());
            (row, column) = (row + 1, column + 1);
        } else if column == columns
            || (row < rows && common[row + 1][column] >= common[row][column + 1])
        {
            out.push(format!("{MAY_BE_MISSING}{}", bare(old[row])));
            row += 1;
        } else {
            out.push(format!("{MAY_BE_MISSING}{}", seen[column]));
            column += 1;
        }
    }
    out.push(String::new());
    out.join("\n")
}
