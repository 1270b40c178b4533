//! A watcher's place in a file, so that the next run goes on where the last one ended.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Failure;

/// The place is written at most this often: a rename for every event would be slower than the
/// events.
const WRITE_INTERVAL: Duration = Duration::from_millis(200);

/// The file, and what of it is not written yet.
pub(super) struct TokenFile {
    path: PathBuf,
    unwritten: Option<String>,
    written_at: Option<Instant>,
}

impl TokenFile {
    /// Opens the file, which need not exist, and reads the place in it.
    pub(super) fn open(path: PathBuf) -> Result<(TokenFile, Option<String>), Failure> {
        let token = match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.trim().to_owned()).filter(|token| !token.is_empty()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(told(&path, &error)),
        };
        Ok((TokenFile { path, unwritten: None, written_at: None }, token))
    }

    /// Keeps a place, once everything before it is printed.
    pub(super) fn keep(&mut self, token: &str) -> Result<(), Failure> {
        self.unwritten = Some(token.to_owned());
        let is_due = self.written_at.is_none_or(|at| at.elapsed() >= WRITE_INTERVAL);
        if is_due { self.write() } else { Ok(()) }
    }

    /// Writes what is kept. Whole or not at all: a torn token would be refused at the next start.
    pub(super) fn write(&mut self) -> Result<(), Failure> {
        let Some(token) = self.unwritten.take() else { return Ok(()) };
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let written = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))
            .and_then(|mut file| {
                writeln!(file, "{token}")?;
                // A name that survives a power cut without its content would begin anew.
                file.as_file().sync_data()?;
                file.persist(&self.path).map_err(|error| error.error)
            });
        self.written_at = Some(Instant::now());
        written.map(drop).map_err(|error| told(&self.path, &error))
    }
}

fn told(path: &Path, error: &std::io::Error) -> Failure {
    Failure::told(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again_and_an_empty_file_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("place");
        let (mut file, token) = TokenFile::open(path.clone()).unwrap();
        assert_eq!(token, None);
        file.keep("first").unwrap();
        file.keep("second").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first\n", "not that often");
        file.write().unwrap();
        assert_eq!(TokenFile::open(path.clone()).unwrap().1.as_deref(), Some("second"));
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(TokenFile::open(path).unwrap().1, None);
        assert!(TokenFile::open(directory.path().to_owned()).is_err(), "a directory");
    }
}
