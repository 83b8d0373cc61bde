//! A program on a pty: keys in, the screen read back, and the terminal as it was when it is left.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};

const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) struct Terminal {
    pub(crate) child: Child,
    keys: File,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Everything that was written, for what a terminal emulator forgets.
    pub(crate) written: Vec<u8>,
    /// Our end of what the program calls its terminal: it stays when the program is gone.
    inside: File,
    before: Termios,
}

impl Terminal {
    pub(crate) fn open(mut command: Command, (rows, columns): (u16, u16)) -> Self {
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
            // Or it would be the terminal of a test that leads a session, and end it when it closes.
            .custom_flags(OpenptFlags::NOCTTY.bits().cast_signed())
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
        let child = command
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

    pub(crate) fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Reads what is written until `seen` says that it is there.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, seen: impl Fn(&str) -> bool) {
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
    pub(crate) fn wait(&mut self, text: &str) {
        self.until(text, |screen| screen.contains(text));
    }

    #[track_caller]
    pub(crate) fn gone(&mut self, text: &str) {
        self.until(&format!("{text} to go"), |screen| !screen.contains(text));
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("pressed");
        self.keys.flush().expect("pressed");
    }

    /// Waits until the program ends; its exit code. The terminal must be as it was.
    pub(crate) fn ended(mut self) -> i32 {
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

impl Drop for Terminal {
    fn drop(&mut self) {
        // Whether the test passed or not, the program ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(cells: u16) -> NonZero<u16> {
    NonZero::new(cells).expect("some")
}
