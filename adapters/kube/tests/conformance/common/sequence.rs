//! Sequences of lines in which some lines may be missing: those that begin with `? `. Where such a
//! line says which pods are waited for, any other pods will do.

use super::without_wait;

pub(crate) const MAY_BE_MISSING: &str = "? ";

/// Where `seen` differs from `recorded`; `None` if it does not.
pub(crate) fn difference(recorded: &str, seen: &[String]) -> Option<String> {
    let wanted: Vec<&str> = recorded.lines().collect();
    // `reached[place]`: the lines so far may end right before `place` of what is recorded.
    let mut reached = vec![false; wanted.len() + 1];
    reached[0] = true;
    pass_over(&wanted, &mut reached);
    for (count, line) in seen.iter().enumerate() {
        let mut next = vec![false; wanted.len() + 1];
        for (place, wanted) in wanted.iter().enumerate() {
            let fits = match wanted.strip_prefix(MAY_BE_MISSING) {
                Some(wanted) => without_wait(wanted) == without_wait(line),
                None => wanted == line,
            };
            next[place + 1] = reached[place] && fits;
        }
        pass_over(&wanted, &mut next);
        if !next.contains(&true) {
            let expected: Vec<&str> = (0..wanted.len())
                .filter(|place| reached[*place])
                .map(|place| wanted[place])
                .collect();
            return Some(format!(
                "line {}:\n  {line}\ninstead of:\n  {}\nall that was seen:\n{}",
                count + 1,
                expected.join("\n  "),
                seen.join("\n")
            ));
        }
        reached = next;
    }
    (!reached[wanted.len()]).then(|| {
        let last = reached.iter().rposition(|is| *is).unwrap_or_default();
        format!("it ends before:\n  {}", wanted[last])
    })
}

/// Lines that may be missing may be passed over.
fn pass_over(wanted: &[&str], reached: &mut [bool]) {
    for place in 0..wanted.len() {
        if reached[place] && wanted[place].starts_with(MAY_BE_MISSING) {
            reached[place + 1] = true;
        }
    }
}
