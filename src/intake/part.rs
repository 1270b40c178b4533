//! The parts of a message and how a fact is looked up in them. Values are tolerated in the forms
//! hospitals write them; a value that fits no form is a problem of its field, never a default.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::json::{self, Object, Scalar};
use super::names::Names;
use super::time;
use crate::core::checks::{Checks, join};
use crate::core::day::{Day, Moment};
use crate::core::money::Fen;
use crate::core::personal::Personal;

/// One object of a message and the path it was found at. A part that is absent is an empty one.
#[derive(Debug, Default, Clone)]
pub(super) struct Part<'m> {
    path: String,
    object: Object<'m>,
}

/// A fact as its sender wrote it.
struct Found<'m> {
    field: String,
    value: Scalar<'m>,
}

impl<'m> Part<'m> {
    /// Reads a document. `whole` names it in problems about all of it; `path` stands before its
    /// fields.
    pub(super) fn document(
        text: &'m [u8],
        whole: &str,
        path: &str,
        checks: &mut Checks,
    ) -> Option<Part<'m>> {
        let parsed = str::from_utf8(text)
            .map_err(|_| "must be UTF-8".to_owned())
            .and_then(|text| Object::parse(text.strip_prefix('\u{feff}').unwrap_or(text)));
        match parsed {
            Ok(object) => Some(Part { path: path.to_owned(), object }),
            Err(problem) => {
                checks.refuse(whole, problem);
                None
            }
        }
    }

    /// The full name of a field of this part, as its sender spells it.
    pub(super) fn field(&self, name: &str) -> String {
        join(&self.path, self.object.spelling(name).unwrap_or(name))
    }

    /// Whether the sender says something under `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        !matches!(self.object.get(name), Ok(None))
    }

    /// The text under `name` where an object was written as a text of JSON.
    pub(super) fn embedded(&self, name: &str) -> Option<Cow<'m, str>> {
        match json::scalar(self.object.get(name).ok()??) {
            Ok(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The object under `name`; empty where it is absent or no object.
    pub(super) fn child(&self, name: &str, checks: &mut Checks) -> Part<'m> {
        let path = self.field(name);
        match self.raw(name, checks) {
            Some(raw) if raw.get() != r#""""# => object_of(raw, path, checks),
            _ => Part { path, object: Object::default() },
        }
    }

    /// The rows under `name`, which must be objects; none where there are more than `max`.
    pub(super) fn rows(&self, name: &str, max: usize, checks: &mut Checks) -> Vec<Part<'m>> {
        match self.raw(name, checks).filter(|raw| raw.get() != r#""""#) {
            Some(raw) => Part::rows_of(raw, &self.field(name), max, checks),
            None => Vec::new(),
        }
    }

    /// The rows of a list that stands at `path`.
    pub(super) fn rows_of(
        raw: &'m RawValue,
        path: &str,
        max: usize,
        checks: &mut Checks,
    ) -> Vec<Part<'m>> {
        let rows = json::rows(raw).unwrap_or_else(|problem| {
            checks.refuse(path, problem);
            Vec::new()
        });
        if !checks.at_most(path, rows.len(), max) {
            return Vec::new();
        }
        let rows = rows.into_iter().enumerate();
        rows.map(|(index, raw)| object_of(raw, format!("{path}[{index}]"), checks)).collect()
    }

    /// The value under `name`, whatever it is.
    pub(super) fn raw(&self, name: &str, checks: &mut Checks) -> Option<&'m RawValue> {
        self.object.get(name).unwrap_or_else(|problem| {
            checks.refuse(&self.field(name), problem);
            None
        })
    }

    /// The first of `names` under which something is said: neither null nor an empty text.
    fn find(&self, names: Names, checks: &mut Checks) -> Option<Found<'m>> {
        names.iter().find_map(|name| {
            let value = json::scalar(self.raw(name, checks)?);
            match value {
                Ok(Scalar::Text(text)) if text.is_empty() => None,
                Ok(value) => Some(Found { field: self.field(name), value }),
                Err(problem) => {
                    checks.refuse(&self.field(name), problem);
                    None
                }
            }
        })
    }
}

/// Reads a value that must be an object.
pub(super) fn object_of<'m>(raw: &'m RawValue, path: String, checks: &mut Checks) -> Part<'m> {
    let object = Object::parse(raw.get()).unwrap_or_else(|problem| {
        checks.refuse(&path, problem);
        Object::default()
    });
    Part { path, object }
}

/// Where to look for a fact: the first part that states it wins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'p, 'm>(pub(super) &'p [&'p Part<'m>]);

