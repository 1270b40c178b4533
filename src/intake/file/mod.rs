//! Files of records: NDJSON, JSON, CSV, and archives of these, record by record with the place of
//! each. Memory stays flat whatever stands in a file. Refuses to guess: what cannot be cut up or
//! decoded is told with its place, and no record is ever altered.

mod archive;
mod columns;
mod csv;
mod encoding;
mod folder;
mod json;
mod lines;
mod text;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::archive::Archive;
use self::csv::Rows;
use self::json::Values;
use self::lines::Lines;

pub use columns::Sheet;
pub use encoding::Encoding;
pub use folder::{Found, find};
pub use lines::{RawLine, read_line};
pub use text::{Fault, Text};

const BOM: &[u8] = "\u{feff}".as_bytes();
/// Bytes of input read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A JSON object on each line.
    Ndjson,
    /// One value of JSON, several one after the other, or an array of them.
    Json,
    /// A table with a header, separated by commas.
    Csv,
    /// An archive of the others.
    Zip,
}

impl Form {
    /// By the ending of a file's name, whatever its case.
    pub fn of_name(name: &str) -> Option<Form> {
        let (_, ending) = name.rsplit_once('.')?;
        Some(match ending.to_ascii_lowercase().as_str() {
            "ndjson" | "jsonl" => Form::Ndjson,
            "json" => Form::Json,
            "csv" => Form::Csv,
            "zip" => Form::Zip,
            _ => return None,
        })
    }
}

/// One file of the input, or standard input.
#[derive(Debug, Clone)]
pub struct Source {
    /// How the results name it.
    pub name: Arc<str>,
    /// Where it is; none for standard input.
    pub path: Option<PathBuf>,
    /// How it is written.
    pub form: Form,
    /// Whether it is one of the files of a folder, so that members of an archive are named with it.
    pub is_in_folder: bool,
}

/// One record of a file. Holds personal values, so it has no `Debug`.
pub struct Record {
    /// The name of its file.
    pub file: Arc<str>,
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    /// The byte of that line at which it begins, from 1.
    pub column: u64,
    /// As it was, without what separates it from the next one.
    pub text: Text,
    /// Proves later that this is the same record: XXH3 of the text.
    pub hash: u64,
    /// Its length in the file, with separators.
    pub bytes: u64,
    /// What can be sent for it.
    pub content: Content,
    /// The table whose row it is; none for JSON.
    pub sheet: Option<Arc<Sheet>>,
}

/// What can be sent for a record.
pub enum Content {
    /// Its text.
    Text,
    /// This JSON, because its text is a row of a table.
    Json(Vec<u8>),
    /// Nothing.
    Unusable(Unusable),
}

/// Why a record cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// It has more than [`MESSAGE_BYTES_MAX`](crate::intake::MESSAGE_BYTES_MAX).
    TooLarge,
    /// It cannot be told where it ends, or what its cells are.
    Unreadable(Vec<Flaw>),
    /// Its cells cannot be used.
    Invalid(Vec<Flaw>),
}

/// What is wrong with a record. Holds no personal value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The national name of the cell's column; `row` or `record` for all of it.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
    /// The line of the file, where that is not where the record begins.
    pub line: Option<u64>,
    /// The byte of that line in JSON, the cell of the row in CSV, both from 1.
    pub column: Option<u64>,
}

/// What is wrong with a file as a whole. Holds no personal value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {problem}", place(*.line, *.column))]
pub struct FileError {
    /// As the results name it: a member of an archive in a folder as `archive.zip/member.csv`.
    pub file: Arc<str>,
    /// From 1; none where it is the file itself.
    pub line: Option<u64>,
    /// The byte of that line, or the cell of a table's header, from 1.
    pub column: Option<u64>,
    /// What is wrong there.
    pub problem: String,
}

fn place(line: Option<u64>, column: Option<u64>) -> String {
    let line = line.map(|it| format!(" line {it}")).unwrap_or_default();
    let column = column.map(|it| format!(" column {it}")).unwrap_or_default();
    line + &column
}

impl FileError {
    fn of(file: &Arc<str>, problem: impl Into<String>) -> FileError {
        FileError { file: file.clone(), line: None, column: None, problem: problem.into() }
    }
}

/// Why there are no more records.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input is wrong, and only who made it can mend that. At least one problem.
    #[error("{}", listed(.0))]
    Input(Vec<FileError>),
    /// A record could not be kept in the spool directory.
    #[error("cannot keep what is being read: {0}")]
    Spool(#[source] io::Error),
}

fn listed(problems: &[FileError]) -> String {
    let texts: Vec<String> = problems.iter().map(FileError::to_string).collect();
    texts.join("\n")
}

impl ReadError {
    fn of(file: &Arc<str>, fault: Fault) -> ReadError {
        match fault {
            Fault::Read(error) => {
                ReadError::Input(vec![FileError::of(file, format!("cannot be read: {error}"))])
            }
            Fault::Spool(error) => ReadError::Spool(error),
        }
    }
}

