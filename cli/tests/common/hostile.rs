//! Messages that were made to do harm: to the terminal, to the memory, to whoever's data is in
//! them.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

const BYTES_MAX: usize = 1024 * 1024;

pub(crate) fn letters() -> Vec<(String, Vec<(&'static str, String)>)> {
    let start = "{\"email\":\"anna@example.com\",\"x\":\"";
    let large = format!("{start}{}\"}}", "y".repeat(BYTES_MAX - start.len() - 2));
    let reason = "declined \u{9b}31m\u{202e}for 4111-1111-1111-1111 of anna@example.com\u{7f}";
    let class = "boom 4111\u{200b}1111 1111\u{200b}1111 anna@example.com\u{9b}";
    vec![
        ("\u{9b}2J\u{202e}anna@example.com".to_owned(), Vec::new()),
        (
            "{\"email\":\"anna@example.com\",\"x\":\"\\u001b]0;owned\\u0007\\u001b[2J\"}"
                .to_owned(),
            Vec::new(),
        ),
        (
            format!("{}{}", "[".repeat(20_000), "]".repeat(20_000)),
            Vec::new(),
        ),
        (large, Vec::new()),
        (bomb(), Vec::new()),
        (
            STANDARD.encode(packed(
                b"\xff\xfe\x9b anna@example.com \xc3\x28 4111 1111 1111 1111",
            )),
            Vec::new(),
        ),
        (
            "{\"card\":4111111111111111,\"text\":\"4111 1111 1111 1111\"}".to_owned(),
            vec![
                ("payops-reason", reason.to_owned()),
                ("payops-class", class.to_owned()),
            ],
        ),
    ]
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).expect("packed");
    packer.finish().expect("packed")
}

/// 700 MiB of zeros in less than a message: gzip may have any number of members.
fn bomb() -> String {
    let bomb = STANDARD.encode(packed(&vec![0; 1024 * 1024]).repeat(700));
    assert!(bomb.len() < BYTES_MAX, "{}", bomb.len());
    bomb
}

/// What is wrong with something that is shown or written down of them.
pub(crate) fn harm(text: &str) -> Option<String> {
    let is_bad = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if let Some(bad) = text.chars().find(|c| is_bad(*c)) {
        return Some(format!("{bad:?}"));
    }
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let personal = |told: bool, what: &str| told.then(|| what.to_owned());
    personal(text.contains("anna@example"), "an e-mail address")
        .or_else(|| personal(digits.contains("4111111111111111"), "a card number"))
}
