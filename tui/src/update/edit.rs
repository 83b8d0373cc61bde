//! Editing one line of input.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

const LENGTH_MAX: usize = 500;

/// Changes `input` as the key says; `false` when the key is not for typing.
pub(super) fn handle_key(input: &mut Input, event: &KeyEvent) -> bool {
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    let alt = event.modifiers.contains(KeyModifiers::ALT);
    let request = match event.code {
        KeyCode::Char('a') if control => InputRequest::GoToStart,
        KeyCode::Char('e') if control => InputRequest::GoToEnd,
        KeyCode::Char('w') if control => InputRequest::DeletePrevWord,
        KeyCode::Char('u') if control => InputRequest::DeleteFromStart,
        KeyCode::Char('k') if control => InputRequest::DeleteTillEnd,
        KeyCode::Char('h') if control => InputRequest::DeletePrevChar,
        KeyCode::Char('b') if alt => InputRequest::GoToPrevWord,
        KeyCode::Char('f') if alt => InputRequest::GoToNextWord,
        KeyCode::Char(c) if !control && !alt => InputRequest::InsertChar(c),
        KeyCode::Backspace if alt || control => InputRequest::DeletePrevWord,
        KeyCode::Backspace => InputRequest::DeletePrevChar,
        KeyCode::Delete => InputRequest::DeleteNextChar,
        KeyCode::Left if control => InputRequest::GoToPrevWord,
        KeyCode::Right if control => InputRequest::GoToNextWord,
        KeyCode::Left => InputRequest::GoToPrevChar,
        KeyCode::Right => InputRequest::GoToNextChar,
        KeyCode::Home => InputRequest::GoToStart,
        KeyCode::End => InputRequest::GoToEnd,
        _ => return false,
    };
    if matches!(request, InputRequest::InsertChar(_)) && input.value().chars().count() >= LENGTH_MAX
    {
        return true;
    }
    input.handle(request);
    true
}

/// Types pasted text: its first line, without control characters, as far as there is room.
pub(super) fn paste(input: &mut Input, text: &str) {
    let room = LENGTH_MAX.saturating_sub(input.value().chars().count());
    let line = text
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control());
    let pasted: String = line.take(room).collect();
    let cursor = input.cursor();
    let (before, after): (Vec<_>, Vec<_>) = input
        .value()
        .chars()
        .enumerate()
        .partition(|(place, _)| *place < cursor);
    let part = |part: Vec<(usize, char)>| part.into_iter().map(|(_, c)| c).collect::<String>();
    let value = format!("{}{pasted}{}", part(before), part(after));
    *input = Input::new(value).with_cursor(cursor + pasted.chars().count());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paste_goes_where_the_cursor_is_and_has_an_end() {
        let mut input = Input::new("ab".to_owned()).with_cursor(1);
        paste(&mut input, "x\u{1b}ü\nsecond line");
        assert_eq!((input.value(), input.cursor()), ("axüb", 3));
        paste(&mut input, &"y".repeat(200_000));
        assert_eq!(input.value().chars().count(), LENGTH_MAX);
    }
}
