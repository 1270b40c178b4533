use super::*;

pub(crate) fn fen(fen: i64) -> Fen {
    Fen::new(fen).unwrap()
}

/// A settlement of `total` of which `burden` stays with the person, out of catalogue whole.
pub(crate) fn settlement(id: &str, total: i64, burden: i64) -> Settlement {
    Settlement {
        source: "370200".into(),
        settlement_id: id.into(),
        visit_id: None,
        person: Person { psn_no: Some(Personal::new("p1")), ..Person::default() },
        hospital_code: Some("H37029999001".into()),
        hospital_level: None,
        region: None,
        insured_region: None,
        insurance_type: None,
        medical_category: Some("21".into()),
        admission_date: None,
        discharge_date: None,
        settle_time: Moment::parse_local("2024-03-15 10:15:06"),
        diagnoses: vec![],
        invoice_no: None,
        discharge_way: None,
        pay_location: None,
        interim: None,
        without_basic_insurance: false,
        event: None,
        amounts: Amounts {
            total: fen(total),
            fund_total: Some(fen(total - burden)),
            personal_total: Some(fen(burden)),
            ..Amounts::default()
        },
        funds: vec![],
        late_payments: Vec::new(),
        lines: vec![],
        sender: SenderNotes::default(),
    }
}

fn broken(settlement: &Settlement) -> Vec<String> {
    settlement.contradictions().into_iter().map(|found| found.identity).collect()
}

/// The real 2304 message of `domain.md` 1.7: a hospital-borne part outside the scope.
fn real_message() -> Settlement {
    let mut real = settlement("real", 2_344_246, 415_206);
    real.amounts = Amounts {
        total: fen(2_344_246),
        out_of_catalogue: Some(fen(253_397)),
        over_limit: Some(fen(139_689)),
        advance_self_pay: Some(fen(70_344)),
        in_scope: Some(fen(1_880_816)),
        basic_deductible: None,
        fund_total: Some(fen(1_878_539)),
        hospital_borne: Some(fen(50_501)),
        personal_total: Some(fen(415_206)),
        personal_again: None,
        account: Some(fen(17_004)),
        cash: Some(fen(398_202)),
    };
    real
}

#[test]
fn a_real_message_holds_all_identities_and_its_buckets_add_up() {
    let real = real_message();
    assert_eq!(broken(&real), Vec::<String>::new());
    assert_eq!(real.burden(), Some(fen(415_206)));
    let buckets = real.buckets(fen(415_206));
    assert_eq!(buckets.burden(), fen(415_206));
    assert_eq!(buckets.advance_self_pay, fen(70_344 - 48_224), "the floor cuts advance");
    assert_eq!(buckets.in_scope(), Fen::ZERO);
}

#[test]
fn each_identity_is_checked_with_its_tolerance() {
    let with = |change: fn(&mut Amounts)| {
        let mut settlement = real_message();
        change(&mut settlement.amounts);
        broken(&settlement)
    };
    assert_eq!(with(|it| it.total = it.total + TOLERANCE), Vec::<String>::new());
    assert_eq!(with(|it| it.total = it.total + fen(2)), ["I1", "I3"]);
    assert_eq!(with(|it| it.cash = Some(fen(398_204))), ["I2"]);
    assert_eq!(with(|it| it.in_scope = Some(fen(1_880_813))), ["I3"]);
    assert_eq!(with(|it| it.personal_total = None), Vec::<String>::new());
    let mut funds = real_message();
    funds.funds = vec![FundPayment { fund_code: "330100".into(), amount: fen(1) }];
    assert_eq!(broken(&funds), ["I4"]);
    let mut beyond = settlement("x", 100, 0);
    beyond.amounts.personal_total = None;
    beyond.amounts.fund_total = Some(fen(200));
    assert_eq!(broken(&beyond), ["I1"]);
    let mut alone = settlement("x", 100, 100);
    alone.amounts.fund_total = None;
    alone.amounts.personal_total = Some(fen(500));
    assert_eq!(broken(&alone), ["I1"]);
}

#[test]
fn a_new_fact_supplements_and_a_changed_one_conflicts() {
    let known = settlement("a", 1_000, 400);
    let mut again = known.clone();
    again.person.name = Some(Personal::new("named"));
    assert!(matches!(known.compare(&again), Comparison::Supplement(_)));
    assert_eq!(known.compare(&known), Comparison::Same);
    let mut shorter = known.clone();
    shorter.medical_category = None;
    assert_eq!(known.compare(&shorter), Comparison::Same, "an absent fact changes nothing");
    let mut more = known.clone();
    more.invoice_no = Some("1".into());
    let Comparison::Supplement(merged) = shorter.compare(&more) else { panic!("supplement") };
    assert_eq!(merged.invoice_no.as_deref(), Some("1"));
    assert_eq!(merged.medical_category.as_deref(), Some("21"));
    let mut other = more.clone();
    other.amounts.total = fen(1_001);
    other.invoice_no = Some("2".into());
    let fields = more.compare(&other);
    assert_eq!(fields, Comparison::Conflict(vec!["invoice_no", "total_fen"]));
}

