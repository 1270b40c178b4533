//! What every edge asks of a value before the core sees it, and the collector of all that is wrong
//! with one input. A problem names a field and a rule; it never repeats the value, which may be
//! personal.

use std::fmt;

use super::day::{Day, Moment};
use super::money::{AmountError, Fen};
use super::settlement::Quantity;

/// How much of everything one settlement may bring. Lengths are characters, as the national
/// interface counts them (`domain.md` 1.2 to 1.6).
pub mod limits {
    /// `setl_id` C30.
    pub const SETTLEMENT_ID_MAX: usize = 30;
    /// `mdtrt_id` C30.
    pub const VISIT_ID_MAX: usize = 30;
    /// `psn_no` C30.
    pub const PSN_NO_MAX: usize = 30;
    /// `psn_name` C50.
    pub const NAME_MAX: usize = 50;
    /// `certno` C50; card numbers are shorter.
    pub const CERT_NO_MAX: usize = 50;
    /// Dictionary codes are C6 at most: `psn_cert_type`, `insutype`, `med_type`, `hosp_lv`.
    pub const CODE_MAX: usize = 6;
    /// A region is six digits (`admdvs`).
    pub const REGION_DIGITS: usize = 6;
    /// `fixmedins_code` is C12, in some versions C30.
    pub const HOSPITAL_CODE_MAX: usize = 30;
    /// `fund_pay_type` is C6, but some platforms send the fund's name there, which is C200.
    pub const FUND_CODE_MAX: usize = 200;
    /// `invono` C20, `bill_no` C30.
    pub const INVOICE_NO_MAX: usize = 30;
    /// `diag_code` C20, `dise_codg` C30.
    pub const DIAGNOSIS_CODE_MAX: usize = 30;
    /// `diag_name` C100, `dise_name` C500.
    pub const DIAGNOSIS_NAME_MAX: usize = 500;
    /// `feedetl_sn`: as wide as the interface's other sequence numbers, C30.
    pub const LINE_NO_MAX: usize = 30;
    /// `med_list_codg`: the longest national codes have 27 characters; local ones get some room.
    pub const ITEM_CODE_MAX: usize = 50;
    /// The hospital's own item name: as wide as the interface's longest ordinary name, C500.
    pub const ITEM_NAME_MAX: usize = 500;
    /// Far above the longest stays; beyond this one settlement would hold up its whole lane.
    pub const LINES_MAX: usize = 10_000;
    /// Far above what a settlement list names; keeps a row small.
    pub const DIAGNOSES_MAX: usize = 100;
    /// The dictionary has about forty funds (`domain.md` 1.11).
    pub const FUNDS_MAX: usize = 100;
    /// Problems go back in the trailers of an answer, and common clients take 8 KiB of those.
    pub const PROBLEMS_MAX: usize = 50;
}

/// One thing that is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// The sender's name of the field, with its path: `lines[3].total_fen`.
    pub field: String,
    /// The rule it breaks. Never the value.
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

/// Collects every problem of one input, so that a sender can mend all of them at once.
///
/// Each check gives back a value even where it found a problem, so that reading goes on; only
/// [`Checks::done`] tells whether the values may be used.
#[derive(Debug, Default)]
pub struct Checks {
    path: String,
    problems: Vec<Problem>,
}

impl Checks {
    /// A number of pieces; `None` where there is none.
    pub fn quantity(&mut self, field: &str, text: &str) -> Option<Quantity> {
        let quantity = Quantity::parse(text);
        if quantity.is_none() && !text.is_empty() {
            self.refuse(field, "must be a number with at most four decimals, such as 2.5");
        }
        quantity
    }

    /// The value, if nothing was wrong; else the first [`limits::PROBLEMS_MAX`] problems.
    pub fn done<T>(self, value: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() { Ok(value) } else { Err(self.problems) }
    }

