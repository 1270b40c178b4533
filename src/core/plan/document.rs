//! Plan documents: TOML, checked as a whole, every problem reported at its line.
//!
//! Amounts and rates are strings, because TOML reads numbers as floats.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::{
    AccountMoney, Attribution, Benefit, Bucket, Condition, Deductible, Exclusion, Fact, Indemnity,
    Limit, LineSelector, LinesAbsent, PaymentMode, Per, Plan, Plans, Responsibility, Share,
};
use crate::core::day::{Day, PeriodStart};
use crate::core::money::{Fen, Rate, Rounding};

/// The largest document: a plan is a few kilobytes.
pub const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;

/// One thing wrong with a plan document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {key}: {problem}")]
pub struct PlanProblem {
    /// Counted from 1; 0 where the problem has no place.
    pub line: usize,
    /// The key, as a path.
    pub key: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    plan_id: Spanned<String>,
    version: Spanned<String>,
    name: Spanned<String>,
    start_date: Spanned<String>,
    period_start: Spanned<String>,
    attribution: Attribution,
    payment_mode: PaymentMode,
    #[serde(default)]
    required_facts: Vec<Fact>,
    routing: RoutingTable,
    responsibilities: Vec<Spanned<ResponsibilityTable>>,
    #[serde(default)]
    exclusions: Vec<Spanned<ExclusionTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoutingTable {
    green_ceiling: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponsibilityTable {
    id: Spanned<String>,
    name: Spanned<String>,
    #[serde(default)]
    medical_categories: Vec<Spanned<String>>,
    base: Vec<Spanned<Bucket>>,
    deductible: Option<Allowance>,
    rate: Spanned<String>,
    #[serde(default)]
    limits: Vec<Spanned<Allowance>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowance {
    amount: Spanned<String>,
    #[expect(dead_code, reason = "read so that only a known span is accepted")]
    per: AllowanceSpan,
}

/// In which span an amount may be used up. More spans come with more programmes.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum AllowanceSpan {
    Period,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExclusionTable {
    name: Spanned<String>,
    #[serde(default)]
    item_codes: Vec<Spanned<String>>,
    #[serde(default)]
    charge_classes: Vec<Spanned<String>>,
    #[serde(default)]
    keywords: Vec<Spanned<String>>,
}

/// Reads and checks a plan document. All problems at once, except that a text which is no TOML or
/// has an unknown or missing key is reported by its first problem only.
pub fn read(document: &str) -> Result<Plan, Vec<PlanProblem>> {
    let whole = |problem: &str| {
        Err(vec![PlanProblem { line: 0, key: "document".into(), problem: problem.into() }])
    };
    if document.len() > DOCUMENT_BYTES_MAX {
        return whole("must be at most 1 MiB");
    }
    let parsed: Document = match toml::from_str(document) {
        Ok(parsed) => parsed,
        Err(error) => {
            let line = error.span().map_or(0, |span| line_of(document, span.start));
            let problem = error.message().trim().replace('\n', ", ");
            return Err(vec![PlanProblem { line, key: "document".into(), problem }]);
        }
    };
    let mut checks = PlanChecks { document, problems: Vec::new() };
    let plan = checks.plan(parsed);
    if checks.problems.is_empty() {
        Ok(plan)
    } else {
        checks.problems.sort_by_key(|problem| problem.line);
        Err(checks.problems)
    }
}

/// What a new version must not contradict: attribution and period start belong to the plan.
pub fn check_against(plan: &Plan, published: &Plans) -> Vec<PlanProblem> {
    let Some(first) = published.versions(&plan.plan_id).first() else { return Vec::new() };
    let mut problems = Vec::new();
    let mut must_equal = |key: &str, holds: bool, value: String| {
        if !holds {
            let problem = format!("belongs to the plan, not to a version: it must stay {value}");
            problems.push(PlanProblem { line: 0, key: key.into(), problem });
        }
    };
    let same_period = plan.period_start == first.period_start;
    must_equal("period_start", same_period, format!("\"{}\"", first.period_start));
    let same_attribution = plan.attribution == first.attribution;
    let kept = crate::core::decision::code(&first.attribution);
    must_equal("attribution", same_attribution, format!("\"{kept}\""));
    problems
}

fn line_of(document: &str, offset: usize) -> usize {
    let before = document.get(..offset).unwrap_or(document);
    before.matches('\n').count() + 1
}

struct PlanChecks<'a> {
    document: &'a str,
    problems: Vec<PlanProblem>,
}

impl PlanChecks<'_> {
    fn plan(&mut self, parsed: Document) -> Plan {
        let id_offsets: Vec<usize> =
            parsed.responsibilities.iter().map(|table| table.get_ref().id.span().start).collect();
        let responsibilities: Vec<_> = parsed
            .responsibilities
            .into_iter()
            .enumerate()
            .map(|(index, table)| self.responsibility(index, table))
            .collect();
        if responsibilities.is_empty() {
            self.problem("responsibilities", 0, "must name at least one".into());
        }
        for (index, responsibility) in responsibilities.iter().enumerate() {
            let is_taken = |earlier: &Responsibility| earlier.id == responsibility.id;
            if responsibilities[..index].iter().any(is_taken) {
                // Counters carry the id: two benefits must not share one by accident.
                let key = format!("responsibilities[{index}].id");
                self.problem(&key, id_offsets[index], "is the id of an earlier one".into());
            }
        }
        let exclusions = parsed.exclusions.into_iter().enumerate();
        let exclusions = exclusions.map(|(index, table)| self.exclusion(index, table)).collect();
        Plan {
            plan_id: self.id("plan_id", parsed.plan_id),
            version: self.id("version", parsed.version),
            name: self.text("name", parsed.name),
            start_date: self.start_date(&parsed.start_date),
            period_start: self.period_start(&parsed.period_start),
            attribution: parsed.attribution,
            payment_mode: parsed.payment_mode,
            required_facts: parsed.required_facts,
            end_date: None,
            rounding: Rounding::default(),
            account_money: AccountMoney::default(),
            lines_absent: LinesAbsent::default(),
            filing_days: None,
            renewal_gap_days: 0,
            later_payers: vec![],
            groups: vec![],
            item_caps: vec![],
            responsibilities,
            exclusions,
            green_ceiling: self.amount("routing.green_ceiling", &parsed.routing.green_ceiling),
            hash: hex::encode(Sha256::digest(self.document)),
        }
    }

    fn responsibility(
        &mut self,
        index: usize,
        table: Spanned<ResponsibilityTable>,
    ) -> Responsibility {
        let at = table.span().start;
        let table = table.into_inner();
        let key = |name: &str| format!("responsibilities[{index}].{name}");
        if table.base.is_empty() {
            self.problem(&key("base"), at, "must name at least one bucket".into());
        }
        let mut base = Vec::new();
        for bucket in table.base {
            if base.contains(bucket.get_ref()) {
                self.problem(&key("base"), bucket.span().start, "names a bucket twice".into());
            }
            base.push(bucket.into_inner());
        }
        if table.limits.len() > 1 {
            let at = table.limits[1].span().start;
            self.problem(&key("limits"), at, "names the period's limit twice".into());
        }
        let deductible =
            table.deductible.map(|it| self.amount(&key("deductible.amount"), &it.amount));
        let period_limit = table
            .limits
            .first()
            .map(|it| self.amount(&key("limits[0].amount"), &it.get_ref().amount));
        let rate = Rate::parse(table.rate.get_ref()).unwrap_or_else(|| {
            let problem = "must be a string from \"0\" to \"1\" with at most four decimals";
            self.problem(&key("rate"), table.rate.span().start, problem.into());
            Rate::ONE
        });
        Responsibility {
            id: self.id(&key("id"), table.id),
            name: self.text(&key("name"), table.name),
            when: Condition {
                medical_categories: self
                    .texts(&key("medical_categories"), table.medical_categories),
                ..Condition::default()
            },
            waiting: None,
            benefit: Benefit::Indemnity(Indemnity {
                base,
                items: None,
                base_max: None,
                deductible: deductible.map(|amount| Deductible {
                    amount,
                    per: Per::Period,
                    claim_free: vec![],
                }),
                share: Share::Rate(rate),
                lower_rates: vec![],
                out_of_pocket_max: None,
            }),
            limits: period_limit
                .map(|amount| Limit { amount, per: Per::Period, when: Condition::default() })
                .into_iter()
                .collect(),
        }
    }

    fn exclusion(&mut self, index: usize, table: Spanned<ExclusionTable>) -> Exclusion {
        let at = table.span().start;
        let table = table.into_inner();
        let key = |name: &str| format!("exclusions[{index}].{name}");
        let exclusion = Exclusion {
            name: self.text(&key("name"), table.name),
            lines: LineSelector {
                item_codes: self.texts(&key("item_codes"), table.item_codes),
                charge_classes: self.texts(&key("charge_classes"), table.charge_classes),
                keywords: self.texts(&key("keywords"), table.keywords),
            },
        };
        if exclusion.lines.is_empty() {
            let problem = "excludes nothing: name item_codes, charge_classes or keywords";
            self.problem(&format!("exclusions[{index}]"), at, problem.into());
        }
        exclusion
    }

    fn id(&mut self, key: &str, value: Spanned<String>) -> String {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let text = value.get_ref();
        if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
            let problem = "must be 1 to 64 letters, digits, '-', '_' or '.'";
            self.problem(key, value.span().start, problem.into());
        }
        value.into_inner()
    }

