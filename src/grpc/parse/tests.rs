use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::core::checks::limits::{LINES_MAX, PROBLEMS_MAX};
use crate::core::day::Day;
use crate::core::money::Fen;
use crate::core::personal::Personal;
use crate::core::settlement::{
    Amounts, Diagnosis, FundPayment, LatePayment, Line, Person, SenderNotes, Settlement,
};
use crate::grpc::render;
use crate::pb;

/// A request with which nothing is wrong.
fn good() -> pb::Settlement {
    pb::Settlement {
        source: "370200".into(),
        settlement_id: "370200G0000008800004".into(),
        member: Some(pb::MemberIdentity {
            cert_no: "370299196008050031".into(),
            ..pb::MemberIdentity::default()
        }),
        settle_time: Some(Timestamp { seconds: 1_729_308_033, nanos: 0 }),
        total_fen: 16_832_075,
        lines: vec![line("F0001"), line("F0002")],
        ..pb::Settlement::default()
    }
}

fn line(line_no: &str) -> pb::Line {
    pb::Line { line_no: line_no.into(), total_fen: 100, ..pb::Line::default() }
}

/// The fields that are refused after `spoil`, which is one of them for each value spoilt.
fn refused(spoil: impl FnOnce(&mut pb::Settlement)) -> Vec<String> {
    let mut message = good();
    spoil(&mut message);
    let problems = settlement(Some(&message), Id::Required).err().unwrap_or_default();
    problems.into_iter().map(|it| it.field).collect()
}

#[track_caller]
fn check(field: &str, spoil: impl FnOnce(&mut pb::Settlement)) {
    assert_eq!(refused(spoil), [format!("settlement.{field}")]);
}

#[test]
fn nothing_is_wrong_with_a_good_settlement() {
    assert_eq!(refused(|_| {}), Vec::<String>::new());
    let quote = pb::Settlement { settlement_id: String::new(), ..good() };
    assert!(settlement(Some(&quote), Id::Optional).is_ok());
    assert_eq!(
        settlement(None, Id::Optional).unwrap_err()[0].to_string(),
        "settlement is required"
    );
}

#[test]
fn every_bad_value_is_named_by_its_field() {
    check("source", |it| it.source.clear());
    check("source", |it| it.source = "37020".into());
    check("settlement_id", |it| it.settlement_id.clear());
    check("settlement_id", |it| it.settlement_id = "9".repeat(31));
    check("settlement_id", |it| it.settlement_id = "a\0b".into());
    check("visit_id", |it| it.visit_id = "a b".into());
    check("member", |it| it.member = None);
    check("member", |it| it.member = Some(pb::MemberIdentity::default()));
    let member = |change: fn(&mut pb::MemberIdentity)| {
        move |it: &mut pb::Settlement| change(it.member.as_mut().unwrap())
    };
    check("member.cert_type", member(|it| it.cert_type = "0000001".into()));
    check("member.cert_no", member(|it| it.cert_no = "1".repeat(51)));
    check("member.name", member(|it| it.name = "甲".repeat(51)));
    check("member.psn_no", member(|it| it.psn_no = "a\nb".into()));
    check("member.card_no", member(|it| it.card_no = "1".repeat(51)));
    check("hospital_code", |it| it.hospital_code = "H".repeat(31));
    check("hospital_level", |it| it.hospital_level = "三级甲等".into());
    check("region", |it| it.region = "37-200".into());
    check("insured_region", |it| it.insured_region = "青岛".into());
    check("insurance_type", |it| it.insurance_type = "1234567".into());
    check("medical_category", |it| it.medical_category = "2 1".into());
    check("admission_date", |it| it.admission_date = "2023-02-29".into());
    check("discharge_date", |it| {
        it.admission_date = "2024-10-02".into();
        it.discharge_date = "2024-10-01".into();
    });
    check("settle_time", |it| it.settle_time = Some(Timestamp { seconds: i64::MAX, nanos: 0 }));
    check("settle_time", |it| it.settle_time = Some(Timestamp { seconds: 0, nanos: -1 }));
    check("diagnoses[0].code", |it| it.diagnoses = vec![pb::Diagnosis::default()]);
    check("diagnoses", |it| it.diagnoses = vec![pb::Diagnosis::default(); 101]);
    check("total_fen", |it| it.total_fen = 0);
    check("total_fen", |it| it.total_fen = -1);
    check("total_fen", |it| it.total_fen = i64::MAX);
    check("in_scope_fen", |it| it.in_scope_fen = Some(-1));
    check("cash_fen", |it| it.cash_fen = Some(i64::MIN));
    check("funds[0].fund_code", |it| it.funds = vec![pb::FundPayment::default()]);
    check("funds[0].amount_fen", |it| {
        it.funds = vec![pb::FundPayment { fund_code: "390100".into(), amount_fen: -5 }];
    });
    check("lines[1].line_no", |it| it.lines[1].line_no.clear());
    check("lines[1].line_no", |it| it.lines[1].line_no = "F0001".into());
    check("lines[0].service_date", |it| it.lines[0].service_date = "20241001".into());
    check("lines[1].total_fen", |it| it.lines[1].total_fen = -1);
    check("lines[1].over_limit_fen", |it| it.lines[1].over_limit_fen = Some(-1));
    check("lines", |it| it.lines = vec![pb::Line::default(); LINES_MAX + 1]);
    check("invoice_no", |it| it.invoice_no = "1".repeat(31));
}

