//! NDJSON: a record is a line.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use super::text::{Fault, Gathering, Text};
use super::{Content, ReadError, Record, Unusable, fill};

/// A line as it was read.
pub struct RawLine {
    /// Without its end of line.
    pub text: Text,
    /// XXH3 of the text.
    pub hash: u64,
    /// Its length in the file, end of line included.
    pub bytes: u64,
    /// Whether its end was there.
    pub is_ended: bool,
}

/// Reads one line; `None` at the end. `spool` is the directory for a line that is too long.
pub fn read_line(from: &mut dyn BufRead, spool: &Path) -> Result<Option<RawLine>, Fault> {
    let mut gathering = Gathering::begin(spool);
    let (mut bytes, mut is_ended) = (0_u64, false);
    while !is_ended {
        let read = fill(from)?;
        if read.is_empty() {
            break;
        }
        let end = read.iter().position(|byte| *byte == b'\n');
        let (part, used) = end.map_or((read, read.len()), |at| (&read[..at], at + 1));
        is_ended = end.is_some();
        gathering.push(part)?;
        bytes += used as u64;
        from.consume(used);
    }
    if bytes == 0 {
        return Ok(None);
    }
    let (text, hash) = gathering.end();
    Ok(Some(RawLine { text, hash, bytes, is_ended }))
}

/// The lines of a file.
pub(super) struct Lines {
    name: Arc<str>,
    reader: Box<dyn BufRead + Send>,
    number: u64,
}

impl Lines {
    pub(super) fn of(name: Arc<str>, reader: Box<dyn BufRead + Send>) -> Lines {
        Lines { name, reader, number: 0 }
    }

    /// The next line that is not blank.
    pub(super) fn next(&mut self, spool: &Path) -> Result<Option<Record>, ReadError> {
        loop {
            let read = read_line(&mut *self.reader, spool);
            let read = read.map_err(|fault| ReadError::of(&self.name, fault))?;
            let Some(raw) = read else { return Ok(None) };
            self.number += 1;
            let content = match &raw.text {
                Text::Whole(text) if text.trim_ascii().is_empty() => continue,
                Text::Whole(_) => Content::Text,
                Text::TooLong(_) => Content::Unusable(Unusable::TooLarge),
            };
            return Ok(Some(Record {
                file: self.name.clone(),
                line: self.number,
                column: 1,
                text: raw.text,
                hash: raw.hash,
                bytes: raw.bytes,
                content,
                sheet: None,
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;
    use crate::intake::MESSAGE_BYTES_MAX;

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
        let mut line = next();
        assert_eq!(line.hash, xxhash_rust::xxh3::xxh3_64(&long));
        assert!(matches!(line.text, Text::TooLong(_)));
        let mut back = Vec::new();
        line.text.write_to(&mut back).unwrap();
        assert!(back == long);
        assert!(matches!(next().text, Text::Whole(text) if text == b"next"));
    }
}