impl<'m> Places<'_, 'm> {
    fn find(self, names: Names, checks: &mut Checks) -> Option<Found<'m>> {
        self.0.iter().find_map(|part| part.find(names, checks))
    }

    /// The field and the text of a fact, or a number in the place of one; it may end in `.0`.
    pub(super) fn stated(
        self,
        names: Names,
        checks: &mut Checks,
    ) -> Option<(String, Cow<'m, str>)> {
        let Found { field, value } = self.find(names, checks)?;
        let number = match value {
            Scalar::Text(text) => return Some((field, text)),
            Scalar::Number(number) => number,
        };
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        if digits.bytes().all(|byte| byte.is_ascii_digit())
            && decimals.bytes().all(|byte| byte == b'0')
        {
            return Some((field, Cow::Borrowed(whole)));
        }
        checks.refuse(&field, "must be a text");
        None
    }

    /// The field and the text of a code or a flag, which has no decimals: `21.0` in quotes is 21.
    pub(super) fn short(self, names: Names, checks: &mut Checks) -> Option<(String, Cow<'m, str>)> {
        let (field, text) = self.stated(names, checks)?;
        let whole = text.split_once('.').filter(|(whole, decimals)| {
            let digits = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
            digits && !decimals.is_empty() && decimals.bytes().all(|byte| byte == b'0')
        });
        let whole = whole.map(|(whole, _)| whole.to_owned());
        Some((field, whole.map_or(text, Cow::Owned)))
    }

    pub(super) fn text(
        self,
        names: Names,
        chars_max: usize,
        checks: &mut Checks,
    ) -> Option<String> {
        let (field, text) = self.stated(names, checks)?;
        checks.text(&field, &text, chars_max)
    }

    pub(super) fn personal(
        self,
        names: Names,
        chars_max: usize,
        checks: &mut Checks,
    ) -> Option<Personal> {
        self.text(names, chars_max, checks).map(Personal::new)
    }

    pub(super) fn code(
        self,
        names: Names,
        chars_max: usize,
        checks: &mut Checks,
    ) -> Option<String> {
        let (field, text) = self.stated(names, checks)?;
        checks.code(&field, &text, chars_max)
    }

    pub(super) fn region(self, names: Names, checks: &mut Checks) -> Option<String> {
        let (field, text) = self.short(names, checks)?;
        checks.region(&field, &text)
    }

    pub(super) fn moment(self, names: Names, checks: &mut Checks) -> Option<Moment> {
        let (field, text) = self.short(names, checks)?;
        let moment = time::moment(&text);
        if moment.is_none() {
            checks.refuse(&field, "must be a local time such as 2024-03-15 10:15:06");
        }
        moment
    }

    /// The day, and the field it was found in.
    pub(super) fn day(self, names: Names, checks: &mut Checks) -> Option<(String, Day)> {
        let (field, text) = self.short(names, checks)?;
        let Some(day) = time::day(&text) else {
            let problem = "must be a day such as 2024-03-15, with or without a time";
            checks.refuse(&field, problem);
            return None;
        };
        Some((field, day))
    }

    /// An amount under the first of its names: the others mean nearly the same.
    pub(super) fn first_amount(self, names: Names, checks: &mut Checks) -> Option<Fen> {
        let (field, text) = self.written(names, checks)?;
        checks.yuan(&field, &text)
    }

    /// An amount in yuan, read from its text whether it stands in quotes or not.
    pub(super) fn amount(self, names: Names, checks: &mut Checks) -> Option<Fen> {
        let (field, text) = self.written(names, checks)?;
        let amount = checks.yuan(&field, &text)?;
        // A second name for it, with another value, would have to be guessed between.
        for name in names {
            let again = self.written(std::slice::from_ref(name), &mut Checks::default());
            let Some((other, text)) = again.filter(|(other, _)| *other != field) else { continue };
            if checks.yuan(&other, &text).is_some_and(|again| again != amount) {
                checks.refuse(&other, format!("says something else than {field}"));
            }
        }
        Some(amount)
    }

    /// The field and the literal text of a value, in quotes or not.
    pub(super) fn written(
        self,
        names: Names,
        checks: &mut Checks,
    ) -> Option<(String, Cow<'m, str>)> {
        let Found { field, value } = self.find(names, checks)?;
        match value {
            Scalar::Text(text) => Some((field, text)),
            Scalar::Number(text) => Some((field, Cow::Borrowed(text))),
        }
    }

    /// Whether anything is said, right or wrong, under one of `names`.
    pub(super) fn state(self, names: Names) -> bool {
        let stated = |part: &Part| names.iter().any(|name| part.has(name) && !part.blank(name));
        self.0.iter().any(|part| stated(part))
    }

    /// Notes that a fact is missing, under its national name in the first place, unless it is
    /// stated (then its own problem says what is wrong with it).
    pub(super) fn require(self, names: Names, checks: &mut Checks) {
        if let (false, [part, ..], [name, ..]) = (self.state(names), self.0, names) {
            checks.refuse(&part.field(name), "is required");
        }
    }
}

