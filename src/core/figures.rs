//! Figures that a plan's rules look at and no member's book holds: what stays in a hospital usually
//! last and cost, and who shares an account. They are refreshed apart, published as documents, and a
//! claim keeps the version that it was first looked at with (`design.md` 4.4).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::decision::code;
use super::money::Fen;
use super::plan::document::PlanProblem;
use super::plan::document::reader::{Reader, Table, Value};

/// The fewest stays from which a hospital's usual figures can be told.
pub const STAYS_MIN: u16 = 30;

/// What stays in hospitals usually last and cost (基准).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// By hospital code.
    pub hospitals: BTreeMap<String, Norm>,
}

/// What stays in one hospital usually last and cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Norm {
    /// How many stays it was told from.
    pub stays: u32,
    /// Days of a stay.
    pub days: Spread,
    /// Fen a day.
    pub cost_per_day: Spread,
}

/// Mean and standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// 均值.
    pub mean: Decimal,
    /// 标准差.
    pub deviation: Decimal,
}

impl Spread {
    /// Of values that sum up to `sum`, and their squares to `squares`.
    pub fn of(count: u32, sum: i128, squares: i128) -> Option<Spread> {
        let exact = |it: i128| Decimal::try_from_i128_with_scale(it, 0).ok();
        let count = Decimal::from(count);
        let mean = exact(sum)?.checked_div(count)?;
        let variance = exact(squares)?.checked_div(count)? - mean.checked_mul(mean)?;
        let deviation = root(variance.max(Decimal::ZERO));
        Some(Spread { mean: mean.round_dp(4), deviation: deviation.round_dp(4) })
    }

    /// So many deviations above the mean.
    pub fn bound(self, deviations: Decimal) -> Decimal {
        self.mean + self.deviation * deviations
    }
}

/// The square root, by Newton's method, to more places than are kept.
fn root(square: Decimal) -> Decimal {
    if square.is_zero() {
        return square;
    }
    let mut root = if square > Decimal::ONE { square / Decimal::TWO } else { Decimal::ONE };
    for _ in 0..200 {
        let next = (root + square / root) / Decimal::TWO;
        if (next - root).abs() < Decimal::new(1, 8) {
            return next;
        }
        root = next;
    }
    root
}

/// Which members share an account with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedAccounts {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// By member: how many persons have the account, the member included.
    pub persons: HashMap<String, u16>,
}

/// A published version of figures that a claim was looked at with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FigureRef {
    /// What it is.
    pub kind: FigureKind,
    /// Its id.
    pub id: String,
    /// Its version; none where none was published yet: what is told later, perhaps of this claim, is
    /// not about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Kinds of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FigureKind {
    /// [`Baseline`].
    Baseline,
    /// [`SharedAccounts`].
    SharedAccounts,
    /// [`Calendar`].
    Calendar,
}

impl FigureKind {
    /// The one that is called so in documents; `None` for another word.
    pub fn named(name: &str) -> Option<FigureKind> {
        let kinds = [FigureKind::Baseline, FigureKind::SharedAccounts, FigureKind::Calendar];
        kinds.into_iter().find(|it| code(it) == name)
    }
}

/// Everything published that plans name, in the order of publishing.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    baselines: Vec<Arc<Baseline>>,
    accounts: Vec<Arc<SharedAccounts>>,
    calendars: Vec<Arc<Calendar>>,
}

/// One document of figures.
#[derive(Debug, Clone)]
pub enum Figure {
    /// What stays usually last and cost.
    Baseline(Arc<Baseline>),
    /// Who shares an account.
    SharedAccounts(Arc<SharedAccounts>),
    /// Which days are worked on.
    Calendar(Arc<Calendar>),
}

impl Figure {
    /// Reads and checks a document: all problems at once, by line.
    pub fn read(kind: FigureKind, document: &str) -> Result<Figure, Vec<PlanProblem>> {
        let mut reader = Reader::new(document);
        let mut table = reader.root(document).map_err(|problem| vec![problem])?;
        let figure = match kind {
            FigureKind::Baseline => {
                baseline(&mut reader, &mut table).map(|it| Figure::Baseline(it.into()))
            }
            FigureKind::SharedAccounts => {
                accounts(&mut reader, &mut table).map(|it| Figure::SharedAccounts(it.into()))
            }
            FigureKind::Calendar => {
                Calendar::of(&mut reader, &mut table).map(|it| Figure::Calendar(it.into()))
            }
        };
        reader.close(table);
        reader.problems.sort_by_key(|problem| problem.line);
        match figure {
            Some(figure) if reader.problems.is_empty() => Ok(figure),
            _ => Err(reader.problems),
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Figure::Baseline(it) => &it.id,
            Figure::SharedAccounts(it) => &it.id,
            Figure::Calendar(it) => &it.id,
        }
    }

    /// Its version.
    pub fn version(&self) -> &str {
        match self {
            Figure::Baseline(it) => &it.version,
            Figure::SharedAccounts(it) => &it.version,
            Figure::Calendar(it) => &it.version,
        }
    }
}

