//! What can be wrong with an expression.

/// Why an expression cannot be read, or cannot be said to be true or false of a dead letter.
/// Places are counted in characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("empty filter; write for example class == \"schema_error\"")]
    Empty,
    #[error("the filter has {bytes} bytes; the maximum is 4096")]
    TooLong { bytes: usize },
    #[error("at character {at}: nested deeper than 32 levels")]
    TooDeep { at: usize },
    #[error("at character {at}: expected {expected}, found {found}")]
    Unexpected {
        at: usize,
        expected: &'static str,
        found: String,
    },
    /// A name that there is not.
    #[error("at character {at}: unknown name `{name}`{}; names are {known}", suggest(*.suggestion))]
    UnknownName {
        at: usize,
        name: String,
        suggestion: Option<&'static str>,
        known: String,
    },
    /// A member of `payment` that there is not.
    #[error("at character {at}: payment has no field `{name}`{}; fields are {known}", suggest(*.suggestion))]
    UnknownMember {
        at: usize,
        name: String,
        suggestion: Option<&'static str>,
        known: String,
    },
    /// A function that there is not.
    #[error("at character {at}: unknown function `{name}`{}; functions are {known}", suggest(*.suggestion))]
    UnknownFunction {
        at: usize,
        name: String,
        suggestion: Option<&'static str>,
        known: String,
    },
    /// Types that do not go together, whatever the dead letter is.
    #[error("at character {at}: {what}")]
    Types { at: usize, what: String },
    /// Not a regular expression, or one that would cost too much.
    #[error("at character {at}: not a regular expression: {why}")]
    Regex { at: usize, why: String },
    #[error("at character {at}: `{text}` is not a duration; write for example 90s, 1h30m or 2d")]
    Duration { at: usize, text: String },
    /// What must be true or false of a dead letter is something else.
    #[error("{what} must be true or false; for this dead letter it is {found}")]
    NotBoolean { what: String, found: &'static str },
}

fn suggest(suggestion: Option<&'static str>) -> String {
    suggestion
        .map(|name| format!(", did you mean `{name}`?"))
        .unwrap_or_default()
}