    fn text(&mut self, key: &str, value: Spanned<String>) -> String {
        let text = value.get_ref();
        if text.trim().is_empty() || text.chars().count() > 200 {
            self.problem(key, value.span().start, "must be 1 to 200 characters".into());
        }
        if text.chars().any(char::is_control) {
            self.problem(key, value.span().start, "must not contain control characters".into());
        }
        value.into_inner()
    }

    fn texts(&mut self, key: &str, values: Vec<Spanned<String>>) -> Vec<String> {
        let values = values.into_iter().enumerate();
        values.map(|(index, value)| self.text(&format!("{key}[{index}]"), value)).collect()
    }

    fn amount(&mut self, key: &str, value: &Spanned<String>) -> Fen {
        Fen::parse_yuan(value.get_ref()).unwrap_or_else(|error| {
            self.problem(key, value.span().start, error.to_string());
            Fen::ZERO
        })
    }

    fn start_date(&mut self, value: &Spanned<String>) -> Day {
        Day::parse(value.get_ref()).unwrap_or_else(|| {
            let problem = "must be a day such as \"2024-01-01\"";
            self.problem("start_date", value.span().start, problem.into());
            Day::EARLIEST
        })
    }

    fn period_start(&mut self, value: &Spanned<String>) -> PeriodStart {
        PeriodStart::parse(value.get_ref()).unwrap_or_else(|| {
            let problem = "must be a day that every year has, such as \"07-01\"";
            self.problem("period_start", value.span().start, problem.into());
            PeriodStart::NEW_YEAR
        })
    }

