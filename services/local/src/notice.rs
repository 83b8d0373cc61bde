//! What a running platform tells its operator, each once when it begins.

use std::fmt;
use std::path::PathBuf;

/// Something that an operator should know. Its text is a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    Full,
    /// Writes begin to fail because the disk takes none.
    ReadOnly,
    Writable,
    /// A search index could not be opened and was set aside; a new one is being rebuilt.
    IndexSetAside {
        env: String,
        aside: PathBuf,
    },
    IndexRebuilt {
        env: String,
        payments: u64,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => {
                f.write_str("the data directory is full; free some space (no accepted payment is lost)")
            }
            Self::ReadOnly => f.write_str(
                "the data directory is not writable; make it writable (no accepted payment is lost)",
            ),
            Self::Writable => f.write_str("the data directory is writable again"),
            Self::IndexSetAside { env, aside } => {
                write!(
                    f,
                    "{env}: the search index is damaged; it lies in {} now, and is being rebuilt \
                        from the payments",
                    aside.display()
                )
            }
            Self::IndexRebuilt { env, payments } => write!(
                f,
                "{env}: the search index was rebuilt from {payments} payments"
            ),
        }
    }
}
