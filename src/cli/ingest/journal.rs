//! The results and the rejects on disk. The results are the checkpoint: a line is accounted for when
//! its row stands there, and never before its text stands in the rejects if that is where it goes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::Xxh3;

use super::lines::{Line, Lines, RawLine, Text, read_line};
use super::row::{Header, Row, Tally};

/// Rows that wait in memory are written when there are so many bytes of them.
const ROWS_BYTES_MAX: usize = 64 * 1024;
/// What a machine that loses power may have to send again.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Where the two files are.
#[derive(Clone)]
pub(super) struct Places {
    pub(super) results: PathBuf,
    pub(super) rejects: PathBuf,
}

impl Places {
    /// The directory of the rejects, where a line that is too long is kept meanwhile.
    pub(super) fn spool(&self) -> PathBuf {
        let parent = self.rejects.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new(".")).to_owned()
    }
}

/// The two files, open at their ends and locked against another run.
pub(super) struct Journal {
    places: Places,
    results: File,
    /// Made with the first line that is refused.
    rejects: Option<File>,
    rejected: Rejected,
    pub(super) tally: Tally,
    /// Rows that are not in the file yet.
    rows: Vec<u8>,
    are_rejects_synced: bool,
    synced: Instant,
}

/// The lines that the results have put into the rejects.
#[derive(Clone)]
struct Rejected {
    count: u64,
    /// Over the hash of each of them.
    hash: Xxh3,
}

impl Rejected {
    fn add(&mut self, hash: u64) {
        self.count += 1;
        self.hash.update(&hash.to_le_bytes());
    }
}

impl Journal {
    /// Opens or makes the files, and leads `lines` past what is accounted for. Refuses results that
    /// are of other input or not ours. `passed` is told the bytes of every line that is passed.
    pub(super) fn open(
        places: Places,
        header: &Header,
        lines: &mut Lines,
        passed: impl FnMut(u64),
    ) -> Result<Journal, String> {
        let told = at(&places.results);
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true);
        let results = options.open(&places.results).map_err(told)?;
        match results.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!("{}: another run writes to it", places.results.display()));
            }
            Err(TryLockError::Error(error)) => return Err(told(error)),
        }
        let mut journal = Journal {
            places,
            results,
            rejects: None,
            rejected: Rejected { count: 0, hash: Xxh3::new() },
            tally: Tally::default(),
            rows: Vec::new(),
            are_rejects_synced: true,
            synced: Instant::now(),
        };
        let is_new = !journal.catch_up(header, lines, passed)?;
        if is_new {
            journal.begin(header)?;
        } else if !lines.is_at_end()? {
            // Rejects of a finished run stay as they are: somebody may be correcting them.
            journal.reopen_rejects()?;
        }
        Ok(journal)
    }

    /// Reads the results beside the lines they are of, and drops a torn last row. False if there
    /// are none yet.
    fn catch_up(
        &mut self,
        header: &Header,
        lines: &mut Lines,
        mut passed: impl FnMut(u64),
    ) -> Result<bool, String> {
        let path = self.places.results.clone();
        let spool = self.places.spool();
        let file = self.results.try_clone().map_err(at(&path))?;
        let mut reader = BufReader::new(file);
        let mut next = || read_line(&mut reader, &spool).map_err(at(&path));
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
            let line = lines.next()?.filter(|line| row.is_of(line)).ok_or_else(|| {
                let (file, line) = (&row.file, row.line);
                format!(
                    "{} line {number}: line {line} of {file} is not what it was, so these are the \
                     results of other input; name another file with --results",
                    path.display()
                )
            })?;
            if row.rejects_line.is_some() {
                self.rejected.add(line.raw.hash);
            }
            self.tally.count(&row);
            kept += raw.bytes;
            passed(line.raw.bytes);
        }
        self.results.set_len(kept).map_err(at(&path))?;
        Ok(true)
    }

    /// Writes the header, after which the rejects too are ours.
    fn begin(&mut self, header: &Header) -> Result<(), String> {
        let rejects = &self.places.rejects;
        let has_content = |metadata: std::fs::Metadata| 0 < metadata.len();
        if std::fs::metadata(rejects).is_ok_and(has_content) {
            return Err(format!(
                "{}: stands there without its results; move it away, or name another file with \
                 --rejects",
                rejects.display()
            ));
        }
        self.append(header)?;
        self.finish()
    }

    /// Opens the rejects and cuts off what the results do not know: a run was ended between the
    /// two, and the line comes again.
    fn reopen_rejects(&mut self) -> Result<(), String> {
        let path = &self.places.rejects;
        let told = at(path);
        let file = match OpenOptions::new().read(true).append(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.rejected.count == 0 => {
                return Ok(());
            }
            Err(error) => return Err(told(error)),
        };
        let mut found = Rejected { count: 0, hash: Xxh3::new() };
        let mut reader = BufReader::new(file.try_clone().map_err(told)?);
        let mut kept = 0;
        while found.count < self.rejected.count {
            let line = read_line(&mut reader, &self.places.spool()).map_err(told)?;
            let Some(line) = line.filter(|line| line.is_ended) else { break };
            found.add(line.hash);
            kept += line.bytes;
        }
        if found.count != self.rejected.count || found.hash.digest() != self.rejected.hash.digest()
        {
            return Err(format!(
                "{}: was changed before its run had ended; put it back, or begin anew with other \
                 --results and --rejects",
                path.display()
            ));
        }
        file.set_len(kept).map_err(told)?;
        self.rejects = Some(file);
        Ok(())
    }

    /// Accounts for a line: its text into the rejects if it was refused, then its row.
    pub(super) fn record(&mut self, line: &mut Line, mut row: Row) -> Result<(), String> {
        if row.refused.is_some() {
            let path = &self.places.rejects;
            let file = match &mut self.rejects {
                Some(file) => file,
                none => {
                    // As personal as the input, so for nobody but its owner.
                    let mut options = OpenOptions::new();
                    let file = options.append(true).create(true).mode(0o600).open(path);
                    none.insert(file.map_err(at(path))?)
                }
            };
            line.write_to(file).map_err(at(path))?;
            self.are_rejects_synced = false;
            self.rejected.add(line.raw.hash);
            row.rejects_line = Some(self.rejected.count);
        }
        self.tally.count(&row);
        self.append(&row)?;
        if ROWS_BYTES_MAX <= self.rows.len() { self.flush() } else { Ok(()) }
    }

    /// Writes the rows that wait. The rejects they name are on disk before them.
    pub(super) fn flush(&mut self) -> Result<(), String> {
        if self.rows.is_empty() {
            return Ok(());
        }
        if let (false, Some(rejects)) = (self.are_rejects_synced, &self.rejects) {
            rejects.sync_data().map_err(at(&self.places.rejects))?;
            self.are_rejects_synced = true;
        }
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

fn parse<T: serde::de::DeserializeOwned>(raw: &RawLine) -> Option<T> {
    match &raw.text {
        Text::Whole(text) => serde_json::from_slice(text).ok(),
        Text::TooLong(_) => None,
    }
}

/// An error of a file, with its name.
fn at(path: &Path) -> impl Fn(io::Error) -> String + Copy {
    move |error| format!("{}: {error}", path.display())
}
