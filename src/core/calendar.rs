//! Working days (工作日): weekdays, but for public holidays, and the weekend days that are worked in
//! exchange (调休). Published as data each year by the State Council, and here as a document.

use std::collections::BTreeSet;

use super::day::Day;
use super::plan::document::reader::{Reader, Table};

/// Which days are worked on. Without any of its own: every weekday.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendar {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Days off that would be worked on.
    pub holidays: BTreeSet<Day>,
    /// Days worked on that would be off.
    pub workdays: BTreeSet<Day>,
}

impl Calendar {
    /// Whether a day is worked on.
    pub fn is_workday(&self, day: Day) -> bool {
        if day.is_weekend() { self.workdays.contains(&day) } else { !self.holidays.contains(&day) }
    }

    pub(super) fn of<'d>(reader: &mut Reader<'d>, table: &mut Table<'d>) -> Option<Calendar> {
        let id = reader.need(table, "calendar_id", "write calendar_id = \"cn\"");
        let id = id.and_then(|value| reader.id(&value));
        let version = reader.need(table, "version", "write version = \"2026\"");
        let version = version.and_then(|value| reader.id(&value));
        let mut days = |reader: &mut Reader<'d>, key, is_weekend: bool| {
            let problem = if is_weekend {
                "is a weekday and worked on anyway"
            } else {
                "is a weekend day and off anyway"
            };
            reader.each(table, key, |reader, value| {
                let day = reader.day(&value)?;
                if day.is_weekend() != is_weekend {
                    reader.problem(&value.path, problem, "leave it out");
                }
                Some(day)
            })
        };
        let holidays = days(reader, "holidays", false).into_iter().collect();
        let workdays = days(reader, "workdays", true).into_iter().collect();
        Some(Calendar { id: id?, version: version?, holidays, workdays })
    }
}