#[test]
fn another_order_or_spelling_is_the_same_content() {
    let fund = |code: &str, amount| FundPayment { fund_code: code.into(), amount: fen(amount) };
    let mut known = settlement("a", 1_000, 400);
    known.funds = vec![fund("310100", 400), fund("330100", 200)];
    known.person.cert_no = Some(Personal::new("37029919490312001X"));
    let mut again = known.clone();
    again.funds.reverse();
    again.person.cert_no = Some(Personal::new("37029919490312001x"));
    assert_eq!(known.compare(&again), Comparison::Same);
    again.funds[0].amount = fen(201);
    assert_eq!(known.compare(&again), Comparison::Conflict(vec!["funds"]));
}

/// Lines and diagnoses may come in parts; one that is known comes again without harm.
#[test]
fn lists_grow_and_never_change() {
    let line = |no: &str, total| Line {
        line_no: no.into(),
        item_code: None,
        item_name: None,
        charge_class: None,
        catalogue_level: None,
        service_date: None,
        quantity: None,
        total: fen(total),
        out_of_catalogue: None,
        over_limit: None,
        advance_self_pay: None,
        in_scope: None,
    };
    let diagnosis = |code| Diagnosis { code: Personal::new(code), name: Personal::default() };
    let with = |lines: &[Line], codes: &[&'static str]| Settlement {
        lines: lines.to_vec(),
        diagnoses: codes.iter().map(|code| diagnosis(*code)).collect(),
        ..settlement("a", 1_000, 400)
    };
    let known = with(&[line("1", 600)], &["I50.9"]);
    assert!(!known.has_all_lines());
    let more = with(&[line("2", 400), line("1", 600)], &["i50.9", "E11"]);
    let Comparison::Supplement(merged) = known.compare(&more) else { panic!("a supplement") };
    assert_eq!(*merged, with(&[line("1", 600), line("2", 400)], &["I50.9", "E11"]));
    assert!(merged.has_all_lines());
    assert_eq!(merged.compare(&known), Comparison::Same);
    let other = with(&[line("1", 601)], &["E11", "I50.9"]);
    assert_eq!(known.compare(&other), Comparison::Conflict(vec!["diagnoses", "lines"]));
}

#[test]
fn debug_output_shows_nothing_personal() {
    let mut settlement = settlement("a", 1_000, 400);
    settlement.person.name = Some(Personal::new("甲"));
    settlement.diagnoses =
        vec![Diagnosis { code: Personal::new("I50.9"), name: Personal::new("心力衰竭") }];
    let shown = format!("{settlement:?}");
    assert!(!shown.contains('甲') && !shown.contains("I50") && !shown.contains("p1"), "{shown}");
}

/// A profile may be corrected: the same message by the new one is no conflict.
#[test]
fn what_a_profile_filled_in_gives_way_to_what_is_stated() {
    let filled_in = |level: &str| {
        let mut settlement = settlement("a", 1_000, 400);
        settlement.hospital_level = Some(level.into());
        settlement.sender.filled_in = vec!["hospital_level".into()];
        settlement
    };
    let stated = |level: &str| Settlement {
        hospital_level: Some(level.into()),
        ..settlement("a", 1_000, 400)
    };
    assert_eq!(filled_in("03").compare(&filled_in("02")), Comparison::Same);
    assert_eq!(stated("03").compare(&filled_in("02")), Comparison::Same);
    let silent = settlement("a", 1_000, 400);
    let Comparison::Supplement(merged) = filled_in("03").compare(&stated("02")) else {
        panic!("a supplement")
    };
    assert_eq!(*merged, stated("02"));
    let Comparison::Supplement(merged) = silent.compare(&filled_in("03")) else {
        panic!("a supplement")
    };
    assert_eq!(*merged, filled_in("03"));
    let conflict = Comparison::Conflict(vec!["hospital_level"]);
    assert_eq!(stated("03").compare(&stated("02")), conflict);
}

/// An answer may come with the details of its funds and without them.
#[test]
fn sums_per_fund_give_way_to_details() {
    let with = |funds: &[(&str, i64)]| {
        let fund = |(code, amount): &(&str, i64)| FundPayment {
            fund_code: (*code).into(),
            amount: fen(*amount),
        };
        Settlement { funds: funds.iter().map(fund).collect(), ..settlement("a", 1_000, 400) }
    };
    let (sums, details) = (with(&[("hifp_pay", 600)]), with(&[("390100", 500), ("390200", 100)]));
    let Comparison::Supplement(merged) = sums.compare(&details) else { panic!("a supplement") };
    assert_eq!(*merged, details);
    assert_eq!(details.compare(&sums), Comparison::Same);
    let other = with(&[("hifp_pay", 599)]);
    assert_eq!(details.compare(&other), Comparison::Conflict(vec!["funds"]));
}
