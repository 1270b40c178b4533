//! A plan as a document: what [`super::read`] reads back.

use std::fmt::{Display, Write};

use serde::Serialize;

use crate::core::decision::code;
use crate::core::money::Fen;
use crate::core::plan::{
    AccountMoney, Benefit, ClaimOrder, Condition, Deductible, Group, Indemnity, Limit,
    LineSelector, LinesAbsent, Per, Plan, RecoveryMode, Responsibility, Share,
};

/// A document of a plan. Reading it gives the plan again, but for the hash; what a document leaves
/// out is left out.
pub fn render(plan: &Plan) -> String {
    let mut out = Keys::default();
    out.text("plan_id", &plan.plan_id);
    out.text("version", &plan.version);
    out.text("name", &plan.name);
    out.text("start_date", plan.start_date);
    out.maybe("end_date", plan.end_date.map(quoted));
    out.text("period_start", plan.period_start);
    out.text("attribution", code(&plan.attribution));
    out.text("payment_mode", code(&plan.payment_mode));
    let is_set = plan.rounding != crate::core::money::Rounding::default();
    out.maybe("rounding", is_set.then(|| quoted(code(&plan.rounding))));
    let is_set = plan.account_money != AccountMoney::default();
    out.maybe("account_money", is_set.then(|| quoted(code(&plan.account_money))));
    let is_set = plan.lines_absent != LinesAbsent::default();
    out.maybe("lines_absent", is_set.then(|| quoted(code(&plan.lines_absent))));
    let is_set = plan.claim_order != ClaimOrder::default();
    out.maybe("claim_order", is_set.then(|| quoted(code(&plan.claim_order))));
    let is_set = plan.recovery != RecoveryMode::default();
    out.maybe("recovery", is_set.then(|| quoted(code(&plan.recovery))));
    out.maybe("filing_days", plan.filing_days);
    out.maybe("renewal_gap_days", (plan.renewal_gap_days > 0).then_some(plan.renewal_gap_days));
    out.list("later_payers", &plan.later_payers);
    out.codes("required_facts", &plan.required_facts);
    out.put("routing.green_ceiling", amount(plan.green_ceiling));
    out.maybe("routing.four_eyes_above", plan.four_eyes_above.map(amount));
    let mut text = out.lines();
    for responsibility in &plan.responsibilities {
        text += "\n[[responsibilities]]\n";
        text += &responsibility_keys(responsibility).lines();
    }
    for group in &plan.groups {
        text += "\n[[groups]]\n";
        text += &group_keys(group).lines();
    }
    for exclusion in &plan.exclusions {
        let mut out = Keys::default();
        out.text("name", &exclusion.name);
        out.selector(&exclusion.lines);
        text += "\n[[exclusions]]\n";
        text += &out.lines();
    }
    for cap in &plan.item_caps {
        let mut out = Keys::default();
        out.text("name", &cap.name);
        out.selector(&cap.lines);
        out.put("amount", amount(cap.amount));
        out.text("per", code(&cap.per));
        text += "\n[[item_caps]]\n";
        text += &out.lines();
    }
    text + &super::rules::render(&plan.rules) + &super::clocks::render(&plan.clocks)
}

fn responsibility_keys(responsibility: &Responsibility) -> Keys {
    let mut out = Keys::default();
    out.text("id", &responsibility.id);
    out.text("name", &responsibility.name);
    out.condition("when", &responsibility.when);
    if let Some(waiting) = &responsibility.waiting {
        let mut inner = Keys::default();
        inner.put("days", waiting.days);
        if let Some(unless) = &waiting.unless {
            inner.condition("unless", unless);
        }
        out.put("waiting", inner.inline());
    }
    match &responsibility.benefit {
        Benefit::Indemnity(benefit) => indemnity_keys(&mut out, benefit),
        Benefit::PerDiem(benefit) => {
            let mut inner = Keys::default();
            inner.put("amount", amount(benefit.amount));
            inner.maybe("after_days", (benefit.after_days > 0).then_some(benefit.after_days));
            inner.tables(
                "day_limits",
                benefit.day_limits.iter().map(|limit| {
                    let mut inner = Keys::default();
                    inner.put("days", limit.days);
                    inner.text("per", code(&limit.per));
                    inner
                }),
            );
            out.put("per_diem", inner.inline());
        }
        Benefit::FixedSum(benefit) => {
            let mut inner = Keys::default();
            inner.text("event", &benefit.event);
            inner.put("amount", amount(benefit.amount));
            let grades: Vec<String> = benefit.grades.iter().map(|it| it.decimal()).collect();
            inner.list("grades", &grades);
            out.put("fixed_sum", inner.inline());
        }
    }
    out.limits(&responsibility.limits);
    out
}

fn indemnity_keys(out: &mut Keys, benefit: &Indemnity) {
    out.codes("base", &benefit.base);
    if let Some(items) = &benefit.items {
        let mut inner = Keys::default();
        inner.selector(items);
        out.put("items", inner.inline());
    }
    if let Some(max) = &benefit.base_max {
        let mut inner = Keys::default();
        inner.put("amount", amount(max.amount));
        inner.text("per", code(&max.per));
        out.put("base_max", inner.inline());
    }
    out.deductible(benefit.deductible.as_ref());
    match &benefit.share {
        Share::Rate(rate) => out.text("rate", rate.decimal()),
        Share::RaiseTo(rate) => out.text("raise_to", rate.decimal()),
        Share::Tiers { per, tiers } => {
            out.tables(
                "tiers",
                tiers.iter().map(|tier| {
                    let mut inner = Keys::default();
                    inner.maybe("up_to", tier.up_to.map(amount));
                    inner.text("rate", tier.rate.decimal());
                    inner
                }),
            );
            out.maybe("tiers_per", (*per != Per::Period).then(|| quoted(code(per))));
        }
    }
    out.tables(
        "lower_rates",
        benefit.lower_rates.iter().map(|lower| {
            let mut inner = Keys::default();
            inner.text("rate", lower.rate.decimal());
            inner.condition("when", &lower.when);
            inner
        }),
    );
    out.maybe("out_of_pocket_max", benefit.out_of_pocket_max.map(amount));
}

