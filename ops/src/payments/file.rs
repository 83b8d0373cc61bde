//! A file of payments, read through before anything is sent: how many it asks for, and how much
//! money that is.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use payops_core::domain::money::{Currency, Money, major};
use payops_core::domain::request::CreatePayment;
use serde::Serialize;
use tokio::sync::mpsc;

use super::input::{LineError, PaymentLine, ReadLine, read_lines};
use crate::error::{OpsError, OpsResult};

const BUFFER_BYTES: usize = 1 << 18;
/// How many lines are read ahead of what is sent.
const READ_AHEAD: usize = 256;

/// Sums in minor units, by currency code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Sums(BTreeMap<&'static str, i64>);

impl Sums {
    pub fn add(&mut self, money: Money) {
        let sum = self.0.entry(money.currency().code()).or_default();
        *sum = sum.saturating_add(money.minor());
    }

    /// The sum, when all of it is in one currency and one payment could be of so much.
    fn single(&self) -> Option<Money> {
        match self.0.iter().collect::<Vec<_>>()[..] {
            [(code, minor)] => Money::new(*minor, code.parse().ok()?).ok(),
            _ => None,
        }
    }
}

impl fmt::Display for Sums {
    /// `12.50 EUR, 1250 JPY`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (code, minor)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            match code.parse::<Currency>() {
                Ok(currency) => write!(f, "{comma}{} {code}", major(*minor, currency))?,
                Err(_) => write!(f, "{comma}{minor} {code}")?,
            }
        }
        Ok(())
    }
}

/// What a file asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileContents {
    /// Blank ones not counted.
    pub lines: u64,
    /// Different idempotency keys: the same key again makes no other payment.
    pub payments: u64,
    /// Of the payments whose lines are valid.
    pub sums: Sums,
    /// Lines that the API would refuse.
    pub errors: Vec<LineError>,
}

impl FileContents {
    /// How much all of it is; `None` when that is not known or not one currency.
    #[must_use]
    pub fn amount(&self) -> Option<Money> {
        self.sums.single().filter(|_| self.errors.is_empty())
    }

    fn read(input: impl BufRead) -> std::io::Result<Self> {
        let mut contents = Self::default();
        let mut keys = HashMap::new();
        read_lines(input, |read| {
            contents.lines = contents.lines.saturating_add(1);
            match read {
                Ok(line) => contents.count(line, &mut keys),
                Err(error) => contents.errors.push(error),
            }
            true
        })?;
        Ok(contents)
    }

    /// `keys` has the fingerprint of the first request under each key; `None` for a bad one.
    fn count(&mut self, line: PaymentLine, keys: &mut HashMap<String, Option<String>>) {
        let request = CreatePayment::parse(line.body.as_bytes());
        let fingerprint = request.as_ref().ok().map(CreatePayment::fingerprint);
        let mut refuse = |code: &str, message: String, param: Option<&str>| {
            self.errors
                .push(LineError::new(line.number, code, message, param));
        };
        match (keys.entry(line.key), request) {
            (Entry::Vacant(entry), request) => {
                entry.insert(fingerprint);
                self.payments = self.payments.saturating_add(1);
                match request {
                    Ok(payment) => self.sums.add(payment.money),
                    Err(error) => refuse(error.code, error.message, error.param.as_deref()),
                }
            }
            (Entry::Occupied(_), Err(error)) => {
                refuse(error.code, error.message, error.param.as_deref());
            }
            (Entry::Occupied(first), Ok(_)) if *first.get() != fingerprint => refuse(
                "idempotency_key_reused",
                "an earlier line has this idempotency key, and another request".to_owned(),
                Some("idempotency_key"),
            ),
            (Entry::Occupied(_), Ok(_)) => {}
        }
    }
}

/// A file of JSON lines, or a stream such as stdin, which can be read only once.
#[derive(Clone, Debug)]
pub struct PaymentFile {
    path: PathBuf,
    /// How long the file was when it was counted: what is added later is not sent.
    bytes: Option<u64>,
    contents: Option<FileContents>,
}

impl PaymentFile {
    /// Opens the file at `path`, `-` for stdin, and counts what it asks for if it is a regular
    /// file.
    pub fn open(path: &Path) -> OpsResult<Self> {
        let mut file = Self {
            path: path.to_owned(),
            bytes: None,
            contents: None,
        };
        if file.is_stdin() {
            return Ok(file);
        }
        let metadata = std::fs::metadata(path).map_err(|error| file.unreadable(error))?;
        if metadata.is_dir() {
            return Err(OpsError::usage(format!(
                "{} is a directory",
                path.display()
            )));
        }
        if metadata.is_file() {
            file.bytes = Some(metadata.len());
            file.contents = Some(file.inspect()?);
        }
        Ok(file)
    }

