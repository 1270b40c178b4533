use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::core::clocks::ClockRules;
use crate::core::day::{Moment, Period};
use crate::core::decision::{AdjustmentReason, CounterBook, CounterKey, Counters};
use crate::core::explain::{Language, step_text};
use crate::core::money::{Fen, Rate, Rounding};
use crate::core::plan::{
    Attribution, Bucket, ClaimOrder, Condition, Deductible, Exclusion, Indemnity, Keyword, Limit,
    LineSelector, LinesAbsent, PaymentMode, Per, RecoveryMode, Share,
};
use crate::core::settlement::tests::{fen, settlement};
use crate::core::settlement::{Amounts, Line};

/// Everything in the base, a deductible, a rate and a limit.
pub(crate) fn plan(deductible: i64, rate: &str, limit: i64) -> Plan {
    Plan {
        plan_id: "plan".into(),
        version: "1".into(),
        name: "方案".into(),
        start_date: Day::parse("2023-07-01").unwrap(),
        period_start: crate::core::day::PeriodStart::NEW_YEAR,
        attribution: Attribution::Settlement,
        payment_mode: PaymentMode::Transfer,
        required_facts: vec![],
        end_date: None,
        claim_order: ClaimOrder::Processed,
        recovery: RecoveryMode::Collect,
        rounding: Rounding::HalfUp,
        account_money: AccountMoney::OwnMoney,
        lines_absent: LinesAbsent::Eligible,
        filing_days: None,
        renewal_gap_days: 0,
        later_payers: vec![],
        responsibilities: vec![Responsibility {
            id: "inpatient".into(),
            name: "住院".into(),
            when: Condition { medical_categories: vec!["21".into()], ..Condition::default() },
            waiting: None,
            benefit: Benefit::Indemnity(Indemnity {
                base: Bucket::ALL.to_vec(),
                items: None,
                base_max: None,
                deductible: Some(Deductible {
                    amount: fen(deductible),
                    per: Per::Period,
                    claim_free: vec![],
                }),
                share: Share::Rate(Rate::parse(rate).unwrap()),
                lower_rates: vec![],
                out_of_pocket_max: None,
            }),
            limits: vec![Limit {
                amount: fen(limit),
                per: Per::Period,
                when: Condition::default(),
            }],
        }],
        groups: vec![],
        exclusions: vec![Exclusion {
            name: "陪护床".into(),
            lines: LineSelector {
                item_codes: vec!["ZF1".into()],
                charge_classes: vec![],
                keywords: vec![Keyword::new("陪护".into())],
            },
        }],
        item_caps: vec![],
        green_ceiling: fen(10_000_000),
        four_eyes_above: None,
        rules: vec![],
        clocks: ClockRules::default(),
        hash: "hash".into(),
    }
}

fn decide(settlement: &Settlement, plan: &Plan, counters: &CounterBook) -> Decision {
    let burden = settlement.burden().unwrap();
    let day = settlement.settle_time.and_then(Moment::day).unwrap();
    let roster = Roster::default();
    let case = Case { settlement, roster: &roster, burden, day, received: day, award: None };
    adjudicate(case, plan, &Usage::new(counters))
}

/// Runs claims of one member through one plan year and prints every chain.
#[track_caller]
fn check(plan: &Plan, settlements: &[Settlement], expected: &Expect) {
    let mut counters = CounterBook::new();
    let mut out = String::new();
    for settlement in settlements {
        let decision = decide(settlement, plan, &counters);
        assert_closed(&decision);
        for step in &decision.steps {
            let _ = writeln!(
                out,
                "{:>9} -> {:>9}  {}",
                step.before,
                step.after,
                step_text(step, Language::Zh)
            );
        }
        for part in &decision.adjustments {
            let _ = writeln!(out, "{:>22}  {:?}", part.amount, part.reason);
        }
        for change in decision.counters {
            counters.insert(change.key, change.after);
        }
    }
    expected.assert_eq(&out);
}