    fn problem(&mut self, key: &str, offset: usize, problem: String) {
        let line = line_of(self.document, offset);
        self.problems.push(PlanProblem { line, key: key.into(), problem });
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::core::settlement::Line;

    const SHIPPED: &str = include_str!("../../../deploy/plans/qingdao-rongjun.toml");

    /// Short, valid, and with one of everything, so that a case changes one line.
    const SMALL: &str = r#"plan_id = "p"
version = "1"
name = "N"
start_date = "2024-01-01"
period_start = "01-01"
attribution = "settlement"
payment_mode = "transfer"
[routing]
green_ceiling = "100000.00"
[[responsibilities]]
id = "inpatient"
name = "R"
base = ["in_scope_copay"]
deductible = { amount = "5000.00", per = "period" }
rate = "1"
limits = [{ amount = "300000.00", per = "period" }]
[[exclusions]]
name = "E"
keywords = ["k"]
"#;

    /// Reads [`SMALL`] once for each list of edits, with each `from` replaced by its `to`, and prints
    /// every problem.
    #[track_caller]
    fn check(cases: &[&[(&str, &str)]], expected: &Expect) {
        let mut printed = String::new();
        for edits in cases {
            let mut document = SMALL.to_owned();
            for (from, to) in *edits {
                assert!(document.contains(from), "{from}");
                document = document.replacen(from, to, 1);
            }
            match read(&document) {
                Ok(_) => printed += "reads\n",
                Err(problems) => printed += &text(&problems),
            }
        }
        expected.assert_eq(&printed);
    }

    fn text(problems: &[PlanProblem]) -> String {
        let lines: Vec<String> = problems.iter().map(|problem| format!("{problem}\n")).collect();
        lines.concat()
    }

    fn line(item_name: &str) -> Line {
        let line = serde_json::json!({ "line_no": "1", "item_name": item_name, "total": 12_100 });
        serde_json::from_value(line).unwrap()
    }

    #[test]
    fn the_shipped_plan_reads() {
        let plan = read(SHIPPED).unwrap();
        assert_eq!((plan.plan_id.as_str(), plan.version.as_str()), ("qingdao-rongjun", "2023.1"));
        assert_eq!(plan.start_date, Day::parse("2023-07-01").unwrap());
        assert_eq!(plan.attribution, Attribution::Settlement);
        assert_eq!(plan.payment_mode, PaymentMode::Transfer);
        assert!(plan.required_facts.is_empty());
        assert_eq!(plan.green_ceiling.to_string(), "100,000.00");
    }

    /// A keyword that hits a medicine takes money from a person.
    #[test]
    fn the_shipped_exclusions_miss_medicines_and_treatments() {
        let exclusions = read(SHIPPED).unwrap().exclusions;
        let excluded =
            |name: &str| exclusions.iter().any(|exclusion| exclusion.lines.matches(&line(name)));
        for name in ["陪护床费", "一次性陪护床位费", "护工费", "病员伙食费", "病历复印费"]
        {
            assert!(excluded(name), "{name}");
        }
        for name in [
            "整蛋白型肠内营养剂(含膳食纤维)",
            "上消化道钡餐费",
            "电视胸腔镜手术",
            "心电监护工作站使用费",
            "无陪护病房护理费",
            "血管活性肠肽(VIP)测定",
            "重症监护",
            "特级护理",
            "普通病房床位费",
            "人工血管",
        ] {
            assert!(!excluded(name), "{name}");
        }
    }

    #[test]
    fn each_problem_is_reported_at_its_line() {
        check(
            &[
                &[],
                &[("version", "versoin")],
                &[("name = \"N\"\n", "")],
                &[("\"1\"\nlimits", "1.0\nlimits")],
                &[("\"5000.00\"", "5000.00")],
                &[("5000.00", "5000.005")],
                &[("5000.00", "-1.00")],
                &[("5000.00", "5,000.00")],
                &[("rate = \"1\"", "rate = \"1.5\"")],
                &[("rate = \"1\"", "rate = \"0.12345\"")],
                &[("2024-01-01", "2024-02-30")],
                &[("01-01\"\nattr", "02-29\"\nattr")],
                &[("settlement", "payment")],
                &[("plan_id = \"p\"", "plan_id = \"a b\"")],
                &[("name = \"N\"", "name = \" \"")],
                &[("keywords = [\"k\"]\n", "")],
                &[("keywords = [\"k\"]", "keywords = [\"\"]")],
                &[("[\"in_scope_copay\"]", "[]")],
                &[("[\"in_scope_copay\"]", "[\"over_limit\",\n\"over_limit\"]")],
                &[("per = \"period\"", "per = \"stay\"")],
            ],
            &expect![[r#"
                reads
                line 2: document: unknown field `versoin`, expected one of `plan_id`, `version`, `name`, `start_date`, `period_start`, `attribution`, `payment_mode`, `required_facts`, `routing`, `responsibilities`, `exclusions`
                line 1: document: missing field `name`
                line 15: document: invalid type: floating point `1.0`, expected a string
                line 14: document: invalid type: floating point `5000.0`, expected a string
                line 14: responsibilities[0].deductible.amount: must have at most two decimals
                line 14: responsibilities[0].deductible.amount: must not be negative
                line 14: responsibilities[0].deductible.amount: must be a plain decimal number of yuan such as 1234.56
                line 15: responsibilities[0].rate: must be a string from "0" to "1" with at most four decimals
                line 15: responsibilities[0].rate: must be a string from "0" to "1" with at most four decimals
                line 4: start_date: must be a day such as "2024-01-01"
                line 5: period_start: must be a day that every year has, such as "07-01"
                line 6: document: unknown variant `payment`, expected one of `settlement`, `discharge`, `admission`
                line 1: plan_id: must be 1 to 64 letters, digits, '-', '_' or '.'
                line 3: name: must be 1 to 200 characters
                line 17: exclusions[0]: excludes nothing: name item_codes, charge_classes or keywords
                line 19: exclusions[0].keywords[0]: must be 1 to 200 characters
                line 10: responsibilities[0].base: must name at least one bucket
                line 14: responsibilities[0].base: names a bucket twice
                line 14: document: unknown variant `stay`, expected `period`
            "#]],
        );
    }

    #[test]
    fn a_plan_pays_for_something() {
        let head = SMALL.split("[routing]").next().unwrap();
        let document = format!("{head}responsibilities = []\nrouting.green_ceiling = \"1.00\"\n");
        let problems = read(&document).unwrap_err();
        expect!["line 1: responsibilities: must name at least one"]
            .assert_eq(&problems[0].to_string());
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn several_problems_are_reported_at_once_in_order() {
        check(
            &[&[
                ("2024-01-01", "soon"),
                ("01-01\"\nattr", "13-01\"\nattr"),
                ("100000.00", "1e5"),
                ("rate = \"1\"", "rate = \"-1\""),
                ("300000.00", "300000.001"),
                ("name = \"E\"", "name = \"\""),
            ]],
            &expect![[r#"
                line 4: start_date: must be a day such as "2024-01-01"
                line 5: period_start: must be a day that every year has, such as "07-01"
                line 9: routing.green_ceiling: must be a plain decimal number of yuan such as 1234.56
                line 15: responsibilities[0].rate: must be a string from "0" to "1" with at most four decimals
                line 16: responsibilities[0].limits[0].amount: must have at most two decimals
                line 18: exclusions[0].name: must be 1 to 200 characters
            "#]],
        );
    }

    #[test]
    fn a_document_has_a_size() {
        let problems = read(&"#".repeat(DOCUMENT_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(problems[0].to_string(), "line 0: document: must be at most 1 MiB");
    }

    #[test]
    fn a_later_version_keeps_what_belongs_to_the_plan() {
        let mut published = Plans::default();
        published.publish(std::sync::Arc::new(read(SMALL).unwrap()));
        let later = SMALL
            .replace("version = \"1\"", "version = \"2\"")
            .replace("period_start = \"01-01\"", "period_start = \"07-01\"")
            .replace("\"settlement\"", "\"discharge\"");
        let problems = check_against(&read(&later).unwrap(), &published);
        expect![[r#"
            line 0: period_start: belongs to the plan, not to a version: it must stay "01-01"
            line 0: attribution: belongs to the plan, not to a version: it must stay "settlement"
        "#]]
        .assert_eq(&text(&problems));
    }
}
