//! The screen on a real terminal: a pty with the platform behind it, keys in, the screen read back,
//! and the terminal as it was when it is left.
use crate::common::Place;
use crate::common::embedded::add_dead_letters_in;
use crate::common::hostile::{harm, letters};
use crate::common::terminal::Terminal;

const ENTER: &str = "\r";
const ESC: &str = "\u{1b}";

#[test]
fn an_operator_looks_around_promotes_and_leaves() {
    let place = Place::new();
    let up = place.up(&[]);
    place
        .run(&[
            "payment",
            "create",
            "--amount",
            "7.00",
            "--currency",
            "EUR",
            "--source",
            "tok_visa",
            "--email",
            "anna@example.com",
            "--reference",
            "INV-7",
        ])
        .exits(0);
    let mut terminal = Terminal::open(place.command(&[]), (30, 110));
    terminal.wait("NEEDS A PERSON");
    terminal.wait("payments/payments-worker");

    // The palette leads to rollouts, the filter to one; it is promoted after its name was typed.
    terminal.press(":");
    terminal.wait("Command");
    terminal.press("rollouts");
    terminal.press(ENTER);
    terminal.wait("WAITS FOR");
    terminal.press("/");
    terminal.press("worker !preprod !test");
    terminal.wait("/worker !preprod !test");
    terminal.wait("waiting for promotio");
    terminal.gone("payments/payments-web");
    terminal.press(ENTER);
    terminal.press(ENTER);
    terminal.wait("rollouts › payments/payments-worker");
    terminal.wait("◐ pause");
    terminal.press("p");
    terminal.wait("bound to");
    terminal.press("latency is fine");
    terminal.press(ENTER);
    terminal.press("payments-worker");
    terminal.press(ENTER);
    terminal.wait("promote payments/payments-worker: done");
    terminal.gone("◐ pause");
    let row = place
        .run(&[
            "rollout",
            "get",
            "payments-worker",
            "--env",
            "prod",
            "-o",
            "json",
        ])
        .exits(0)
        .json();
    assert_ne!(row["message"], "CanaryPauseStep", "{row}");

    // A payment by e-mail, masked, and its timeline.
    terminal.press("5");
    terminal.wait("INV-7");
    terminal.press("/");
    terminal.press("email:anna@");
    terminal.wait("1 payment");
    terminal.press(ENTER);
    terminal.press(ENTER);
    terminal.wait("accepted");
    terminal.wait("a•••@e•••.com");
    assert!(
        !terminal.text().contains("anna@example"),
        "{}",
        terminal.text()
    );

    // Dead letters: none is good news. What was done stands in the audit.
    terminal.press("4");
    terminal.wait("dead letters");
    terminal.press("7");
    terminal.wait("rollout.promote");
    terminal.wait("latency is fine");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    drop(up);
}

#[test]
fn dead_letters_are_grouped_and_opened_and_a_signal_gives_the_terminal_back() {
    let place = Place::new();
    let up = place.up(&[]);
    for number in 1..=2 {
        let reference = format!("INV-{number}");
        place
            .run(&[
                "payment",
                "create",
                "--amount",
                "7.00",
                "--currency",
                "EUR",
                "--source",
                "tok_poison",
                "--email",
                "a@example.com",
                "--reference",
                &reference,
            ])
            .exits(0);
    }
    let mut terminal = Terminal::open(place.command(&[]), (24, 80));
    terminal.wait("payments-work");
    // The overview counts them as they die: the attempts take some seconds.
    terminal.wait("2 dead");
    terminal.press("4");
    terminal.wait("2 dead letters");
    terminal.press("g");
    terminal.wait("provider_unavail");
    terminal.press(ENTER);
    terminal.wait("pay_");
    terminal.press(ENTER);
    terminal.wait("why");
    terminal.press(ESC);
    let pid = rustix::process::Pid::from_child(&terminal.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told");
    assert_eq!(terminal.ended(), 0);
    drop(up);
}

#[test]
fn hostile_letters_leave_the_terminal_alone() {
    let place = Place::new();
    let up = place.up(&[]);
    let hostile = letters();
    let number = hostile.len();
    add_dead_letters_in(&place, "prod", hostile);
    let mut terminal = Terminal::open(place.command(&[]), (30, 110));
    terminal.wait("NEEDS A PERSON");
    terminal.press("4");
    terminal.wait(&format!("{number} dead letters"));
    // Each is opened once, from the first to the last.
    for _ in 0..number {
        terminal.press(ENTER);
        terminal.wait("why");
        assert_eq!(harm(&terminal.text()), None, "{}", terminal.text());
        terminal.press(ESC);
        terminal.wait(&format!("{number} dead letters"));
        terminal.press("j");
    }
    terminal.press("g");
    terminal.wait("CAUSE");
    assert_eq!(harm(&terminal.text()), None, "{}", terminal.text());
    terminal.press("q");
    let written = String::from_utf8_lossy(&terminal.written).into_owned();
    for sequence in [
        "\u{9b}",
        "\u{1b}]0;",
        "\u{202e}",
        "owned\u{7}",
        "anna@example",
    ] {
        assert!(
            !written.contains(sequence),
            "{sequence:?} reached the terminal"
        );
    }
    assert_eq!(terminal.ended(), 0);
    drop(up);
}
