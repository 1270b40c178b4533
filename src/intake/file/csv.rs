//! CSV: a record is a row below the documented header. Rows and cells are cut before anything is
//! decoded, which is safe because no byte of a GB18030 character is a comma, a quote or an end of
//! line; so a row can be handed back byte by byte whatever is wrong with it.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use csv_core::ReadFieldResult;

use super::columns::{self, Sheet, Value};
use super::encoding::Encoding;
use super::text::{Fault, Gathering, Text};
use super::{BOM, Content, FileError, Flaw, ReadError, Record, Unusable, fill};

/// Bytes of a cell that are taken at once.
const CELL_BYTES: usize = 4096;

/// The rows of a file.
pub(super) struct Rows {
    name: Arc<str>,
    cutter: Cutter,
    sheet: Arc<Sheet>,
}

/// Cuts a file into rows and cells.
struct Cutter {
    reader: Box<dyn BufRead + Send>,
    core: csv_core::Reader,
    /// The line of what is read next.
    line: u64,
    /// The byte before it.
    last: u8,
}

/// A row as it was cut. The cells are without their quotes.
struct Row {
    text: Text,
    hash: u64,
    line: u64,
    /// With the separators before and behind it.
    bytes: u64,
    /// All cells, one after the other; empty where the row is too long.
    cells: Vec<u8>,
    /// Where each of them ends, as far as they were asked for.
    ends: Vec<usize>,
    count: usize,
    /// Whether the file ended inside quotes.
    is_open: bool,
}

impl Row {
    fn cells(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.cells[start..*end])
    }
}

impl Cutter {
    fn of(reader: Box<dyn BufRead + Send>) -> Cutter {
        let mut core = csv_core::Reader::new();
        // A byte order mark was taken away already. The library looks for one in what it sees
        // first, so that is an empty line, which it passes over.
        let _ = core.read_field(b"\n", &mut [0; 1]);
        Cutter { reader, core, line: 1, last: 0 }
    }

    /// The next row that is not empty, with at most `cells_max` of its cells.
    fn row(&mut self, cells_max: usize, spool: &Path) -> Result<Option<Row>, Fault> {
        let mut gathering = Gathering::begin(spool);
        let mut line = self.line;
        let (mut cells, mut ends) = (Vec::new(), Vec::new());
        let (mut bytes, mut count, mut is_open) = (0, 0, false);
        let mut cell = [0; CELL_BYTES];
        loop {
            let read = fill(&mut *self.reader)?;
            let (result, used, filled) = if read.is_empty() && !gathering.is_empty() && !is_open {
                // The last row may lack its end of line. Only inside quotes one does not end it.
                let (result, _, filled) = self.core.read_field(b"\n", &mut cell);
                is_open = result == ReadFieldResult::InputEmpty;
                (result, 0, filled)
            } else {
                self.core.read_field(read, &mut cell)
            };
            let is_end = matches!(result, ReadFieldResult::Field { record_end: true });
            let mut part = &read[..used];
            bytes += used as u64;
            if gathering.is_empty() {
                // Ends of line before the row: those of the row before and of empty ones.
                let start = part.iter().position(|byte| !matches!(byte, b'\n' | b'\r'));
                let (ends_of_line, rest) = part.split_at(start.unwrap_or(part.len()));
                pass(&mut self.line, &mut self.last, ends_of_line);
                line = self.line;
                part = rest;
            }
            pass(&mut self.line, &mut self.last, part);
            if is_end && used > 0 {
                part = &part[..part.len().saturating_sub(1)];
            }
            gathering.push(part)?;
            self.reader.consume(used);
            if gathering.is_too_long() {
                cells.clear();
                ends.clear();
            } else if count < cells_max {
                cells.extend_from_slice(&cell[..filled]);
            }
            match result {
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
                ReadFieldResult::End => return Ok(None),
                ReadFieldResult::Field { .. } => {
                    if count < cells_max && !gathering.is_too_long() {
                        ends.push(cells.len());
                    }
                    count += 1;
                }
            }
            if is_end {
                let (text, hash) = gathering.end();
                return Ok(Some(Row { text, hash, line, bytes, cells, ends, count, is_open }));
            }
        }
    }

    /// How the row that was read ended: as the file ends its lines.
    fn end_of_line(&mut self) -> Result<&'static [u8], Fault> {
        let is_pair = self.last == b'\r' && fill(&mut *self.reader)?.first() == Some(&b'\n');
        Ok(match self.last {
            b'\r' if is_pair => b"\r\n",
            b'\r' => b"\r",
            _ => b"\n",
        })
    }
}

/// Counts ends of line: LF, CR LF and CR alone.
fn pass(line: &mut u64, last: &mut u8, bytes: &[u8]) {
    for byte in bytes {
        let is_end = *byte == b'\r' || (*byte == b'\n' && *last != b'\r');
        *line += u64::from(is_end);
        *last = *byte;
    }
}

