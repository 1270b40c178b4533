//! Routing rules in a document: `[rules.<name>]`, each with its thresholds and what follows.

use rust_decimal::Decimal;

use super::reader::{Reader, Table, Value};
use super::render::{Keys, amount, quoted};
use crate::core::decision::code;
use crate::core::identity_card::Sex;
use crate::core::money::{Fen, Rate};
use crate::core::plan::CapPer;
use crate::core::rules::{Action, GoesWith, QuantityMax, Rule, Signs, Test, catalogue};
use crate::core::settlement::Quantity;

/// Ten years: more than any programme looks back, or gives for notice.
const DAYS_MAX: u16 = 3_660;

impl<'d> Reader<'d> {
    /// The rules that a document names, by number. What it leaves out of one is as usual.
    pub(super) fn rules(&mut self, table: &mut Table<'d>) -> Vec<Rule> {
        let Some(value) = self.take(table, "rules") else { return Vec::new() };
        let Some(mut rules) = self.inner(value) else { return Vec::new() };
        let mut read = Vec::new();
        for usual in catalogue() {
            let Some(value) = self.take(&mut rules, usual.name) else { continue };
            let path = value.path.clone();
            let Some(mut rule) = self.inner(value) else { continue };
            let action: Option<Action> =
                self.take(&mut rule, "action").and_then(|value| self.choice(&value));
            let mut test = usual.test;
            self.thresholds(&path, &mut rule, &mut test);
            self.close(rule);
            read.push(Rule { action: action.unwrap_or(usual.action), test });
        }
        self.close(rules);
        read
    }

    fn thresholds(&mut self, path: &str, table: &mut Table<'d>, test: &mut Test) {
        match test {
            Test::OverlappingStays { transfer_days } => {
                self.days(table, "transfer_days", transfer_days);
            }
            Test::Readmission { days, transfer_days, exempt_diagnoses } => {
                self.days(table, "days", days);
                self.days(table, "transfer_days", transfer_days);
                self.listed(table, "exempt_diagnoses", exempt_diagnoses);
            }
            Test::LowIntensity { stay_days, share, charge_classes } => {
                self.days(table, "stay_days", stay_days);
                self.least_share(table, share);
                self.listed(table, "charge_classes", charge_classes);
            }
            Test::LengthOutlier { baseline, deviations }
            | Test::CostOutlier { baseline, deviations } => {
                self.named(table, "baseline", baseline);
                if let Some(value) = self.take(table, "deviations") {
                    let problem = "must be a number above 0 up to 20 in quotes, such as \"3\"";
                    *deviations = self.parsed(&value, deviation, problem).unwrap_or_default();
                }
            }
            Test::Death { discharge_ways } => {
                self.listed(table, "discharge_ways", discharge_ways);
            }
            Test::CrossRegion { home } => self.listed(table, "home", home),
            Test::LateNotice { days } => self.days(table, "days", days),
            Test::CumulativeCeiling { amount } => {
                let hint = "write amount = \"200000.00\"";
                let value = self.need(table, "amount", hint);
                *amount = value.and_then(|value| self.some_amount(&value)).unwrap_or_default();
            }
            Test::Quantity { items } => {
                *items = self.each(table, "items", Reader::quantity_max);
                if items.is_empty() {
                    self.problem(&format!("{path}.items"), "is missing", "name what is counted");
                }
            }
            Test::Injury(signs) | Test::Maternity(signs) => self.signs(table, signs),
            Test::ManualReimbursement { pay_locations } => {
                self.listed(table, "pay_locations", pay_locations);
            }
            Test::OutOfCatalogue { share } => self.least_share(table, share),
            Test::SenderPayout { tolerance } => {
                *tolerance = self.take(table, "tolerance").and_then(|it| self.amount(&it));
            }
            Test::SexAge { conflicts } => {
                if table.has("conflicts") {
                    *conflicts = self.each(table, "conflicts", Reader::goes_with);
                }
            }
            Test::SharedAccount { accounts, persons } => {
                self.named(table, "accounts", accounts);
                if let Some(value) = self.take(table, "persons") {
                    *persons = self.count(&value, 1, 1000).unwrap_or_default();
                }
            }
            Test::DuplicateInvoice
            | Test::DuplicateStay
            | Test::NothingBilled
            | Test::ClassEnded
            | Test::WeakIdentity
            | Test::NameDiffers => {}
        }
    }

    fn days(&mut self, table: &mut Table<'d>, key: &'static str, days: &mut u16) {
        if let Some(value) = self.take(table, key) {
            *days = self.count(&value, 0, DAYS_MAX).unwrap_or_default();
        }
    }

    fn least_share(&mut self, table: &mut Table<'d>, share: &mut Rate) {
        if let Some(value) = self.take(table, "share") {
            *share = self.rate(&value).unwrap_or(*share);
        }
    }

    fn listed(&mut self, table: &mut Table<'d>, key: &'static str, list: &mut Vec<String>) {
        if table.has(key) {
            *list = self.texts(table, key);
        }
    }

    fn named(&mut self, table: &mut Table<'d>, key: &'static str, id: &mut String) {
        let value = self.need(table, key, "name the published figures by their id");
        *id = value.and_then(|value| self.id(&value)).unwrap_or_default();
    }

    fn signs(&mut self, table: &mut Table<'d>, signs: &mut Signs) {
        self.listed(table, "medical_categories", &mut signs.medical_categories);
        self.listed(table, "diagnoses", &mut signs.diagnoses);
        self.listed(table, "funds", &mut signs.funds);
    }

