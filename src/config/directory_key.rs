//! The secret under which the directory hashes identities, and the file that holds it.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The key of the directory's hashes: 32 random bytes that must stay the same as long as the
/// database lives. Whoever has it can test whether a person is in a copy of the directory.
#[derive(Clone, PartialEq, Eq)]
pub struct DirectoryKey([u8; 32]);

impl DirectoryKey {
    /// Reads 64 hexadecimal digits; white space around them is ignored.
    pub fn from_hex(text: &str) -> Option<DirectoryKey> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes).ok()?;
        Some(DirectoryKey(bytes))
    }

    /// The key itself.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn random() -> io::Result<DirectoryKey> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(DirectoryKey(bytes))
    }
}

impl fmt::Debug for DirectoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where the directory's key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryKeySource {
    /// Given and read.
    Known(DirectoryKey),
    /// Beside a SQLite database: read, or made together with a new database.
    BesideDatabase(PathBuf),
}

/// Reads a key file.
pub(super) fn read(path: &Path) -> Result<DirectoryKey, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    DirectoryKey::from_hex(&text)
        .ok_or_else(|| format!("{} must hold 64 hexadecimal digits", path.display()))
}

/// Reads the key beside a database, and makes one where neither exists yet.
///
/// A database without its key is refused: under a new one nobody on the roster would be found
/// again, and every person would get a second book.
pub(super) fn read_or_make(path: &Path, database: &Path) -> Result<DirectoryKey, String> {
    if path.exists() {
        return read(path);
    }
    if std::fs::metadata(database).is_ok_and(|file| file.len() > 0) {
        return Err(format!(
            "{} is missing, but its database {} exists: restore the key, or name its file",
            path.display(),
            database.display()
        ));
    }
    make(path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
    // Read back: where two processes start at once, the file has the key of the first.
    read(path)
}

/// Makes the file whole or not at all, readable by its owner only, and leaves an existing one.
fn make(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    writeln!(file, "{}", hex::encode(DirectoryKey::random()?.0))?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.error),
    }
    // The key must survive whatever the database survives.
    std::fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_database_gets_a_key_that_only_its_owner_reads() {
        let home = tempfile::tempdir().unwrap();
        let (path, database) = (home.path().join("a.db.key"), home.path().join("a.db"));
        let key = read_or_make(&path, &database).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim().len(), 64);
        std::fs::write(&database, "rows").unwrap();
        assert_eq!(read_or_make(&path, &database).unwrap(), key, "made once");
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn a_database_without_its_key_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let (path, database) = (home.path().join("a.db.key"), home.path().join("a.db"));
        std::fs::write(&database, "rows").unwrap();
        let problem = read_or_make(&path, &database).unwrap_err();
        assert!(problem.contains("restore the key"), "{problem}");
        assert!(!path.exists());
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        let key = DirectoryKey::from_hex(&format!(" {}\n", "0f".repeat(32))).unwrap();
        assert_eq!(key.bytes(), &[0x0f; 32]);
        assert_eq!(format!("{key:?}"), "***");
        for text in ["", "0f", &"0g".repeat(32), &"0f".repeat(33)] {
            assert!(DirectoryKey::from_hex(text).is_none(), "{text}");
        }
    }
}