#[test]
fn all_bad_fields_are_named_at_once_and_no_value_with_them() {
    let mut message = good();
    message.source = "secret".into();
    message.total_fen = -1;
    message.lines[1].total_fen = -2;
    let problems = settlement(Some(&message), Id::Required).unwrap_err();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "settlement.source must be a region of six digits",
            "settlement.total_fen must not be negative",
            "settlement.lines[1].total_fen must not be negative",
        ]
    );
    message.lines = vec![pb::Line::default(); 200];
    let flood = settlement(Some(&message), Id::Required).unwrap_err();
    assert_eq!(flood.len(), PROBLEMS_MAX);
}

#[test]
fn what_is_no_fund_money_is_left_out_as_in_a_message() {
    let fund = |code: &str, amount_fen| pb::FundPayment { fund_code: code.into(), amount_fen };
    let mut message = good();
    message.funds = vec![fund("390100", 5), fund("310200", 7), fund("610100", 0)];
    let funds = settlement(Some(&message), Id::Required).unwrap().funds;
    assert_eq!(funds.len(), 1);
    assert_eq!(funds[0].fund_code, "390100");
}

fn good_member() -> pb::Member {
    pb::Member {
        external_id: "RJ-000123".into(),
        cert_no: "370299196008050031".into(),
        name: "测试员乙".into(),
        classes: vec![pb::MemberClass {
            class_code: "disabled_serviceman".into(),
            grade: 10,
            start_date: "2019-01-01".into(),
            end_date: String::new(),
        }],
        coverages: vec![pb::Coverage {
            plan_id: "qingdao-rongjun".into(),
            start_date: "2024-01-01".into(),
            end_date: "2024-12-31".into(),
        }],
        payee: Some(pb::Payee {
            kind: pb::PayeeKind::Member.into(),
            account_name: "测试员乙".into(),
            account_no: "6222020200012345678".into(),
            bank_code: "102452000017".into(),
        }),
        illnesses: vec![pb::Illness {
            diagnosis_code: "I25".into(),
            since_date: "2019-05-06".into(),
        }],
        ..pb::Member::default()
    }
}

