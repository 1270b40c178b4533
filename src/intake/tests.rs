//! Each tolerance and each refusal of an answer once, and what all tests of the reader share.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::*;

use crate::core::checks::limits;
use crate::core::money::Fen;
use crate::core::settlement::Comparison;

pub(super) fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

pub(super) fn sample(name: &str) -> Value {
    serde_json::from_slice(&fixture(&format!("messages/{name}.json"))).unwrap()
}

pub(super) fn message(payload: &[u8]) -> Message<'_> {
    Message { sender: "hospital", payload, infno: None, request_payload: None }
}

fn read_value(payload: &Value) -> Result<Reading, Unreadable> {
    read_national(&message(payload.to_string().as_bytes()))
}

#[track_caller]
pub(super) fn settlement(reading: Result<Reading, Unreadable>) -> Settlement {
    match reading {
        Ok(Reading::Settlement(settlement)) => *settlement,
        other => panic!("no settlement: {other:?}"),
    }
}

#[track_caller]
pub(super) fn read_sample(name: &str) -> Settlement {
    settlement(read_national(&message(&fixture(&format!("messages/{name}.json")))))
}

/// Sample 01 after a change to its `setlinfo`.
fn changed(change: impl FnOnce(&mut Map<String, Value>)) -> Result<Reading, Unreadable> {
    let mut payload = sample("01_2304_case_a_stay1");
    change(payload["output"]["setlinfo"].as_object_mut().unwrap());
    read_value(&payload)
}

#[track_caller]
pub(super) fn problems(reading: Result<Reading, Unreadable>) -> Vec<String> {
    reading.unwrap_err().problems.iter().map(Problem::to_string).collect()
}

pub(super) fn put(key: &str, value: impl Into<Value>) -> impl FnOnce(&mut Map<String, Value>) {
    let (key, value) = (key.to_owned(), value.into());
    move |fields| drop(fields.insert(key, value))
}

#[test]
fn a_bare_answer_takes_hospital_and_platform_from_its_ids() {
    let bare = read_sample("01_2304_case_a_stay1");
    assert_eq!(bare.source, "370200");
    assert_eq!(bare.hospital_code.as_deref(), Some("H37029999001"));
    assert_eq!(bare.region, None, "an id says who issued it, not where the person was");
    let odd = settlement(changed(put("medins_setl_id", "X3702999900120240315")));
    assert_eq!(odd.hospital_code, None);
    let mut payload = sample("01_2304_case_a_stay1");
    payload["inf_refmsgid"] = "37020".into();
    let problems = problems(read_value(&payload));
    assert_eq!(problems.len(), 1);
    for place in ["source.mdtrtarea_admvs", "request", "inf_refmsgid"] {
        assert!(problems[0].contains(place), "{problems:?}");
    }
}

#[test]
fn the_request_adds_what_the_answer_lacks() {
    let payload = fixture("messages/01_2304_case_a_stay1.json");
    let request = fixture("messages/00_2304_request_envelope.json");
    let with = |request: &[u8]| {
        read_national(&Message { request_payload: Some(request), ..message(&payload) })
    };
    let read = settlement(with(&request));
    assert_eq!(read.region.as_deref(), Some("370200"));
    assert_eq!(read.insured_region.as_deref(), Some("370200"));
    assert_eq!(read.discharge_date.unwrap().to_string(), "2024-03-15");
    let composite = read_sample("18_composite_ingest_case_a_stay1");
    assert!(matches!(read.compare(&composite), Comparison::Supplement(_)));

    let mut district = sample("00_2304_request_envelope");
    district["mdtrtarea_admvs"] = "370211".into();
    let read = settlement(with(district.to_string().as_bytes()));
    assert_eq!(read.source, "370211", "the envelope outranks the id");
    district["mdtrtarea_admvs"] = "37021".into();
    let found = problems(with(district.to_string().as_bytes()));
    assert_eq!(found, ["request_payload.mdtrtarea_admvs must be a region of six digits"]);
    district["mdtrtarea_admvs"] = Value::Null;
    district["input"]["data"]["mdtrt_id"] = "another".into();
    let found = problems(with(district.to_string().as_bytes()));
    assert_eq!(found, ["request_payload.input.data.mdtrt_id must be that of the answer"]);
    assert_eq!(settlement(with(b"")), read_sample("01_2304_case_a_stay1"));
    assert_eq!(problems(with(b"[]")), ["request_payload must be a JSON object"]);
}

