//! Plan documents: TOML, checked as a whole, every problem reported at its line.
//!
//! Amounts and rates are strings, because TOML reads numbers as floats. Every key is described in
//! `deploy/plans/README.md`.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{
    AccountMoney, Attribution, Benefit, ClaimOrder, LinesAbsent, PaymentMode, Plan, Plans,
    RecoveryMode, Responsibility,
};
use crate::core::day::PeriodStart;
use crate::core::money::{Fen, Rounding};

mod clocks;
mod parts;
pub(crate) mod reader;
mod render;
mod responsibility;
pub(crate) mod rules;
mod soundness;

pub use render::render;

use reader::{Reader, Table, Value};

/// The most responsibilities of a plan.
const RESPONSIBILITIES_MAX: usize = 64;

/// The largest document: a plan is a few kilobytes.
pub const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;

/// One thing wrong with a plan document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PlanProblem {
    /// Counted from 1; 0 where the problem has no place.
    pub line: usize,
    /// The key, as a path.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right, perhaps empty.
    pub hint: String,
}

impl PlanProblem {
    /// What is wrong and what would be right.
    pub fn told(&self) -> String {
        if self.hint.is_empty() {
            self.problem.clone()
        } else {
            format!("{} ({})", self.problem, self.hint)
        }
    }
}

impl fmt::Display for PlanProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.key, self.told())
    }
}

/// Reads and checks a plan document: all problems at once, by line. A text that is no TOML has one
/// problem, its first. Whether the parts make sense together is looked at once each can be read.
pub fn read(document: &str) -> Result<Plan, Vec<PlanProblem>> {
    read_with(document, soundness::check)
}

/// Reads a document that was published before. It was sound by the rules of its day, and rules that
/// came later do not make it unreadable.
pub fn read_published(document: &str) -> Result<Plan, Vec<PlanProblem>> {
    read_with(document, |_, _| {})
}

