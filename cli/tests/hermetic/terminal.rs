//! The screen on a real terminal: a pty with the platform behind it, keys in, the screen read back,
//! and the terminal as it was when it is left.
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::common::Place;
use crate::common::embedded::add_dead_letters_in;
use crate::common::hostile::{harm, letters};

const PATIENCE: Duration = Duration::from_secs(40);

struct Terminal {
    child: Child,
    keys: File,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Everything that was written, for what a terminal emulator forgets.
    written: Vec<u8>,
    /// Our end of what the program calls its terminal: it stays when the program is gone.
    inside: File,
    before: Termios,
}

impl Terminal {
    fn open(place: &Place, args: &[&str], (rows, columns): (u16, u16)) -> Self {
        let outside = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pty");
        grantpt(&outside).expect("granted");
        unlockpt(&outside).expect("unlocked");
        let name = ptsname(&outside, Vec::new())
            .expect("a name")
            .into_string()
            .expect("UTF-8");
        let inside = File::options()
            .read(true)
            .write(true)
            .open(&name)
            .expect("opened");
        tcsetwinsize(
            &inside,
            Winsize {
                ws_row: rows,
                ws_col: columns,
                ws_xpixel: 0,
                ws_ypixel: 0,
            },
        )
        .expect("sized");
        let before = tcgetattr(&inside).expect("asked");
        let end = || inside.try_clone().expect("another");
        let child = place
            .command(args)
            .env("TERM", "xterm-256color")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("started");
        let outside = File::from(outside);
        let mut reader = outside.try_clone().expect("another");
        let (tell, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                if tell.send(bytes[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            keys: outside,
            output,
            screen: vt100::Parser::new(size(rows), size(columns), 0),
            written: Vec::new(),
            inside,
            before,
        }
    }

    fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Reads what is written until `seen` says that it is there.
    #[track_caller]
    fn until(&mut self, what: &str, seen: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !seen(&self.text()) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => {
                    self.screen.process(&bytes);
                    self.written.extend(bytes);
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("waited in vain for {what}; the screen was\n{}", self.text())
                }
                Err(RecvTimeoutError::Disconnected) => panic!(
                    "the program ended before {what}; the screen was\n{}",
                    self.text()
                ),
            }
        }
    }

    #[track_caller]
    fn wait(&mut self, text: &str) {
        self.until(text, |screen| screen.contains(text));
    }

    #[track_caller]
    fn gone(&mut self, text: &str) {
        self.until(&format!("{text} to go"), |screen| !screen.contains(text));
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("pressed");
        self.keys.flush().expect("pressed");
    }

    /// Waits until the program ends; its exit code. The terminal must be as it was.
    fn ended(mut self) -> i32 {
        let code = self.child.wait().expect("ended").code().unwrap_or(-1);
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(200)) {
            self.written.extend(bytes);
        }
        let after = tcgetattr(&self.inside).expect("asked");
        assert_eq!(
            (after.local_modes, after.input_modes, after.output_modes),
            (
                self.before.local_modes,
                self.before.input_modes,
                self.before.output_modes
            )
        );
        assert!(
            after
                .local_modes
                .contains(LocalModes::ECHO | LocalModes::ICANON)
        );
        let written = String::from_utf8_lossy(&self.written);
        let last = |sequence: &str| {
            written
                .rfind(sequence)
                .unwrap_or_else(|| panic!("{sequence:?} was never written"))
        };
        assert!(
            last("\u{1b}[?1049l") > last("\u{1b}[?1049h"),
            "the first screen is back"
        );
        assert!(
            last("\u{1b}[?25h") > written.rfind("\u{1b}[?25l").unwrap_or(0),
            "the cursor is back"
        );
        code
    }
}

fn size(cells: u16) -> NonZero<u16> {
    NonZero::new(cells).expect("some")
}

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
    let mut terminal = Terminal::open(&place, &[], (30, 110));
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
    let mut terminal = Terminal::open(&place, &[], (24, 80));
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
    let mut terminal = Terminal::open(&place, &[], (30, 110));
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
