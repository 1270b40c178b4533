//! Civil days and instants. Days are those of Asia/Shanghai, which is UTC+8 all year.

use std::fmt;
use std::time::Duration;

use jiff::civil::{Date, Weekday};
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Asia/Shanghai: no summer time since 1991, before any settlement we can receive.
const SHANGHAI: Offset = Offset::constant(8);

/// A civil day from 1900-01-01 to 2199-12-31.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The first day there is.
    pub const EARLIEST: Day = Day(jiff::civil::date(1900, 1, 1));

    /// The day of a calendar date; `None` for a date that does not exist or is out of range.
    pub fn new(year: i16, month: i8, day: i8) -> Option<Day> {
        Date::new(year, month, day).ok().and_then(Day::bounded)
    }

    /// Reads `2024-03-15`, exactly so.
    pub fn parse(text: &str) -> Option<Day> {
        let shape = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
        let part = |range| text.get(range).filter(|part: &&str| is_digits(part));
        if !shape {
            return None;
        }
        Day::new(part(0..4)?.parse().ok()?, part(5..7)?.parse().ok()?, part(8..10)?.parse().ok()?)
    }

    fn bounded(date: Date) -> Option<Day> {
        (1900..=2199).contains(&date.year()).then_some(Day(date))
    }

    /// The first instant of this day in Shanghai.
    pub fn start(self) -> Moment {
        let midnight = SHANGHAI.to_timestamp(self.0.at(0, 0, 0, 0)).expect("1900 to 2199 fits");
        Moment(midnight.as_microsecond())
    }

    /// The day after; 2199-12-31 stays.
    #[must_use]
    pub fn next(self) -> Day {
        self.0.tomorrow().ok().and_then(Day::bounded).unwrap_or(self)
    }

    /// How many days this day lies after `other`; negative when it lies before.
    pub fn days_since(self, other: Day) -> i32 {
        let span = self.0.since(other.0).expect("days between 1900 and 2199 can be counted");
        span.get_days()
    }

    /// The year, for periods.
    pub fn year(self) -> i16 {
        self.0.year()
    }

    /// Month and day, for birthdays.
    pub fn month_day(self) -> (i8, i8) {
        (self.0.month(), self.0.day())
    }

    /// Whether it is a Saturday or a Sunday.
    pub fn is_weekend(self) -> bool {
        matches!(self.0.weekday(), Weekday::Saturday | Weekday::Sunday)
    }

    /// The day before; 1900-01-01 stays.
    #[must_use]
    pub fn previous(self) -> Day {
        self.0.yesterday().ok().and_then(Day::bounded).unwrap_or(self)
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Day, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        Day::parse(&text).ok_or_else(|| serde::de::Error::custom("a day is YYYY-MM-DD"))
    }
}

/// An instant in µs since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(i64);

impl Moment {
    /// The instant that many µs after the epoch.
    pub const fn from_micros(micros: i64) -> Moment {
        Moment(micros)
    }

