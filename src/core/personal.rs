//! Values about a person that must never reach a log, an error, a metric or a trace.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text about a person. Prints as `***` in `Debug` and has no `Display`, so that it can only be
/// shown on purpose ([`Personal::reveal`]).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Personal(String);

impl Personal {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Personal {
        Personal(text.into())
    }

    /// The text itself, for the answer to an authorised caller or for a row.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personal_text_hides_in_debug_output() {
        assert_eq!(format!("{:?}", Some(Personal::new("370299194903120017"))), "Some(***)");
    }
}
