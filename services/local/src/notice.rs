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
                f.write_str("the data directory is full; nothing accepted is lost; free some space")
            }
            Self::ReadOnly => f.write_str(
                "the data directory takes no writes; nothing accepted is lost; make it writable",
            ),
            Self::Writable => f.write_str("the data directory takes writes again"),
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
                "{env}: the search index is rebuilt from {payments} payments"
            ),
        }
    }
}
