//! Plan documents: TOML, checked as a whole, every problem reported at its line.
//!
//! Amounts and rates are strings, because TOML reads numbers as floats.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::day::{Day, PeriodStart};
use super::money::{Fen, Rate};
use super::plan::{Attribution, Bucket, Exclusion, Fact, PaymentMode, Plan, Plans, Responsibility};

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
    let kept = super::decision::code(&first.attribution);
    must_equal("attribution", same_attribution, format!("\"{kept}\""));
    problems
}

fn line_of(document: &str, offset: usize) -> usize {
    document.as_bytes()[..offset.min(document.len())].iter().filter(|byte| **byte == b'\n').count()
        + 1
}

struct PlanChecks<'a> {
    document: &'a str,
    problems: Vec<PlanProblem>,
}

impl PlanChecks<'_> {
    fn plan(&mut self, parsed: Document) -> Plan {
        let responsibilities: Vec<_> = parsed
            .responsibilities
            .into_iter()
            .enumerate()
            .map(|(index, table)| self.responsibility(index, table))
            .collect();
        if responsibilities.is_empty() {
            self.problem("responsibilities", 0, "must name at least one".into());
        }
        let exclusions = parsed.exclusions.into_iter().enumerate();
        let exclusions = exclusions.map(|(index, table)| self.exclusion(index, table)).collect();
        Plan {
            plan_id: self.id("plan_id", parsed.plan_id),
            version: self.id("version", parsed.version),
            name: self.text("name", parsed.name),
            start_date: self.start_date(parsed.start_date),
            period_start: self.period_start(parsed.period_start),
            attribution: parsed.attribution,
            payment_mode: parsed.payment_mode,
            required_facts: parsed.required_facts,
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
            medical_categories: self.texts(&key("medical_categories"), table.medical_categories),
            base,
            deductible,
            rate,
            period_limit,
        }
    }

    fn exclusion(&mut self, index: usize, table: Spanned<ExclusionTable>) -> Exclusion {
        let at = table.span().start;
        let table = table.into_inner();
        let key = |name: &str| format!("exclusions[{index}].{name}");
        let exclusion = Exclusion {
            name: self.text(&key("name"), table.name),
            item_codes: self.texts(&key("item_codes"), table.item_codes),
            charge_classes: self.texts(&key("charge_classes"), table.charge_classes),
            keywords: self.texts(&key("keywords"), table.keywords),
        };
        let marks = [&exclusion.item_codes, &exclusion.charge_classes, &exclusion.keywords];
        if marks.iter().all(|marks| marks.is_empty()) {
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

    fn start_date(&mut self, value: Spanned<String>) -> Day {
        Day::parse(value.get_ref()).unwrap_or_else(|| {
            let problem = "must be a day such as \"2024-01-01\"";
            self.problem("start_date", value.span().start, problem.into());
            Day::EARLIEST
        })
    }

    fn period_start(&mut self, value: Spanned<String>) -> PeriodStart {
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
