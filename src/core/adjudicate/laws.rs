//! The laws of every decision, over random plans and random settlements.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::tests::plan as simple_plan;
use super::*;
use crate::core::book::{Because, Book, Command, Seen};
use crate::core::claim::{Claim, ClaimId};
use crate::core::day::Moment;
use crate::core::decision::{AdjustmentGroup, CounterBook, Counters, Step};
use crate::core::explain::{Language, step_text};
use crate::core::personal::Personal;
use crate::core::plan::{Condition, Limit, Per, Plans, Share, Tier, arbitrary};
use crate::core::settlement::tests::{fen, settlement};
use crate::core::settlement::{Diagnosis, FundPayment, Line};

prop_compose! {
    /// A line of a bill; what it says of its parts need not add up.
    fn line()(
        total in 0i64..2_000_000, out in 0i64..=1000, over in 0i64..=300, advance in 0i64..=300,
        in_scope in proptest::option::of(0i64..=1000), code in 0usize..3, class in 0usize..3,
        is_companion in any::<bool>(),
    ) -> Line {
        let part = |permille: i64| Some(fen(total * permille / 1000));
        Line {
            line_no: String::new(),
            item_code: ["X1", "X2"].get(code).map(|code| Personal::new(*code)),
            item_name: is_companion.then(|| Personal::new("陪护床")),
            charge_class: ["01", "08"].get(class).map(ToString::to_string),
            catalogue_level: None,
            service_date: None,
            quantity: None,
            total: fen(total),
            out_of_catalogue: part(out),
            over_limit: part(over),
            advance_self_pay: part(advance),
            in_scope: in_scope.and_then(part),
        }
    }
}

prop_compose! {
    /// A bill of 2024 or 2025 whose burden, buckets, funds and lines say whatever they like.
    fn bill()(
        total in 1i64..50_000_000, burden in 0i64..=1000, hospital in 0i64..=100,
        later in 0i64..=200, account in 0i64..=500, out in 0i64..=600, dedc in 0i64..=200,
        in_scope in proptest::option::of(0i64..=1000),
        lines in proptest::collection::vec(line(), 0..5),
        (day, days, stay, facts, without) in
            (1i8..=28, 0i8..20, 0usize..4, 0usize..81, proptest::bool::weighted(0.1)),
        (year, month) in (2024i16..=2025, 1i8..=11),
    ) -> Settlement {
        let part = |permille: i64| fen(total * permille / 1000);
        let burden = total * burden / 1000;
        let mut bill = settlement("law", total, burden);
        let hospital = part(hospital).min(fen(total - burden));
        bill.amounts.hospital_borne = Some(hospital);
        let funds = fen(total - burden) - hospital;
        let later = part(later).min(funds);
        bill.funds = [("310100", funds - later), ("620100", later)]
            .map(|(code, amount)| FundPayment { fund_code: code.into(), amount })
            .to_vec();
        bill.amounts.fund_total = Some(funds);
        bill.amounts.account = Some(part(account));
        bill.amounts.out_of_catalogue = Some(part(out));
        bill.amounts.basic_deductible = Some(part(dedc));
        bill.amounts.in_scope = in_scope.map(part);
        bill.lines = lines;
        for (number, line) in bill.lines.iter_mut().enumerate() {
            line.line_no = number.to_string();
        }
        let pick = |values: [&str; 3], at: usize| {
            let value = values[facts / 3usize.pow(u32::try_from(at).unwrap()) % 3];
            (!value.is_empty()).then(|| value.to_owned())
        };
        bill.medical_category = pick(["21", "22", ""], 0);
        let diagnosis = pick(["I50.9", "S72.0", ""], 1);
        bill.diagnoses = diagnosis
            .map(|code| Diagnosis { code: Personal::new(code), name: Personal::default() })
            .into_iter()
            .collect();
        bill.hospital_level = pick(["02", "08", ""], 2);
        bill.region = pick(["370200", "110100", ""], 3);
        bill.visit_id = (stay > 0).then(|| format!("visit {stay}"));
        let admitted = Day::new(year, month, day).unwrap();
        bill.admission_date = Some(admitted);
        bill.discharge_date = Day::new(year, month + 1, (day + days - 1) % 28 + 1);
        bill.settle_time = bill.discharge_date.map(Day::start);
        bill.without_basic_insurance = without;
        bill
    }
}

