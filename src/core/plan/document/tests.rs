use expect_test::{Expect, expect};

use super::*;
use crate::core::day::Day;
use crate::core::settlement::Line;

const SHIPPED: &str = include_str!("../../../../deploy/plans/qingdao-rongjun.toml");

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
    for name in [
        "陪护床费",
        "陪 护－床",
        "ＶＩＰ病房",
        "vip 病房",
        "一次性陪护床位费",
        "护工费",
        "病员伙食费",
        "病历复印费",
    ] {
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
            line 1: version: is missing (write version = "2024.1")
            line 2: versoin: is unknown (did you mean `version`?)
            line 1: name: is missing (name it for people)
            line 15: responsibilities[0].rate: is a float and must be a string (rates are strings, because TOML reads numbers as floats: "0.85")
            line 14: responsibilities[0].deductible.amount: is a float and must be a string (amounts are strings, because TOML reads numbers as floats: "5000.00")
            line 14: responsibilities[0].deductible.amount: must have at most two decimals
            line 14: responsibilities[0].deductible.amount: must not be negative
            line 14: responsibilities[0].deductible.amount: must be a plain decimal number of yuan such as 1234.56
            line 15: responsibilities[0].rate: must be a string from "0" to "1" with at most four decimals (85 % is "0.85")
            line 15: responsibilities[0].rate: must be a string from "0" to "1" with at most four decimals (85 % is "0.85")
            line 4: start_date: must be a day such as "2024-01-01"
            line 5: period_start: must be a day that every year has, such as "07-01"
            line 6: attribution: unknown variant `payment`, expected one of `settlement`, `discharge`, `admission`
            line 1: plan_id: must be 1 to 64 letters, digits, '-', '_' or '.'
            line 3: name: must be 1 to 200 characters
            line 17: exclusions[0]: means no line (name item_codes, charge_classes or keywords)
            line 19: exclusions[0].keywords[0]: must be 1 to 200 characters
            line 13: responsibilities[0].base: must name at least one bucket ("in_scope_copay", say)
            line 14: responsibilities[0].base[1]: names a bucket twice
            reads
        "#]],
    );
}

#[test]
fn a_plan_pays_for_something() {
    let head = SMALL.split("[routing]").next().unwrap();
    let document = format!("{head}responsibilities = []\nrouting.green_ceiling = \"1.00\"\n");
    let problems = read(&document).unwrap_err();
    expect!["line 8: responsibilities: must be 1 to 64 (write [[responsibilities]])"]
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
            line 15: responsibilities[0].rate: must be a string from "0" to "1" with at most four decimals (85 % is "0.85")
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
        line 0: start_date: version 1 starts on that day already
    "#]]
    .assert_eq(&text(&problems));
}

/// What the first release took: categories beside the base, and no rule yet about what makes sense.
#[test]
fn a_document_that_was_published_long_ago_still_reads() {
    let old = SMALL.replace("base = ", "medical_categories = [\"21\"]\nbase = ");
    let plan = read(&old).unwrap();
    assert_eq!(plan.responsibilities[0].when.medical_categories, ["21"]);
    let unsound = SMALL.replace("rate = \"1\"", "rate = \"0\"");
    assert!(read(&unsound).is_err());
    assert!(read_published(&unsound).is_ok());
}

#[cfg(test)]
mod soundness;

mod laws {
    use proptest::prelude::*;

    use super::*;
    use crate::core::plan::{Plan, arbitrary};

    proptest! {
        #[test]
        fn rendering_and_reading_a_plan_are_inverse(plan in arbitrary::plan()) {
            let document = render(&plan);
            match read(&document) {
                Ok(again) => prop_assert_eq!(Plan { hash: String::new(), ..again }, plan),
                Err(problems) => prop_assert!(false, "{}\n{}", text(&problems), document),
            }
        }

        #[test]
        fn a_spoilt_document_is_read_or_refused(
            plan in arbitrary::plan(), at in any::<prop::sample::Index>(), letter in any::<char>(),
            is_cut in any::<bool>(),
        ) {
            let mut document: Vec<char> = render(&plan).chars().collect();
            let at = at.index(document.len());
            if is_cut {
                document.truncate(at);
            } else {
                document[at] = letter;
            }
            let document: String = document.into_iter().collect();
            if let Err(problems) = read(&document) {
                prop_assert!(!problems.is_empty());
                let lines = document.matches('\n').count() + 1;
                prop_assert!(problems.iter().all(|problem| problem.line <= lines));
            }
        }
    }
}
