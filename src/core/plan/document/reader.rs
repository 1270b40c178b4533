//! Reading tables of a document: each value with its place, each problem at its line.

use std::collections::HashMap;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ChoiceError, StrDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{DOCUMENT_BYTES_MAX, PlanProblem};
use crate::core::day::Day;
use crate::core::money::{Fen, Rate};
use crate::core::settlement::is_word;

/// The most entries of a list: item codes of a drug list are the longest.
const ENTRIES_MAX: usize = 10_000;

/// The problem of a key that nobody reads.
pub(crate) const UNKNOWN: &str = "is unknown";

/// The most problems that are told: more help nobody.
const PROBLEMS_MAX: usize = 1_000;

/// Collects every problem of a document, and where each of its keys stands.
pub(crate) struct Reader<'d> {
    /// Where each line ends.
    line_ends: Vec<usize>,
    pub(crate) problems: Vec<PlanProblem>,
    /// The offset of every key that was read, by path.
    places: HashMap<String, usize>,
    /// The document whose values are read.
    of: PhantomData<&'d str>,
}

/// A table while it is read: what was read is gone from it.
pub(crate) struct Table<'d> {
    pub(crate) path: String,
    at: usize,
    entries: Vec<(String, usize, Spanned<DeValue<'d>>)>,
    known: Vec<&'static str>,
}

/// A value with its path.
pub(crate) struct Value<'d> {
    pub(crate) path: String,
    at: usize,
    content: DeValue<'d>,
}

impl Table<'_> {
    /// How many keys are left.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether a key is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(known, ..)| known == key)
    }
}

impl<'d> Reader<'d> {
    pub(crate) fn new(document: &'d str) -> Reader<'d> {
        let line_ends = document.match_indices('\n').map(|(end, _)| end).collect();
        Reader { line_ends, problems: Vec::new(), places: HashMap::new(), of: PhantomData }
    }

    /// The document as a table, or why it is none.
    pub(crate) fn root(&mut self, document: &'d str) -> Result<Table<'d>, PlanProblem> {
        let key = || "document".to_owned();
        let whole = |line, problem| PlanProblem { line, key: key(), problem, hint: String::new() };
        if document.len() > DOCUMENT_BYTES_MAX {
            return Err(whole(0, "must be at most 1 MiB".to_owned()));
        }
        let parsed = DeTable::parse(document).map_err(|error| {
            let line = self.line(error.span().map_or(0, |span| span.start));
            whole(line, error.message().trim().replace('\n', ", "))
        })?;
        Ok(self.table("", 0, parsed.into_inner()))
    }

    /// The line of an offset, counted from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.line_ends.partition_point(|end| *end < at) + 1
    }

    /// Notes a problem of the key at an offset.
    fn problem_at(&mut self, at: usize, path: &str, problem: &str, hint: &str) {
        if self.problems.len() >= PROBLEMS_MAX {
            return;
        }
        let line = self.line(at);
        let (key, problem, hint) = (path.to_owned(), problem.to_owned(), hint.to_owned());
        self.problems.push(PlanProblem { line, key, problem, hint });
    }

    /// Notes a problem of a key that was read, or of what it lies in.
    pub(crate) fn problem(&mut self, path: &str, problem: &str, hint: &str) {
        let mut place = path;
        let at = loop {
            if let Some(at) = self.places.get(place) {
                break *at;
            }
            match place.rfind(['.', '[']) {
                Some(end) => place = &place[..end],
                None => break 0,
            }
        };
        self.problem_at(at, path, problem, hint);
    }

    pub(crate) fn table(&mut self, path: &str, at: usize, table: DeTable<'d>) -> Table<'d> {
        self.places.insert(path.to_owned(), at);
        let entries = table.into_iter().map(|(key, value)| {
            let at = key.span().start;
            (key.into_inner().into_owned(), at, value)
        });
        Table { path: path.to_owned(), at, entries: entries.collect(), known: Vec::new() }
    }

    /// Ends a table: what is left in it is unknown.
    pub(crate) fn close(&mut self, table: Table<'d>) {
        let room = PROBLEMS_MAX.saturating_sub(self.problems.len());
        for (key, at, _) in table.entries.into_iter().take(room) {
            let path = join(&table.path, &key);
            let hint = match nearest(&key, table.known.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known here: {}", table.known.join(", ")),
            };
            self.problem_at(at, &path, UNKNOWN, &hint);
        }
    }

    /// A key that may be there.
    pub(crate) fn take(&mut self, table: &mut Table<'d>, key: &'static str) -> Option<Value<'d>> {
        table.known.push(key);
        let index = table.entries.iter().position(|(known, ..)| known == key)?;
        let (_, at, value) = table.entries.remove(index);
        let path = join(&table.path, key);
        self.places.insert(path.clone(), at);
        Some(Value { path, at, content: value.into_inner() })
    }

    /// Every key that is left, where keys are data.
    pub(crate) fn take_all(&mut self, table: Table<'d>) -> Vec<(String, Value<'d>)> {
        let entries = table.entries.into_iter().map(|(key, at, value)| {
            let path = join(&table.path, &key);
            self.places.insert(path.clone(), at);
            (key, Value { path, at, content: value.into_inner() })
        });
        entries.collect()
    }

    /// A key that must be there.
    pub(crate) fn need(
        &mut self,
        table: &mut Table<'d>,
        key: &'static str,
        hint: &str,
    ) -> Option<Value<'d>> {
        let value = self.take(table, key);
        if value.is_none() {
            self.problem_at(table.at, &join(&table.path, key), "is missing", hint);
        }
        value
    }

