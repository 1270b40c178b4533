//! JSON: a record is a value of the file, or an element of the array that the file is. Only the ends
//! of values are looked for; whether a value is sound is found out by who reads it.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use super::text::{Fault, Gathering, Text};
use super::{Content, Flaw, ReadError, Record, Unusable, fill};

/// Brackets that may be open at once: more than the longest message can hold is no message.
const DEPTH_MAX: usize = 1 << 20;

/// A place in a file, both from 1, the column in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    line: u64,
    column: u64,
}

impl Place {
    fn pass(&mut self, bytes: &[u8]) {
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            None => self.column += bytes.len() as u64,
            Some(last) => {
                self.line += bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
                self.column = (bytes.len() - last) as u64;
            }
        }
    }
}

/// What may stand next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// Anything: the first value says whether the file is an array.
    Start,
    /// Another value, or the end.
    Value,
    /// The first element of the array, or its end.
    FirstElement,
    /// Another element, after its comma.
    Element,
    /// A comma, or the end of the array.
    Comma,
    /// Nothing: the array has ended.
    Nothing,
    /// Nobody looks any more: the rest of the file is one record.
    Over,
}

/// The values of a file.
pub(super) struct Values {
    name: Arc<str>,
    reader: Box<dyn BufRead + Send>,
    at: Place,
    expect: Expect,
    /// White space and commas since the last record.
    skipped: u64,
}

/// How far a value has been read.
#[derive(Default)]
struct Scan {
    /// What closes each open bracket.
    open: Vec<u8>,
    is_text: bool,
    is_escaped: bool,
    /// A number or a word, which ends where something else begins.
    is_bare: bool,
}

/// What a byte does to a value.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    On,
    /// It is its last one.
    Last,
    /// It is not part of it any more.
    Past,
    /// It cannot stand there.
    Wrong(&'static str),
}

impl Scan {
    fn step(&mut self, byte: u8) -> Step {
        if self.is_text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => {
                    self.is_text = false;
                    return if self.open.is_empty() { Step::Last } else { Step::On };
                }
                _ => {}
            }
            return Step::On;
        }
        if self.is_bare {
            let is_end = byte.is_ascii_whitespace() || b"{}[],\"".contains(&byte);
            return if is_end { Step::Past } else { Step::On };
        }
        match byte {
            b'"' => self.is_text = true,
            b'{' | b'[' if self.open.len() == DEPTH_MAX => {
                return Step::Wrong("is nested too deeply");
            }
            b'{' => self.open.push(b'}'),
            b'[' => self.open.push(b']'),
            b'}' | b']' if self.open.pop() != Some(byte) => {
                return Step::Wrong("a bracket is closed that is not open");
            }
            b'}' | b']' if self.open.is_empty() => return Step::Last,
            _ => self.is_bare = self.open.is_empty(),
        }
        Step::On
    }
}

impl Values {
    pub(super) fn of(name: Arc<str>, reader: Box<dyn BufRead + Send>) -> Values {
        let at = Place { line: 1, column: 1 };
        Values { name, reader, at, expect: Expect::Start, skipped: 0 }
    }

    /// The next value.
    pub(super) fn next(&mut self, spool: &Path) -> Result<Option<Record>, ReadError> {
        self.read(spool).map_err(|fault| ReadError::of(&self.name, fault))
    }

    fn read(&mut self, spool: &Path) -> Result<Option<Record>, Fault> {
        while let Some(byte) = self.skip_space()? {
            match (self.expect, byte) {
                (Expect::Start, b'[') => self.expect = Expect::FirstElement,
                (Expect::FirstElement | Expect::Comma, b']') => self.expect = Expect::Nothing,
                (Expect::Comma, b',') => self.expect = Expect::Element,
                (Expect::Comma, _) => return self.rest("a comma is missing", spool).map(Some),
                (Expect::Nothing, _) => {
                    return self.rest("must be the end of the file", spool).map(Some);
                }
                (_, b',' | b':' | b']' | b'}') => {
                    return self.rest("must be a value", spool).map(Some);
                }
                (Expect::Start | Expect::Value, _) => return self.value(Expect::Value, spool),
                _ => return self.value(Expect::Comma, spool),
            }
            self.take(1);
        }
        let is_open = matches!(self.expect, Expect::FirstElement | Expect::Element | Expect::Comma);
        if is_open {
            return self.rest("the array is never closed", spool).map(Some);
        }
        Ok(None)
    }