    /// µs since the epoch.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// So much later; the last moment there is where that would lie behind it.
    #[must_use]
    pub fn later(self, by: Duration) -> Moment {
        Moment(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// So much earlier; the first moment there is where that would lie before it.
    #[must_use]
    pub fn earlier(self, by: Duration) -> Moment {
        Moment(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The civil day in Shanghai; `None` outside 1900 to 2199.
    pub fn day(self) -> Option<Day> {
        let timestamp = jiff::Timestamp::from_microsecond(self.0).ok()?;
        Day::bounded(SHANGHAI.to_datetime(timestamp).date())
    }

    /// Reads a local time without zone as hospitals write it: `2024-03-15 10:15:06`, also with
    /// `T`, with a fraction, or a day alone (midnight). `None` for anything else.
    pub fn parse_local(text: &str) -> Option<Moment> {
        let day = Day::parse(text.get(..10)?)?;
        let time = text.get(10..)?;
        if time.is_empty() {
            return Some(day.start());
        }
        let time = time.strip_prefix([' ', 'T'])?;
        let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let parts: Vec<&str> = clock.split(':').collect();
        let [hour, minute, second] = parts[..] else { return None };
        let number = |part: &str, below: i64| {
            let value =
                (part.len() == 2 && is_digits(part)).then(|| part.parse::<i64>().ok())??;
            (value < below).then_some(value)
        };
        let seconds = number(hour, 24)? * 3600 + number(minute, 60)? * 60 + number(second, 60)?;
        if fraction.is_empty() || fraction.len() > 9 || !is_digits(fraction) {
            return None;
        }
        let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
        Some(Moment(day.start().0 + seconds * 1_000_000 + micros))
    }

    /// The local time in Shanghai as people write it: `2024-03-15 10:15:06`.
    pub fn local(self) -> String {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => {
                let time = SHANGHAI.to_datetime(timestamp);
                let (date, hour, minute, second) =
                    (time.date(), time.hour(), time.minute(), time.second());
                format!("{date} {hour:02}:{minute:02}:{second:02}")
            }
            Err(_) => format!("{} µs", self.0),
        }
    }
}

/// The most days of one stay that are counted: ten years.
const STAY_DAYS_MAX: usize = 3_660;

/// A span of days, both ends included. Without `end` it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The first day.
    pub start: Day,
    /// The last day, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Day>,
}

impl Span {
    /// Whether `day` lies inside.
    pub fn contains(&self, day: Day) -> bool {
        self.start <= day && self.end.is_none_or(|end| day <= end)
    }

    /// Its days, without the last one if it is not the only one (算头不算尾). None without an end.
    pub fn days(&self) -> impl Iterator<Item = Day> + use<> {
        let (start, end) = (self.start, self.end.unwrap_or(self.start));
        std::iter::successors(Some(start), |day| Some(day.next()))
            .take_while(move |day| *day < end || *day == start)
            // A year that ends stays where it is: nothing goes on for ever.
            .take(STAY_DAYS_MAX)
    }

    /// What is left of it without these days, by first day.
    pub fn without(&self, others: &[Span]) -> Vec<Span> {
        let mut left = vec![*self];
        for other in others {
            left = left.into_iter().flat_map(|span| span.without_one(other)).collect();
        }
        left
    }

    fn without_one(self, other: &Span) -> Vec<Span> {
        if !self.overlaps(other) {
            return vec![self];
        }
        let before = (self.start < other.start)
            .then(|| Span { start: self.start, end: Some(other.start.previous()) });
        let after = other.end.filter(|last| self.end.is_none_or(|end| *last < end));
        let after = after.map(|last| Span { start: last.next(), end: self.end });
        before.into_iter().chain(after).collect()
    }

    /// Whether two spans share a day.
    pub fn overlaps(&self, other: &Span) -> bool {
        self.end.is_none_or(|end| other.start <= end)
            && other.end.is_none_or(|end| self.start <= end)
    }
}

/// The day of the year on which benefit periods (保单年度) begin. 29 February is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodStart {
    month: i8,
    day: i8,
}

/// A benefit period: the span in which counters run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Period {
    /// The first day.
    pub start: Day,
    /// The last day.
    pub end: Day,
}

impl PeriodStart {
    /// The calendar year.
    pub const NEW_YEAR: PeriodStart = PeriodStart { month: 1, day: 1 };

    /// Reads `01-01`; `None` for a day that not every year has.
    pub fn parse(text: &str) -> Option<PeriodStart> {
        let (month, day) = text.split_once('-')?;
        let number =
            |part: &str| (part.len() == 2 && is_digits(part)).then(|| part.parse().ok())?;
        let start = PeriodStart { month: number(month)?, day: number(day)? };
        Day::new(2023, start.month, start.day).map(|_| start)
    }

    /// The period that holds `day`.
    pub fn period_of(self, day: Day) -> Period {
        let in_year = |year: i16| Day::new(year, self.month, self.day);
        let this = in_year(day.year()).expect("every year has this day");
        let year = if day < this { day.year() - 1 } else { day.year() };
        let start = in_year(year).unwrap_or(day);
        let end = in_year(year + 1).map_or(start, Day::previous);
        Period { start, end }
    }
}

impl fmt::Display for PeriodStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn only_real_days_are_days() {
        assert_eq!(day("2024-02-29").to_string(), "2024-02-29");
        for text in ["2023-02-29", "2024-13-01", "2024-1-01", "20240101", "1899-12-31", "", "日"] {
            assert!(Day::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn midnight_in_shanghai_decides_the_day() {
        let last = Moment::parse_local("2024-12-31 23:59:59").unwrap();
        let first = Moment::parse_local("2025-01-01 00:00:00").unwrap();
        assert_eq!(last.day(), Some(day("2024-12-31")));
        assert_eq!(first.day(), Some(day("2025-01-01")));
        assert_eq!(first.micros() - last.micros(), 1_000_000);
        assert_eq!(last.local(), "2024-12-31 23:59:59");
        assert_eq!(Moment::parse_local("2024-12-31T23:59:59.000"), Some(last));
        assert_eq!(Moment::parse_local("2025-01-01"), Some(first));
        for text in ["2024-12-31 24:00:00", "2024-12-31 1:00:00", "2024-12-31x", "1735660799"] {
            assert!(Moment::parse_local(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_period_starts_on_any_day() {
        let july = PeriodStart::parse("07-15").unwrap();
        let expect = Period { start: day("2023-07-15"), end: day("2024-07-14") };
        assert_eq!(july.period_of(day("2024-07-14")), expect);
        assert_eq!(july.period_of(day("2023-07-15")), expect);
        assert_eq!(july.period_of(day("2024-07-15")).start, day("2024-07-15"));
        let new_year = PeriodStart::parse("01-01").unwrap();
        assert_eq!(new_year.period_of(day("2024-12-31")).end, day("2024-12-31"));
        assert!(PeriodStart::parse("02-29").is_none());
        assert!(PeriodStart::parse("1-1").is_none());
    }
}