#[track_caller]
fn check_member(field: &str, spoil: impl FnOnce(&mut pb::Member)) {
    let mut member = good_member();
    spoil(&mut member);
    let problems = roster(Some(&member)).unwrap_err();
    let fields: Vec<String> = problems.into_iter().map(|it| it.field).collect();
    assert_eq!(fields, [format!("member.{field}")]);
}

#[test]
fn a_row_of_the_roster_is_read_or_refused_by_field() {
    let read = roster(Some(&good_member())).unwrap();
    let rendered = pb::Member { member_id: String::new(), ..render::member("", &read) };
    assert!(rendered == good_member(), "read and rendered again it is the same");
    assert_eq!(roster(None).unwrap_err()[0].to_string(), "member is required");
    check_member("external_id", |it| it.external_id.clear());
    check_member("cert_no", |it| it.cert_no.clear());
    check_member("name", |it| it.name = "\u{7}".into());
    let mut without_class = good_member();
    without_class.classes[0].class_code.clear();
    assert!(roster(Some(&without_class)).is_ok(), "from then on the person has none");
    check_member("classes[0].grade", |it| it.classes[0].grade = 11);
    check_member("classes[0].grade", |it| it.classes[0].grade = -1);
    check_member("classes[0].start_date", |it| it.classes[0].start_date.clear());
    check_member("coverages[0].plan_id", |it| it.coverages[0].plan_id.clear());
    check_member("coverages[0].end_date", |it| it.coverages[0].end_date = "2023-12-31".into());
    let payee =
        |change: fn(&mut pb::Payee)| move |it: &mut pb::Member| change(it.payee.as_mut().unwrap());
    check_member("payee.kind", payee(|it| it.kind = 0));
    check_member("payee.kind", payee(|it| it.kind = 99));
    check_member("payee.account_name", payee(|it| it.account_name.clear()));
    check_member("payee.account_no", payee(|it| it.account_no.clear()));
    check_member("payee.bank_code", payee(|it| it.bank_code = "ICBC".into()));
    let mut hospital = good_member();
    let payee = hospital.payee.as_mut().unwrap();
    payee.kind = pb::PayeeKind::Hospital.into();
    payee.account_name.clear();
    assert!(roster(Some(&hospital)).is_ok());
}

#[test]
fn questions_are_read_or_refused_by_field() {
    assert_eq!(page_size(0), Ok(100));
    assert_eq!(page_size(1001), Ok(1000));
    assert_eq!(page_size(-1).unwrap_err()[0].field, "page_size");
    let request = pb::ListClaimsRequest {
        states: vec![pb::ClaimState::Pended.into(), 0, 99],
        member_id: "not-a-uuid".into(),
        source: "x".into(),
        page_size: -1,
        ..pb::ListClaimsRequest::default()
    };
    let fields: Vec<String> =
        claim_query(&request).unwrap_err().into_iter().map(|it| it.field).collect();
    assert_eq!(fields, ["states[1]", "states[2]", "member_id", "source", "page_size"]);
    assert_eq!(claim_id("").unwrap_err()[0].to_string(), "claim_id is required");
    assert!(claim_id("3-18442").is_ok());
    assert_eq!(claim_id("3/1").unwrap_err()[0].field, "claim_id");
    let today = Day::parse("2024-10-19").unwrap();
    let both =
        pb::GetPlanRequest { plan_id: "p".into(), version: "1".into(), date: "2024-01-01".into() };
    assert_eq!(plan_choice(&both, today).unwrap_err()[0].field, "date");
    let neither = pb::GetPlanRequest { plan_id: "p".into(), ..pb::GetPlanRequest::default() };
    assert_eq!(plan_choice(&neither, today), Ok(("p".into(), PlanChoice::InForce(today))));
    assert_eq!(plan_document(String::new()).unwrap_err()[0].field, "document");
    assert_eq!(plan_document("x".repeat(1024 * 1024 + 1)).unwrap_err()[0].field, "document");
}

