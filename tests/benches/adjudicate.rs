//! How long one decision takes, with its whole chain: `cargo bench --bench adjudicate`.
//!
//! The budgets of the design: 2 µs under 荣军保, 10 µs under a plan with twelve responsibilities.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use greenlane::core::adjudicate::{Case, adjudicate};
use greenlane::core::day::Day;
use greenlane::core::decision::{CounterBook, Decision};
use greenlane::core::explain::{Language, step_text};
use greenlane::core::member::Roster;
use greenlane::core::plan::{Plan, document};
use greenlane::core::settlement::Settlement;
use greenlane::core::usage::Usage;

const SHIPPED: &str = include_str!("../../deploy/plans/qingdao-rongjun.toml");

/// Twelve responsibilities, each for drugs of its own, with a deductible, tiers, an out-of-pocket
/// maximum and two limits; all share one limit more.
fn twelve() -> String {
    let head = r#"plan_id = "twelve"
version = "1"
name = "Twelve"
start_date = "2024-01-01"
period_start = "01-01"
attribution = "discharge"
payment_mode = "transfer"
routing.green_ceiling = "1000000.00"
"#;
    let responsibility = |number: usize| {
        format!(
            r#"
[[responsibilities]]
id = "r{number}"
name = "Responsibility {number}"
base = ["out_of_catalogue", "over_limit", "advance_self_pay", "basic_deductible", "in_scope_copay"]
items = {{ item_codes = ["X{number}"] }}
deductible = {{ amount = "100.00", per = "period" }}
tiers = [{{ up_to = "1000.00", rate = "0.6" }}, {{ rate = "0.8" }}]
out_of_pocket_max = "5000.00"
limits = [{{ amount = "2000.00", per = "claim" }}, {{ amount = "100000.00", per = "period" }}]
"#
        )
    };
    let responsibilities: Vec<String> = (0..12).map(responsibility).collect();
    let ids: Vec<String> = (0..12).map(|number| format!("\"r{number}\"")).collect();
    let group = format!(
        r#"
[[groups]]
id = "all"
name = "All"
responsibilities = [{}]
limits = [{{ amount = "300000.00", per = "period" }}]
"#,
        ids.join(", ")
    );
    [head, &responsibilities.concat(), &group].concat()
}

fn plan(text: &str) -> Plan {
    document::read(text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn settlement(lines: usize) -> Settlement {
    let line = |number: usize| {
        serde_json::json!({"line_no": number.to_string(), "item_code": format!("X{number}"),
            "item_name": "药品", "charge_class": "09", "total": 500_000, "in_scope": 400_000,
            "out_of_catalogue": 100_000})
    };
    let facts = serde_json::json!({
        "source": "370200", "settlement_id": "1", "person": {}, "medical_category": "21",
        "admission_date": "2024-03-01", "discharge_date": "2024-03-15",
        "settle_time": 1_710_468_906_000_000_i64,
        "amounts": {"total": 6_000_000, "out_of_catalogue": 1_200_000, "in_scope": 4_800_000,
            "basic_deductible": 80_000, "fund_total": 3_000_000, "personal_total": 3_000_000},
        "lines": (0..lines).map(line).collect::<Vec<_>>(),
    });
    serde_json::from_value(facts).expect("a settlement")
}

fn decide(settlement: &Settlement, plan: &Plan, counters: &CounterBook) -> Decision {
    let roster = Roster::default();
    let day = settlement.discharge_date.unwrap_or(Day::EARLIEST);
    let burden = settlement.burden().unwrap_or_default();
    let case = Case { settlement, roster: &roster, burden, day, received: day, award: None };
    adjudicate(case, plan, &Usage::new(counters))
}

fn decisions(criterion: &mut Criterion) {
    let cases = [
        ("rongjun", plan(SHIPPED), settlement(0)),
        ("rongjun_200_lines", plan(SHIPPED), settlement(200)),
        ("twelve_responsibilities_none_touched", plan(&twelve()), settlement(0)),
        ("twelve_responsibilities_all_pay", plan(&twelve()), settlement(12)),
    ];
    for (name, plan, settlement) in &cases {
        let first = decide(settlement, plan, &CounterBook::new());
        let used = first.counters.into_iter().map(|change| (change.key, change.after));
        let counters: CounterBook = used.collect();
        criterion.bench_function(&format!("adjudicate/{name}"), |bencher| {
            bencher.iter(|| decide(black_box(settlement), black_box(plan), black_box(&counters)));
        });
        let decision = decide(settlement, plan, &counters);
        criterion.bench_function(&format!("texts_in_two_languages/{name}"), |bencher| {
            bencher.iter(|| {
                let steps = black_box(&decision).steps.iter();
                steps
                    .map(|step| {
                        step_text(step, Language::Zh).len() + step_text(step, Language::En).len()
                    })
                    .sum::<usize>()
            });
        });
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