    fn goes_with(&mut self, value: Value<'d>) -> Option<GoesWith> {
        let mut table = self.inner(value)?;
        let diagnoses = self.texts(&mut table, "diagnoses");
        let item_codes = self.texts(&mut table, "item_codes");
        let sex: Option<Sex> = self.take(&mut table, "sex").and_then(|value| self.choice(&value));
        let ages = self.take(&mut table, "ages").and_then(|value| self.ages(value));
        let path = table.path.clone();
        self.close(table);
        if diagnoses.is_empty() && item_codes.is_empty() {
            self.problem(&path, "means nothing", "name diagnoses or item_codes");
        }
        if sex.is_none() && ages.is_none() {
            self.problem(&path, "goes with everybody", "name a sex or ages");
        }
        Some(GoesWith { diagnoses, item_codes, sex, ages })
    }

    fn ages(&mut self, value: Value<'d>) -> Option<(u16, u16)> {
        let path = value.path.clone();
        let entries = self.list(value);
        let ages: Vec<u16> = entries.iter().filter_map(|it| self.count(it, 0, 150)).collect();
        if let [first, last] = ages[..]
            && first <= last
        {
            return Some((first, last));
        }
        self.problem(&path, "must be the first and the last age", "write [12, 55]");
        None
    }

    fn quantity_max(&mut self, value: Value<'d>) -> Option<QuantityMax> {
        let mut table = self.inner(value)?;
        let name = self.need(&mut table, "name", "name it for people");
        let name = name.and_then(|value| self.text(&value));
        let lines = self.lines(&mut table);
        let most = self.need(&mut table, "most", "write most = \"30\"");
        let problem = "must be a number in quotes, such as \"30\" or \"2.5\"";
        let most = most.and_then(|value| self.parsed(&value, Quantity::parse, problem));
        let per = self.need(&mut table, "per", "write per = \"day\"");
        let per: Option<CapPer> = per.and_then(|value| self.choice(&value));
        self.close(table);
        Some(QuantityMax { name: name?, lines, most: most?, per: per? })
    }
}

fn deviation(text: &str) -> Option<Decimal> {
    let number = Decimal::from_str_exact(text).ok()?.normalize();
    (number > Decimal::ZERO && number <= Decimal::from(20) && number.scale() <= 4).then_some(number)
}

/// The tables of rules, each whole.
pub(super) fn render(rules: &[Rule]) -> String {
    let usual = catalogue();
    let mut text = String::new();
    for rule in rules {
        let known = usual.iter().find(|it| it.test.code() == rule.test.code());
        let name = known.expect("every rule is in the catalogue").name;
        let mut out = Keys::default();
        out.text("action", code(&rule.action));
        thresholds(&mut out, &rule.test);
        text += "\n[rules.";
        text += name;
        text += "]\n";
        text += &out.lines();
    }
    text
}

/// The thresholds of a test as a document writes them, in one line.
pub(crate) fn told(test: &Test) -> String {
    let mut out = Keys::default();
    thresholds(&mut out, test);
    out.pairs()
}

fn thresholds(out: &mut Keys, test: &Test) {
    match test {
        Test::OverlappingStays { transfer_days } => out.put("transfer_days", transfer_days),
        Test::Readmission { days, transfer_days, exempt_diagnoses } => {
            out.put("days", days);
            out.put("transfer_days", transfer_days);
            out.whole_list("exempt_diagnoses", exempt_diagnoses);
        }
        Test::LowIntensity { stay_days, share, charge_classes } => {
            out.put("stay_days", stay_days);
            out.text("share", share.decimal());
            out.whole_list("charge_classes", charge_classes);
        }
        Test::LengthOutlier { baseline, deviations }
        | Test::CostOutlier { baseline, deviations } => {
            out.text("baseline", baseline);
            out.text("deviations", deviations);
        }
        Test::Death { discharge_ways } => out.whole_list("discharge_ways", discharge_ways),
        Test::CrossRegion { home } => out.whole_list("home", home),
        Test::LateNotice { days } => out.put("days", days),
        Test::CumulativeCeiling { amount: most } => out.put("amount", amount(*most)),
        Test::Quantity { items } => out.tables("items", items.iter().map(item_keys)),
        Test::Injury(signs) | Test::Maternity(signs) => {
            out.whole_list("medical_categories", &signs.medical_categories);
            out.whole_list("diagnoses", &signs.diagnoses);
            out.whole_list("funds", &signs.funds);
        }
        Test::ManualReimbursement { pay_locations } => {
            out.whole_list("pay_locations", pay_locations);
        }
        Test::OutOfCatalogue { share } => out.text("share", share.decimal()),
        Test::SenderPayout { tolerance } => {
            out.maybe("tolerance", tolerance.map(|fen: Fen| amount(fen)));
        }
        Test::SexAge { conflicts } => out.tables("conflicts", conflicts.iter().map(conflict_keys)),
        Test::SharedAccount { accounts, persons } => {
            out.text("accounts", accounts);
            out.put("persons", persons);
        }
        Test::DuplicateInvoice
        | Test::DuplicateStay
        | Test::NothingBilled
        | Test::ClassEnded
        | Test::WeakIdentity
        | Test::NameDiffers => {}
    }
}

fn item_keys(item: &QuantityMax) -> Keys {
    let mut inner = Keys::default();
    inner.text("name", &item.name);
    inner.selector(&item.lines);
    inner.text("most", item.most);
    inner.text("per", code(&item.per));
    inner
}

fn conflict_keys(conflict: &GoesWith) -> Keys {
    let mut inner = Keys::default();
    inner.list("diagnoses", &conflict.diagnoses);
    inner.list("item_codes", &conflict.item_codes);
    inner.maybe("sex", conflict.sex.map(|sex| quoted(code(&sex))));
    inner.maybe("ages", conflict.ages.map(|(first, last)| format!("[{first}, {last}]")));
    inner
}
