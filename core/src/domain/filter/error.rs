//! What can be wrong with an expression.

/// Why an expression cannot be read, or cannot be said to be true or false of a letter. Places are
/// counted in characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Nothing but spaces.
    #[error("an empty filter; write one such as class == \"schema_error\"")]
    Empty,
    /// More than [`super::LENGTH_MAX`].
    #[error("a filter of {bytes} bytes; at most 4096 are read")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// More than [`super::DEPTH_MAX`].
    #[error("at character {at}: nested deeper than 32 levels")]
    TooDeep {
        /// Where.
        at: usize,
    },
    /// Something else should stand there.
    #[error("at character {at}: expected {expected}, found {found}")]
    Unexpected {
        /// Where.
        at: usize,
        /// What should.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// A name that there is not.
    #[error("at character {at}: no name `{name}`{}; names are {known}", meant(*.suggestion))]
    UnknownName {
        /// Where.
        at: usize,
        /// The name.
        name: String,
        /// The nearest that there is.
        suggestion: Option<&'static str>,
        /// All that there are.
        known: String,
    },
    /// A member of `payment` that there is not.
    #[error("at character {at}: payment has no `{name}`{}; it has {known}", meant(*.suggestion))]
    UnknownMember {
        /// Where.
        at: usize,
        /// The member.
        name: String,
        /// The nearest that there is.
        suggestion: Option<&'static str>,
        /// All that there are.
        known: String,
    },
    /// A function that there is not.
    #[error("at character {at}: no function `{name}`{}; functions are {known}", meant(*.suggestion))]
    UnknownFunction {
        /// Where.
        at: usize,
        /// The function.
        name: String,
        /// The nearest that there is.
        suggestion: Option<&'static str>,
        /// All that there are.
        known: String,
    },
    /// Types that do not go together, whatever the letter is.
    #[error("at character {at}: {what}")]
    Types {
        /// Where.
        at: usize,
        /// What does not go together.
        what: String,
    },
    /// Not a regular expression, or one that would cost too much.
    #[error("at character {at}: not a regular expression: {why}")]
    Regex {
        /// Where.
        at: usize,
        /// Why not.
        why: String,
    },
    /// Not a duration.
    #[error("at character {at}: `{text}` is no duration; write one such as 90s, 1h30m or 2d")]
    Duration {
        /// Where.
        at: usize,
        /// What was given.
        text: String,
    },
    /// What must be true or false of a letter is something else.
    #[error("{what} must be true or false; of this letter it is {found}")]
    NotBoolean {
        /// The part of the expression, or the whole.
        what: String,
        /// Its type.
        found: &'static str,
    },
}

fn meant(suggestion: Option<&'static str>) -> String {
    suggestion
        .map(|name| format!(", did you mean `{name}`?"))
        .unwrap_or_default()
}
