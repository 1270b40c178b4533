//! What was refused, as it was: JSON line by line, rows below the header of their own table, so that
//! each file can be corrected and ingested as it stands.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use super::journal::at;
use super::places::Places;
use crate::intake::file::{Record, Sheet};

/// All files of rejects of one run, in the order in which the first record of each was refused.
pub(super) struct Rejects {
    places: Places,
    all: Vec<Reject>,
    /// Whether records are written, not only counted.
    is_open: bool,
}

/// One file.
struct Reject {
    path: PathBuf,
    /// The table whose rows these are; none for JSON.
    sheet: Option<Arc<Sheet>>,
    /// Open when something is written to it.
    file: Option<File>,
    written: Written,
    is_synced: bool,
}

/// What the results have put into a file.
#[derive(Clone)]
struct Written {
    bytes: u64,
    lines: u64,
    hash: Xxh3,
    last: u8,
}

/// Counts what is written, and passes it on where there is a file.
struct Counted<'w> {
    written: &'w mut Written,
    file: Option<&'w mut File>,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.file {
            file.write_all(bytes)?;
        }
        let written = &mut *self.written;
        written.hash.update(bytes);
        written.bytes += bytes.len() as u64;
        for byte in bytes {
            let is_end = *byte == b'\r' || (*byte == b'\n' && written.last != b'\r');
            written.lines += u64::from(is_end);
            written.last = *byte;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where a record stands in the rejects.
pub(super) struct Kept {
    /// From 1, a table's header counted.
    pub(super) line: u64,
    /// The file's name, unless it is the first of the run.
    pub(super) file: Option<String>,
}

impl Rejects {
    pub(super) fn of(places: Places) -> Rejects {
        Rejects { places, all: Vec::new(), is_open: false }
    }

    /// Puts a record where it belongs; before [`Rejects::reopen`] or [`Rejects::begin`] it is only
    /// counted.
    pub(super) fn keep(&mut self, record: &mut Record) -> Result<Kept, String> {
        let index = self.index_of(record);
        let Reject { path, sheet, file, written, is_synced } = &mut self.all[index];
        if self.is_open && file.is_none() {
            // As personal as the input, so for nobody but its owner.
            let mut options = OpenOptions::new();
            let options = options.append(true).create(true).mode(0o600);
            *file = Some(options.open(&path).map_err(at(path))?);
        }
        let is_first = written.bytes == 0;
        let mut to = Counted { written, file: file.as_mut() };
        let mut write = || {
            if let Some(sheet) = sheet.as_ref().filter(|_| is_first) {
                to.write_all(&sheet.head)?;
            }
            let line = to.written.lines + 1;
            let end = if let Some(sheet) = sheet {
                record.text.write_to(&mut to)?;
                end_of_line(&sheet.head)
            } else {
                record.text.write_to(&mut OnOneLine(&mut to))?;
                b"\n"
            };
            to.write_all(end)?;
            io::Result::Ok(line)
        };
        let line = write().map_err(at(path))?;
        *is_synced = false;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        Ok(Kept { line, file: Some(name.into_owned()).filter(|_| 0 < index) })
    }

    fn index_of(&mut self, record: &Record) -> usize {
        let is_same = |sheet: &Option<Arc<Sheet>>| match (sheet, &record.sheet) {
            (None, None) => true,
            (Some(one), Some(other)) => {
                Arc::ptr_eq(one, other)
                    || (one.encoding == other.encoding && one.head == other.head)
            }
            _ => false,
        };
        if let Some(index) = self.all.iter().position(|it| is_same(&it.sheet)) {
            return index;
        }
        let tables = self.all.iter().filter(|it| it.sheet.is_some()).count();
        let path = match &record.sheet {
            Some(_) => self.places.csv(tables + 1),
            None => self.places.ndjson().to_owned(),
        };
        let written = Written { bytes: 0, lines: 0, hash: Xxh3::new(), last: 0 };
        let sheet = record.sheet.clone();
        self.all.push(Reject { path, sheet, file: None, written, is_synced: true });
        self.all.len() - 1
    }

    /// Refuses files that stand there already: nobody knows of what they are the rejects.
    pub(super) fn begin(&mut self) -> Result<(), String> {
        self.is_open = true;
        let has_content = |path: &Path| std::fs::metadata(path).is_ok_and(|it| 0 < it.len());
        for path in self.places.rejects_there() {
            if has_content(&path) {
                return Err(format!(
                    "{}: stands there without its results; move it away, or name another file \
                     with --rejects",
                    path.display()
                ));
            }
        }
        Ok(())
    }

    /// Opens the files and cuts off what the results do not know: a run was ended between the two,
    /// and the record comes again.
    pub(super) fn reopen(&mut self) -> Result<(), String> {
        self.is_open = true;
        for reject in &mut self.all {
            reject.reopen()?;
        }
        for path in self.places.rejects_there() {
            if self.all.iter().any(|it| it.path == path) {
                continue;
            }
            let file = OpenOptions::new().write(true).open(&path).map_err(at(&path))?;
            file.set_len(0).map_err(at(&path))?;
        }
        Ok(())
    }

    /// Puts everything that was refused on disk.
    pub(super) fn sync(&mut self) -> Result<(), String> {
        for reject in self.all.iter_mut().filter(|it| !it.is_synced) {
            if let Some(file) = &reject.file {
                file.sync_data().map_err(at(&reject.path))?;
            }
            reject.is_synced = true;
        }
        Ok(())
    }

    /// The files that hold something.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.all.iter().map(|it| it.path.clone()).collect()
    }
}

impl Reject {
    fn reopen(&mut self) -> Result<(), String> {
        let told = at(&self.path);
        let file = OpenOptions::new().read(true).append(true).open(&self.path).map_err(told)?;
        let mut reader = BufReader::new(file.try_clone().map_err(told)?).take(self.written.bytes);
        let mut found = Xxh3::new();
        let (mut buffer, mut bytes) = (vec![0; 64 * 1024], 0);
        loop {
            let count = reader.read(&mut buffer).map_err(told)?;
            if count == 0 {
                break;
            }
            found.update(&buffer[..count]);
            bytes += count as u64;
        }
        if bytes != self.written.bytes || found.digest() != self.written.hash.digest() {
            return Err(format!(
                "{}: was changed before its run had ended; put it back, or begin anew with other \
                 --results and --rejects",
                self.path.display()
            ));
        }
        file.set_len(bytes).map_err(told)?;
        self.file = Some(file);
        Ok(())
    }
}

fn end_of_line(head: &[u8]) -> &[u8] {
    if head.ends_with(b"\r\n") { b"\r\n" } else { &head[head.len() - 1..] }
}

/// Puts spaces for line breaks, which in JSON can only stand where white space may.
struct OnOneLine<'w>(&'w mut dyn Write);

impl Write for OnOneLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.contains(&b'\n') {
            let spaced = |byte: &u8| if *byte == b'\n' { b' ' } else { *byte };
            self.0.write_all(&bytes.iter().map(spaced).collect::<Vec<u8>>())?;
        } else {
            self.0.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
