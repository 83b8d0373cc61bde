//! A data directory, and people who act on it.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use payops_core::domain::audit::AuditEntry;
use payops_core::operations::Operations as _;
use payops_ops::backend::local::DataDir;
use payops_ops::caller::Notices;
use payops_ops::environment::{Environment, Overrides, Settings};
use payops_ops::operations::OperatorOperations;
use payops_ops::operator::Operator;
use payops_ops::session::Session;
use tokio_util::sync::CancellationToken;

pub(crate) struct Place {
    temp: tempfile::TempDir,
    pub(crate) notices: Arc<Collected>,
}

#[derive(Default)]
pub(crate) struct Collected(pub(crate) Mutex<Vec<String>>);

impl Notices for Collected {
    fn warn(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }

    fn ask_mfa_code(&self) -> Option<String> {
        None
    }
}

/// Who calls: the command line, or the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Command,
    Screen,
}

impl Place {
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        DataDir::open_or_create(&temp.path().join("data")).unwrap();
        Self {
            temp,
            notices: Arc::default(),
        }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.temp.path().join("data")
    }

    pub(crate) fn write_policy(&self, text: &str) {
        fs::write(self.data_dir().join("policy.toml"), text).unwrap();
    }

    pub(crate) fn operator(&self, who: &str) -> Operator {
        let (who, home) = (who.to_owned(), self.temp.path().as_os_str().to_owned());
        let lookup = move |name: &str| -> Option<OsString> {
            match name {
                "PAYOPS_USER" => Some(who.clone().into()),
                "HOME" => Some(home.clone()),
                _ => None,
            }
        };
        let settings =
            Settings::read(&Overrides::default(), &lookup, None, self.data_dir()).unwrap();
        Operator::new(
            settings,
            None,
            CancellationToken::new(),
            self.notices.clone(),
        )
    }

    pub(crate) fn environment(&self, name: &str) -> Environment {
        self.operator("anna").settings.target(name).unwrap()
    }

    /// The environment `prod`, which is protected.
    pub(crate) fn prod(&self) -> Environment {
        self.environment("prod")
    }

    pub(crate) fn session(&self, who: &str, way: Way) -> Arc<Session> {
        match way {
            Way::Command => self.operator(who).session(&self.prod()),
            Way::Screen => self.operations(who).session("prod").unwrap(),
        }
    }

    pub(crate) fn operations(&self, who: &str) -> OperatorOperations {
        let operations = OperatorOperations::new(&self.operator(who), vec![self.prod()], None);
        assert_eq!(operations.environments().len(), 1);
        operations
    }

    /// What the audit record holds, oldest first, without the elevations in place.
    pub(crate) fn record(&self) -> Vec<AuditEntry> {
        let log = self.session("anna", Way::Command).audit_log();
        let lines = log.lines().unwrap();
        lines.map(|line| line.unwrap().1.unwrap()).collect()
    }
}