#[test]
fn an_answer_without_settlement_says_so_and_repeats_nothing() {
    let answer = |infcode: Value| {
        let mut payload = sample("09_2304_error_response");
        payload["infcode"] = infcode;
        read_value(&payload).map(|reading| format!("{reading:?}"))
    };
    let told = r#"NoSettlement { detail: "the platform answered infcode -1" }"#;
    assert_eq!(answer(json!(-1)).as_deref(), Ok(told));
    assert_eq!(answer(json!("-1")).as_deref(), Ok(told));
    assert!(!answer(json!("370299194903120017")).unwrap().contains("370299"));
    assert_eq!(answer(json!("0")).unwrap_err().problems[0].to_string(), "output is required");
    assert_eq!(answer(json!([])).unwrap_err().problems.len(), 2);
}

#[test]
fn one_settlement_reads_the_same_in_every_form() {
    let known = read_sample("01_2304_case_a_stay1");
    let mut strings = sample("01_2304_case_a_stay1");
    for value in strings["output"]["setlinfo"].as_object_mut().unwrap().values_mut() {
        if value.is_number() {
            *value = value.to_string().into();
        }
    }
    strings["infcode"] = "0".into();
    strings["output"]["setldetail"][0]["fund_payamt"] = "31205.18".into();
    strings["output"]["setldetail"][0]["fund_pay_type"] = json!(390_100);
    strings["output"] = strings["output"].to_string().into();
    strings["an_unknown_field"] = json!({"deep": [1, {"er": null}]});
    assert_eq!(settlement(read_value(&strings)), known);

    let mut with_mark = "\u{feff}".as_bytes().to_vec();
    with_mark.extend(strings.to_string().bytes());
    assert_eq!(settlement(read_national(&message(&with_mark))), known);

    let renamed = changed(|fields| {
        for (name, alias) in [
            ("psn_part_amt", "psn_pay"),
            ("psn_cash_pay", "cash_payamt"),
            ("oth_pay", "othfundPay"),
        ] {
            let value = fields.remove(name).unwrap();
            fields.insert(alias.to_owned(), value);
            fields.insert(name.to_owned(), Value::Null);
        }
        fields["med_type"] = json!(21);
        fields["psn_cert_type"] = json!(1);
        fields["setl_time"] = "2024-03-15T10:15:06.000".into();
    });
    assert_eq!(settlement(renamed), known);
}

#[test]
fn what_is_absent_stays_unknown() {
    let bare = settlement(changed(|fields| {
        fields.retain(|name, _| {
            ["setl_id", "psn_no", "medfee_sumamt", "hifp_pay"].contains(&&**name)
        });
    }));
    assert_eq!(
        bare.amounts,
        crate::core::settlement::Amounts {
            total: Fen::parse_yuan("68412.36").unwrap(),
            ..Default::default()
        }
    );
    assert_eq!(bare.person.cert_no, None);
    assert_eq!(bare.hospital_code, None);
    assert_eq!(bare.burden(), Fen::parse_yuan("37207.18").ok(), "the fund is still known");
}

#[test]
fn each_wrong_value_has_its_own_problem_and_all_come_at_once() {
    let found = problems(changed(|fields| {
        put("setl_id", "x".repeat(31))(fields);
        put("psn_name", "甲\u{0}")(fields);
        put("hosp_part_amt", -1)(fields);
        put("fulamt_ownpay_amt", "1,000.00")(fields);
        put("overlmt_selfpay", "1.005")(fields);
        put("inscp_scp_amt", "99999999999999999999")(fields);
        put("setl_time", "2024-02-30 10:15:06")(fields);
        put("med_type", json!({"code": "21"}))(fields);
        put("acct_pay", true)(fields);
    }));
    let setlinfo: Vec<&str> =
        found.iter().map(|problem| problem.strip_prefix("output.setlinfo.").unwrap()).collect();
    assert_eq!(
        setlinfo,
        [
            "setl_id must be at most 30 characters",
            "psn_name must not contain control characters",
            "med_type must be a text or a number",
            "setl_time must be a local time such as 2024-03-15 10:15:06",
            "fulamt_ownpay_amt must be a plain decimal number of yuan such as 1234.56",
            "overlmt_selfpay must have at most two decimals",
            "inscp_scp_amt must be at most 10000000000.00",
            "hosp_part_amt must not be negative",
            "acct_pay must be a text or a number",
        ]
    );
    let found = problems(changed(serde_json::Map::clear));
    assert_eq!(
        found,
        [
            "output.setlinfo.setl_id is required",
            "output.setlinfo.medfee_sumamt is required",
            "output.setlinfo.certno is required, or psn_no",
        ]
    );
}

#[test]
fn an_answer_to_2303_is_a_quote() {
    let mut payload = sample("01_2304_case_a_stay1");
    payload["output"]["setlinfo"].as_object_mut().unwrap().remove("setl_id");
    let payload = payload.to_string();
    let asked = |infno| read_national(&Message { infno, ..message(payload.as_bytes()) });
    let Ok(Reading::Quote(quote)) = asked(Some("2303")) else { panic!("a quote") };
    assert_eq!(quote.settlement_id, "");
    assert_eq!(quote.burden(), Fen::parse_yuan("37207.18").ok());
    assert_eq!(problems(asked(None)), ["output.setlinfo.setl_id is required"]);
    let request = br#"{"infno": "2304"}"#;
    let message = Message {
        infno: Some("2303"),
        request_payload: Some(request),
        ..message(payload.as_bytes())
    };
    assert_eq!(
        problems(read_national(&message)),
        ["request_payload.infno must be the same transaction as infno"]
    );
}

