//! The table of a check: a line for each message, then what is wrong, then how many there are.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::super::statement::columns::{padded, width};

const HEAD: [&str; 6] =
    ["message", "understood as", "settlement", "burden", "routes", "unknown codes"];

/// How a message fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is read, and its amounts agree.
    Sound,
    /// It is read, and its amounts contradict each other.
    Differs,
    /// It cannot be read.
    Refused,
}

/// What is told of one message.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) settlement_id: String,
    pub(super) burden: String,
    pub(super) routes: &'static str,
    pub(super) unknown_codes: String,
    pub(super) standing: Standing,
    /// What is wrong, a line each.
    pub(super) details: Vec<String>,
}

impl Row {
    /// A message of which only its kind is known.
    pub(super) fn sound(name: String, kind: &'static str) -> Row {
        Row {
            name,
            kind,
            settlement_id: String::new(),
            burden: String::new(),
            routes: "",
            unknown_codes: String::new(),
            standing: Standing::Sound,
            details: Vec::new(),
        }
    }

    /// A message that cannot be read.
    pub(super) fn refused(name: String, problems: Vec<String>) -> Row {
        Row { standing: Standing::Refused, details: problems, ..Row::sound(name, "refused") }
    }

    fn cells(&self) -> [&str; HEAD.len()] {
        let id = &self.settlement_id;
        [&self.name, self.kind, id, &self.burden, self.routes, &self.unknown_codes]
    }
}

/// The table, the problems below it, and the totals.
pub(super) fn report(rows: &[Row]) -> String {
    let lines: Vec<[&str; HEAD.len()]> =
        std::iter::once(HEAD).chain(rows.iter().map(Row::cells)).collect();
    let mut widths = [0; HEAD.len()];
    for line in &lines {
        for (most, cell) in widths.iter_mut().zip(line) {
            *most = width(cell).max(*most);
        }
    }
    let mut out = String::new();
    for line in &lines {
        let cells = line.iter().zip(widths).map(|(cell, columns)| padded(cell, columns));
        let _ = writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    for row in rows.iter().filter(|row| !row.details.is_empty()) {
        let _ = writeln!(out, "\n{}", row.name);
        for detail in &row.details {
            let _ = writeln!(out, "  {detail}");
        }
    }
    let _ = writeln!(out, "\n{}", totals(rows));
    out
}

fn totals(rows: &[Row]) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *kinds.entry(row.kind).or_default() += 1;
    }
    let kinds = kinds.into_iter().map(|(kind, count)| format!("{kind} {count}"));
    let kinds = kinds.collect::<Vec<_>>().join(", ");
    let differing = rows.iter().filter(|row| row.standing == Standing::Differs).count();
    format!("messages {}: {kinds}; contradicting themselves {differing}", rows.len())
}