    /// The next byte that is no white space.
    fn skip_space(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            let read = fill(&mut *self.reader)?;
            if read.is_empty() {
                return Ok(None);
            }
            match read.iter().position(|byte| !byte.is_ascii_whitespace()) {
                Some(0) => return Ok(Some(read[0])),
                found => {
                    let count = found.unwrap_or(read.len());
                    self.at.pass(&read[..count]);
                    self.reader.consume(count);
                    self.skipped += count as u64;
                }
            }
        }
    }

    fn take(&mut self, count: usize) {
        self.at.column += count as u64;
        self.reader.consume(count);
        self.skipped += count as u64;
    }

    /// Reads the value that begins here.
    fn value(&mut self, then: Expect, spool: &Path) -> Result<Option<Record>, Fault> {
        let start = self.at;
        let mut scan = Scan::default();
        let mut gathering = Gathering::begin(spool);
        let mut bytes = std::mem::take(&mut self.skipped);
        loop {
            let read = fill(&mut *self.reader)?;
            if read.is_empty() {
                if scan.is_bare {
                    break;
                }
                let flaw = self.flaw("ends before it is closed");
                self.expect = Expect::Over;
                return Ok(Some(self.record(start, gathering, bytes, Some(flaw))));
            }
            let mut count = 0;
            let step = loop {
                let Some(byte) = read.get(count) else { break Step::On };
                let step = scan.step(*byte);
                count += usize::from(matches!(step, Step::On | Step::Last));
                if step != Step::On {
                    break step;
                }
            };
            gathering.push(&read[..count])?;
            self.at.pass(&read[..count]);
            self.reader.consume(count);
            bytes += count as u64;
            match step {
                Step::On => {}
                Step::Last | Step::Past => break,
                Step::Wrong(problem) => {
                    let flaw = self.flaw(problem);
                    bytes += self.gather_rest(&mut gathering)?;
                    return Ok(Some(self.record(start, gathering, bytes, Some(flaw))));
                }
            }
        }
        self.expect = then;
        Ok(Some(self.record(start, gathering, bytes, None)))
    }

    /// The rest of the file, which cannot be cut up.
    fn rest(&mut self, problem: &str, spool: &Path) -> Result<Record, Fault> {
        let start = self.at;
        let flaw = self.flaw(problem);
        let mut gathering = Gathering::begin(spool);
        let bytes = std::mem::take(&mut self.skipped) + self.gather_rest(&mut gathering)?;
        Ok(self.record(start, gathering, bytes, Some(flaw)))
    }

    fn gather_rest(&mut self, gathering: &mut Gathering<'_>) -> Result<u64, Fault> {
        self.expect = Expect::Over;
        let mut bytes = 0;
        loop {
            let read = fill(&mut *self.reader)?;
            if read.is_empty() {
                return Ok(bytes);
            }
            gathering.push(read)?;
            let count = read.len();
            bytes += count as u64;
            self.reader.consume(count);
        }
    }

    fn flaw(&self, problem: &str) -> Flaw {
        let (field, problem) = ("record".to_owned(), problem.to_owned());
        Flaw { field, problem, line: Some(self.at.line), column: Some(self.at.column) }
    }

    fn record(
        &self,
        start: Place,
        gathering: Gathering<'_>,
        bytes: u64,
        flaw: Option<Flaw>,
    ) -> Record {
        let (text, hash) = gathering.end();
        let content = match (flaw, &text) {
            (Some(flaw), _) => Content::Unusable(Unusable::Unreadable(vec![flaw])),
            (None, Text::TooLong(_)) => Content::Unusable(Unusable::TooLarge),
            (None, Text::Whole(_)) => Content::Text,
        };
        let (file, Place { line, column }) = (self.name.clone(), start);
        Record { file, line, column, text, hash, bytes, content, sheet: None }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// Each record as `line:column text`, with ` ! line:column problem` where it is unusable.
    fn cut(input: &str, capacity: usize) -> Vec<String> {
        let reader = BufReader::with_capacity(capacity, std::io::Cursor::new(input.to_owned()));
        let mut values = Values::of("f".into(), Box::new(reader));
        let mut cut = Vec::new();
        while let Some(record) = values.next(&std::env::temp_dir()).unwrap() {
            let Text::Whole(text) = record.text else { panic!("it is short") };
            let text = String::from_utf8(text).unwrap();
            let flaw = match record.content {
                Content::Unusable(Unusable::Unreadable(flaws)) => {
                    let (line, column) = (flaws[0].line.unwrap(), flaws[0].column.unwrap());
                    format!(" ! {line}:{column} {}", flaws[0].problem)
                }
                _ => String::new(),
            };
            cut.push(format!("{}:{} {text}{flaw}", record.line, record.column));
        }
        cut
    }

    #[track_caller]
    fn check(input: &str, expected: &[&str]) {
        for capacity in [1, 2, 5, 4096] {
            assert_eq!(cut(input, capacity), expected, "by {capacity}");
        }
    }

    #[test]
    fn values_are_cut_where_they_end() {
        check("", &[]);
        check(" \n ", &[]);
        check("[]", &[]);
        check("{\"a\":\n[1]}\n", &["1:1 {\"a\":\n[1]}"]);
        check("{} {}\n  {}", &["1:1 {}", "1:4 {}", "2:3 {}"]);
        check("[{},\n {\"]\":\"\\\"}\"}\n]\n", &["1:2 {}", "2:2 {\"]\":\"\\\"}\"}"]);
        check("[1,\"x\", [2]]", &["1:2 1", "1:4 \"x\"", "1:9 [2]"]);
        check("1 2", &["1:1 1", "1:3 2"]);
        check("{\"甲\":1} {}", &["1:1 {\"甲\":1}", "1:11 {}"]);
    }

    #[test]
    fn what_cannot_be_cut_up_holds_the_rest_of_the_file() {
        check("[{}\n{}]", &["1:2 {}", "2:1 {}] ! 2:1 a comma is missing"]);
        check("[{},]", &["1:2 {}", "1:5 ] ! 1:5 must be a value"]);
        check("[,{}]", &["1:2 ,{}] ! 1:2 must be a value"]);
        check("[{}] x", &["1:2 {}", "1:6 x ! 1:6 must be the end of the file"]);
        check("[{},", &["1:2 {}", "1:5  ! 1:5 the array is never closed"]);
        check("[{}\n", &["1:2 {}", "2:1  ! 2:1 the array is never closed"]);
        check(
            "{}\n{\"a\":[1}\n]}",
            &["1:1 {}", "2:1 {\"a\":[1}\n]} ! 2:8 a bracket is closed that is not open"],
        );
        check("{\"a\":\"\n", &["1:1 {\"a\":\"\n ! 2:1 ends before it is closed"]);
        check("{},{}", &["1:1 {}", "1:3 ,{} ! 1:3 must be a value"]);
    }
}
