//! One settlement in the dialects of its senders, and what a profile changes about reading it.

use serde_json::{Map, Value, json};

use super::tests::{message, problems, read_sample, sample, settlement};
use super::*;
use crate::core::money::Fen;
use crate::core::settlement::{FundPayment, SenderNotes, UnknownCode};

const WHOLE: &str = "18d_composite_case_b_with_lines";
const BARE: &str = "01_2304_case_a_stay1";

fn read_by(profile: &Profile, payload: &Value) -> Result<Reading, Unreadable> {
    read(&message(payload.to_string().as_bytes()), profile)
}

fn told(payload: &Value) -> Settlement {
    settlement(read_by(&Profile::national(), payload))
}

/// Every key in another spelling, at every depth.
fn spelled(value: &Value, spell: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (spell(key), spelled(value, spell))).collect()
        }
        Value::Array(rows) => rows.iter().map(|row| spelled(row, spell)).collect(),
        leaf => leaf.clone(),
    }
}

fn camel(key: &str) -> String {
    let words = key.split('_').enumerate();
    words
        .map(|(index, word)| match word.chars().next() {
            Some(first) if index > 0 => first.to_ascii_uppercase().to_string() + &word[1..],
            _ => word.to_owned(),
        })
        .collect()
}

/// Every number in quotes, at every depth.
fn quoted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), quoted(value))).collect()
        }
        Value::Array(rows) => rows.iter().map(quoted).collect(),
        Value::Number(number) => number.to_string().into(),
        leaf => leaf.clone(),
    }
}