impl Rows {
    /// Reads the header. `has_mark` says that a byte order mark stood before it.
    pub(super) fn open(
        name: Arc<str>,
        reader: Box<dyn BufRead + Send>,
        encoding: Encoding,
        has_mark: bool,
        spool: &Path,
    ) -> Result<Rows, ReadError> {
        let fault = |fault| ReadError::of(&name, fault);
        let wrong = |line: Option<u64>, problem: &str| {
            let (file, problem) = (name.clone(), problem.to_owned());
            Err(ReadError::Input(vec![FileError { file, line, column: None, problem }]))
        };
        let mut cutter = Cutter::of(reader);
        let row = cutter.row(usize::MAX, spool).map_err(fault)?;
        let Some(row) = row else { return wrong(None, "is empty: the first row is the header") };
        let line = Some(row.line);
        let Text::Whole(text) = &row.text else { return wrong(line, "is too long for a header") };
        if row.is_open {
            return wrong(line, "a quote is never closed");
        }
        if columns::is_too_wide(row.count) {
            return wrong(line, "has more columns than any header");
        }
        let end = cutter.end_of_line().map_err(fault)?;
        let mark = if has_mark { BOM } else { b"" };
        let head = [mark, text, end].concat();
        let cells: Vec<&[u8]> = row.cells().collect();
        let sheet = Sheet::read(&name, row.line, &cells, head, encoding)?;
        Ok(Rows { name, cutter, sheet: Arc::new(sheet) })
    }

    /// The next row that has a cell that is not blank.
    pub(super) fn next(&mut self, spool: &Path) -> Result<Option<Record>, ReadError> {
        let mut skipped = 0;
        loop {
            let row = self.cutter.row(self.sheet.headings.len(), spool);
            let row = row.map_err(|fault| ReadError::of(&self.name, fault))?;
            let Some(row) = row else { return Ok(None) };
            // A spreadsheet writes rows of commas where somebody has emptied the cells.
            let is_blank = |text: &[u8]| text.iter().all(|byte| b", \t".contains(byte));
            if matches!(&row.text, Text::Whole(text) if is_blank(text)) {
                skipped += row.bytes;
                continue;
            }
            let content = self.content(&row);
            return Ok(Some(Record {
                file: self.name.clone(),
                line: row.line,
                column: 1,
                text: row.text,
                hash: row.hash,
                bytes: skipped + row.bytes,
                content,
                sheet: Some(self.sheet.clone()),
            }));
        }
    }

    /// What a row says, as JSON.
    fn content(&self, row: &Row) -> Content {
        let sheet = &*self.sheet;
        let unreadable = |flaw| Content::Unusable(Unusable::Unreadable(vec![flaw]));
        if row.is_open {
            let last = row.count.max(1) - 1;
            return unreadable(sheet.flaw(last, "a quote is never closed"));
        }
        if matches!(row.text, Text::TooLong(_)) {
            return Content::Unusable(Unusable::TooLarge);
        }
        let expected = sheet.headings.len();
        if row.count != expected {
            let problem = format!("has {} cells, and the header has {expected}", row.count);
            let field = "row".to_owned();
            return unreadable(Flaw { field, problem, line: None, column: None });
        }
        let mut flaws = Vec::new();
        let mut json = vec![b'{'];
        for (index, (cell, heading)) in row.cells().zip(&sheet.headings).enumerate() {
            let Some(name) = heading.name else { continue };
            let Some(text) = sheet.encoding.text(trimmed(cell)) else {
                flaws.push(sheet.flaw(index, format!("is not {}", sheet.encoding.name())));
                continue;
            };
            if heading.value != Value::Text && is_scientific(&text) {
                let problem = "was rounded by a spreadsheet: format the column as text and enter \
                               the number again";
                flaws.push(sheet.flaw(index, problem));
                continue;
            }
            if text.is_empty() {
                continue;
            }
            if 1 < json.len() {
                json.push(b',');
            }
            // Neither can fail: both are text, written into memory.
            let _ = serde_json::to_writer(&mut json, name);
            json.push(b':');
            let _ = serde_json::to_writer(&mut json, &*text);
        }
        json.push(b'}');
        if flaws.is_empty() {
            Content::Json(json)
        } else {
            Content::Unusable(Unusable::Invalid(flaws))
        }
    }
}

/// A cell without the spaces and tabs around it.
fn trimmed(cell: &[u8]) -> &[u8] {
    let is_ink = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let Some(start) = cell.iter().position(is_ink) else { return b"" };
    let end = cell.iter().rposition(is_ink).unwrap_or(start);
    &cell[start..=end]
}

/// Whether a spreadsheet has made a number of something long: `3.70299E+17`.
fn is_scientific(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let Some((number, power)) = text.split_once(['E', 'e']) else { return false };
    let Some(power) = power.strip_prefix(['+', '-']) else { return false };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    whole.len() == 1 && digits(whole) && digits(decimals) && digits(power)
}

#[cfg(test)]
mod tests;
