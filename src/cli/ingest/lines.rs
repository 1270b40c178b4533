//! The lines of the input, one at a time. A line longer than a message may be is never held in
//! memory: it goes through a temporary file, so that it too can be handed back as it was.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::grpc::status::MESSAGE_BYTES_MAX;

const BOM: &[u8] = "\u{feff}".as_bytes();
/// Bytes of input read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// One file of the input, or standard input.
#[derive(Clone)]
pub(super) struct Source {
    /// How the results name it.
    pub(super) name: Arc<str>,
    /// Where it is; none for standard input.
    pub(super) path: Option<PathBuf>,
}

impl Source {
    fn open(&self) -> io::Result<Box<dyn BufRead + Send>> {
        Ok(match &self.path {
            Some(path) => Box::new(BufReader::with_capacity(BUFFER_BYTES, File::open(path)?)),
            None => Box::new(BufReader::with_capacity(BUFFER_BYTES, io::stdin())),
        })
    }
}

/// The text of a line without its end of line. Holds personal values, so it has no `Debug`.
pub(super) enum Text {
    /// All of it.
    Whole(Vec<u8>),
    /// More than a message may have; where it is kept until it is handed back.
    TooLong(File),
}

/// A line as it was read.
pub(super) struct RawLine {
    pub(super) text: Text,
    /// Proves later that this is the same line: XXH3 of the text.
    pub(super) hash: u64,
    /// Its length in the file, end of line included.
    pub(super) bytes: u64,
    /// Whether its end was there.
    pub(super) is_ended: bool,
}

/// Reads one line; `None` at the end. `spool` is the directory for a line that is too long.
pub(super) fn read_line(from: &mut dyn BufRead, spool: &Path) -> io::Result<Option<RawLine>> {
    let mut held = Vec::new();
    let mut spooled: Option<File> = None;
    let mut hasher = Xxh3::new();
    let (mut bytes, mut is_ended) = (0_u64, false);
    while !is_ended {
        let read = match from.fill_buf() {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if read.is_empty() {
            break;
        }
        let end = read.iter().position(|byte| *byte == b'\n');
        let (part, used) = end.map_or((read, read.len()), |at| (&read[..at], at + 1));
        is_ended = end.is_some();
        hasher.update(part);
        if spooled.is_none() && MESSAGE_BYTES_MAX < held.len() + part.len() {
            let mut file = tempfile::tempfile_in(spool)?;
            file.write_all(&held)?;
            held = Vec::new();
            spooled = Some(file);
        }
        match &mut spooled {
            Some(file) => file.write_all(part)?,
            None => held.extend_from_slice(part),
        }
        bytes += used as u64;
        from.consume(used);
    }
    if bytes == 0 {
        return Ok(None);
    }
    let text = match spooled {
        Some(file) => Text::TooLong(file),
        None => Text::Whole(held),
    };
    Ok(Some(RawLine { text, hash: hasher.digest(), bytes, is_ended }))
}

/// A line of the input, with its place.
pub(super) struct Line {
    /// The name of its file.
    pub(super) file: Arc<str>,
    /// Its number in the file, from 1.
    pub(super) number: u64,
    pub(super) raw: RawLine,
}

impl Line {
    /// Writes the text and an end of line.
    pub(super) fn write_to(&mut self, file: &mut File) -> io::Result<()> {
        match &mut self.raw.text {
            Text::Whole(text) => file.write_all(text)?,
            Text::TooLong(spooled) => {
                spooled.rewind()?;
                io::copy(spooled, file)?;
            }
        }
        file.write_all(b"\n")
    }
}

/// The lines of every file of the input in their order, blank ones left out.
pub(super) struct Lines {
    sources: std::vec::IntoIter<Source>,
    current: Option<Current>,
    /// Read already by [`Lines::is_at_end`].
    ahead: Option<Line>,
    spool: PathBuf,
}

struct Current {
    source: Source,
    reader: Box<dyn BufRead + Send>,
    number: u64,
}

impl Lines {
    /// Reads `sources` one after the other; `spool` is the directory for lines that are too long.
    pub(super) fn of(sources: Vec<Source>, spool: PathBuf) -> Lines {
        Lines { sources: sources.into_iter(), current: None, ahead: None, spool }
    }

    /// Whether no line is left.
    pub(super) fn is_at_end(&mut self) -> Result<bool, String> {
        self.ahead = self.next()?;
        Ok(self.ahead.is_none())
    }

    /// The next line that is not blank. An error names its file.
    pub(super) fn next(&mut self) -> Result<Option<Line>, String> {
        if self.ahead.is_some() {
            return Ok(self.ahead.take());
        }
        loop {
            let Some(current) = &mut self.current else {
                let Some(source) = self.sources.next() else { return Ok(None) };
                let reader = source.open().map_err(|error| format!("{}: {error}", source.name))?;
                self.current = Some(Current { source, reader, number: 0 });
                continue;
            };
            let read = read_line(&mut *current.reader, &self.spool);
            let read = read.map_err(|error| format!("{}: {error}", current.source.name))?;
            let Some(mut raw) = read else {
                self.current = None;
                continue;
            };
            current.number += 1;
            if let Text::Whole(text) = &mut raw.text {
                // The mark belongs to the file, not to its first line.
                if current.number == 1 && text.starts_with(BOM) {
                    text.drain(..BOM.len());
                    raw.hash = xxhash_rust::xxh3::xxh3_64(text);
                }
                if text.trim_ascii().is_empty() {
                    continue;
                }
            }
            let (file, number) = (current.source.name.clone(), current.number);
            return Ok(Some(Line { file, number, raw }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(input: &[u8]) -> Vec<(Vec<u8>, bool)> {
        let mut input = BufReader::with_capacity(3, input);
        let mut read = Vec::new();
        while let Some(line) = read_line(&mut input, &std::env::temp_dir()).unwrap() {
            let Text::Whole(text) = line.text else { panic!("it is short") };
            assert_eq!(line.hash, xxhash_rust::xxh3::xxh3_64(&text));
            read.push((text, line.is_ended));
        }
        read
    }

    #[test]
    fn a_line_keeps_its_bytes_and_tells_whether_it_is_whole() {
        let line = |text: &str, is_ended| (text.as_bytes().to_vec(), is_ended);
        assert_eq!(texts(b""), []);
        assert_eq!(texts(b"\n"), [line("", true)]);
        let read = texts("甲 \r\n\nlast".as_bytes());
        assert_eq!(read, [line("甲 \r", true), line("", true), line("last", false)]);
    }

    #[test]
    fn a_line_that_is_too_long_goes_through_a_file() {
        let long = vec![b'x'; MESSAGE_BYTES_MAX + 1];
        let input = [&long[1..], b"\n", &long, b"\n", b"next\n"].concat();
        let mut input = BufReader::new(&input[..]);
        let mut next = || read_line(&mut input, &std::env::temp_dir()).unwrap().unwrap();
        assert!(matches!(next().text, Text::Whole(text) if text.len() == MESSAGE_BYTES_MAX));
        let line = next();
        assert_eq!(line.hash, xxhash_rust::xxh3::xxh3_64(&long));
        let Text::TooLong(mut spooled) = line.text else { panic!("it is too long") };
        spooled.rewind().unwrap();
        let mut back = Vec::new();
        io::copy(&mut spooled, &mut back).unwrap();
        assert!(back == long);
        assert!(matches!(next().text, Text::Whole(text) if text == b"next"));
    }
}