/// Chains close, adjustments balance, parts add up: the laws of every decision.
fn assert_closed(decision: &Decision) {
    assert_eq!(decision.steps[0].before, decision.total);
    assert_eq!(decision.steps[0].after, decision.burden);
    let mut amount = decision.burden;
    for step in &decision.steps[1..] {
        assert_eq!(step.before, amount, "{step:?} goes on where the step before ended");
        assert!(step.after <= step.before, "{step:?} never adds");
        amount = step.after;
    }
    assert_eq!(amount, decision.payout());
    let adjusted: Fen = decision.adjustments.iter().map(|part| part.amount).sum();
    assert_eq!(adjusted + decision.payout(), decision.total);
    assert_eq!(decision.patient_share() + decision.payout(), decision.burden);
    assert_eq!(decision.eligible + decision.ineligible(), decision.burden);
}

pub(crate) fn line(no: &str, name: &str, total: i64, in_scope: i64) -> Line {
    Line {
        line_no: no.into(),
        item_code: None,
        item_name: Some(crate::core::personal::Personal::new(name)),
        charge_class: None,
        catalogue_level: None,
        service_date: None,
        quantity: None,
        total: fen(total),
        out_of_catalogue: Some(fen(total - in_scope)),
        over_limit: None,
        advance_self_pay: None,
        in_scope: Some(fen(in_scope)),
    }
}