    /// Notes a problem of `field`, relative to where we are; `""` means the nested value itself.
    /// The same problem is told once.
    pub fn refuse(&mut self, field: &str, problem: impl Into<String>) {
        let problem = Problem { field: join(&self.path, field), problem: problem.into() };
        if self.problems.len() < limits::PROBLEMS_MAX && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Reads a part: fields named inside `read` get `name.` before them.
    pub fn nested<T>(&mut self, name: &str, read: impl FnOnce(&mut Checks) -> T) -> T {
        let outside = self.path.len();
        self.path = join(&self.path, name);
        let value = read(self);
        self.path.truncate(outside);
        value
    }

    /// Reads one row of a list: fields named inside `read` get `name[index].` before them.
    pub fn item<T>(&mut self, name: &str, index: usize, read: impl FnOnce(&mut Checks) -> T) -> T {
        self.nested(&format!("{name}[{index}]"), read)
    }

    /// Whether a list is short enough; notes a problem if not. Ask before reading its rows.
    pub fn at_most(&mut self, field: &str, count: usize, max: usize) -> bool {
        if count > max {
            self.refuse(field, format!("must have at most {max} entries"));
        }
        count <= max
    }

    /// A text as it is, not trimmed. `""` is absent.
    pub fn text(&mut self, field: &str, value: &str, chars_max: usize) -> Option<String> {
        if value.is_empty() {
            return None;
        }
        if value.chars().any(char::is_control) {
            self.refuse(field, "must not contain control characters");
        } else if value.chars().nth(chars_max).is_some() {
            self.refuse(field, format!("must be at most {chars_max} characters"));
        } else {
            return Some(value.to_owned());
        }
        None
    }

    /// A text that must be there.
    pub fn required_text(&mut self, field: &str, value: &str, chars_max: usize) -> String {
        self.required(field, value);
        self.text(field, value, chars_max).unwrap_or_default()
    }

    /// A code or an id: printable ASCII without spaces. `""` is absent.
    pub fn code(&mut self, field: &str, value: &str, chars_max: usize) -> Option<String> {
        let code = self.text(field, value, chars_max)?;
        if code.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some(code);
        }
        self.refuse(field, "must be ASCII letters, digits and signs without spaces");
        None
    }

    /// A code that must be there.
    pub fn required_code(&mut self, field: &str, value: &str, chars_max: usize) -> String {
        self.required(field, value);
        self.code(field, value, chars_max).unwrap_or_default()
    }

    /// A region: six digits. `""` is absent.
    pub fn region(&mut self, field: &str, value: &str) -> Option<String> {
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        if value.is_empty() || (digits && value.len() == limits::REGION_DIGITS) {
            return (!value.is_empty()).then(|| value.to_owned());
        }
        self.refuse(field, "must be a region of six digits");
        None
    }

    /// A day. `""` is absent.
    pub fn day(&mut self, field: &str, value: &str) -> Option<Day> {
        self.parsed(field, value, Day::parse, "must be a day such as 2024-03-15")
    }

    /// A local time without zone, or a day alone for its midnight. `""` is absent.
    pub fn moment(&mut self, field: &str, value: &str) -> Option<Moment> {
        let problem = "must be a local time such as 2024-03-15 10:15:06";
        self.parsed(field, value, Moment::parse_local, problem)
    }

    /// The day of a local time, or a day alone. `""` is absent.
    pub fn day_of(&mut self, field: &str, value: &str) -> Option<Day> {
        let day = |text: &str| Moment::parse_local(text).and_then(Moment::day);
        self.parsed(field, value, day, "must be a day such as 2024-03-15, with or without a time")
    }

    /// An amount in yuan from its text. `""` is absent.
    pub fn yuan(&mut self, field: &str, value: &str) -> Option<Fen> {
        if value.is_empty() { None } else { self.amount(field, Fen::parse_yuan(value)) }
    }

    /// An amount in fen.
    pub fn fen(&mut self, field: &str, value: i64) -> Option<Fen> {
        self.amount(field, Fen::from_input(value))
    }