impl Figures {
    /// Adds a version.
    pub fn publish(&mut self, figure: Figure) {
        match figure {
            Figure::Baseline(it) => self.baselines.push(it),
            Figure::SharedAccounts(it) => self.accounts.push(it),
            Figure::Calendar(it) => self.calendars.push(it),
        }
    }

    /// The version that a claim was first looked at with, else the newest.
    pub fn baseline(&self, id: &str, first: &[FigureRef]) -> Option<&Arc<Baseline>> {
        let mut of_id = self.baselines.iter().filter(|it| it.id == id).rev();
        match first_of(first, FigureKind::Baseline, id) {
            Some(first) => of_id.find(|it| first.version.as_ref() == Some(&it.version)),
            None => of_id.next(),
        }
    }

    /// The version that a claim was first looked at with, else the newest.
    pub fn accounts(&self, id: &str, first: &[FigureRef]) -> Option<&Arc<SharedAccounts>> {
        let mut of_id = self.accounts.iter().filter(|it| it.id == id).rev();
        match first_of(first, FigureKind::SharedAccounts, id) {
            Some(first) => of_id.find(|it| first.version.as_ref() == Some(&it.version)),
            None => of_id.next(),
        }
    }

    /// The newest version of a calendar: a day that was moved holds for every clock.
    pub fn calendar(&self, id: &str) -> Option<&Arc<Calendar>> {
        self.calendars.iter().rev().find(|it| it.id == id)
    }
}

fn first_of<'a>(first: &'a [FigureRef], kind: FigureKind, id: &str) -> Option<&'a FigureRef> {
    first.iter().find(|it| it.kind == kind && it.id == id)
}

fn baseline<'d>(reader: &mut Reader<'d>, table: &mut Table<'d>) -> Option<Baseline> {
    let id = reader.need(table, "baseline_id", "write baseline_id = \"my-city\"");
    let id = id.and_then(|value| reader.id(&value));
    let version = reader.need(table, "version", "write version = \"2026-06\"");
    let version = version.and_then(|value| reader.id(&value));
    let rows = reader.each(table, "hospitals", hospital);
    let mut hospitals = BTreeMap::new();
    for (code, norm) in rows {
        if hospitals.insert(code, norm).is_some() {
            reader.problem("hospitals", "names a hospital twice", "");
        }
    }
    Some(Baseline { id: id?, version: version?, hospitals })
}

fn hospital<'d>(reader: &mut Reader<'d>, value: Value<'d>) -> Option<(String, Norm)> {
    let mut table = reader.inner(value)?;
    let code = reader.need(&mut table, "code", "write code = \"H37029999001\"");
    let code = code.and_then(|value| reader.text(&value));
    let stays = reader.need(&mut table, "stays", "from how many stays");
    let stays = stays.and_then(|value| reader.count(&value, STAYS_MIN, u16::MAX));
    let days = spread(reader, &mut table, "days", number);
    let cost_per_day = spread(reader, &mut table, "cost_per_day", yuan);
    reader.close(table);
    Some((code?, Norm { stays: u32::from(stays?), days: days?, cost_per_day: cost_per_day? }))
}

fn spread<'d>(
    reader: &mut Reader<'d>,
    table: &mut Table<'d>,
    key: &'static str,
    read: fn(&mut Reader<'d>, &Value<'d>) -> Option<Decimal>,
) -> Option<Spread> {
    let value = reader.need(table, key, "write { mean = \"9.4\", deviation = \"4.1\" }")?;
    let mut table = reader.inner(value)?;
    let mean = reader.need(&mut table, "mean", "").and_then(|value| read(reader, &value));
    let deviation = reader.need(&mut table, "deviation", "").and_then(|value| read(reader, &value));
    reader.close(table);
    Some(Spread { mean: mean?, deviation: deviation? })
}