/// A member of both classes, with one known illness, covered by every plan id of the laws.
fn roster(plan_id: &str, covered_from: &str) -> Roster {
    serde_json::from_value(serde_json::json!({
        "classes": [{"class_code": "a", "grade": 4, "start": "2000-01-01"},
            {"class_code": "b", "start": "2000-01-01"}],
        "illnesses": [{"diagnosis_code": "I50", "since_date": "2010-01-01"}],
        "coverages": [{"plan_id": plan_id, "start": covered_from}],
    }))
    .unwrap()
}

fn case<'a>(settlement: &'a Settlement, roster: &'a Roster) -> Case<'a> {
    let day = settlement.discharge_date.unwrap();
    Case {
        settlement,
        roster,
        burden: settlement.burden().unwrap(),
        day,
        received: day,
        award: None,
    }
}

/// Chains close, adjustments balance, parts add up, of the claim and of every line.
pub(super) fn assert_lawful(settlement: &Settlement, decision: &Decision) {
    let sum = |reason: fn(AdjustmentGroup) -> bool| -> Fen {
        let of_group = decision.adjustments.iter().filter(|it| reason(it.reason.group()));
        of_group.map(|it| it.amount).sum()
    };
    assert_eq!(sum(|_| true) + decision.indemnity(), decision.total);
    let borne = sum(|group| group == AdjustmentGroup::Pr);
    assert_eq!(borne, decision.patient_share(), "what the person bears has the person's reasons");
    assert!(decision.indemnity() <= decision.burden);
    assert!(decision.eligible <= decision.burden);
    assert_eq!(decision.lines.len(), settlement.lines.len());
    for (line, decided) in settlement.lines.iter().zip(&decision.lines) {
        let adjusted: Fen = decided.adjustments.iter().map(|it| it.amount).sum();
        assert_eq!(adjusted + decided.payout, line.total, "line {}", line.line_no);
    }
    let paid: Fen = decision.lines.iter().map(|line| line.payout).sum();
    assert!(paid <= decision.indemnity());
    if settlement.event.is_none() {
        assert_chains_close(decision);
    }
}

fn assert_chains_close(decision: &Decision) {
    let steps = &decision.steps;
    assert_eq!(steps[0].before, decision.total);
    let is_own = |step: &&Step| step.why.responsibility().is_empty();
    let own: Vec<&Step> = steps[..steps.len() - 1].iter().filter(is_own).collect();
    for pair in own.windows(2) {
        assert_eq!(pair[0].after, pair[1].before, "{:?}", pair[1]);
    }
    let eligible = own.last().unwrap().after;
    let mut left = eligible;
    let mut amounts = Fen::ZERO;
    let chains = steps.chunk_by(|a, b| a.why.responsibility() == b.why.responsibility());
    for chain in chains.filter(|chain| !is_own(&&chain[0])) {
        match chain[0].why {
            Why::Base { .. } => {
                assert_eq!(chain[0].before, left, "a base is taken from what is left");
                left = left - chain[0].after;
            }
            Why::PerDiem { .. } | Why::FixedSum { .. } => assert_eq!(chain[0].before, Fen::ZERO),
            _ => assert_eq!(chain[0].before, eligible),
        }
        for pair in chain.windows(2) {
            assert_eq!(pair[0].after, pair[1].before, "{:?}", pair[1]);
        }
        amounts = amounts + chain[chain.len() - 1].after;
    }
    let last = steps.last().unwrap();
    if decision.denial().is_none() {
        assert_eq!((last.before, last.after), (amounts, amounts), "the sum of all chains");
    }
}