#[test]
fn the_deductible_is_borne_once_a_year_and_the_limit_is_never_passed() {
    check(
        &plan(500_000, "1", 1_000_000),
        &[settlement("a", 900_000, 400_000), settlement("b", 2_000_000, 1_500_000)],
        &expect![[r#"
             9,000.00 ->  4,000.00  医疗费总额 9,000.00，各项基金支付 5,000.00，个人负担 4,000.00
             4,000.00 ->      0.00  起付线 5,000.00，本年度已用 0.00，本次扣除 4,000.00，余 0.00
                 0.00 ->      0.00  赔付比例 100%，应赔 0.00
                 0.00 ->      0.00  年度限额 10,000.00，本年度已赔 0.00，限额内 0.00
                 0.00 ->      0.00  本次赔付 0.00
                          5,000.00  PriorPayer
                          4,000.00  Deductible
            20,000.00 -> 15,000.00  医疗费总额 20,000.00，各项基金支付 5,000.00，个人负担 15,000.00
            15,000.00 -> 14,000.00  起付线 5,000.00，本年度已用 4,000.00，本次扣除 1,000.00，余 14,000.00
            14,000.00 -> 14,000.00  赔付比例 100%，应赔 14,000.00
            14,000.00 -> 10,000.00  年度限额 10,000.00，本年度已赔 0.00，限额内 10,000.00
            10,000.00 -> 10,000.00  本次赔付 10,000.00
                          5,000.00  PriorPayer
                          1,000.00  Deductible
                          4,000.00  BenefitMax
        "#]],
    );
}

#[test]
fn an_excluded_line_is_ineligible_whole_outside_the_scope_and_pro_rata_inside() {
    let mut with_lines = settlement("a", 1_000_000, 400_000);
    with_lines.amounts = Amounts {
        out_of_catalogue: Some(fen(100_000)),
        in_scope: Some(fen(900_000)),
        ..with_lines.amounts
    };
    // In scope 9,000.00, of which 3,000.00 stay with the person: a third of every line.
    with_lines.lines = vec![line("1", "陪护床", 50_000, 30_000), line("2", "药", 950_000, 870_000)];
    check(
        &plan(0, "0.855", 1_000_000),
        &[with_lines],
        &expect![[r#"
            10,000.00 ->  4,000.00  医疗费总额 10,000.00，各项基金支付 6,000.00，个人负担 4,000.00
             4,000.00 ->  3,700.00  不予支付项目 300.00（明细 1），合规负担 3,700.00
             3,700.00 ->  3,700.00  起付线 0.00，本年度已用 0.00，本次扣除 0.00，余 3,700.00
             3,700.00 ->  3,163.50  赔付比例 85.5%，应赔 3,163.50
             3,163.50 ->  3,163.50  年度限额 10,000.00，本年度已赔 0.00，限额内 3,163.50
             3,163.50 ->  3,163.50  本次赔付 3,163.50
                          6,000.00  PriorPayer
                            300.00  NonCoveredItem
                            536.50  Coinsurance
        "#]],
    );
}

#[test]
fn a_treatment_that_no_responsibility_covers_is_denied_with_its_burden_explained() {
    let mut outpatient = settlement("a", 1_000_000, 400_000);
    outpatient.medical_category = Some("11".into());
    check(
        &plan(0, "1", 1_000_000),
        &[outpatient],
        &expect![[r#"
            10,000.00 ->  4,000.00  医疗费总额 10,000.00，各项基金支付 6,000.00，个人负担 4,000.00
             4,000.00 ->      0.00  不予赔付：不在保险责任范围内
                 0.00 ->      0.00  本次赔付 0.00
                          6,000.00  PriorPayer
                          4,000.00  Denied(ServiceNotCovered)
        "#]],
    );
}

#[test]
fn a_base_without_some_bucket_leaves_it_to_the_person() {
    let mut narrow = plan(0, "1", 10_000_000);
    let Benefit::Indemnity(benefit) = &mut narrow.responsibilities[0].benefit else {
        panic!("an indemnity");
    };
    benefit.base = vec![Bucket::InScopeCopay, Bucket::BasicDeductible];
    let mut bill = settlement("a", 1_000_000, 400_000);
    bill.amounts.out_of_catalogue = Some(fen(150_000));
    let decision = decide(&bill, &narrow, &CounterBook::new());
    assert_eq!(decision.payout(), fen(250_000));
    assert_eq!(decision.adjusted(AdjustmentReason::NonCoveredBase), fen(150_000));
}

#[test]
fn a_fen_within_the_tolerance_does_not_unbalance_a_claim() {
    for (total, burden) in [(1_000, 401), (1_000, 399), (1_000, 1_001)] {
        let mut bill = settlement("a", total, 400);
        bill.amounts.personal_total = Some(fen(burden));
        bill.amounts.fund_total = Some(fen(if burden > 1_000 { 0 } else { 600 }));
        assert_eq!(bill.contradictions(), vec![]);
        assert_closed(&decide(&bill, &plan(0, "1", 10_000), &CounterBook::new()));
    }
}

#[test]
fn a_period_that_ended_leaves_its_counters_behind() {
    let plan = plan(500_000, "1", 1_000_000);
    let first = settlement("a", 900_000, 400_000);
    let mut second = settlement("b", 900_000, 400_000);
    second.settle_time = Moment::parse_local("2025-01-01 00:00:00");
    let mut counters = CounterBook::new();
    for change in decide(&first, &plan, &counters).counters {
        counters.insert(change.key, change.after);
    }
    let decision = decide(&second, &plan, &counters);
    let day = |text| Day::parse(text).unwrap();
    let year = Period { start: day("2025-01-01"), end: day("2025-12-31") };
    assert_eq!(decision.period, Some(year));
    assert_eq!(decision.counters[0].before, Counters::default());
}

/// As the first engine wrote it.
#[test]
fn a_decision_of_the_first_engine_still_reads() {
    let written = r#"{"total":900000,"burden":400000,"eligible":400000,
        "attribution_date":"2024-03-15","period":{"start":"2024-01-01","end":"2024-12-31"},
        "steps":[{"before":900000,"after":400000,"code":"PRIOR_PAYERS","funds":500000,"hospital":0},
        {"before":400000,"after":0,"code":"DEDUCTIBLE","responsibility":"inpatient","limit":500000,
        "used":0,"taken":400000},
        {"before":0,"after":0,"code":"RATE","responsibility":"inpatient","rate":"1"},
        {"before":0,"after":0,"code":"PERIOD_LIMIT","responsibility":"inpatient","limit":1000000,
        "used":0},{"before":0,"after":0,"code":"PAYOUT"}],
        "adjustments":[{"reason":"PRIOR_PAYER","amount":500000},
        {"reason":"DEDUCTIBLE","amount":400000}],
        "counters":[{"plan_id":"plan","period_start":"2024-01-01","responsibility":"inpatient",
        "before":{"deductible":0,"burden":0,"paid":0},
        "after":{"deductible":400000,"burden":400000,"paid":0}}]}"#;
    let bill = settlement("a", 900_000, 400_000);
    let now = decide(&bill, &plan(500_000, "1", 1_000_000), &CounterBook::new());
    assert_eq!(serde_json::from_str::<Decision>(written).unwrap(), now);
}

prop_compose! {
    fn bill()(
        total in 1i64..100_000_000,
        fund in 0i64..=1000,
        out in 0i64..=1000,
        cut in proptest::collection::vec((0i64..5_000_000, 0i64..=1000, any::<bool>()), 0..6),
    ) -> Settlement {
        let part = |permille: i64| total * permille / 1000;
        let mut bill = settlement("p", total, total - part(fund));
        bill.amounts.out_of_catalogue = Some(fen(part(out)));
        bill.amounts.in_scope = Some(fen(total - part(out)));
        bill.lines = cut
            .iter()
            .enumerate()
            .map(|(no, (amount, share, excluded))| {
                let name = if *excluded { "陪护床" } else { "药" };
                line(&no.to_string(), name, *amount, amount * share / 1000)
            })
            .collect();
        bill
    }
}

proptest! {
    #[test]
    fn every_decision_closes_and_no_limit_is_passed(
        bills in proptest::collection::vec(bill(), 1..8),
        deductible in 0i64..2_000_000,
        rate in 0u32..=10_000,
        limit in 0i64..20_000_000,
    ) {
        let rate = format!("{}.{:04}", rate / 10_000, rate % 10_000);
        let plan = plan(deductible, &rate, limit);
        let mut counters = CounterBook::new();
        for bill in &bills {
            let decision = decide(bill, &plan, &counters);
            assert_closed(&decision);
            prop_assert_eq!(&decision, &decide(bill, &plan, &counters), "equal in, equal out");
            for change in decision.counters {
                prop_assert!(change.after.paid.fen() <= limit);
                prop_assert!(change.after.deductible.fen() <= deductible);
                counters.insert(change.key, change.after);
            }
        }
    }

    #[test]
    fn less_left_of_a_limit_never_pays_more_and_less_of_a_deductible_never_pays_less(
        bill in bill(), used in 0i64..1_000_000, more in 0i64..1_000_000,
    ) {
        let plan = plan(1_000_000, "0.8", 1_000_000);
        let payout = |paid: i64, deductible: i64| {
            let key = CounterKey {
                plan_id: "plan".into(),
                period_start: Day::parse("2024-01-01").unwrap(),
                responsibility: "inpatient".into(),
            };
            let used = Counters { paid: fen(paid), deductible: fen(deductible), burden: fen(0), days: 0 };
            decide(&bill, &plan, &CounterBook::from([(key, used)])).payout()
        };
        prop_assert!(payout(used + more, 0) <= payout(used, 0));
        prop_assert!(payout(0, used + more) >= payout(0, used));
    }

    #[test]
    fn splitting_a_stay_changes_the_total_by_less_than_a_fen_a_piece(
        burdens in proptest::collection::vec(0i64..3_000_000, 1..6), rate in 0u32..=10_000,
    ) {
        let rate = format!("{}.{:04}", rate / 10_000, rate % 10_000);
        let plan = plan(500_000, &rate, 4_000_000);
        let mut counters = CounterBook::new();
        let mut split = 0;
        for burden in &burdens {
            let decision = decide(&settlement("s", *burden, *burden), &plan, &counters);
            split += decision.payout().fen();
            counters.extend(decision.counters.into_iter().map(|change| (change.key, change.after)));
        }
        let sum: i64 = burdens.iter().sum();
        let whole = decide(&settlement("w", sum, sum), &plan, &CounterBook::new()).payout().fen();
        prop_assert!((split - whole).abs() <= i64::try_from(burdens.len()).unwrap());
    }
}