fn number(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Decimal> {
    let parse = |text: &str| {
        let number = Decimal::from_str_exact(text).ok()?;
        (number >= Decimal::ZERO && number < Decimal::from(100_000)).then_some(number)
    };
    reader.parsed(value, parse, "must be a number from 0 to 99999 in quotes, such as \"9.4\"")
}

fn yuan(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Decimal> {
    reader.amount(value).map(|amount| Decimal::from(amount.fen()))
}

fn accounts<'d>(reader: &mut Reader<'d>, table: &mut Table<'d>) -> Option<SharedAccounts> {
    let id = reader.need(table, "shared_accounts_id", "write shared_accounts_id = \"my-city\"");
    let id = id.and_then(|value| reader.id(&value));
    let version = reader.need(table, "version", "write version = \"2026-06\"");
    let version = version.and_then(|value| reader.id(&value));
    let groups = reader.each(table, "accounts", |reader, value| {
        let mut table = reader.inner(value)?;
        let members = reader.each(&mut table, "members", |reader, it| reader.id(&it));
        reader.close(table);
        Some(members)
    });
    let mut persons = HashMap::new();
    for members in groups {
        let count = u16::try_from(members.len()).unwrap_or(u16::MAX);
        for member in members {
            if persons.insert(member, count).is_some() {
                reader.problem("accounts", "names a member twice", "a member has one account");
            }
        }
    }
    Some(SharedAccounts { id: id?, version: version?, persons })
}

/// A document of a baseline, as [`Figure::read`] reads it.
pub fn render_baseline(baseline: &Baseline) -> String {
    use std::fmt::Write as _;
    let yuan = |fen: Decimal| {
        let fen = fen.round().try_into().ok().and_then(Fen::new).unwrap_or_default();
        format!("{}.{:02}", fen.fen() / 100, fen.fen() % 100)
    };
    let mut text =
        format!("baseline_id = \"{}\"\nversion = \"{}\"\n", baseline.id, baseline.version);
    for (code, norm) in &baseline.hospitals {
        let Norm { stays, days, cost_per_day } = norm;
        let _ = write!(
            text,
            "\n[[hospitals]]\ncode = \"{code}\"\nstays = {stays}\n\
             days = {{ mean = \"{}\", deviation = \"{}\" }}\n\
             cost_per_day = {{ mean = \"{}\", deviation = \"{}\" }}\n",
            days.mean.normalize(),
            days.deviation.normalize(),
            yuan(cost_per_day.mean),
            yuan(cost_per_day.deviation),
        );
    }
    text
}

/// A document of shared accounts, as [`Figure::read`] reads it: the members of each account, never
/// the account.
pub fn render_accounts(id: &str, version: &str, groups: &[Vec<String>]) -> String {
    use std::fmt::Write as _;
    let mut text = format!("shared_accounts_id = \"{id}\"\nversion = \"{version}\"\n");
    for members in groups {
        let members: Vec<String> = members.iter().map(|member| format!("\"{member}\"")).collect();
        let _ = write!(text, "\n[[accounts]]\nmembers = [{}]\n", members.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_mean_and_deviation() {
        // 2, 4, 4, 4, 5, 5, 7, 9: mean 5, deviation 2.
        let values = [2, 4, 4, 4, 5, 5, 7, 9];
        let squares = values.iter().map(|it| it * it).sum();
        let spread = Spread::of(8, values.iter().sum(), squares).unwrap();
        assert_eq!((spread.mean, spread.deviation), (Decimal::from(5), Decimal::from(2)));
        assert_eq!(spread.bound(Decimal::from(3)), Decimal::from(11));
        let same = Spread::of(4, 28, 196).unwrap();
        assert_eq!(same.deviation, Decimal::ZERO);
    }

    #[test]
    fn figures_read_as_they_are_written() {
        let spread = Spread { mean: Decimal::new(94, 1), deviation: Decimal::new(41, 1) };
        let cost = Spread { mean: Decimal::from(185_000), deviation: Decimal::from(42_000) };
        let norm = Norm { stays: 412, days: spread, cost_per_day: cost };
        let baseline = Baseline {
            id: "qingdao".into(),
            version: "2026-06".into(),
            hospitals: [("H37029999001".to_owned(), norm)].into(),
        };
        let read = Figure::read(FigureKind::Baseline, &render_baseline(&baseline));
        assert!(matches!(read, Ok(Figure::Baseline(it)) if *it == baseline));
        let text = render_accounts("qingdao", "1", &[vec!["a".into(), "b".into(), "c".into()]]);
        let read = Figure::read(FigureKind::SharedAccounts, &text);
        assert!(matches!(read, Ok(Figure::SharedAccounts(it)) if it.persons["b"] == 3));
    }

    #[test]
    fn every_problem_is_told_at_its_line() {
        let text = "baseline_id = \"x\"\n[[hospitals]]\ncode = \"H1\"\nstays = 12\n\
                    days = { mean = 9.4, deviation = \"-1\" }\ncost_per_day = {}\n";
        let problems = Figure::read(FigureKind::Baseline, text).unwrap_err();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 6, "{told:#?}");
        assert!(told[0].starts_with("line 1: version: is missing"), "{told:#?}");
    }

    #[test]
    fn a_member_has_one_account() {
        let text = "shared_accounts_id = \"x\"\nversion = \"1\"\n[[accounts]]\n\
                    members = [\"a\", \"b\"]\n[[accounts]]\nmembers = [\"b\", \"c\"]\n";
        let problems = Figure::read(FigureKind::SharedAccounts, text).unwrap_err();
        assert!(problems[0].to_string().contains("names a member twice"), "{problems:?}");
    }

    #[test]
    fn a_claim_keeps_its_version() {
        let mut figures = Figures::default();
        for version in ["1", "2"] {
            let text = format!("baseline_id = \"x\"\nversion = \"{version}\"\n");
            figures.publish(Figure::read(FigureKind::Baseline, &text).unwrap());
        }
        let version = |first: &[FigureRef]| figures.baseline("x", first).unwrap().version.clone();
        let first = |version: Option<&str>| {
            let version = version.map(str::to_owned);
            vec![FigureRef { kind: FigureKind::Baseline, id: "x".into(), version }]
        };
        assert_eq!(version(&[]), "2");
        assert_eq!(version(&first(Some("1"))), "1");
        assert!(figures.baseline("x", &first(None)).is_none(), "there was none");
        assert!(figures.baseline("y", &[]).is_none());
    }
}
