//! Finding card numbers where none may be.

/// Whether `text` holds what looks like a payment card number: 13 to 19 digits that pass the
/// Luhn check, single spaces, dots, slashes or dashes between groups of them allowed.
///
/// Any sequence of whole groups is tried, so `4242 4242 4242 4242 12/29` is found. Digits of any
/// script count, and invisible characters do not part them. A group of more than 19 digits is
/// searched for 16 digits in a row. A shorter group is not: most 16-digit order numbers would
/// be refused for some 13 digits in them that pass by chance.
#[must_use]
pub fn contains_card_number(text: &str) -> bool {
    let mut groups: Vec<Vec<u32>> = vec![Vec::new()];
    for c in text.chars() {
        let last = groups.last_mut();
        if let (Some(digit), Some(last)) = (digit_value(c), last) {
            last.push(digit);
        } else if is_separator(c) && groups.last().is_some_and(|last| !last.is_empty()) {
            groups.push(Vec::new());
        } else if !is_invisible(c) {
            if groups_hold_card(&groups) {
                return true;
            }
            groups = vec![Vec::new()];
        }
    }
    groups_hold_card(&groups)
}

fn digit_value(c: char) -> Option<u32> {
    match c {
        '0'..='9' => c.to_digit(10),
        // Full-width, Arabic-Indic, extended Arabic-Indic and Devanagari digits.
        '\u{ff10}'..='\u{ff19}' => u32::from(c).checked_sub(0xff10),
        '\u{0660}'..='\u{0669}' => u32::from(c).checked_sub(0x0660),
        '\u{06f0}'..='\u{06f9}' => u32::from(c).checked_sub(0x06f0),
        '\u{0966}'..='\u{096f}' => u32::from(c).checked_sub(0x0966),
        _ => None,
    }
}

fn is_separator(c: char) -> bool {
    matches!(
        c,
        ' ' | '-' | '.' | '_' | '/' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '\u{2010}'
            ..='\u{2015}' | '\t'
    )
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}'
    )
}

/// Digits that issuers start card numbers with, by the numbering of ISO/IEC 7812: 2 to 6
/// (and 8 and 9 for national schemes are left out: order numbers would be refused by chance).
fn starts_like_a_card(digits: &[u32]) -> bool {
    matches!(digits.first(), Some(2..=6))
}

fn groups_hold_card(groups: &[Vec<u32>]) -> bool {
    (0..groups.len()).any(|start| {
        let mut joined: Vec<u32> = Vec::new();
        for group in groups.iter().skip(start) {
            joined.extend(group);
            if joined.len() > 19 {
                break;
            }
            if is_card(&joined) {
                return true;
            }
        }
        groups
            .get(start)
            .is_some_and(|group| group.len() > 19 && group.windows(16).any(is_card))
    })
}

fn is_card(digits: &[u32]) -> bool {
    (13..=19).contains(&digits.len())
        && starts_like_a_card(digits)
        && !all_equal(digits)
        && luhn(digits)
}

fn all_equal(digits: &[u32]) -> bool {
    digits.windows(2).all(|pair| pair.first() == pair.last())
}

fn luhn(digits: &[u32]) -> bool {
    let sum = digits
        .iter()
        .rev()
        .enumerate()
        .fold(0_u32, |sum, (place, &digit)| {
            let value = if place % 2 == 1 {
                digit.saturating_mul(2)
            } else {
                digit
            };
            sum.saturating_add(if value > 9 {
                value.saturating_sub(9)
            } else {
                value
            })
        });
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: bool) {
        assert_eq!(contains_card_number(text), expected, "{text}");
    }

    #[test]
    fn card_numbers_are_found() {
        check("4242424242424242", true);
        check("card 5555 5555 5555 4444 thanks", true);
        check("4000-0000-0000-0002", true);
        check("378282246310005", true);
        check("id=4242424242424242, thanks", true);
        check("4242 4242 4242 4242 12/29", true);
        check("994242424242424242424242", true);
        check("４２４２４２４２４２４２４２４２", true);
        check("4242\u{200b}424242424242", true);
    }

    #[test]
    fn other_numbers_pass() {
        check("INV-1-00012", false);
        check("100780964", false);
        check("4242424242424241", false);
        check("1234567890123456", false);
        check("0000000000000000", false);
        check("2026-11-22T10:00:00Z", false);
        check("+49 30 901820", false);
        check("", false);
    }
}