/// A thousand plans, a thousand settlements each, one member's year after year.
#[test]
fn a_thousand_plans_decide_a_thousand_settlements_each_and_balance() {
    let mut runner = TestRunner::deterministic();
    let bills: Vec<Settlement> =
        (0..1000).map(|_| bill().new_tree(&mut runner).unwrap().current()).collect();
    for number in 0..1000 {
        let plan = arbitrary::plan().new_tree(&mut runner).unwrap().current();
        let roster = roster(&plan.plan_id, "2023-01-01");
        let mut counters = CounterBook::new();
        for (index, bill) in bills.iter().enumerate() {
            let usage = Usage::new(&counters);
            let decision = adjudicate(case(bill, &roster), &plan, &usage);
            assert_lawful(bill, &decision);
            // A book that begins anew now and then, so that limits and deductibles are met afresh.
            if (index + number) % 50 == 0 {
                counters.clear();
            } else {
                for change in decision.counters {
                    counters.insert(change.key, change.after);
                }
            }
        }
    }
}

/// Submits bills of one member one after the other, as the ledger would; gives the claims in the
/// order of the plan.
fn submit_all(plan: &Plan, bills: &[Settlement]) -> (Vec<Arc<Claim>>, Book, Plans) {
    let mut plans = Plans::default();
    let always = Plan { start_date: Day::EARLIEST, end_date: None, ..plan.clone() };
    plans.publish(Arc::new(always));
    let mut book = Book::new("member".into());
    let now = Moment::parse_local("2026-01-01").unwrap();
    let import = Arc::new(roster(&plan.plan_id, "2023-01-01"));
    book.apply(&Command::Enrol { import }, now, &plans).unwrap();
    for (number, bill) in (1..).zip(bills) {
        let mut bill = bill.clone();
        bill.settlement_id = number.to_string();
        let claim_id = ClaimId { lane: 0, number };
        let settlement = Arc::new(bill);
        let command = Command::Submit { claim_id, settlement, seen: Seen::default() };
        assert!(!book.apply(&command, now, &plans).unwrap().is_empty());
    }
    (book.claims.clone(), book, plans)
}

/// What the claims paid, and for how many days, under these responsibilities. A group's own counters
/// are not asked: they have to say the same.
fn used<'a>(claims: impl Iterator<Item = &'a Arc<Claim>>, ids: &[String]) -> Counters {
    let decisions = claims.filter_map(|claim| claim.evaluation.decision.as_ref());
    let changes = decisions.flat_map(|decision| &decision.counters);
    let of_id = changes.filter(|change| ids.contains(&change.key.responsibility));
    of_id.fold(Counters::default(), |sum, it| sum.plus(it.after.since(it.before)))
}

/// The claims that share a span with the last one.
fn of_span(claims: &[Arc<Claim>], per: Per) -> Vec<&Arc<Claim>> {
    let last = claims.last().unwrap();
    let period = |claim: &Claim| claim.evaluation.decision.as_ref().and_then(|it| it.period);
    let shares = |claim: &&Arc<Claim>| match per {
        Per::Claim | Per::Day => claim.id == last.id,
        Per::Stay => {
            let visit = &last.settlement.visit_id;
            claim.id == last.id || (visit.is_some() && claim.settlement.visit_id == *visit)
        }
        Per::Cause => {
            let cause = last.settlement.cause_category();
            claim.id == last.id || (cause.is_some() && claim.settlement.cause_category() == cause)
        }
        Per::Period => period(claim) == period(last),
        Per::Lifetime => true,
    };
    let holding = claims.iter().filter(|claim| claim.state().holds_counters());
    holding.filter(shares).collect()
}

