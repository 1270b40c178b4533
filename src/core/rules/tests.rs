use super::*;
use crate::core::explain::{Language, reason_text};
use crate::core::plan::document;

/// A document with these lines at its end.
fn document(lines: &str) -> String {
    format!(
        "plan_id = \"p\"\nversion = \"1\"\nname = \"p\"\nstart_date = \"2024-01-01\"\n\
         period_start = \"01-01\"\nattribution = \"settlement\"\npayment_mode = \"transfer\"\n\
         routing.green_ceiling = \"1.00\"\nresponsibilities = [{{ id = \"a\", name = \"a\", \
         base = [\"in_scope_copay\"], rate = \"1\" }}]\n{lines}\n"
    )
}

fn rules(lines: &str) -> Result<Vec<Rule>, Vec<String>> {
    let plan = document::read(&document(lines));
    let told = |it: Vec<document::PlanProblem>| it.iter().map(ToString::to_string).collect();
    plan.map(|plan| plan.rules).map_err(told)
}

/// What has to be said of a rule besides its name.
fn needed(name: &str) -> &'static str {
    match name {
        "length_outlier" | "cost_outlier" => "baseline = \"b\"",
        "shared_account" => "accounts = \"a\"",
        "cumulative_ceiling" => "amount = \"1.00\"",
        "quantity" => {
            "items = [{ name = \"n\", charge_classes = [\"01\"], most = \"2.5\", per = \"day\" }]"
        }
        _ => "",
    }
}

#[test]
fn every_rule_reads_by_its_name_alone_and_comes_as_the_catalogue_says() {
    for usual in catalogue() {
        let lines = format!("[rules.{}]\n{}", usual.name, needed(usual.name));
        let read = rules(&lines).unwrap_or_else(|told| panic!("{}: {told:#?}", usual.name));
        let [rule] = &read[..] else { panic!("{}: {read:?}", usual.name) };
        assert_eq!(rule.action, usual.action, "{}", usual.name);
        assert_eq!(rule.test.code(), usual.test.code(), "{}", usual.name);
        if needed(usual.name).is_empty() {
            assert_eq!(rule.test, usual.test, "{}", usual.name);
        } else {
            let told = rules(&format!("[rules.{}]", usual.name)).unwrap_err();
            assert!(told[0].contains("is missing"), "{}: {told:#?}", usual.name);
        }
    }
}

#[test]
fn a_plan_without_rules_has_none() {
    assert_eq!(rules(""), Ok(Vec::new()));
    assert_eq!(rules("[rules]"), Ok(Vec::new()));
}

#[test]
fn every_wrong_threshold_is_told_at_its_line() {
    let told = rules(
        "[rules.readmision]\n[rules.readmission]\naction = \"hold\"\ndays = \"15\"\n\
         [rules.out_of_catalogue]\nshare = 0.5\n[rules.cost_outlier]\nbaseline = \"b\"\n\
         deviations = \"-1\"\n[rules.sex_age]\nconflicts = [{ diagnoses = [\"O\"] }, { ages = [9, 3] }]",
    );
    let told = told.unwrap_err();
    assert_eq!(told.len(), 9, "{told:#?}");
    assert!(told[0].contains("did you mean `readmission`"), "{told:#?}");
    assert!(told.iter().any(|it| it.contains("rules.sex_age.conflicts[0]")), "{told:#?}");
}

#[test]
fn every_reason_of_a_rule_is_a_sentence_of_its_own_with_its_evidence() {
    let mut sentences = std::collections::BTreeSet::new();
    for usual in catalogue() {
        let code = usual.test.code();
        let names = [
            "claim",
            "days",
            "limit_days",
            "active_days",
            "share",
            "usual_days",
            "bound_days",
            "cost_per_day_fen",
            "usual_cost_per_day_fen",
            "bound_fen",
            "paid_in_period_fen",
            "ceiling_fen",
            "item",
            "line",
            "quantity",
            "most",
            "outside_fen",
            "total_fen",
            "persons",
            "limit_persons",
            "region",
            "fund",
            "ended",
        ];
        let evidence = names.iter().map(|name| {
            let value = if *name == "share" { "0.5" } else { "4711" };
            ((*name).to_owned(), value.to_owned())
        });
        let reason = Reason { code, evidence: evidence.collect() };
        for language in [Language::Zh, Language::En] {
            let text = reason_text(&reason, language);
            assert!(!text.is_empty() && text != "a person must look" && text != "请人工审核");
            assert!(sentences.insert(text.clone()), "{code:?} says what another one says: {text}");
            let has_figures = !matches!(
                usual.name,
                "nothing_billed"
                    | "sex_age"
                    | "death"
                    | "manual_reimbursement"
                    | "weak_identity"
                    | "name_differs"
                    | "sender_payout"
            );
            let tells = text.contains("4711") || text.contains("47.11");
            assert!(tells || !has_figures, "{code:?}: {text}");
        }
    }
}

#[test]
fn the_documentation_has_the_table_of_the_code() {
    let readme = include_str!("../../../deploy/plans/README.md");
    assert!(readme.contains(&table()), "paste what `greenlane plan rules` prints:\n{}", table());
}