#[test]
fn account_and_hospital_money_is_no_funds_money() {
    let with = |details: Value, sums: &[(&str, Value)]| {
        let mut payload = sample("01_2304_case_a_stay1");
        payload["output"]["setldetail"] = details;
        for (name, value) in sums {
            payload["output"]["setlinfo"][*name] = value.clone();
        }
        let funds = settlement(read_value(&payload)).funds;
        let shown = funds.iter().map(|fund| format!("{} {}", fund.fund_code, fund.amount.fen()));
        shown.collect::<Vec<_>>()
    };
    let row = |code: &str, amount: &str| json!({"fund_pay_type": code, "fund_payamt": amount});
    let own = ["310200", "310201", "390500", "999996", "630100", "630101"];
    let mut rows: Vec<Value> = own.iter().map(|code| row(code, "5.00")).collect();
    rows.push(row("390100", "31205.19"));
    rows.push(row("390200", "0.00"));
    assert_eq!(with(rows.into(), &[]), ["390100 3120519"], "within the tolerance of 0.01");
    let other = json!([row("390100", "31205.20")]);
    assert_eq!(with(other.clone(), &[]), ["hifp_pay 3120518"], "the sums are the authority");
    assert_eq!(with(Value::Null, &[("oth_pay", json!("1"))]), ["hifp_pay 3120518", "oth_pay 100"]);
    let silent = names::FUND_SUMS.map(|names| (names[0], Value::Null));
    assert_eq!(with(other, &silent), ["390100 3120520"]);
    assert_eq!(with(json!([row("优抚对象医疗补助", "31205.18")]), &[]).len(), 1, "names are kept");
    let mut payload = sample("01_2304_case_a_stay1");
    payload["output"]["setldetail"] = json!([{"fund_pay_type": "390100"}, {"fund_payamt": 1}]);
    assert_eq!(
        problems(read_value(&payload)),
        [
            "output.setldetail[0].fund_payamt is required",
            "output.setldetail[1].fund_pay_type is required",
        ]
    );
}

/// GB18030 is what older systems write; guessing an encoding could change a name or a code.
#[test]
fn another_encoding_is_refused_and_named() {
    let gb18030 = b"{\"infcode\": 0, \"psn_name\": \"\xb2\xe2\xca\xd4\"}";
    assert_eq!(problems(read_national(&message(gb18030))), ["payload must be UTF-8"]);
    let answer = fixture("messages/01_2304_case_a_stay1.json");
    let asked = Message { request_payload: Some(gb18030), ..message(&answer) };
    assert_eq!(problems(read_national(&asked)), ["request_payload must be UTF-8"]);
}

#[test]
fn a_message_that_contradicts_itself_is_read() {
    let read = settlement(changed(put("medfee_sumamt", "1.00")));
    assert!(!read.contradictions().is_empty());
}

#[test]
fn lines_belong_to_their_settlement_and_name_their_row() {
    let mut payload = sample("18d_composite_case_b_with_lines");
    payload["source"]["hosp_lv"] = json!(9);
    assert_eq!(settlement(read_value(&payload)).hospital_level.as_deref(), Some("09"));
    payload["feedetail"][3]["setl_id"] = "another".into();
    payload["feedetail"][4]["det_item_fee_sumamt"] = Value::Null;
    payload["feedetail"][5]["feedetl_sn"] = "".into();
    payload["feedetail"][6] = json!(7);
    payload["mdtrtinfo"]["endtime"] = "2024-09-27".into();
    payload["mdtrtinfo"]["mdtrt_id"] = "another".into();
    assert_eq!(
        problems(read_value(&payload)),
        [
            "mdtrtinfo.mdtrt_id must be that of the answer",
            "mdtrtinfo.endtime must not be before the first day of the stay",
            "feedetail[6] must be a JSON object",
            "feedetail[3].setl_id must be that of the settlement",
            "feedetail[4].det_item_fee_sumamt is required",
            "feedetail[5].feedetl_sn is required",
            "feedetail[6].feedetl_sn is required",
            "feedetail[6].det_item_fee_sumamt is required",
        ]
    );
    payload["feedetail"] = vec![json!({}); limits::LINES_MAX + 1].into();
    let found = problems(read_value(&payload));
    assert_eq!(found.last().unwrap(), "feedetail must have at most 10000 entries");
}
