//! Reading what plans are made of: conditions, lines, limits, deductibles.

use super::reader::{Reader, Table, Value};
use crate::core::plan::{
    ClaimFree, ClassRange, Condition, DayLimit, Deductible, Keyword, Limit, LineSelector,
    LowerRate, Per, Tier,
};

impl<'d> Reader<'d> {
    /// Texts of a list that may be absent.
    pub(super) fn texts(&mut self, table: &mut Table<'d>, key: &'static str) -> Vec<String> {
        self.each(table, key, |reader, value| reader.text(&value))
    }

    fn codes(&mut self, table: &mut Table<'d>, key: &'static str) -> Vec<String> {
        self.each(table, key, |reader, value| reader.digits(&value))
    }

    /// A condition under a key; always without it.
    pub(super) fn condition_of(&mut self, table: &mut Table<'d>, key: &'static str) -> Condition {
        let Some(value) = self.take(table, key) else { return Condition::default() };
        let Some(table) = self.inner(value) else { return Condition::default() };
        self.condition(table)
    }

    fn condition(&mut self, mut table: Table<'d>) -> Condition {
        let mut flag = |reader: &mut Reader<'d>, key| {
            let value = reader.take(&mut table, key)?;
            reader.flag(&value)
        };
        let pre_existing = flag(self, "pre_existing");
        let basic_insurance = flag(self, "basic_insurance");
        let condition = Condition {
            medical_categories: self.texts(&mut table, "medical_categories"),
            diagnoses: self.texts(&mut table, "diagnoses"),
            not_diagnoses: self.texts(&mut table, "not_diagnoses"),
            causes: self.each(&mut table, "causes", |reader, value| reader.choice(&value)),
            hospital_levels: self.codes(&mut table, "hospital_levels"),
            hospital_codes: self.texts(&mut table, "hospital_codes"),
            regions: self.codes(&mut table, "regions"),
            not_regions: self.codes(&mut table, "not_regions"),
            classes: self.each(&mut table, "classes", Reader::class_range),
            pre_existing,
            basic_insurance,
            circumstances: self.each(&mut table, "circumstances", |reader, it| reader.word(&it)),
        };
        self.close(table);
        condition
    }

    fn class_range(&mut self, value: Value<'d>) -> Option<ClassRange> {
        let mut table = self.inner(value)?;
        let class = self.need(&mut table, "class", "name a class of the roster");
        let class = class.and_then(|class| self.text(&class));
        let grades = self.take(&mut table, "grades").and_then(|grades| {
            let path = grades.path.clone();
            let entries = self.list(grades);
            let grades: Vec<u16> =
                entries.iter().filter_map(|entry| self.count(entry, 1, 10)).collect();
            match grades[..] {
                [first, last] if first <= last => {
                    Some((u8::try_from(first).ok()?, u8::try_from(last).ok()?))
                }
                _ => {
                    let problem = "must be the first and the last grade, the first not above it";
                    self.problem(&path, problem, "write [1, 6]");
                    None
                }
            }
        });
        self.close(table);
        Some(ClassRange { class: class?, grades })
    }

    /// The three marks of lines, flat in a table.
    pub(super) fn lines(&mut self, table: &mut Table<'d>) -> LineSelector {
        let is_named =
            ["item_codes", "charge_classes", "keywords"].iter().any(|key| table.has(key));
        let lines = LineSelector {
            item_codes: self.texts(table, "item_codes"),
            charge_classes: self.texts(table, "charge_classes"),
            keywords: self.texts(table, "keywords").into_iter().map(Keyword::new).collect(),
        };
        if !is_named || (lines.is_empty() && self.problems.is_empty()) {
            let hint = "name item_codes, charge_classes or keywords";
            self.problem(&table.path.clone(), "means no line", hint);
        }
        lines
    }

    pub(super) fn deductible(&mut self, value: Value<'d>) -> Option<Deductible> {
        let mut table = self.inner(value)?;
        let amount = self.need(&mut table, "amount", "write amount = \"5000.00\"");
        let amount = amount.and_then(|amount| self.some_amount(&amount));
        let per = self.per(&mut table, "per", &[Per::Claim, Per::Stay, Per::Cause, Per::Period]);
        let claim_free = self.each(&mut table, "claim_free", Reader::claim_free);
        self.close(table);
        Some(Deductible { amount: amount?, per: per?, claim_free })
    }

    fn claim_free(&mut self, value: Value<'d>) -> Option<ClaimFree> {
        let mut table = self.inner(value)?;
        let years = self.need(&mut table, "years", "write years = 2");
        let years = years.and_then(|years| self.count(&years, 1, 50));
        let amount = self.need(&mut table, "amount", "write amount = \"11000.00\"");
        let amount = amount.and_then(|amount| self.amount(&amount));
        self.close(table);
        Some(ClaimFree { years: u8::try_from(years?).ok()?, amount: amount? })
    }

    /// A span that must be there and be one of `allowed`.
    pub(super) fn per(
        &mut self,
        table: &mut Table<'d>,
        key: &'static str,
        allowed: &[Per],
    ) -> Option<Per> {
        let value = self.need(table, key, "write per = \"period\"")?;
        self.allowed_per(&value, allowed)
    }

    pub(super) fn allowed_per(&mut self, value: &Value<'d>, allowed: &[Per]) -> Option<Per> {
        let per: Per = self.choice(value)?;
        if allowed.contains(&per) {
            return Some(per);
        }
        let names: Vec<String> = allowed.iter().map(crate::core::decision::code).collect();
        let hint = format!("possible here: {}", names.join(", "));
        self.problem(&value.path, "is not counted here", &hint);
        None
    }

    pub(super) fn limit(&mut self, value: Value<'d>) -> Option<Limit> {
        let mut table = self.inner(value)?;
        let amount = self.need(&mut table, "amount", "write amount = \"300000.00\"");
        let amount = amount.and_then(|amount| self.some_amount(&amount));
        let all = [Per::Claim, Per::Day, Per::Stay, Per::Cause, Per::Period, Per::Lifetime];
        let per = self.per(&mut table, "per", &all);
        let when = self.condition_of(&mut table, "when");
        self.close(table);
        Some(Limit { amount: amount?, per: per?, when })
    }

    pub(super) fn day_limit(&mut self, value: Value<'d>) -> Option<DayLimit> {
        let mut table = self.inner(value)?;
        let days = self.need(&mut table, "days", "write days = 180");
        let days = days.and_then(|days| self.count(&days, 1, 10_000));
        let all = [Per::Claim, Per::Stay, Per::Cause, Per::Period, Per::Lifetime];
        let per = self.per(&mut table, "per", &all);
        self.close(table);
        Some(DayLimit { days: days?, per: per? })
    }

    pub(super) fn tier(&mut self, value: Value<'d>) -> Option<Tier> {
        let mut table = self.inner(value)?;
        let up_to = self.take(&mut table, "up_to").and_then(|up_to| self.some_amount(&up_to));
        let rate = self.need(&mut table, "rate", "write rate = \"0.85\"");
        let rate = rate.and_then(|rate| self.rate(&rate));
        self.close(table);
        Some(Tier { up_to, rate: rate? })
    }

    pub(super) fn lower_rate(&mut self, value: Value<'d>) -> Option<LowerRate> {
        let mut table = self.inner(value)?;
        let rate = self.need(&mut table, "rate", "write rate = \"0.5\"");
        let rate = rate.and_then(|rate| self.rate(&rate));
        let when = self.condition_of(&mut table, "when");
        self.close(table);
        Some(LowerRate { rate: rate?, when })
    }
}