fn group_keys(group: &Group) -> Keys {
    let mut out = Keys::default();
    out.text("id", &group.id);
    out.text("name", &group.name);
    out.list("responsibilities", &group.responsibilities);
    out.deductible(group.deductible.as_ref());
    out.maybe("out_of_pocket_max", group.out_of_pocket_max.map(amount));
    out.limits(&group.limits);
    out
}

/// `key = value` pairs of a table, values as TOML writes them.
#[derive(Default)]
pub(super) struct Keys(Vec<(&'static str, String)>);

impl Keys {
    pub(super) fn lines(&self) -> String {
        let mut out = String::new();
        for (key, value) in &self.0 {
            let _ = writeln!(out, "{key} = {value}");
        }
        out
    }

    pub(super) fn inline(&self) -> String {
        format!("{{ {} }}", self.pairs())
    }

    /// The pairs after each other.
    pub(super) fn pairs(&self) -> String {
        let pairs: Vec<String> =
            self.0.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        pairs.join(", ")
    }

    /// A list whose absence would mean something else than none.
    pub(super) fn whole_list(&mut self, key: &'static str, values: &[String]) {
        if values.is_empty() {
            self.put(key, "[]");
        }
        self.list(key, values);
    }

    pub(super) fn put(&mut self, key: &'static str, value: impl Display) {
        self.0.push((key, value.to_string()));
    }

    pub(super) fn maybe(&mut self, key: &'static str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    pub(super) fn text(&mut self, key: &'static str, value: impl Display) {
        self.put(key, quoted(value));
    }

    pub(super) fn list(&mut self, key: &'static str, values: &[impl AsRef<str>]) {
        if !values.is_empty() {
            let values: Vec<String> = values.iter().map(|it| quoted(it.as_ref())).collect();
            self.put(key, format!("[{}]", values.join(", ")));
        }
    }

    pub(super) fn codes<T: Serialize>(&mut self, key: &'static str, values: &[T]) {
        let values: Vec<String> = values.iter().map(code).collect();
        self.list(key, &values);
    }

    pub(super) fn tables(&mut self, key: &'static str, tables: impl Iterator<Item = Keys>) {
        let tables: Vec<String> = tables.map(|table| table.inline()).collect();
        if !tables.is_empty() {
            self.put(key, format!("[{}]", tables.join(", ")));
        }
    }

    pub(super) fn selector(&mut self, lines: &LineSelector) {
        self.list("item_codes", &lines.item_codes);
        self.list("charge_classes", &lines.charge_classes);
        self.list("keywords", &lines.keywords);
    }

    fn deductible(&mut self, deductible: Option<&Deductible>) {
        let Some(deductible) = deductible else { return };
        let mut inner = Keys::default();
        inner.put("amount", amount(deductible.amount));
        inner.text("per", code(&deductible.per));
        inner.tables(
            "claim_free",
            deductible.claim_free.iter().map(|step| {
                let mut inner = Keys::default();
                inner.put("years", step.years);
                inner.put("amount", amount(step.amount));
                inner
            }),
        );
        self.put("deductible", inner.inline());
    }

    fn limits(&mut self, limits: &[Limit]) {
        self.tables(
            "limits",
            limits.iter().map(|limit| {
                let mut inner = Keys::default();
                inner.put("amount", amount(limit.amount));
                inner.text("per", code(&limit.per));
                inner.condition("when", &limit.when);
                inner
            }),
        );
    }

    fn condition(&mut self, key: &'static str, when: &Condition) {
        if when.is_always() {
            return;
        }
        let mut inner = Keys::default();
        inner.list("medical_categories", &when.medical_categories);
        inner.list("diagnoses", &when.diagnoses);
        inner.list("not_diagnoses", &when.not_diagnoses);
        inner.codes("causes", &when.causes);
        inner.list("hospital_levels", &when.hospital_levels);
        inner.list("hospital_codes", &when.hospital_codes);
        inner.list("regions", &when.regions);
        inner.list("not_regions", &when.not_regions);
        inner.tables(
            "classes",
            when.classes.iter().map(|range| {
                let mut inner = Keys::default();
                inner.text("class", &range.class);
                inner.maybe(
                    "grades",
                    range.grades.map(|(first, last)| format!("[{first}, {last}]")),
                );
                inner
            }),
        );
        inner.maybe("pre_existing", when.pre_existing);
        inner.maybe("basic_insurance", when.basic_insurance);
        inner.list("circumstances", &when.circumstances);
        self.put(key, inner.inline());
    }
}

/// Yuan without separators, in quotes.
pub(super) fn amount(amount: Fen) -> String {
    format!("\"{}.{:02}\"", amount.fen() / 100, amount.fen() % 100)
}

pub(super) fn quoted(text: impl Display) -> String {
    toml::Value::String(text.to_string()).to_string()
}