#[test]
fn a_person_is_named_in_one_way_or_the_question_is_refused() {
    use pb::get_member_request::Selector;
    let fields = |selector: Option<Selector>| {
        let mut checks = Checks::default();
        let found = who(&mut checks, selector.as_ref()).map(|who| who.selector());
        let problems = checks.done(()).err().unwrap_or_default();
        (found, problems.into_iter().map(|it| it.field).collect::<Vec<_>>())
    };
    let none = Vec::<String>::new();
    assert_eq!(fields(None), (None, vec!["selector".into()]));
    assert_eq!(fields(Some(Selector::MemberId("x".into()))), (None, vec!["member_id".into()]));
    let external = Selector::ExternalId("RJ-1".into());
    assert_eq!(fields(Some(external)), (Some("external_id"), none.clone()));
    let identity = |cert_no: &str, psn_no: &str, region: &str| {
        fields(Some(Selector::Identity(pb::Identity {
            cert_type: String::new(),
            cert_no: cert_no.into(),
            psn_no: psn_no.into(),
            region: region.into(),
        })))
    };
    assert_eq!(identity("3702", "", ""), (Some("identity"), none.clone()));
    assert_eq!(identity("", "1", "370200"), (Some("identity"), none));
    assert_eq!(identity("", "1", ""), (None, vec!["identity.region".into()]));
    assert_eq!(identity("", "", ""), (None, vec!["identity".into()]));
}

fn fen() -> impl Strategy<Value = Option<Fen>> {
    prop::option::of((0..=Fen::INPUT_MAX.fen()).prop_map(|fen| Fen::new(fen).unwrap()))
}

fn day() -> impl Strategy<Value = Option<Day>> {
    prop::option::of(
        (1900..2200i16, 1..=12i8, 1..=28i8)
            .prop_map(|(year, month, day)| Day::new(year, month, day).unwrap()),
    )
}

fn code(max: usize) -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop::string::string_regex(&format!("[!-~]{{1,{max}}}")).unwrap())
}

fn personal(max: usize) -> impl Strategy<Value = Option<Personal>> {
    let text = prop::string::string_regex(&format!("[a-z0-9甲乙丙]{{1,{max}}}")).unwrap();
    prop::option::of(text.prop_map(Personal::new))
}

prop_compose! {
    fn any_line()(
        texts in (personal(50), personal(50), code(6), code(6), day()),
        total in 0..=Fen::INPUT_MAX.fen(),
        parts in prop::array::uniform4(fen()),
    ) -> Line {
        let (item_code, item_name, charge_class, catalogue_level, service_date) = texts;
        let [out_of_catalogue, over_limit, advance_self_pay, in_scope] = parts;
        Line {
            line_no: String::new(),
            item_code,
            item_name,
            charge_class,
            catalogue_level,
            service_date,
            quantity: None,
            total: Fen::new(total).unwrap(),
            out_of_catalogue,
            over_limit,
            advance_self_pay,
            in_scope,
        }
    }
}

prop_compose! {
    fn any_amounts()(
        total in 1..=Fen::INPUT_MAX.fen(),
        stated in prop::array::uniform10(fen()),
    ) -> Amounts {
        let [a, b, c, d, e, f, g, h, i, j] = stated;
        Amounts {
            total: Fen::new(total).unwrap(),
            out_of_catalogue: a,
            over_limit: b,
            advance_self_pay: c,
            in_scope: d,
            basic_deductible: e,
            fund_total: f,
            hospital_borne: g,
            personal_again: None,
            personal_total: h,
            account: i,
            cash: j,
        }
    }
}

prop_compose! {
    fn any_person()(
        cert_type in code(6),
        cert_no in "[0-9]{18}",
        others in (personal(50), personal(30), personal(50)),
    ) -> Person {
        let (name, psn_no, card_no) = others;
        Person { cert_type, cert_no: Some(Personal::new(cert_no)), name, psn_no, card_no }
    }
}