impl Part<'_> {
    fn blank(&self, name: &str) -> bool {
        self.embedded(name).is_some_and(|text| text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::checks::Problem;

    const NAME: Names = &["a", "b"];

    fn read<T>(text: &str, read: impl FnOnce(Places, &mut Checks) -> T) -> (T, Vec<String>) {
        let mut checks = Checks::default();
        let part = Part::document(text.as_bytes(), "payload", "p", &mut checks).unwrap();
        let value = read(Places(&[&part]), &mut checks);
        let problems = checks.done(()).err().unwrap_or_default();
        (value, problems.iter().map(Problem::to_string).collect())
    }

    #[track_caller]
    fn amount(text: &str, fen: Option<i64>, problems: &[&str]) {
        let (amount, found) = read(text, |places, checks| places.amount(NAME, checks));
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!((amount.map(Fen::fen), found), (fen, problems));
    }

    #[test]
    fn an_amount_is_its_text() {
        amount(r#"{"a": 9120.4}"#, Some(912_040), &[]);
        amount(r#"{"a": "9120.40"}"#, Some(912_040), &[]);
        amount(r#"{"a": null, "b": 0.07}"#, Some(7), &[]);
        amount(r#"{"a": "", "b": "0.29"}"#, Some(29), &[]);
        amount(r#"{"c": 1}"#, None, &[]);
        amount(r#"{"a": -1.00}"#, None, &["p.a must not be negative"]);
        amount(r#"{"b": 1.005}"#, None, &["p.b must have at most two decimals"]);
        amount(r#"{"a": true}"#, None, &["p.a must be a text or a number"]);
        amount(r#"{"a": 1, "a": 2}"#, None, &["p.a is given twice with different values"]);
        let plain = "p.a must be a plain decimal number of yuan such as 1234.56";
        amount(r#"{"a": 1e3}"#, None, &[plain]);
        amount(r#"{"a": "\u0000"}"#, None, &[plain]);
    }

    #[test]
    fn a_code_may_be_written_as_a_number() {
        let code = |text: &str| read(text, |places, checks| places.code(NAME, 6, checks));
        assert_eq!(code(r#"{"a": 21}"#), (Some("21".into()), vec![]));
        assert_eq!(code(r#"{"a": 9.0}"#), (Some("9".into()), vec![]));
        assert_eq!(code(r#"{"A": 1.5}"#), (None, vec!["p.A must be a text".into()]));
        assert_eq!(code(r#"{"a": 1e2}"#), (None, vec!["p.a must be a text".into()]));
        let short = |text: &str| {
            read(text, |places, checks| places.short(NAME, checks).unwrap().1.into_owned()).0
        };
        let told = [r#""21.0""#, r#""0.00""#, r#""21.5""#, r#""-1.0""#, r#"".0""#, r#""x.0""#];
        let told = told.map(|text| short(&format!(r#"{{"a": {text}}}"#)));
        assert_eq!(told, ["21", "0", "21.5", "-1.0", ".0", "x.0"]);
    }

    #[test]
    fn only_silence_is_missing() {
        let missing = |text: &str| read(text, |places, checks| places.require(NAME, checks)).1;
        for silent in ["{}", r#"{"a": null}"#, r#"{"a": "", "b": null}"#] {
            assert_eq!(missing(silent), ["p.a is required"], "{silent}");
        }
        for stated in [r#"{"a": 0}"#, r#"{"b": "x"}"#, r#"{"a": []}"#] {
            assert_eq!(missing(stated), Vec::<String>::new(), "{stated}");
        }
    }

    #[test]
    fn rows_are_objects_and_not_too_many() {
        let rows = |text: &str| {
            let mut checks = Checks::default();
            let part = Part::document(text.as_bytes(), "payload", "", &mut checks).unwrap();
            let count = part.rows("r", 2, &mut checks).len();
            (count, checks.done(()).err().map(|problems| problems[0].to_string()))
        };
        assert_eq!(rows("{}"), (0, None));
        assert_eq!(rows(r#"{"r": ""}"#), (0, None));
        assert_eq!(rows(r#"{"r": [{}, {}]}"#), (2, None));
        assert_eq!(rows(r#"{"r": [{}, 1]}"#).1.unwrap(), "r[1] must be a JSON object");
        assert_eq!(rows(r#"{"r": [{}, {}, {}]}"#).1.unwrap(), "r must have at most 2 entries");
        assert_eq!(rows(r#"{"r": {}}"#).1.unwrap(), "r must be a list");
    }
}
