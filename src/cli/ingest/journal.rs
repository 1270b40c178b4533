//! The results on disk, beside the rejects. They are the checkpoint: a record is accounted for when
//! its row stands there, and never before its text stands in the rejects if that is where it goes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::places::Places;
use super::rejects::Rejects;
use super::row::{Header, Row, Tally};
use crate::intake::file::{RawLine, ReadError, Record, Records, Text, read_line};

/// Rows that wait in memory are written when there are so many bytes of them.
const ROWS_BYTES_MAX: usize = 64 * 1024;
/// What a machine that loses power may have to send again.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Why a journal cannot be opened.
pub(super) enum OpenError {
    /// The input cannot be read as far as it was accounted for.
    Input(ReadError),
    /// The files are not such as a run leaves them, or the disk fails.
    Ours(String),
}

impl From<String> for OpenError {
    fn from(why: String) -> OpenError {
        OpenError::Ours(why)
    }
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> OpenError {
        OpenError::Input(error)
    }
}

/// The files, open at their ends; the results are locked against another run.
pub(super) struct Journal {
    places: Places,
    results: File,
    rejects: Rejects,
    pub(super) tally: Tally,
    /// Rows that are not in the file yet.
    rows: Vec<u8>,
    synced: Instant,
    is_new: bool,
}

impl Journal {
    /// Opens or makes the files, and leads `records` past what is accounted for. Refuses results that
    /// are of other input or not ours. `passed` is told the bytes of every record that is passed.
    pub(super) fn open(
        places: Places,
        header: &Header,
        records: &mut Records,
        passed: impl FnMut(u64),
    ) -> Result<Journal, OpenError> {
        let told = at(&places.results);
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true);
        let results = options.open(&places.results).map_err(told)?;
        match results.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let why = format!("{}: another run writes to it", places.results.display());
                return Err(OpenError::Ours(why));
            }
            Err(TryLockError::Error(error)) => return Err(OpenError::Ours(told(error))),
        }
        let rejects = Rejects::of(places.clone());
        let (tally, rows, synced) = (Tally::default(), Vec::new(), Instant::now());
        let is_new = true;
        let mut journal = Journal { places, results, rejects, tally, rows, synced, is_new };
        journal.is_new = !journal.catch_up(header, records, passed)?;
        if journal.is_new {
            journal.begin(header)?;
        }
        Ok(journal)
    }

    /// Makes ready for what is left to do. Where nothing is, nobody may call it: the rejects of a
    /// finished run stay as they are, for somebody may be correcting them.
    pub(super) fn go_on(&mut self) -> Result<(), String> {
        if self.is_new { Ok(()) } else { self.rejects.reopen() }
    }

    /// Reads the results beside the records they are of, and drops a torn last row. False if there
    /// are none yet.
    fn catch_up(
        &mut self,
        header: &Header,
        records: &mut Records,
        mut passed: impl FnMut(u64),
    ) -> Result<bool, OpenError> {
        let path = self.places.results.clone();
        let spool = self.places.spool();
        let file = self.results.try_clone().map_err(at(&path))?;
        let mut reader = BufReader::new(file);
        let told = |fault| format!("{}: {fault}", path.display());
        let mut next = || read_line(&mut reader, &spool).map_err(told);
        let Some(first) = next()? else { return Ok(false) };
        let mut kept = first.bytes;
        if !is_header(&first, header, &path)? {
            self.results.set_len(0).map_err(at(&path))?;
            return Ok(false);
        }
        let mut number = 1;
        while let Some(raw) = next()?.filter(|raw| raw.is_ended) {
            number += 1;
            let row: Option<Row> = parse(&raw);
            let row = row.ok_or_else(|| {
                format!("{} line {number}: is no result of `greenlane ingest`", path.display())
            })?;
            let record = records.next()?.filter(|record| row.is_of(record));
            let mut record = record.ok_or_else(|| {
                let (file, line) = (&row.file, row.line);
                format!(
                    "{} line {number}: line {line} of {file} is not what it was, so these are the \
                     results of other input; name another file with --results",
                    path.display()
                )
            })?;
            if row.rejects_line.is_some() {
                self.rejects.keep(&mut record)?;
            }
            self.tally.count(&row);
            kept += raw.bytes;
            passed(record.bytes);
        }
        self.results.set_len(kept).map_err(at(&path))?;
        Ok(true)
    }

    /// Writes the header, after which the rejects too are ours.
    fn begin(&mut self, header: &Header) -> Result<(), String> {
        self.rejects.begin()?;
        self.append(header)?;
        self.finish()
    }

    /// Accounts for a record: its text into the rejects if it was refused, then its row.
    pub(super) fn record(&mut self, record: &mut Record, mut row: Row) -> Result<(), String> {
        if row.refused.is_some() {
            let kept = self.rejects.keep(record)?;
            row.rejects_line = Some(kept.line);
            row.rejects_file = kept.file;
        }
        self.tally.count(&row);
        self.append(&row)?;
        if ROWS_BYTES_MAX <= self.rows.len() { self.flush() } else { Ok(()) }
    }

    /// The files in which what was refused stands.
    pub(super) fn rejects(&self) -> Vec<PathBuf> {
        self.rejects.paths()
    }

    /// Writes the rows that wait. The rejects they name are on disk before them.
    pub(super) fn flush(&mut self) -> Result<(), String> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.rejects.sync()?;
        let told = at(&self.places.results);
        self.results.write_all(&self.rows).map_err(told)?;
        self.rows.clear();
        if SYNC_EVERY <= self.synced.elapsed() {
            self.results.sync_data().map_err(told)?;
            self.synced = Instant::now();
        }
        Ok(())
    }

    /// Puts everything on disk.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        self.flush()?;
        self.results.sync_data().map_err(at(&self.places.results))
    }

    fn append(&mut self, row: &impl serde::Serialize) -> Result<(), String> {
        serde_json::to_writer(&mut self.rows, row).map_err(|error| error.to_string())?;
        self.rows.push(b'\n');
        Ok(())
    }
}

/// Whether the first row of the results is the header of this input. False if a kill cut the header
/// short, so that nothing is lost with it.
fn is_header(first: &RawLine, header: &Header, path: &Path) -> Result<bool, String> {
    let path = path.display();
    if !first.is_ended {
        let whole = serde_json::to_vec(header).unwrap_or_default();
        let is_torn = matches!(&first.text, Text::Whole(text) if whole.starts_with(text));
        return if is_torn { Ok(false) } else { Err(format!("{path}: is no results file")) };
    }
    let Some(found) = parse::<Header>(first) else {
        return Err(format!("{path}: is no results file; name another with --results"));
    };
    if found.input != header.input {
        let input = found.input;
        return Err(format!("{path}: has the results of {input}; name another with --results"));
    }
    if found != *header {
        return Err(format!("{path}: was begun with another --sender or --infno; keep to it"));
    }
    Ok(true)
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(raw: &RawLine) -> Option<T> {
    match &raw.text {
        Text::Whole(text) => serde_json::from_slice(text).ok(),
        Text::TooLong(_) => None,
    }
}

/// An error of a file, with its name.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> String + Copy {
    move |error| format!("{}: {error}", path.display())
}