/// The text of a value whose keys stand in reverse order, at every depth.
fn reversed(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().rev();
            let fields = fields.map(|(key, value)| format!("{}:{}", json!(key), reversed(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(rows) => {
            format!("[{}]", rows.iter().map(reversed).collect::<Vec<_>>().join(","))
        }
        leaf => leaf.to_string(),
    }
}

/// A bureau's push: one flat object in camelCase, times in milliseconds since 1970.
fn push() -> Value {
    let whole = sample(WHOLE);
    let mut flat = whole["output"]["setlinfo"].as_object().unwrap().clone();
    for key in ["fixmedins_code", "hosp_lv", "mdtrtarea_admvs", "insuplc_admdvs"] {
        flat.insert(key.to_owned(), whole["source"][key].clone());
    }
    flat.insert("mdtrtinfo".to_owned(), whole["mdtrtinfo"].clone());
    flat.insert("setldetail".to_owned(), whole["output"]["setldetail"].clone());
    flat.insert("feedetail".to_owned(), whole["feedetail"].clone());
    flat.insert("one_stp_flag".to_owned(), json!("1"));
    flat.insert("setl_time".to_owned(), json!(1_729_308_033_000_u64));
    flat["mdtrtinfo"]["begntime"] = json!("1727464320000.0");
    flat["mdtrtinfo"]["endtime"] = json!(1_729_306_800_000_u64);
    spelled(&flat.into(), &camel)
}

#[test]
fn one_settlement_reads_the_same_in_every_dialect() {
    let known = read_sample(WHOLE);
    let whole = sample(WHOLE);
    let mut text = whole.clone();
    text["output"] = whole["output"].to_string().into();
    let mut nested = push();
    let fields = nested.as_object_mut().unwrap();
    let setlinfo: Map<String, Value> = std::mem::take(fields)
        .into_iter()
        .filter(|(key, value)| {
            let is_outside = value.is_object() || value.is_array();
            if is_outside {
                fields.insert(key.clone(), value.clone());
            }
            !is_outside
        })
        .collect();
    nested["setlInfo"] = setlinfo.into();
    for (dialect, payload) in [
        ("camelCase", spelled(&whole, &camel)),
        ("upper case", spelled(&whole, &|key| key.to_uppercase())),
        ("numbers in quotes", quoted(&whole)),
        ("output as text", text),
        ("push", push()),
        ("push with setlInfo", nested),
        ("push with numbers in quotes", quoted(&push())),
    ] {
        assert_eq!(told(&payload), known, "{dialect}");
    }
    for payload in [whole, push()] {
        let text = reversed(&payload);
        assert_eq!(settlement(read_national(&message(text.as_bytes()))), known, "reversed");
    }
}

#[test]
fn an_answer_to_a_query_reads_the_same_as_far_as_it_tells() {
    let known = read_sample(WHOLE);
    let mut payload = sample("04_2304_case_b");
    let fields = payload["output"]["setlinfo"].as_object_mut().unwrap();
    for (name, alias) in [("psn_part_amt", "psn_pay"), ("psn_cash_pay", "cash_payamt")] {
        let value = fields.remove(name).unwrap();
        fields.insert(alias.to_owned(), value);
    }
    for (name, value) in [
        ("begndate", json!("2024-09-28 00:00:00")),
        ("enddate", json!("20241019")),
        ("fixmedins_code", json!("H37029999001")),
        ("fixmedins_poolarea", json!("370299")),
        ("hosp_lv", json!(2)),
        ("insu_optins", json!("370200")),
        ("invono", json!("0099000004")),
        ("dise_codg", json!("I71.000")),
        ("dise_name", json!("主动脉夹层")),
        ("refd_setl_flag", json!("0")),
        ("mid_setl_flag", json!(0)),
        ("pay_loc", json!("2")),
    ] {
        fields.insert(name.to_owned(), value);
    }
    let queried = told(&payload);
    // A query tells where it was settled, and not how the stay ended.
    let pay_location = Some("2".to_owned());
    let expected =
        Settlement { region: None, lines: vec![], discharge_way: None, pay_location, ..known };
    assert_eq!(queried, expected);
    let request = json!({"infno": "5203", "input": {"data": {"setl_id": "another"}}}).to_string();
    let payload = payload.to_string();
    let message =
        Message { request_payload: Some(request.as_bytes()), ..message(payload.as_bytes()) };
    assert_eq!(
        problems(read_national(&message)),
        ["request_payload.input.data.setl_id must be that of the answer"]
    );
}

#[test]
fn a_query_across_regions_tells_all_it_has() {
    let read = read_sample("06_5203_cross_region");
    assert_eq!(read.source, "110000", "as the answer's own id begins");
    assert_eq!(read.hospital_code.as_deref(), Some("H11999999003"));
    assert_eq!(read.hospital_level.as_deref(), Some("02"));
    assert_eq!(read.insured_region.as_deref(), Some("370200"));
    assert_eq!(read.region, None, "the institution's home is not where it treated");
    assert_eq!(read.stay_days(), Some(18));
    assert_eq!(read.invoice_no.as_deref(), Some("0000990006"));
    assert_eq!(read.diagnoses, [], "a name without a code is none");
    let funds: Vec<&str> = read.funds.iter().map(|fund| &*fund.fund_code).collect();
    assert_eq!(funds, ["390100", "390200", "610100", "610200"]);
    assert_eq!(read.amounts.personal_again, None);
}

#[test]
fn every_alias_is_the_same_fact() {
    let known = read_sample(BARE);
    for (name, aliases) in [
        ("psn_part_amt", &["psn_part_am", "psnPartAm", "psn_pay", "psnPay"][..]),
        ("psn_cash_pay", &["cash_payamt", "cashPayamt", "psn_cashpay", "psnCashPay"]),
        ("inscp_scp_amt", &["inscp_amt", "inscpAmt"]),
        ("oth_pay", &["othfund_pay", "othfundPay"]),
        ("hosp_part_amt", &["ownpay_hosp_part", "ownpayHospPart"]),
        ("fulamt_ownpay_amt", &["ownpay_amt", "ownpayAmt"]),
        ("overlmt_selfpay", &["overlmt_amt", "overlmtSelfpay"]),
    ] {
        for alias in aliases {
            let mut payload = sample(BARE);
            let fields = payload["output"]["setlinfo"].as_object_mut().unwrap();
            let value = fields.remove(name).unwrap();
            fields.insert((*alias).to_owned(), value);
            assert_eq!(told(&payload), known, "{alias}");
        }
    }
    let whole = read_sample(WHOLE);
    for (part, name, aliases) in [
        ("source", "insuplc_admdvs", &["insu_admdvs", "insu_optins", "insuplc"][..]),
        ("source", "mdtrtarea_admvs", &["mdtrtarea_admdvs"]),
        ("mdtrtinfo", "begntime", &["adm_time", "begndate", "admTime"]),
        ("mdtrtinfo", "endtime", &["dscg_time", "enddate", "dscgTime"]),
        ("mdtrtinfo", "bill_no", &["invono"]),
        ("mdtrtinfo", "dscg_maindiag_code", &["dise_codg", "dise_no"]),
    ] {
        for alias in aliases {
            let mut payload = sample(WHOLE);
            let fields = payload[part].as_object_mut().unwrap();
            let value = fields.remove(name).unwrap();
            fields.insert((*alias).to_owned(), value);
            assert_eq!(told(&payload), whole, "{alias}");
        }
    }
}

#[test]
fn a_bureau_says_what_it_computed() {
    let with = |fields: Value| {
        let mut payload = push();
        for (key, value) in fields.as_object().unwrap() {
            payload[key] = value.clone();
        }
        told(&payload).sender.payout
    };
    let all = with(json!({"settClaInPay": "1.10", "settClaOutPay": 2, "dedcInStd": 3.0,
                          "dedcOutStd": "4", "settClaSumamt": 3.11}))
    .unwrap();
    let parts: Vec<_> = all.parts().into_iter().map(|(_, fen)| fen.fen()).collect();
    assert_eq!(parts, [311, 110, 200, 300, 400]);
    let summed = with(json!({"settClaInPay": "1.10", "settClaOutPay": 2})).unwrap();
    assert_eq!(summed.total.fen(), 310);
    assert_eq!(with(json!({"settClaSumamt": 0})).unwrap().total, Fen::ZERO);
    assert_eq!(with(json!({"dedcInStd": 3})), None, "a deductible is no payout");
    let mut wrong = push();
    wrong["settClaInPay"] = json!(-1);
    let found = problems(read_by(&Profile::national(), &wrong));
    assert_eq!(found, ["settClaInPay must not be negative"]);
}

#[test]
fn a_personal_total_that_is_stated_twice_is_kept_twice() {
    let again = |name: &str, value: Value| {
        let mut payload = sample(BARE);
        payload["output"]["setlinfo"][name] = value;
        told(&payload).amounts
    };
    let known = read_sample(BARE).amounts;
    assert_eq!(again("psn_pay", json!("37207.18")), known);
    let other = again("psn_pay", json!("37207.19"));
    assert_eq!(other.personal_again.unwrap().fen(), 3_720_719);
    assert_eq!(other.personal_total, known.personal_total);
    assert_eq!(again("psn_part_am", json!(1)).personal_again.unwrap().fen(), 100);
    let mut payload = sample(BARE);
    payload["output"]["setlinfo"]["medfeeSumamt"] = json!(1);
    let found = problems(read_by(&Profile::national(), &payload));
    assert_eq!(found, ["output.setlinfo.medfeeSumamt is given twice with different values"]);
}

#[test]
fn more_settlements_of_the_stay_follow_where_a_flag_says_so() {
    for (flag, interim) in [
        (json!("1"), Some(true)),
        (json!(1.0), Some(true)),
        (json!("0"), Some(false)),
        (json!("2"), None),
        (Value::Null, None),
    ] {
        let mut payload = sample(WHOLE);
        payload["mdtrtinfo"]["mid_setl_flag"] = flag.clone();
        assert_eq!(told(&payload).interim, interim, "{flag}");
    }
}

fn profile(document: &str) -> Profile {
    let head = "profile_id = \"p\"\nversion = \"1\"\nname = \"n\"\n";
    Profile::read(&format!("{head}{document}")).unwrap()
}

#[test]
fn a_fund_total_may_hold_the_account() {
    let original = "05a_2304_original_to_be_reversed";
    let mut payload = sample(original);
    payload["output"]["setlinfo"]["fund_pay_sumamt"] = json!("23845.40");
    let holds = profile("fund_total_includes_account = true");
    let read = settlement(read_by(&holds, &payload));
    assert_eq!(read, read_sample(original), "the account is no fund");
    assert!(!read.routes_disagree() && read.contradictions().is_empty());
    assert!(told(&payload).routes_disagree(), "read the other way it shows");
    payload["output"]["setlinfo"]["fund_pay_sumamt"] = json!("2649.99");
    assert_eq!(
        problems(read_by(&holds, &payload)),
        ["output.setlinfo.fund_pay_sumamt must be at least acct_pay: this sender counts the \
          account among the funds"]
    );
    payload["output"]["setlinfo"]["acct_pay"] = Value::Null;
    let silent = settlement(read_by(&holds, &payload)).amounts.fund_total;
    assert_eq!(silent.unwrap().fen(), 264_999, "nobody says what to take out");
}

#[test]
fn codes_come_in_the_words_of_the_national_dictionaries() {
    let own = profile(
        "[codes]\npsn_cert_type = { \"02\" = \"99\" }\nmed_type = { \"住院\" = \"21\" }\n\
         insutype = { \"A\" = \"390\" }\n[codes.fund_pay_type]\n\"优抚\" = \"610200\"\n\
         \"账户\" = \"310200\"\n",
    );
    let mut payload = sample(BARE);
    let fields = payload["output"]["setlinfo"].as_object_mut().unwrap();
    for (name, value) in
        [("psn_cert_type", json!(2)), ("med_type", json!("住院")), ("insutype", json!("A"))]
    {
        fields.insert(name.to_owned(), value);
    }
    payload["output"]["setldetail"] = json!([
        {"fund_pay_type": "优抚", "fund_payamt": "31205.18"},
        {"fund_pay_type": null, "fund_pay_type_name": "账户", "fund_payamt": "5"},
    ]);
    let read = settlement(read_by(&own, &payload));
    assert_eq!(read.person.cert_type.as_deref(), Some("99"));
    assert_eq!(read.medical_category.as_deref(), Some("21"));
    assert_eq!(read.insurance_type.as_deref(), Some("390"));
    let amount = Fen::parse_yuan("31205.18").unwrap();
    assert_eq!(read.funds, [FundPayment { fund_code: "610200".into(), amount }]);
    assert_eq!(read.sender, SenderNotes::default(), "all of them are known");
}

#[test]
fn unknown_codes_are_kept_and_noted_once_each() {
    let mut payload = sample(WHOLE);
    payload["output"]["setlinfo"]["insutype"] = json!("888");
    payload["output"]["setlinfo"]["med_type"] = json!("2106");
    payload["source"]["hosp_lv"] = json!("77");
    payload["feedetail"][0]["med_chrgitm_type"] = json!("99");
    payload["feedetail"][1]["med_chrgitm_type"] = json!("99");
    payload["output"]["setldetail"][0]["fund_pay_type"] = json!("城乡居民");
    let read = told(&payload);
    let codes: Vec<(&str, &str)> = read
        .sender
        .unknown_codes
        .iter()
        .map(|UnknownCode { field, code }| (field.as_str(), code.as_str()))
        .collect();
    assert_eq!(
        codes,
        [
            ("fund_pay_type", "城乡居民"),
            ("hosp_lv", "77"),
            ("insutype", "888"),
            ("med_chrgitm_type", "99"),
        ]
    );
    assert_eq!(read.insurance_type.as_deref(), Some("888"));
    assert_eq!(read.funds[0].fund_code, "城乡居民");
}

#[test]
fn a_profile_fills_in_what_a_message_leaves_out() {
    let own = profile(
        "source = \"370203\"\ntolerance = \"0.05\"\nhospital_code = \"H37029999001\"\n\
         [[institutions]]\ncode = \"H37029999001\"\nlevel = \"05\"\nregion = \"370211\"\n",
    );
    let mut payload = sample(BARE);
    payload["inf_refmsgid"] = Value::Null;
    payload["output"]["setlinfo"]["medins_setl_id"] = Value::Null;
    let read = settlement(read_by(&own, &payload));
    assert_eq!(read.source, "370203");
    assert_eq!(read.hospital_code.as_deref(), Some("H37029999001"));
    assert_eq!(read.hospital_level.as_deref(), Some("05"));
    assert_eq!(read.region.as_deref(), Some("370211"));
    assert_eq!(read.sender.tolerance.unwrap().fen(), 5);
    let said = settlement(read_by(&own, &sample(WHOLE)));
    assert_eq!(said.source, "370203", "the ids of this sender come from one platform");
    assert_eq!(said.hospital_level.as_deref(), Some("02"));
    assert_eq!(said.region.as_deref(), Some("370200"));
    payload["output"]["setldetail"][0]["fund_payamt"] = json!("31205.23");
    let within = settlement(read_by(&own, &payload)).funds;
    assert_eq!(within[0].fund_code, "390100", "within the sender's tolerance");
}

#[test]
fn a_refused_message_is_about_something() {
    let about = |payload: &Value| {
        let about = read_by(&Profile::national(), payload).unwrap_err().about;
        (about.source, about.settlement_id)
    };
    let topic = |payload: &Value| read_by(&Profile::national(), payload).unwrap_err().about.topic;
    let mut payload = sample(WHOLE);
    payload["output"]["setlinfo"]["medfee_sumamt"] = json!("much");
    let known =
        |id: &str| (Some("370200".to_owned()), Some(id.to_owned()).filter(|id| !id.is_empty()));
    assert_eq!(about(&payload), known("370200G0000008800004"));
    assert_eq!(topic(&payload), Some(Topic::Settlement));
    for id in ["370299196008050031", "37029919600805003X", "37020099900000000002", "a b", "甲"] {
        payload["output"]["setlinfo"]["setl_id"] = id.into();
        assert_eq!(about(&payload), known(""), "{id}");
    }
    payload["source"]["mdtrtarea_admvs"] = json!("3702");
    assert_eq!(about(&payload), (None, None));
    let mut lines = sample("04b_5204_feedetail_case_b");
    lines["output"][1]["det_item_fee_sumamt"] = Value::Null;
    assert_eq!(about(&lines), known("370200G0000008800004"));
    assert_eq!(topic(&lines), Some(Topic::Supplement));
}