    /// What it asks for; `None` for a stream.
    #[must_use]
    pub fn contents(&self) -> Option<&FileContents> {
        self.contents.as_ref()
    }

    /// Reads all of it, a stream included, which is used up then.
    pub fn inspect(&self) -> OpsResult<FileContents> {
        FileContents::read(self.input()?).map_err(|error| self.unreadable(error))
    }

    fn is_stdin(&self) -> bool {
        self.path == Path::new("-")
    }

    fn unreadable(&self, error: std::io::Error) -> OpsError {
        OpsError::usage(format!("cannot read {}", self.path.display())).because(error)
    }

    fn input(&self) -> OpsResult<Box<dyn BufRead + Send>> {
        if self.is_stdin() {
            return Ok(Box::new(BufReader::new(std::io::stdin())));
        }
        let file = File::open(&self.path).map_err(|error| self.unreadable(error))?;
        Ok(Box::new(BufReader::with_capacity(
            BUFFER_BYTES,
            file.take(self.bytes.unwrap_or(u64::MAX)),
        )))
    }

    /// Its lines, from a thread of their own, since reading a stream blocks.
    pub(super) fn lines(&self) -> OpsResult<mpsc::Receiver<ReadLine>> {
        let input = self.input()?;
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        std::thread::spawn(move || {
            let read = read_lines(input, |read| sender.blocking_send(read).is_ok());
            if let Err(error) = read {
                // A line of its own, so that the run does not look complete.
                let message = format!("cannot read the rest of the file: {error}");
                drop(sender.blocking_send(Err(LineError::new(0, "unreadable", message, None))));
            }
        });
        Ok(receiver)
    }
}

impl fmt::Display for PaymentFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_stdin() {
            f.write_str("stdin")
        } else {
            self.path.display().fmt(f)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(key: &str, amount: &str, currency: &str) -> String {
        format!(
            r#"{{"idempotency_key":"{key}","amount":{amount},"currency":"{currency}","source":"tok_visa","customer":{{"email":"a@example.com"}}}}"#
        )
    }

    #[test]
    fn each_key_is_one_payment_and_each_currency_has_its_sum() {
        let text = [
            line("a", "1250", "EUR"),
            line("b", "300", "JPY"),
            line("a", "1250", "EUR"),
            String::new(),
            line("c", "50", "EUR"),
        ]
        .join("\n");
        let contents = FileContents::read(text.as_bytes()).expect("read");
        assert_eq!((contents.lines, contents.payments), (4, 3));
        assert_eq!(contents.sums.to_string(), "13.00 EUR, 300 JPY");
        assert_eq!(contents.amount(), None, "two currencies are no one amount");
        assert_eq!(
            serde_json::to_string(&contents.sums).expect("JSON"),
            r#"{"EUR":1300,"JPY":300}"#
        );
    }

    #[test]
    fn a_line_that_is_refused_makes_the_amount_unknown() {
        let good = line("a", "1250", "EUR");
        let contents = FileContents::read(good.as_bytes()).expect("read");
        assert_eq!(contents.amount().expect("one").to_string(), "12.50 EUR");
        let text = [
            good,
            line("b", "0", "EUR"),
            "nonsense".to_owned(),
            line("a", "1251", "EUR"),
        ]
        .join("\n");
        let contents = FileContents::read(text.as_bytes()).expect("read");
        assert_eq!((contents.payments, contents.amount()), (2, None));
        let errors: Vec<(u64, &str)> = contents
            .errors
            .iter()
            .map(|error| (error.line, error.code.as_str()))
            .collect();
        assert_eq!(
            errors,
            [
                (2, "amount_too_small"),
                (3, "invalid_json"),
                (4, "idempotency_key_reused")
            ]
        );
    }

    #[test]
    fn what_is_added_after_the_count_is_not_read() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("payments.jsonl");
        std::fs::write(&path, line("a", "1250", "EUR") + "\n").expect("written");
        let file = PaymentFile::open(&path).expect("opened");
        let mut more = File::options().append(true).open(&path).expect("opened");
        writeln!(more, "{}", line("b", "1250", "EUR")).expect("written");
        let mut lines = file.lines().expect("lines");
        let keys: Vec<String> = std::iter::from_fn(|| lines.blocking_recv())
            .map(|read| read.expect("a line").key)
            .collect();
        assert_eq!(keys, ["a"]);
    }
}