prop_compose! {
    fn any_settlement()(
        id in "[!-~]{1,30}",
        codes in (code(30), code(30), code(6), code(6), code(6), code(30)),
        region in prop::option::of("[0-9]{6}"),
        person in any_person(),
        stay in (day(), day()),
        settle_micros in prop::option::of(-2_000_000_000_000_000..7_000_000_000_000_000_i64),
        diagnosis in prop::option::of("[A-Z][0-9]{2}"),
        amounts in any_amounts(),
        fund in prop::option::of(1..=Fen::INPUT_MAX.fen()),
        mut lines in prop::collection::vec(any_line(), 0..4),
    ) -> Settlement {
        for (index, line) in lines.iter_mut().enumerate() {
            line.line_no = format!("F{index}");
        }
        let (visit_id, hospital_code, hospital_level, insurance_type, category, invoice) = codes;
        let (admission_date, discharge_date) = match stay {
            (Some(first), Some(last)) => (Some(first.min(last)), Some(first.max(last))),
            other => other,
        };
        let diagnosis = diagnosis.map(|code| Diagnosis {
            code: Personal::new(code),
            name: Personal::new("甲"),
        });
        let fund = fund.map(|amount| FundPayment {
            fund_code: "390100".into(),
            amount: Fen::new(amount).unwrap(),
        });
        Settlement {
            source: "370200".into(),
            settlement_id: id,
            visit_id,
            person,
            hospital_code,
            hospital_level,
            region: region.clone(),
            insured_region: region,
            insurance_type,
            medical_category: category,
            admission_date,
            discharge_date,
            settle_time: settle_micros.map(Moment::from_micros),
            diagnoses: diagnosis.into_iter().collect(),
            invoice_no: invoice,
            discharge_way: None,
            pay_location: None,
            interim: None,
            without_basic_insurance: false,
            event: None,
            amounts,
            late_payments: fund
                .iter()
                .map(|fund| LatePayment {
                    payment_id: "P-1".into(),
                    fund_code: fund.fund_code.clone(),
                    amount: Fen::ONE,
                })
                .collect(),
            funds: fund.into_iter().collect(),
            lines,
            sender: SenderNotes::default(),
        }
    }
}

proptest! {
    #[test]
    fn what_is_rendered_reads_as_it_was(facts in any_settlement()) {
        let rendered = render::settlement(&facts);
        let read = settlement(Some(&rendered), Id::Required);
        prop_assert!(read.as_ref() == Ok(&facts), "{:?}", read.err());
    }

    /// Bytes that decode at all are read or refused, whatever they say.
    #[test]
    fn no_request_makes_the_parser_panic(
        facts in any_settlement(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut garbled = render::settlement(&facts).encode_to_vec();
        let place = at.index(garbled.len());
        garbled[place] = byte;
        for bytes in [garbled, bytes] {
            if let Ok(message) = pb::Settlement::decode(bytes.as_slice()) {
                let _ = settlement(Some(&message), Id::Required);
            }
            if let Ok(message) = pb::Member::decode(bytes.as_slice()) {
                let _ = roster(Some(&message));
            }
            if let Ok(message) = pb::ListClaimsRequest::decode(bytes.as_slice()) {
                let _ = claim_query(&message);
            }
        }
    }

    #[test]
    fn any_text_in_any_field_is_read_or_refused(text in ".{0,60}", number in any::<i64>()) {
        let mut message = good();
        let member = message.member.get_or_insert_default();
        member.cert_no.clone_from(&text);
        member.name.clone_from(&text);
        message.admission_date.clone_from(&text);
        message.region.clone_from(&text);
        message.lines[0].item_name.clone_from(&text);
        message.total_fen = number;
        message.settle_time = Some(Timestamp { seconds: number, nanos: 999_999_999 });
        let _ = settlement(Some(&message), Id::Optional);
        let _ = claim_id(&text);
    }
}