    /// Notes a problem of `last_field` if the last day lies before the first.
    pub fn day_order(&mut self, last_field: &str, first: Option<Day>, last: Option<Day>) {
        if let (Some(first), Some(last)) = (first, last)
            && last < first
        {
            self.refuse(last_field, "must not be before the first day of the stay");
        }
    }

    fn required(&mut self, field: &str, value: &str) {
        if value.is_empty() {
            self.refuse(field, "is required");
        }
    }

    fn parsed<T>(
        &mut self,
        field: &str,
        value: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        problem: &str,
    ) -> Option<T> {
        if value.is_empty() {
            return None;
        }
        let parsed = parse(value);
        if parsed.is_none() {
            self.refuse(field, problem);
        }
        parsed
    }

    fn amount(&mut self, field: &str, amount: Result<Fen, AmountError>) -> Option<Fen> {
        amount.map_err(|error| self.refuse(field, error.to_string())).ok()
    }
}

/// `outer.inner`, or the one of them that is not empty.
pub(crate) fn join(outer: &str, inner: &str) -> String {
    let dot = if outer.is_empty() || inner.is_empty() { "" } else { "." };
    format!("{outer}{dot}{inner}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(read: impl FnOnce(&mut Checks)) -> Vec<String> {
        let mut checks = Checks::default();
        read(&mut checks);
        let problems = checks.done(()).err().unwrap_or_default();
        problems.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn all_problems_are_named_with_their_paths() {
        let found = problems(|checks| {
            assert_eq!(checks.required_text("id", "", 3), "");
            checks.nested("member", |checks| {
                assert_eq!(checks.text("name", "甲\0", 3), None);
                assert_eq!(checks.text("name", "甲乙丙", 3).as_deref(), Some("甲乙丙"));
                assert_eq!(checks.text("name", "甲乙丙丁", 3), None);
                assert_eq!(checks.text("name", "", 3), None);
            });
            checks.item("lines", 3, |checks| {
                checks.fen("total_fen", -1);
                checks.yuan("price", "1.005");
                checks.refuse("", "is odd");
            });
            assert_eq!(checks.code("code", "2 1", 6), None);
            assert_eq!(checks.required_code("code", "21", 6), "21");
            assert!(!checks.at_most("lines", 2, 1));
        });
        assert_eq!(
            found,
            [
                "id is required",
                "member.name must not contain control characters",
                "member.name must be at most 3 characters",
                "lines[3].total_fen must not be negative",
                "lines[3].price must have at most two decimals",
                "lines[3] is odd",
                "code must be ASCII letters, digits and signs without spaces",
                "lines must have at most 1 entries",
            ]
        );
    }

    #[test]
    fn days_times_and_regions_are_exact() {
        let found = problems(|checks| {
            assert!(checks.day("day", "2024-03-15").is_some());
            assert!(checks.day("day", "2024-03-15 10:15:06").is_none());
            let day = checks.day_of("day", "2024-03-15 23:59:59");
            assert_eq!(day, Day::parse("2024-03-15"));
            assert!(checks.moment("time", "2024-03-15T10:15:06Z").is_none());
            assert!(checks.day("day", "").or(checks.day_of("day", "")).is_none());
            checks.day_order("last", day, Day::parse("2024-03-14"));
            checks.day_order("last", day, day);
            checks.day_order("last", day, None);
            assert_eq!(checks.region("region", "370200").as_deref(), Some("370200"));
            assert_eq!(checks.region("region", ""), None);
            checks.region("region", "37020");
            checks.region("other", "37020٠");
        });
        assert_eq!(
            found,
            [
                "day must be a day such as 2024-03-15",
                "time must be a local time such as 2024-03-15 10:15:06",
                "last must not be before the first day of the stay",
                "region must be a region of six digits",
                "other must be a region of six digits",
            ]
        );
    }

    #[test]
    fn a_flood_of_problems_is_cut() {
        let found = problems(|checks| {
            checks.refuse("x[0]", "is wrong");
            (0..1000).for_each(|n| checks.refuse(&format!("x[{n}]"), "is wrong"));
        });
        assert_eq!(found.len(), limits::PROBLEMS_MAX);
    }
}
