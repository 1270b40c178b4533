//! Clocks in a document: `[clocks]`, one line for each.

use super::reader::{Reader, Table};
use super::render::{Keys, amount};
use crate::core::clocks::{ClockKind, ClockRule, ClockRules, Unit};
use crate::core::money::Rate;

/// The units by their keys, and how many of each: a year is longer than any claim may take.
const UNITS: [(&str, Unit, u16); 3] = [
    ("hours", Unit::Hours, 366 * 24),
    ("days", Unit::Days, 366),
    ("working_days", Unit::WorkingDays, 366),
];

/// When a clock warns where a plan says nothing.
const WARN_AT: &str = "0.8";

impl<'d> Reader<'d> {
    /// The clocks that a document names.
    pub(super) fn clocks(&mut self, table: &mut Table<'d>) -> ClockRules {
        let Some(value) = self.take(table, "clocks") else { return ClockRules::default() };
        let Some(mut table) = self.inner(value) else { return ClockRules::default() };
        let calendar = self.take(&mut table, "calendar").and_then(|value| self.id(&value));
        let mut clocks = Vec::new();
        for kind in ClockKind::ALL {
            clocks.extend(self.clock(&mut table, kind));
        }
        self.close(table);
        ClockRules { calendar, clocks }
    }

    fn clock(&mut self, table: &mut Table<'d>, kind: ClockKind) -> Option<ClockRule> {
        let value = self.take(table, key(kind))?;
        let path = value.path.clone();
        let mut table = self.inner(value)?;
        let (mut limits, mut named) = (Vec::new(), 0);
        for (key, unit, most) in UNITS {
            if let Some(value) = self.take(&mut table, key) {
                named += 1;
                limits.extend(self.count(&value, 1, most).map(|limit| (limit, unit)));
            }
        }
        let warn_at = self.take(&mut table, "warn_at").and_then(|value| self.rate(&value));
        let up_to = if kind == ClockKind::SmallClaim {
            let hint = "write up_to = \"3000.00\"";
            self.need(&mut table, "up_to", hint).and_then(|value| self.some_amount(&value))
        } else {
            None
        };
        self.close(table);
        let [(limit, unit)] = limits[..] else {
            if named != 1 {
                self.problem(&path, "needs one limit", "write hours, days or working_days = …");
            }
            return None;
        };
        let warn_at = warn_at.or_else(|| Rate::parse(WARN_AT))?;
        Some(ClockRule { kind, limit, unit, warn_at, up_to })
    }
}

fn key(kind: ClockKind) -> &'static str {
    match kind {
        ClockKind::Contact => "contact",
        ClockKind::SmallClaim => "small_claim",
        ClockKind::Decision => "decision",
        ClockKind::RefusalNotice => "refusal_notice",
        ClockKind::Payment => "payment",
    }
}

/// The table of clocks.
pub(super) fn render(rules: &ClockRules) -> String {
    if *rules == ClockRules::default() {
        return String::new();
    }
    let mut out = Keys::default();
    out.maybe("calendar", rules.calendar.as_ref().map(super::render::quoted));
    for rule in &rules.clocks {
        let mut inner = Keys::default();
        let unit =
            UNITS.iter().find(|(_, unit, _)| *unit == rule.unit).expect("each unit has a key");
        inner.put(unit.0, rule.limit);
        inner.text("warn_at", rule.warn_at.decimal());
        inner.maybe("up_to", rule.up_to.map(amount));
        out.put(key(rule.kind), inner.inline());
    }
    format!("\n[clocks]\n{}", out.lines())
}
