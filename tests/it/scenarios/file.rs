//! The form of a scenario file, and what it means for the engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use greenlane::core::day::Moment;
use greenlane::core::member::Roster;
use greenlane::core::money::Fen;
use greenlane::core::settlement::Settlement;
use serde::Deserialize;
use serde_json::{Value, json};

/// One idea, with the claims that show it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    #[serde(skip)]
    pub name: String,
    pub title: String,
    pub idea: String,
    pub source: String,
    plan: Option<PathBuf>,
    plans: Option<Vec<PathBuf>>,
    plan_document: Option<String>,
    #[serde(default)]
    member: MemberTable,
    pub claims: Vec<ClaimTable>,
    /// What happens later, one thing after the other.
    #[serde(default)]
    pub later: Vec<LaterTable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberTable {
    coverages: Option<Vec<SpanTable>>,
    #[serde(default)]
    classes: Vec<ClassTable>,
    #[serde(default)]
    illnesses: Vec<IllnessTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpanTable {
    start: String,
    end: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassTable {
    class: String,
    grade: Option<u8>,
    start: String,
    end: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IllnessTable {
    diagnosis: String,
    since: String,
}

/// A bill or an event, and what it comes to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimTable {
    pub id: String,
    admitted: Option<String>,
    discharged: Option<String>,
    settled: Option<String>,
    received: Option<String>,
    category: Option<String>,
    diagnosis: Option<String>,
    hospital: Option<String>,
    hospital_level: Option<String>,
    region: Option<String>,
    visit: Option<String>,
    total: Option<String>,
    funds: Option<String>,
    #[serde(default)]
    fund_list: Vec<FundTable>,
    hospital_borne: Option<String>,
    out_of_catalogue: Option<String>,
    over_limit: Option<String>,
    advance: Option<String>,
    in_scope: Option<String>,
    basic_deductible: Option<String>,
    account: Option<String>,
    #[serde(default)]
    without_basic_insurance: bool,
    #[serde(default)]
    lines: Vec<LineTable>,
    event: Option<EventTable>,
    pub expect: Expected,
}

/// Something that happens after all claims have come in, and what every claim then comes to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaterTable {
    pub what: What,
    pub claim: Option<String>,
    pub amount: Option<String>,
    pub class: Option<String>,
    pub payouts: BTreeMap<String, String>,
    pub why: String,
}

/// What can happen later.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Nothing: only look.
    Nothing,
    /// Basic insurance takes the settlement back.
    Reversed,
    /// A reviewer approves, whole or with an amount.
    Approved,
    /// A reviewer denies.
    Denied,
    /// A payer before the plan pays something after the settlement.
    PaidLate,
    /// The roster gives another class, from the first day on.
    Class,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FundTable {
    code: String,
    amount: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineTable {
    no: String,
    name: Option<String>,
    code: Option<String>,
    class: Option<String>,
    total: String,
    out_of_catalogue: Option<String>,
    over_limit: Option<String>,
    advance: Option<String>,
    in_scope: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventTable {
    kind: String,
    date: String,
    cause: Option<String>,
    grade: Option<u8>,
    #[serde(default)]
    circumstances: Vec<String>,
    #[serde(default)]
    documents: Vec<Value>,
}

/// What a claim comes to, with the arithmetic by hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub state: String,
    pub payout: String,
    pub patient_share: Option<String>,
    pub denial: Option<String>,
    #[serde(default)]
    pub reasons: Vec<String>,
    #[serde(default)]
    pub steps: Vec<String>,
    #[serde(default)]
    pub adjustments: BTreeMap<String, String>,
    pub why: String,
}

/// Every TOML file of a directory, by name.
fn toml_files(directory: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root().join(directory))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    paths
}

/// The plans that are shipped, with their texts.
pub fn shipped_plans() -> Vec<(String, String)> {
    let read =
        |path: PathBuf| (path.display().to_string(), std::fs::read_to_string(&path).unwrap());
    toml_files("deploy/plans").into_iter().map(read).collect()
}

/// Every scenario below `tests/scenarios`, by file name.
pub fn all() -> Vec<Scenario> {
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario: Scenario =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        Scenario { name, ..scenario }
    };
    toml_files("tests/scenarios").into_iter().map(read).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn fen(yuan: &str) -> Fen {
    Fen::parse_yuan(yuan).unwrap_or_else(|error| panic!("{yuan}: {error}"))
}

/// An instant of a day: noon.
pub fn noon(day: &str) -> Moment {
    Moment::parse_local(&format!("{day} 12:00:00")).unwrap_or_else(|| panic!("{day} is no day"))
}

impl Scenario {
    /// The texts of its plan's versions.
    pub fn documents(&self) -> Vec<String> {
        let files = self.plans.iter().flatten().chain(&self.plan);
        let read = |path: &PathBuf| {
            std::fs::read_to_string(root().join(path))
                .unwrap_or_else(|error| panic!("{}: {}: {error}", self.name, path.display()))
        };
        files.map(read).chain(self.plan_document.clone()).collect()
    }

    /// The member with another class from the first day on.
    pub fn roster_with(&self, plan_id: &str, class: &str) -> Roster {
        let class = json!([{"class_code": class, "start": "2000-01-01"}]);
        let classes = serde_json::from_value(class).unwrap();
        Roster { classes, ..self.roster(plan_id) }
    }

    /// The member: covered the whole time unless the scenario says else, with a known payee.
    pub fn roster(&self, plan_id: &str) -> Roster {
        let always = vec![SpanTable { start: "2000-01-01".into(), end: None }];
        let spans = self.member.coverages.as_ref().unwrap_or(&always);
        let coverage = |it: &SpanTable| {
            without_nulls(json!({"plan_id": plan_id, "start": it.start, "end": it.end}))
        };
        let class = |it: &ClassTable| {
            without_nulls(json!({
                "class_code": it.class, "grade": it.grade, "start": it.start, "end": it.end,
            }))
        };
        let illness =
            |it: &IllnessTable| json!({"diagnosis_code": it.diagnosis, "since_date": it.since});
        serde_json::from_value(json!({
            "external_id": "scenario", "cert_type": "01", "cert_no": "370299195001010016",
            "name": "测试员",
            "classes": self.member.classes.iter().map(class).collect::<Vec<_>>(),
            "illnesses": self.member.illnesses.iter().map(illness).collect::<Vec<_>>(),
            "coverages": spans.iter().map(coverage).collect::<Vec<_>>(),
            "payee": {"kind": "MEMBER", "account_name": "测试员", "account_no": "62"},
        }))
        .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

impl ClaimTable {
    /// When the claim came in.
    pub fn received(&self) -> Moment {
        let event_day = self.event.as_ref().map(|event| &event.date);
        let day = self.received.as_ref().or(self.settled.as_ref()).or(event_day);
        noon(day.expect("a bill says when it was settled"))
    }

    /// The facts as the engine takes them.
    pub fn settlement(&self) -> Arc<Settlement> {
        let mut facts = json!({
            "source": "370200", "settlement_id": self.id.replace(' ', "-"),
            "person": {"cert_type": "01", "cert_no": "370299195001010016"},
            "amounts": self.amounts(),
        });
        let mut set = |key: &str, value: Value| {
            if !value.is_null() {
                facts[key] = value;
            }
        };
        if let Some(event) = &self.event {
            let event = without_nulls(json!({
                "kind": event.kind, "event_date": event.date, "cause": event.cause,
                "grade": event.grade, "circumstances": event.circumstances,
                "documents": event.documents,
            }));
            set("event", event);
        } else {
            set("medical_category", json!(self.category.as_deref().unwrap_or("21")));
            set("admission_date", json!(self.admitted));
            set("discharge_date", json!(self.discharged));
            let settled = self.settled.as_ref().map(|day| noon(day).micros());
            set("settle_time", json!(settled));
            set("hospital_code", json!(self.hospital));
            set("hospital_level", json!(self.hospital_level));
            set("region", json!(self.region));
            set("visit_id", json!(self.visit));
            set("without_basic_insurance", json!(self.without_basic_insurance));
            let diagnosis = |code: &String| json!([{"code": code, "name": ""}]);
            set("diagnoses", self.diagnosis.as_ref().map(diagnosis).unwrap_or_default());
            let fund = |it: &FundTable| json!({"fund_code": it.code, "amount": fen(&it.amount)});
            set("funds", json!(self.fund_list.iter().map(fund).collect::<Vec<_>>()));
            set("lines", json!(self.lines.iter().map(line).collect::<Vec<_>>()));
        }
        let settlement = serde_json::from_value(facts);
        Arc::new(settlement.unwrap_or_else(|error| panic!("{}: {error}", self.id)))
    }

    fn amounts(&self) -> Value {
        let amount = |text: &Option<String>| text.as_deref().map(fen);
        let total = amount(&self.total).unwrap_or_default();
        let listed: Fen = self.fund_list.iter().map(|fund| fen(&fund.amount)).sum();
        let funds = amount(&self.funds).unwrap_or(listed);
        let hospital = amount(&self.hospital_borne).unwrap_or_default();
        without_nulls(json!({
            "total": total, "fund_total": funds, "hospital_borne": hospital,
            "personal_total": total - funds - hospital,
            "out_of_catalogue": amount(&self.out_of_catalogue),
            "over_limit": amount(&self.over_limit),
            "advance_self_pay": amount(&self.advance),
            "in_scope": amount(&self.in_scope),
            "basic_deductible": amount(&self.basic_deductible),
            "account": amount(&self.account),
        }))
    }
}

fn line(it: &LineTable) -> Value {
    let amount = |text: &Option<String>| text.as_deref().map(fen);
    without_nulls(json!({
        "line_no": it.no, "item_name": it.name, "item_code": it.code, "charge_class": it.class,
        "total": fen(&it.total), "out_of_catalogue": amount(&it.out_of_catalogue),
        "over_limit": amount(&it.over_limit), "advance_self_pay": amount(&it.advance),
        "in_scope": amount(&it.in_scope),
    }))
}

fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.retain(|_, value| !value.is_null());
    }
    value
}