fn assert_limits_hold(plan: &Plan, claims: &[Arc<Claim>]) {
    let last = claims.last().unwrap();
    let days = last.settlement.stay_days().unwrap_or(1);
    let check = |id: &[String], limits: &[Limit]| {
        for limit in limits.iter().filter(|limit| limit.when == Condition::default()) {
            let paid = used(of_span(claims, limit.per).into_iter(), id).paid;
            let most = if limit.per == Per::Day { limit.amount.times(days) } else { limit.amount };
            assert!(paid <= most, "{id:?} paid {paid} of {limit:?}");
        }
    };
    let deducted = |id: &[String], deductible: Option<&crate::core::plan::Deductible>| {
        if let Some(it) = deductible {
            let taken = used(of_span(claims, it.per).into_iter(), id).deductible;
            assert!(taken <= it.amount, "{id:?} deducted {taken} of {it:?}");
        }
    };
    for responsibility in &plan.responsibilities {
        let id = std::slice::from_ref(&responsibility.id);
        check(id, &responsibility.limits);
        match &responsibility.benefit {
            Benefit::Indemnity(it) => deducted(id, it.deductible.as_ref()),
            Benefit::PerDiem(it) => {
                for limit in &it.day_limits {
                    let span = of_span(claims, limit.per);
                    let days = used(span.into_iter(), id).days;
                    assert!(days <= u32::from(limit.days), "{days} days of {limit:?}");
                }
            }
            Benefit::FixedSum(_) => {}
        }
    }
    for group in &plan.groups {
        check(&group.responsibilities, &group.limits);
        deducted(&group.responsibilities, group.deductible.as_ref());
        let own = used(claims.iter(), std::slice::from_ref(&group.id));
        let members = used(claims.iter(), &group.responsibilities);
        assert_eq!(own, members, "the counters of a group are those of its members");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn limits_and_deductibles_hold_at_every_prefix_and_a_replay_finds_nothing_new(
        plan in arbitrary::plan(), bills in proptest::collection::vec(bill(), 1..10),
    ) {
        let (claims, mut book, plans) = submit_all(&plan, &bills);
        for end in 1..=claims.len() {
            if let Some(decision) = &claims[end - 1].evaluation.decision {
                assert_lawful(&claims[end - 1].settlement, decision);
                assert_limits_hold(&plan, &claims[..end]);
            }
        }
        let now = Moment::parse_local("2026-01-02").unwrap();
        prop_assert!(book.decide_again(0, None, Because::Roster, now, &plans).unwrap().is_empty());
        let (again, ..) = submit_all(&plan, &bills);
        prop_assert!(claims == again, "equal in, equal out");
    }

    #[test]
    fn a_decision_is_read_as_it_was_written_and_every_step_has_words(
        plan in arbitrary::plan(), bill in bill(),
    ) {
        let roster = roster(&plan.plan_id, "2023-01-01");
        let counters = CounterBook::new();
        let decision = adjudicate(case(&bill, &roster), &plan, &Usage::new(&counters));
        let written = serde_json::to_string(&decision).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Decision>(&written).unwrap(), &decision);
        for step in &decision.steps {
            let written = serde_json::to_value(&step.why).unwrap();
            let code = crate::core::explain::step_code(&step.why);
            prop_assert_eq!(written["code"].as_str(), Some(code));
            for language in [Language::Zh, Language::En] {
                let text = step_text(step, language);
                let is_told = text.contains(&step.after.to_string())
                    || matches!(step.why, Why::Denied { .. });
                prop_assert!(is_told, "{}", text);
            }
        }
    }

    #[test]
    fn splitting_a_stay_over_tiers_changes_the_total_by_less_than_a_fen_a_piece(
        burdens in proptest::collection::vec(0i64..3_000_000, 1..6),
        up_to in 1i64..4_000_000, low in 0u32..=10_000, high in 0u32..=10_000,
        deductible in 0i64..1_000_000,
    ) {
        let mut plan = simple_plan(deductible, "1", 400_000_000);
        if let Benefit::Indemnity(benefit) = &mut plan.responsibilities[0].benefit {
            let tiers = vec![
                Tier { up_to: Some(fen(up_to)), rate: arbitrary::rate_of(low) },
                Tier { up_to: None, rate: arbitrary::rate_of(high) },
            ];
            benefit.share = Share::Tiers { per: Per::Period, tiers };
        }
        let roster = Roster::default();
        let decide = |burden: i64, counters: &CounterBook| {
            let mut bill = settlement("split", burden, burden);
            bill.discharge_date = Day::new(2024, 3, 15);
            adjudicate(case(&bill, &roster), &plan, &Usage::new(counters))
        };
        let mut counters = CounterBook::new();
        let mut split = 0;
        for burden in &burdens {
            let decision = decide(*burden, &counters);
            split += decision.payout().fen();
            counters.extend(decision.counters.into_iter().map(|change| (change.key, change.after)));
        }
        let whole = decide(burdens.iter().sum(), &CounterBook::new()).payout().fen();
        prop_assert!((split - whole).abs() <= i64::try_from(burdens.len()).unwrap());
    }
}
