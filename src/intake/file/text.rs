//! The text of a record while it is gathered: in memory as long as a message may be, then in a
//! temporary file, so that it too can be handed back as it was.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use crate::intake::MESSAGE_BYTES_MAX;

/// The text of a record. Holds personal values, so it has no `Debug`.
pub enum Text {
    /// All of it.
    Whole(Vec<u8>),
    /// More than a message may have; where it is kept until it is handed back.
    TooLong(File),
}

impl Text {
    /// Writes all of it.
    pub fn write_to(&mut self, to: &mut dyn Write) -> io::Result<()> {
        match self {
            Text::Whole(text) => to.write_all(text),
            Text::TooLong(spooled) => {
                spooled.rewind()?;
                io::copy(spooled, to).map(drop)
            }
        }
    }
}

/// Which file an error is of.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The one that is read.
    #[error(transparent)]
    Read(io::Error),
    /// The one in which a long text is kept.
    #[error(transparent)]
    Spool(io::Error),
}

/// A text that is being read.
pub(super) struct Gathering<'s> {
    spool: &'s Path,
    held: Vec<u8>,
    spooled: Option<File>,
    hasher: Xxh3,
}

impl<'s> Gathering<'s> {
    pub(super) fn begin(spool: &'s Path) -> Gathering<'s> {
        Gathering { spool, held: Vec::new(), spooled: None, hasher: Xxh3::new() }
    }

    pub(super) fn push(&mut self, part: &[u8]) -> Result<(), Fault> {
        self.hasher.update(part);
        self.keep(part).map_err(Fault::Spool)
    }

    fn keep(&mut self, part: &[u8]) -> io::Result<()> {
        if self.spooled.is_none() && MESSAGE_BYTES_MAX < self.held.len() + part.len() {
            let mut file = tempfile::tempfile_in(self.spool)?;
            file.write_all(&self.held)?;
            self.held = Vec::new();
            self.spooled = Some(file);
        }
        if let Some(file) = &mut self.spooled {
            return file.write_all(part);
        }
        self.held.extend_from_slice(part);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.spooled.is_none()
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.spooled.is_some()
    }

    /// The text and its hash.
    pub(super) fn end(self) -> (Text, u64) {
        let text = match self.spooled {
            Some(file) => Text::TooLong(file),
            None => Text::Whole(self.held),
        };
        (text, self.hasher.digest())
    }
}
