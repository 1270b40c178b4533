//! In which encoding a table is written, found out by one pass over the file; and text from bytes,
//! strictly: nothing is replaced.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::sync::Arc;

use encoding_rs::{Decoder, DecoderResult, GB18030, UTF_8};

use super::text::Fault;
use super::{BOM, BUFFER_BYTES, FileError, ReadError, fill};

/// How the bytes of a table are text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// GB18030, which includes GBK and GB2312.
    Gb18030,
}

impl Encoding {
    /// The text of these bytes; `None` where they are none.
    pub(super) fn text(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Encoding::Utf8 => str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Encoding::Gb18030 => GB18030.decode_without_bom_handling_and_without_replacement(bytes),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Gb18030 => "GB18030",
        }
    }
}

/// One encoding tried on a file.
struct Trial {
    decoder: Decoder,
    /// Bytes that were looked at.
    passed: u64,
    /// Where the first bytes stand that are no text.
    bad_at: Option<u64>,
}

impl Trial {
    fn of(encoding: &'static encoding_rs::Encoding) -> Trial {
        Trial { decoder: encoding.new_decoder_without_bom_handling(), passed: 0, bad_at: None }
    }

    fn look(&mut self, bytes: &[u8], is_last: bool, scratch: &mut [u8]) {
        let mut rest = bytes;
        while self.bad_at.is_none() {
            let (result, read, _) =
                self.decoder.decode_to_utf8_without_replacement(rest, scratch, is_last);
            self.passed += read as u64;
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => return,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(length, after) => {
                    self.bad_at = Some(self.passed - u64::from(length) - u64::from(after));
                }
            }
        }
    }
}

/// The encoding of a file, which is left at its beginning. One that is no plain file cannot be read
/// twice, so it is taken for UTF-8.
pub(super) fn of_file(name: &Arc<str>, file: &File) -> Result<Encoding, ReadError> {
    let fault = |error| ReadError::of(name, Fault::Read(error));
    if !file.metadata().map_err(fault)?.is_file() {
        return Ok(Encoding::Utf8);
    }
    let found = find(file).map_err(|it| ReadError::of(name, it));
    let mut handle = file;
    handle.rewind().map_err(fault)?;
    let found = match found? {
        Ok(encoding) => Ok(encoding),
        Err(bad_at) => {
            let (line, column) = place(file, bad_at).map_err(|it| ReadError::of(name, it))?;
            let problem = "is neither UTF-8 nor GB18030 from here on".to_owned();
            let (file, line, column) = (name.clone(), Some(line), Some(column));
            Err(ReadError::Input(vec![FileError { file, line, column, problem }]))
        }
    };
    handle.rewind().map_err(fault)?;
    found
}

/// The encoding, or where the first byte stands that fits none.
fn find(file: &File) -> Result<Result<Encoding, u64>, Fault> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut scratch = vec![0; BUFFER_BYTES];
    let (mut utf8, mut gb18030) = (Trial::of(UTF_8), Trial::of(GB18030));
    let (mut is_ascii, mut has_long) = (true, false);
    let mut is_first = true;
    loop {
        let read = fill(&mut reader)?;
        if is_first && read.starts_with(BOM) {
            // Says that it is UTF-8; a cell that is not is told with its row.
            return Ok(Ok(Encoding::Utf8));
        }
        is_first = false;
        is_ascii &= read.is_ascii();
        // In UTF-8 the beginning of three bytes or four, which is every Chinese character.
        has_long |= read.iter().any(|byte| 0xe0 <= *byte);
        let is_last = read.is_empty();
        utf8.look(read, is_last, &mut scratch);
        gb18030.look(read, is_last, &mut scratch);
        let count = read.len();
        reader.consume(count);
        match (utf8.bad_at, gb18030.bad_at) {
            (Some(one), Some(other)) => return Ok(Err(one.max(other))),
            _ if !is_last => {}
            (None, _) if is_ascii || has_long => return Ok(Ok(Encoding::Utf8)),
            // Two GB18030 bytes of a character often look like one of two bytes in UTF-8.
            (_, None) => return Ok(Ok(Encoding::Gb18030)),
            (None, Some(_)) => return Ok(Ok(Encoding::Utf8)),
        }
    }
}

/// Line and byte of the line, both from 1.
fn place(file: &File, offset: u64) -> Result<(u64, u64), Fault> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
    let (mut line, mut column, mut left) = (1, 1, offset);
    while 0 < left {
        let read = fill(&mut reader)?;
        let count = read.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if count == 0 {
            break;
        }
        for byte in &read[..count] {
            column += 1;
            if *byte == b'\n' {
                (line, column) = (line + 1, 1);
            }
        }
        left -= count as u64;
        reader.consume(count);
    }
    Ok((line, column))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn found(bytes: &[u8]) -> Result<Encoding, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        let found = of_file(&"f.csv".into(), &file).map_err(|error| error.to_string());
        assert_eq!(file.stream_position().unwrap(), 0);
        found
    }

    #[test]
    fn the_encoding_is_what_the_bytes_can_only_be() {
        let gb18030 = |text: &str| GB18030.encode(text).0.into_owned();
        assert_eq!(found(b""), Ok(Encoding::Utf8));
        assert_eq!(found(b"setl_id\n1"), Ok(Encoding::Utf8));
        assert_eq!(found("\u{feff}x".as_bytes()), Ok(Encoding::Utf8));
        assert_eq!(found("姓名\n测试".as_bytes()), Ok(Encoding::Utf8));
        assert_eq!(found("😀".as_bytes()), Ok(Encoding::Utf8));
        assert_eq!(found(&gb18030("姓名\n测试员甲")), Ok(Encoding::Gb18030));
        assert_eq!(found(&gb18030("a,㐀")), Ok(Encoding::Gb18030));
        // Taken for UTF-8 by programs that do not look closely; and what is well-formed UTF-8 of
        // two bytes each however closely one looks.
        assert_eq!(found(&gb18030("联通")), Ok(Encoding::Gb18030));
        let trap = gb18030("setl_id,模\n1,毛茅");
        assert!(str::from_utf8(&trap).is_ok());
        assert_eq!(found(&trap), Ok(Encoding::Gb18030));
        assert_eq!(found("x,\u{7ff}\n".as_bytes()), Ok(Encoding::Gb18030));
        // One Chinese character that cannot be two is enough.
        assert_eq!(found("\u{e9}员".as_bytes()), Ok(Encoding::Utf8));
    }

    #[test]
    fn the_first_byte_that_fits_nothing_has_its_place() {
        let told = |line: u32, column: u32| {
            let problem = "is neither UTF-8 nor GB18030 from here on";
            Err(format!("f.csv line {line} column {column}: {problem}"))
        };
        assert_eq!(found(b"\xff"), told(1, 1));
        assert_eq!(found(b"a\nbc\xff\n"), told(2, 3));
        // GB18030 gets further than UTF-8.
        assert_eq!(found(b"\xd0\xd5\xc3\xfb\n\xb2\xe2\xca\xff\xff"), told(2, 3));
        assert_eq!(found(b"ok\n\xb2"), told(2, 1));
    }
}