fn read_with(
    document: &str,
    check: impl FnOnce(&Plan, &mut Reader<'_>),
) -> Result<Plan, Vec<PlanProblem>> {
    let mut reader = Reader::new(document);
    let table = reader.root(document).map_err(|problem| vec![problem])?;
    let plan = reader.plan(table, document);
    // An unknown key hides nothing of what the others say together.
    let is_whole = reader.problems.iter().all(|problem| problem.problem == reader::UNKNOWN);
    if is_whole && let Some(plan) = &plan {
        check(plan, &mut reader);
    }
    reader.problems.sort_by_key(|problem| problem.line);
    match plan {
        Some(plan) if reader.problems.is_empty() => Ok(plan),
        _ => Err(reader.problems),
    }
}

impl<'d> Reader<'d> {
    fn plan(&mut self, mut table: Table<'d>, document: &'d str) -> Option<Plan> {
        let plan = self.parts_of_plan(&mut table, document);
        self.close(table);
        plan
    }

    fn parts_of_plan(&mut self, table: &mut Table<'d>, document: &'d str) -> Option<Plan> {
        let plan_id = self.need(table, "plan_id", "write plan_id = \"my-plan\"");
        let plan_id = plan_id.and_then(|value| self.id(&value));
        let version = self.need(table, "version", "write version = \"2024.1\"");
        let version = version.and_then(|value| self.id(&value));
        let name = self.need(table, "name", "name it for people");
        let name = name.and_then(|value| self.text(&value));
        let start_date = self.need(table, "start_date", "write start_date = \"2024-01-01\"");
        let start_date = start_date.and_then(|value| self.day(&value));
        let end_date = self.take(table, "end_date").and_then(|value| self.day(&value));
        let period_start = self.need(table, "period_start", "write period_start = \"01-01\"");
        let problem = "must be a day that every year has, such as \"07-01\"";
        let period_start =
            period_start.and_then(|value| self.parsed(&value, PeriodStart::parse, problem));
        let hint = "write attribution = \"settlement\", \"discharge\" or \"admission\"";
        let attribution = self.need(table, "attribution", hint);
        let attribution: Option<Attribution> = attribution.and_then(|value| self.choice(&value));
        let hint = "write payment_mode = \"transfer\" or \"hospital_deducts\"";
        let payment_mode = self.need(table, "payment_mode", hint);
        let payment_mode: Option<PaymentMode> = payment_mode.and_then(|value| self.choice(&value));
        let rounding = self.take(table, "rounding");
        let rounding: Option<Rounding> = rounding.and_then(|value| self.choice(&value));
        let account_money = self.take(table, "account_money");
        let account_money: Option<AccountMoney> =
            account_money.and_then(|value| self.choice(&value));
        let lines_absent = self.take(table, "lines_absent");
        let lines_absent: Option<LinesAbsent> = lines_absent.and_then(|value| self.choice(&value));
        let filing_days =
            self.take(table, "filing_days").and_then(|value| self.count(&value, 1, 3660));
        let gap = self.take(table, "renewal_gap_days");
        let gap = gap.and_then(|value| self.count(&value, 0, 366));
        let later_payers = self.each(table, "later_payers", |reader, it| reader.digits(&it));
        let required_facts = self.each(table, "required_facts", |reader, it| reader.choice(&it));
        let claim_order = self.take(table, "claim_order");
        let claim_order: Option<ClaimOrder> = claim_order.and_then(|value| self.choice(&value));
        let recovery = self.take(table, "recovery");
        let recovery: Option<RecoveryMode> = recovery.and_then(|value| self.choice(&value));
        let (green_ceiling, four_eyes_above) = self.routing(table);
        let responsibilities = self.need(table, "responsibilities", "write [[responsibilities]]");
        let responsibilities = self.responsibilities(responsibilities);
        let groups = self.each(table, "groups", Reader::group);
        let exclusions = self.each(table, "exclusions", Reader::exclusion);
        let item_caps = self.each(table, "item_caps", Reader::item_cap);
        let rules = self.rules(table);
        let clocks = self.clocks(table);
        Some(Plan {
            plan_id: plan_id?,
            version: version?,
            name: name?,
            start_date: start_date?,
            end_date,
            period_start: period_start?,
            attribution: attribution?,
            payment_mode: payment_mode?,
            rounding: rounding.unwrap_or_default(),
            claim_order: claim_order.unwrap_or_default(),
            recovery: recovery.unwrap_or_default(),
            account_money: account_money.unwrap_or_default(),
            lines_absent: lines_absent.unwrap_or_default(),
            filing_days,
            renewal_gap_days: gap.unwrap_or_default(),
            later_payers,
            required_facts,
            responsibilities,
            groups,
            exclusions,
            item_caps,
            green_ceiling: green_ceiling?,
            four_eyes_above,
            rules,
            clocks,
            hash: hex::encode(Sha256::digest(document)),
        })
    }

    /// The green channel's ceiling, and the amount above which two reviewers are needed.
    fn routing(&mut self, table: &mut Table<'d>) -> (Option<Fen>, Option<Fen>) {
        let hint = "write routing.green_ceiling = \"100000.00\"";
        let routing = self.need(table, "routing", hint);
        let Some(mut routing) = routing.and_then(|routing| self.inner(routing)) else {
            return (None, None);
        };
        let ceiling = self.need(&mut routing, "green_ceiling", hint);
        let ceiling = ceiling.and_then(|value| self.amount(&value));
        let four_eyes = self.take(&mut routing, "four_eyes_above");
        let four_eyes = four_eyes.and_then(|value| self.amount(&value));
        self.close(routing);
        (ceiling, four_eyes)
    }

    fn responsibilities(&mut self, value: Option<Value<'d>>) -> Vec<Responsibility> {
        let Some(value) = value else { return Vec::new() };
        let path = value.path.clone();
        let tables = self.list(value);
        if tables.is_empty() || tables.len() > RESPONSIBILITIES_MAX {
            let problem = format!("must be 1 to {RESPONSIBILITIES_MAX}");
            self.problem(&path, &problem, "write [[responsibilities]]");
        }
        tables.into_iter().filter_map(|table| self.responsibility(table)).collect()
    }
}

/// What a new version must not contradict: attribution and period start belong to the plan.
pub fn check_against(plan: &Plan, published: &Plans) -> Vec<PlanProblem> {
    let Some(first) = published.versions(&plan.plan_id).first() else { return Vec::new() };
    let mut problems = Vec::new();
    let mut must_equal = |key: &str, holds: bool, value: String| {
        if !holds {
            let problem = format!("belongs to the plan, not to a version: it must stay {value}");
            problems.push(PlanProblem { line: 0, key: key.into(), problem, hint: String::new() });
        }
    };
    let same_period = plan.period_start == first.period_start;
    must_equal("period_start", same_period, format!("\"{}\"", first.period_start));
    let same_attribution = plan.attribution == first.attribution;
    let kept = crate::core::decision::code(&first.attribution);
    must_equal("attribution", same_attribution, format!("\"{kept}\""));
    let same_order = plan.claim_order == first.claim_order;
    let kept = crate::core::decision::code(&first.claim_order);
    must_equal("claim_order", same_order, format!("\"{kept}\""));
    for other in published.versions(&plan.plan_id) {
        if other.version != plan.version && other.start_date == plan.start_date {
            let problem = format!("version {} starts on that day already", other.version);
            let hint = String::new();
            problems.push(PlanProblem { line: 0, key: "start_date".into(), problem, hint });
        }
        for (key, id, ours) in kinds(plan) {
            let theirs = kinds(other).find(|(_, known, kind)| *known == id && *kind != ours);
            if let Some((_, _, theirs)) = theirs {
                let problem = format!("is the id of {theirs} in version {}", other.version);
                let hint = "counters are kept by id: take another".to_owned();
                problems.push(PlanProblem { line: 0, key, problem, hint });
            }
        }
    }
    problems
}

/// Every id that counters are kept under, with its key and what it names.
fn kinds(plan: &Plan) -> impl Iterator<Item = (String, &str, &'static str)> {
    let kind = |benefit: &Benefit| match benefit {
        Benefit::Indemnity(_) => "an indemnity",
        Benefit::PerDiem(_) => "a per-diem",
        Benefit::FixedSum(_) => "a fixed sum",
    };
    let responsibilities = plan.responsibilities.iter().enumerate().map(move |(index, it)| {
        (format!("responsibilities[{index}].id"), it.id.as_str(), kind(&it.benefit))
    });
    let groups = plan.groups.iter().enumerate();
    let groups =
        groups.map(|(index, it)| (format!("groups[{index}].id"), it.id.as_str(), "a group"));
    responsibilities.chain(groups)
}

#[cfg(test)]
mod tests;