/// The records of every file of the input in their order, blank ones left out.
pub struct Records {
    sources: std::vec::IntoIter<Source>,
    /// The archive whose members are read.
    archive: Option<Archive>,
    current: Option<Current>,
    /// Read already by [`Records::is_at_end`].
    ahead: Option<Record>,
    encoding: Option<Encoding>,
    spool: PathBuf,
}

/// What is being read.
enum Current {
    Lines(Lines),
    Values(Values),
    Rows(Box<Rows>),
}

impl Records {
    /// Reads `sources` one after the other. Without an `encoding` that of each CSV file is found
    /// out. `spool` is the directory for what is too long for the memory.
    pub fn of(sources: Vec<Source>, encoding: Option<Encoding>, spool: PathBuf) -> Records {
        let sources = sources.into_iter();
        Records { sources, archive: None, current: None, ahead: None, encoding, spool }
    }

    /// Whether no record is left.
    pub fn is_at_end(&mut self) -> Result<bool, ReadError> {
        self.ahead = self.next()?;
        Ok(self.ahead.is_none())
    }

    /// The next record that is not blank. After an error there is none.
    #[allow(clippy::should_implement_trait, reason = "an error ends it, so it is no iterator")]
    pub fn next(&mut self) -> Result<Option<Record>, ReadError> {
        if self.ahead.is_some() {
            return Ok(self.ahead.take());
        }
        let read = self.read();
        if read.is_err() {
            // What comes after a file that is wrong must not overtake it.
            (self.sources, self.archive, self.current) = (Vec::new().into_iter(), None, None);
        }
        read
    }

    fn read(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            let Some(current) = &mut self.current else {
                if self.open_next()? {
                    continue;
                }
                return Ok(None);
            };
            let record = match current {
                Current::Lines(lines) => lines.next(&self.spool)?,
                Current::Values(values) => values.next(&self.spool)?,
                Current::Rows(rows) => rows.next(&self.spool)?,
            };
            match record {
                Some(record) => return Ok(Some(record)),
                None => self.current = None,
            }
        }
    }

    /// Opens what comes next. False if nothing does.
    fn open_next(&mut self) -> Result<bool, ReadError> {
        if let Some(archive) = &mut self.archive {
            match archive.next(&self.spool)? {
                Some((name, form, file)) => {
                    self.current = Some(self.open(name, form, Some(file))?);
                }
                None => self.archive = None,
            }
            return Ok(true);
        }
        let Some(source) = self.sources.next() else { return Ok(false) };
        let Source { name, path, form, is_in_folder } = source;
        let file = path.map(File::open).transpose();
        let file = file.map_err(|error| ReadError::of(&name, Fault::Read(error)))?;
        match (form, file) {
            (Form::Zip, Some(file)) => {
                self.archive = Some(Archive::open(name, file, is_in_folder)?);
            }
            (form, file) => self.current = Some(self.open(name, form, file)?),
        }
        Ok(true)
    }

    fn open(&self, name: Arc<str>, form: Form, file: Option<File>) -> Result<Current, ReadError> {
        let fault = |error| ReadError::of(&name, Fault::Read(error));
        let encoding = match (form, self.encoding, &file) {
            (Form::Csv, Some(encoding), _) => encoding,
            (Form::Csv, None, Some(file)) => encoding::of_file(&name, file)?,
            _ => Encoding::Utf8,
        };
        let reader: Box<dyn BufRead + Send> = match file {
            Some(file) => Box::new(BufReader::with_capacity(BUFFER_BYTES, file)),
            None => Box::new(BufReader::with_capacity(BUFFER_BYTES, io::stdin())),
        };
        let (has_mark, reader) = match encoding {
            Encoding::Utf8 => without_mark(reader).map_err(fault)?,
            Encoding::Gb18030 => (false, reader),
        };
        Ok(match form {
            Form::Ndjson => Current::Lines(Lines::of(name, reader)),
            Form::Json => Current::Values(Values::of(name, reader)),
            Form::Csv => {
                let rows = Rows::open(name, reader, encoding, has_mark, &self.spool)?;
                Current::Rows(Box::new(rows))
            }
            Form::Zip => {
                let problem = "is an archive, which cannot be read here";
                return Err(ReadError::Input(vec![FileError::of(&name, problem)]));
            }
        })
    }
}

/// Takes the byte order mark away, which belongs to the file and not to its first record. Returns
/// whether it was there.
fn without_mark(
    mut reader: Box<dyn BufRead + Send>,
) -> io::Result<(bool, Box<dyn BufRead + Send>)> {
    let mut first = Vec::new();
    (&mut reader).take(BOM.len() as u64).read_to_end(&mut first)?;
    if first == BOM {
        return Ok((true, reader));
    }
    Ok((false, Box::new(Cursor::new(first).chain(reader))))
}

/// What can be read next; empty at the end.
fn fill(reader: &mut dyn BufRead) -> Result<&[u8], Fault> {
    loop {
        match reader.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Fault::Read(error)),
        }
    }
    // It has been filled, so this reads nothing; a borrow may not outlive the loop.
    reader.fill_buf().map_err(Fault::Read)
}

/// The name of a file without its directories.
fn base(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
