//! The scenarios of `tests/scenarios`: figures that an actuary can read and redo by hand.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use greenlane::core::book::{Because, Book, Command, Effect, Seen};
use greenlane::core::claim::{Claim, ClaimId};
use greenlane::core::day::Moment;
use greenlane::core::decision::{Decision, Denial, code};
use greenlane::core::explain;
use greenlane::core::plan::{Plans, document};
use greenlane::ledger::{ImpactBound, Mode};

mod file;
mod later;

use file::{ClaimTable, Scenario, fen};

use crate::support::on_every_backend;
use crate::world::start_ledger_with;

/// When the claims of the scenario under way come in.
static NOW: AtomicI64 = AtomicI64::new(0);

fn now() -> Moment {
    Moment::from_micros(NOW.load(Ordering::SeqCst))
}

#[test]
fn every_scenario_comes_out_to_the_fen() {
    let scenarios = file::all();
    assert!(scenarios.len() >= 40, "only {} scenarios were found", scenarios.len());
    let mut wrong = String::new();
    for scenario in &scenarios {
        assert!(!scenario.title.is_empty() && !scenario.idea.is_empty());
        assert!(!scenario.source.is_empty() && !scenario.claims.is_empty());
        for (table, claim) in scenario.claims.iter().zip(decided(scenario)) {
            for difference in differences(table, &claim) {
                writeln!(wrong, "{}, {}: {difference}", scenario.name, table.id).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_shipped_plan_is_sound_and_has_a_scenario() {
    let used: Vec<String> = file::all().iter().flat_map(Scenario::documents).collect();
    for (path, text) in file::shipped_plans() {
        if let Err(problems) = document::read(&text) {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{path}:\n{}", problems.join("\n"));
        }
        assert!(used.contains(&text), "no scenario shows what {path} pays");
    }
}

/// The road of a real claim: published documents, the roster, a quote, the submission, on both
/// databases. The ledger finds what the engine found, and a quote is what a submission gets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_decides_every_scenario_alike_and_a_quote_is_what_is_paid() {
    for scenario in file::all() {
        on_every_backend(async |database| {
            let first = scenario.claims.iter().map(ClaimTable::received).min().unwrap();
            NOW.store(first.micros(), Ordering::SeqCst);
            let ledger = start_ledger_with(&database, now).await;
            for document in scenario.documents() {
                ledger.publish(document, Mode::Record, ImpactBound::NONE).await.unwrap();
            }
            let roster = scenario.roster(&plan_id(&scenario));
            ledger.enrol(roster, Mode::Record).await.unwrap().outcome().await.unwrap();
            for (table, by_engine) in scenario.claims.iter().zip(decided(&scenario)) {
                let at = || format!("{}, {}", scenario.name, table.id);
                NOW.store(table.received().micros(), Ordering::SeqCst);
                let settlement = || (*table.settlement()).clone();
                let quote = ledger.submit(settlement(), Mode::Preview).await.unwrap();
                let claim = ledger.submit(settlement(), Mode::Record).await.unwrap();
                assert!(!claim.replayed, "{}", at());
                assert_eq!(quote.claim.evaluation, claim.claim.evaluation, "{}", at());
                assert_eq!(claim.claim.evaluation, by_engine.evaluation, "{}", at());
                let again = ledger.submit(settlement(), Mode::Record).await.unwrap();
                assert!(again.replayed, "{}", at());
                assert_eq!(again.claim, claim.claim, "{}", at());
            }
            ledger.drain().await;
        })
        .await;
    }
}

/// The claims of a scenario as the member's book decides them. Deciding all of them again changes
/// nothing.
fn decided(scenario: &Scenario) -> Vec<Arc<Claim>> {
    lived(scenario).0
}

fn lived(scenario: &Scenario) -> (Vec<Arc<Claim>>, Book, Plans) {
    let mut plans = Plans::default();
    for text in scenario.documents() {
        let plan = document::read(&text);
        plans.publish(Arc::new(plan.unwrap_or_else(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{}: {}", scenario.name, problems.join("\n"))
        })));
    }
    let mut book = Book::new("member".into());
    let import = Arc::new(scenario.roster(&plan_id(scenario)));
    let first = scenario.claims[0].received();
    book.apply(&Command::Enrol { import }, first, &plans).unwrap();
    let claims = (1..).zip(&scenario.claims).map(|(number, table)| {
        let command = Command::Submit {
            claim_id: ClaimId { lane: 0, number },
            settlement: table.settlement(),
            seen: Seen::default(),
        };
        let effects = book.apply(&command, table.received(), &plans).unwrap();
        // Later ones may be decided again behind it.
        let made = effects.iter().find_map(|effect| match effect {
            Effect::Claim(change) if change.claim.id.number == number => Some(&change.claim),
            _ => None,
        });
        made.unwrap_or_else(|| panic!("{}, {}: no claim", scenario.name, table.id)).clone()
    });
    let claims: Vec<_> = claims.collect();
    let again = book.decide_again(0, None, Because::Roster, first, &plans).unwrap();
    assert!(again.is_empty(), "{}: decided again, it comes out otherwise", scenario.name);
    (claims, book, plans)
}

fn plan_id(scenario: &Scenario) -> String {
    let documents = scenario.documents();
    let table: toml::Table = toml::from_str(&documents[0]).unwrap();
    table["plan_id"].as_str().unwrap().to_owned()
}

/// Everything in which a claim is not what the scenario says.
fn differences(table: &ClaimTable, claim: &Claim) -> Vec<String> {
    let (expect, evaluation) = (&table.expect, &claim.evaluation);
    let mut found = Vec::new();
    let mut compare = |what: &str, expected: String, actual: String| {
        if expected != actual {
            found.push(format!("{what} is {actual}, expected {expected} = {}", expect.why));
        }
    };
    assert!(!expect.why.is_empty(), "{} says how its figure comes about", table.id);
    compare("payout", fen(&expect.payout).to_string(), claim.payout().to_string());
    compare("state", expect.state.clone(), code(&evaluation.state));
    let denial = evaluation.denial.as_ref().map(code::<Denial>).unwrap_or_default();
    compare("denial", expect.denial.clone().unwrap_or_default(), denial);
    let reasons: Vec<String> = evaluation.reasons.iter().map(|it| code(&it.code)).collect();
    compare("reasons", expect.reasons.join(" "), reasons.join(" "));
    let Some(decision) = &evaluation.decision else { return found };
    if let Some(share) = &expect.patient_share {
        compare("patient share", fen(share).to_string(), decision.patient_share().to_string());
    }
    for (reason, amount) in &expect.adjustments {
        let of_reason = decision.adjustments.iter().find(|it| &code(&it.reason) == reason);
        let actual = of_reason.map(|it| it.amount).unwrap_or_default();
        compare(reason, fen(amount).to_string(), actual.to_string());
    }
    let steps = steps(decision);
    for step in &expect.steps {
        if !steps.contains(step) {
            found.push(format!("no step {step:?} among {steps:?}"));
        }
    }
    found
}

/// The steps as scenarios write them: `DEDUCTIBLE 6000.00 -> 5600.00`.
fn steps(decision: &Decision) -> Vec<String> {
    let plain = |amount: greenlane::core::money::Fen| amount.to_string().replace(',', "");
    let step = |step: &greenlane::core::decision::Step| {
        let code = explain::step_code(&step.why);
        format!("{code} {} -> {}", plain(step.before), plain(step.after))
    };
    decision.steps.iter().map(step).collect()
}