    fn wrong(&mut self, value: &Value<'_>, problem: &str, hint: &str) {
        self.problem_at(value.at, &value.path, problem, hint);
    }

    /// A text in quotes, whatever it says.
    fn quoted(&mut self, value: &Value<'_>, hint: &str) -> Option<String> {
        if let DeValue::String(text) = &value.content {
            return Some(text.to_string());
        }
        let problem = format!("is {} and must be a string", a_kind(&value.content));
        self.wrong(value, &problem, hint);
        None
    }

    /// A text for people: 1 to 200 characters.
    pub(crate) fn text(&mut self, value: &Value<'_>) -> Option<String> {
        let text = self.quoted(value, "write it in quotes")?;
        if text.trim().is_empty() || text.chars().count() > 200 {
            self.wrong(value, "must be 1 to 200 characters", "");
            return None;
        }
        if text.chars().any(char::is_control) {
            self.wrong(value, "must not contain control characters", "");
            return None;
        }
        Some(text)
    }

    /// A name for programs.
    pub(crate) fn id(&mut self, value: &Value<'_>) -> Option<String> {
        let text = self.quoted(value, "write it in quotes")?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
            self.wrong(value, "must be 1 to 64 letters, digits, '-', '_' or '.'", "");
            return None;
        }
        Some(text)
    }

    /// A word that events use too.
    pub(crate) fn word(&mut self, value: &Value<'_>) -> Option<String> {
        let hint = "events cannot say another one";
        let text = self.quoted(value, "write it in quotes")?;
        if is_word(&text) {
            return Some(text);
        }
        self.wrong(value, "must be 1 to 40 of a to z, 0 to 9 and '_'", hint);
        None
    }

    /// Digits alone.
    pub(crate) fn digits(&mut self, value: &Value<'_>) -> Option<String> {
        let text = self.text(value)?;
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(text);
        }
        self.wrong(value, "must be digits", "codes are digits such as \"370200\" or \"620100\"");
        None
    }

    pub(crate) fn amount(&mut self, value: &Value<'_>) -> Option<Fen> {
        let hint = "amounts are strings, because TOML reads numbers as floats: \"5000.00\"";
        let text = self.quoted(value, hint)?;
        match Fen::parse_yuan(&text) {
            Ok(amount) => Some(amount),
            Err(error) => {
                self.wrong(value, &error.to_string(), "");
                None
            }
        }
    }

    /// An amount that is more than nothing.
    pub(crate) fn some_amount(&mut self, value: &Value<'_>) -> Option<Fen> {
        let amount = self.amount(value)?;
        if amount.is_zero() {
            self.wrong(value, "must be more than 0.00", "leave it out where there is none");
            return None;
        }
        Some(amount)
    }

    pub(crate) fn rate(&mut self, value: &Value<'_>) -> Option<Rate> {
        let hint = "rates are strings, because TOML reads numbers as floats: \"0.85\"";
        let text = self.quoted(value, hint)?;
        let rate = Rate::parse(&text);
        if rate.is_none() {
            let problem = "must be a string from \"0\" to \"1\" with at most four decimals";
            self.wrong(value, problem, "85 % is \"0.85\"");
        }
        rate
    }

    pub(crate) fn day(&mut self, value: &Value<'_>) -> Option<Day> {
        let text = self.quoted(value, "days are strings: \"2024-01-01\"")?;
        let day = Day::parse(&text);
        if day.is_none() {
            self.wrong(value, "must be a day such as \"2024-01-01\"", "");
        }
        day
    }

    /// A text of a form of its own.
    pub(crate) fn parsed<T>(
        &mut self,
        value: &Value<'_>,
        parse: impl FnOnce(&str) -> Option<T>,
        problem: &str,
    ) -> Option<T> {
        let text = self.quoted(value, "write it in quotes")?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.wrong(value, problem, "");
        }
        parsed
    }

    /// A whole number between two others, both included.
    pub(crate) fn count(&mut self, value: &Value<'_>, least: u16, most: u16) -> Option<u16> {
        let problem = format!("must be a whole number from {least} to {most}");
        let number = match &value.content {
            DeValue::Integer(number) => u16::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.wrong(value, &problem, "without quotes");
        }
        number
    }

    pub(crate) fn flag(&mut self, value: &Value<'_>) -> Option<bool> {
        let flag = value.content.as_bool();
        if flag.is_none() {
            self.wrong(value, "must be true or false", "without quotes");
        }
        flag
    }

    /// One of the names of an enum.
    pub(crate) fn choice<T: for<'de> Deserialize<'de>>(&mut self, value: &Value<'_>) -> Option<T> {
        let text = self.quoted(value, "write it in quotes")?;
        let name: StrDeserializer<'_, ChoiceError> = text.as_str().into_deserializer();
        match T::deserialize(name) {
            Ok(choice) => Some(choice),
            Err(error) => {
                self.wrong(value, &error.to_string(), "");
                None
            }
        }
    }

    /// The entries of a list.
    pub(crate) fn list(&mut self, value: Value<'d>) -> Vec<Value<'d>> {
        let DeValue::Array(entries) = value.content else {
            let problem = format!("is {} and must be a list", a_kind(&value.content));
            self.wrong(&value, &problem, "write [ … ]");
            return Vec::new();
        };
        if entries.len() > ENTRIES_MAX {
            let problem = format!("must have at most {ENTRIES_MAX} entries");
            self.problem_at(value.at, &value.path, &problem, "");
            return Vec::new();
        }
        let entries = entries.into_iter().enumerate().map(|(index, entry)| {
            let path = format!("{}[{index}]", value.path);
            let at = entry.span().start;
            self.places.insert(path.clone(), at);
            Value { path, at, content: entry.into_inner() }
        });
        entries.collect()
    }

    /// The entries of a list that may be absent, each read alike.
    pub(crate) fn each<T>(
        &mut self,
        table: &mut Table<'d>,
        key: &'static str,
        mut read: impl FnMut(&mut Reader<'d>, Value<'d>) -> Option<T>,
    ) -> Vec<T> {
        let Some(value) = self.take(table, key) else { return Vec::new() };
        self.list(value).into_iter().filter_map(|entry| read(self, entry)).collect()
    }

    /// A table, inline or not.
    pub(crate) fn inner(&mut self, value: Value<'d>) -> Option<Table<'d>> {
        if let DeValue::Table(table) = value.content {
            return Some(self.table(&value.path, value.at, table));
        }
        let problem = format!("is {} and must be a table", a_kind(&value.content));
        self.problem_at(value.at, &value.path, &problem, "write { key = value }");
        None
    }
}

fn a_kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date without quotes",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The known word that somebody may have meant; `None` where none is near.
pub(crate) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let near = known.filter(|known| is_near(word, known));
    near.min_by_key(|known| distance(word, known))
}

fn is_near(word: &str, known: &str) -> bool {
    distance(word, known) <= (known.chars().count() / 3).max(1)
}

/// How many letters have to change (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().take(100).enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let changed = corner + usize::from(letter != *other);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
