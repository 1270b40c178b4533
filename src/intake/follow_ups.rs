//! What comes about a settlement apart from it: reversals in both dialects, lines, lists, stays.

use std::sync::Arc;

use serde_json::{Value, json};

use super::tests::{fixture, message, problems, put, read_sample, sample};
use super::*;
use crate::core::money::Fen;
use crate::core::settlement::{Reversal, Supplement};

#[track_caller]
fn reversal(reading: Result<Reading, Unreadable>) -> Reversal {
    match reading {
        Ok(
            Reading::FollowUp(FollowUp::Reversal(reversal)) | Reading::TakenBack { reversal, .. },
        ) => Arc::unwrap_or_clone(reversal),
        other => panic!("no reversal: {other:?}"),
    }
}

#[track_caller]
fn facts(reading: Result<Reading, Unreadable>) -> Settlement {
    match reading {
        Ok(Reading::FollowUp(FollowUp::Supplement(supplement))) => {
            let Supplement { facts } = Arc::unwrap_or_clone(supplement);
            facts
        }
        other => panic!("no supplement: {other:?}"),
    }
}

fn read_with(
    profile: &Profile,
    payload: &Value,
    request: Option<&Value>,
) -> Result<Reading, Unreadable> {
    let payload = payload.to_string();
    let request = request.map(Value::to_string);
    let message = Message {
        request_payload: request.as_ref().map(String::as_bytes),
        ..message(payload.as_bytes())
    };
    read(&message, profile)
}

fn read_value(payload: &Value, request: Option<&Value>) -> Result<Reading, Unreadable> {
    read_with(&Profile::national(), payload, request)
}

/// Sample 05b, or 05a, after a change to its `setlinfo`.
fn changed(name: &str, change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Value {
    let mut payload = sample(name);
    change(payload["output"]["setlinfo"].as_object_mut().unwrap());
    payload
}

const NEGATIVE: &str = "05b_2305_reversal_negative_amounts";
const ORIGINAL: &str = "05a_2304_original_to_be_reversed";

fn request_2305() -> Value {
    json!({
        "infno": "2305",
        "mdtrtarea_admvs": "370200",
        "input": {"data": {
            "psn_no": "37020099900000000003",
            "mdtrt_id": "370200G0000009900005",
            "setl_id": "370200G0000008800005",
        }},
    })
}

#[test]
fn a_new_id_with_negative_amounts_reverses() {
    let bare = reversal(read_value(&sample(NEGATIVE), None));
    assert_eq!(
        bare,
        Reversal {
            source: "370200".into(),
            original_id: None,
            reversal_id: Some("370200G0000008800105".into()),
            visit_id: Some("370200G0000009900005".into()),
            total: Fen::parse_yuan("31874.62").ok(),
            reverse_time: crate::core::day::Moment::parse_local("2024-05-22 10:02:17"),
        }
    );
    let original = Some("370200G0000008800005".to_owned());
    let named = Reversal { original_id: original.clone(), ..bare.clone() };
    assert_eq!(reversal(read_value(&sample(NEGATIVE), Some(&request_2305()))), named);
    for (name, value) in [("init_setl_id", json!(original)), ("initSetlId", json!(original))] {
        assert_eq!(reversal(read_value(&changed(NEGATIVE, put(name, value)), None)), named);
    }
    let other = changed(NEGATIVE, put("init_setl_id", "another"));
    assert_eq!(
        problems(read_value(&other, Some(&request_2305()))),
        ["request_payload.input.data.setl_id must be that of the answer"]
    );
    let quoted = changed(NEGATIVE, put("medfee_sumamt", "-31874.620"));
    assert_eq!(reversal(read_value(&quoted, None)), bare);
}

#[test]
fn the_original_echoed_under_its_old_id_reverses() {
    let mut echo = sample(ORIGINAL);
    echo["output"]["setldetail"] = json!([]);
    let told = reversal(read_value(&echo, Some(&request_2305())));
    assert_eq!(told.original_id.as_deref(), Some("370200G0000008800005"));
    assert_eq!(told.reversal_id, told.original_id);
    assert_eq!(told.total, Fen::parse_yuan("31874.62").ok());
    assert_eq!(told.reverse_time.unwrap().local(), "2024-05-20 15:01:08", "when it was answered");

    let asked = |profile: &Profile| {
        let payload = echo.to_string();
        read(&Message { infno: Some("2305"), ..message(payload.as_bytes()) }, profile)
    };
    let unnamed = reversal(asked(&Profile::national()));
    assert_eq!(unnamed, Reversal { original_id: None, ..told.clone() });
    let dialect = |reversal| Profile { reversal: Some(reversal), ..Profile::national() };
    assert_eq!(reversal(asked(&dialect(ReversalDialect::Echo))), told);
    assert_eq!(
        problems(asked(&dialect(ReversalDialect::Negative))),
        ["output.setlinfo.medfee_sumamt must be negative, as all reversals of this sender are"]
    );
    // A negative answer of a sender that else echoes names no original.
    let echoes = dialect(ReversalDialect::Echo);
    let odd = reversal(read_with(&echoes, &sample(NEGATIVE), None));
    assert_eq!(odd, reversal(read_value(&sample(NEGATIVE), None)));
}

#[test]
fn a_negative_total_that_takes_back_nothing_that_can_be_told_is_no_reversal() {
    let mut alone = sample(NEGATIVE);
    alone["output"]["setlinfo"].as_object_mut().unwrap().remove("mdtrt_id");
    assert_eq!(
        problems(read_value(&alone, None)),
        [
            "output.setlinfo.init_setl_id is required, or mdtrt_id: a negative total takes something \
          back"
        ]
    );
    alone["output"]["setlinfo"]["init_setl_id"] = json!("370200G0000008800005");
    reversal(read_value(&alone, None));
}

#[test]
fn every_sign_of_a_reversal_is_seen() {
    for (field, value) in [("init_setl_id", json!("370200G1")), ("medfee_sumamt", json!(-0.01))] {
        reversal(read_value(&changed(ORIGINAL, put(field, value)), None));
    }
    let mut composite = sample("18_composite_ingest_case_a_stay1");
    composite["record_type"] = "reversal".into();
    assert_eq!(reversal(read_value(&composite, None)).visit_id.unwrap(), "370200G0000009900001");
    composite["record_type"] = "other".into();
    let found = problems(read_value(&composite, None));
    assert_eq!(found, ["record_type must be original or reversal"]);
    composite["record_type"] = "reversal".into();
    composite["output"] = Value::Null;
    assert_eq!(problems(read_value(&composite, None)), ["output is required"]);
    let mut lines = sample("04b_5204_feedetail_case_b");
    lines["record_type"] = "reversal".into();
    assert_eq!(problems(read_value(&lines, None)), ["output.setlinfo is required"]);
}

/// The flag marks both rows of a reversal; the sign tells which is which.
#[test]
fn a_row_that_says_it_was_reversed_names_itself() {
    let flagged = read_value(&changed(ORIGINAL, put("refd_setl_flag", "1")), None);
    let Ok(Reading::TakenBack { settlement, .. }) = &flagged else { panic!("{flagged:?}") };
    // Nobody may have heard of it before.
    assert_eq!(**settlement, read_sample(ORIGINAL));
    let was = reversal(flagged);
    assert_eq!(was.original_id.as_deref(), Some("370200G0000008800005"));
    assert_eq!((was.reversal_id, was.reverse_time), (None, None));
    let row = reversal(read_value(&changed(NEGATIVE, put("refd_setl_flag", 1)), None));
    assert_eq!(row.original_id, None);
    assert_eq!(row.reversal_id.as_deref(), Some("370200G0000008800105"));
    // A query asks for the row it gets.
    let query = json!({"infno": "5203", "input": {"data": {"setl_id": "370200G0000008800105"}}});
    let queried = reversal(read_value(&sample(NEGATIVE), Some(&query)));
    assert_eq!(queried, row);
    let found = problems(read_value(&changed(ORIGINAL, put("refd_setl_flag", "2")), None));
    assert_eq!(found, ["output.setlinfo.refd_setl_flag must be 0 or 1"]);
}

#[test]
fn a_reversal_of_nothing_is_refused() {
    let zero = changed(NEGATIVE, |fields| {
        put("medfee_sumamt", "0.00")(fields);
        put("init_setl_id", "370200G0000008800005")(fields);
    });
    let found = problems(read_value(&zero, None));
    assert_eq!(found, ["output.setlinfo.medfee_sumamt must not be zero in a reversal"]);
    let huge = changed(NEGATIVE, put("medfee_sumamt", "-99999999999999999999"));
    let found = problems(read_value(&huge, None));
    assert_eq!(found, ["output.setlinfo.medfee_sumamt must be at most 10000000000.00"]);
    let nameless = changed(NEGATIVE, |fields| {
        fields.remove("setl_id");
        fields.remove("mdtrt_id");
    });
    let found = problems(read_value(&nameless, None));
    assert_eq!(found, ["output.setlinfo.setl_id is required"]);
    let mut quote = sample(NEGATIVE);
    quote["infno"] = "2303".into();
    let found = problems(read_value(&quote, None));
    let told = "output.setlinfo.medfee_sumamt says that this is a reversal, which a quote cannot \
                be";
    assert_eq!(found[0], told);
}

#[test]
fn fee_lines_come_apart_in_every_shape() {
    let payload = sample("04b_5204_feedetail_case_b");
    let lines = facts(read_value(&payload, None));
    let whole = read_sample("18d_composite_case_b_with_lines");
    assert_eq!(lines.source, "370200");
    assert_eq!(lines.settlement_id, whole.settlement_id);
    assert_eq!(lines.visit_id, whole.visit_id);
    assert_eq!(lines.lines, whole.lines);
    for name in ["feedetail", "data", "result"] {
        let mut shaped = payload.clone();
        shaped["output"] = json!({name: payload["output"]});
        assert_eq!(facts(read_value(&shaped, None)), lines, "{name}");
        shaped["output"] = shaped["output"].to_string().into();
        assert_eq!(facts(read_value(&shaped, None)), lines, "{name} as text");
    }
    let mut text = payload.clone();
    text["output"] = payload["output"].to_string().into();
    assert_eq!(facts(read_value(&text, None)), lines);

    let mut mixed = payload.clone();
    mixed["output"][2]["setl_id"] = "another".into();
    mixed["output"][3]["det_item_fee_sumamt"] = Value::Null;
    assert_eq!(
        problems(read_value(&mixed, None)),
        [
            "output[2].setl_id must be that of the other lines",
            "output[3].det_item_fee_sumamt is required",
        ]
    );
    let mut nameless = payload.clone();
    for row in nameless["output"].as_array_mut().unwrap() {
        row.as_object_mut().unwrap().retain(|name, _| !name.ends_with("_id"));
    }
    let found = problems(read_value(&nameless, None));
    assert_eq!(found, ["output[0].mdtrt_id is required, or setl_id"]);
    let query = json!({"infno": "5204", "input": {"data": {"setl_id": "370200G0000008800004"}}});
    let asked = facts(read_value(&nameless, Some(&query)));
    assert_eq!((&*asked.settlement_id, asked.visit_id), ("370200G0000008800004", None));
    let none = json!({"infcode": 0, "infno": "5204", "output": []});
    assert_eq!(problems(read_value(&none, None)), ["output must hold fee lines"]);
}

#[test]
fn uploaded_lines_are_joined_with_their_request() {
    let row = |number: &str, amount: &str| {
        json!({"feedetl_sn": number, "det_item_fee_sumamt": amount, "inscp_scp_amt": amount,
               "med_chrgitm_type": "9", "chrgitm_lv": "01"})
    };
    let answer = json!({"infcode": "0", "inf_refmsgid": "370200202403150000000000000001",
                        "output": {"result": [row("2", "4.52"), row("1", "1")]}});
    let asked = |number: &str, code: &str| {
        json!({"feedetl_sn": number, "mdtrt_id": "V1", "psn_no": "37020099900000000001",
               "med_list_codg": code, "medins_list_name": "陪护床费",
               "fee_ocur_time": "2024-03-14 08:00:00", "det_item_fee_sumamt": 99})
    };
    let request = json!({"infno": "2301", "mdtrtarea_admvs": "370211",
                         "input": {"feedetail": [asked("1", "A"), asked("2", "B")]}});
    let read = facts(read_value(&answer, Some(&request)));
    assert_eq!(read.source, "370211");
    assert_eq!((&*read.settlement_id, read.visit_id.as_deref()), ("", Some("V1")));
    let first = &read.lines[0];
    assert_eq!(first.item_code.as_ref().unwrap().reveal(), "B");
    assert_eq!(first.total.fen(), 452);
    assert_eq!(first.charge_class.as_deref(), Some("09"));
    assert_eq!(first.service_date.unwrap().to_string(), "2024-03-14");
    let alone = Message { infno: Some("2301"), ..message(b"") };
    let payload = answer.to_string();
    let found = problems(read_national(&Message { payload: payload.as_bytes(), ..alone }));
    assert_eq!(found, ["output[0].mdtrt_id is required, or setl_id"]);
}

/// A settlement list as a hospital sends it, without the many fields that nobody reads.
fn list() -> Value {
    json!({
        "infno": "4101",
        "mdtrtarea_admvs": "370200",
        "fixmedins_code": "H37029999001",
        "input": {
            "setlinfo": {
                "mdtrt_id": "370200G0000009900004",
                "setl_id": "370200G0000008800004",
                "fixmedins_code": "H37029999001",
                "hi_setl_lv": "3",
                "psn_name": "测试员乙",
                "certno": "370299196008050031",
                "insuplc": "370200",
                "adm_time": "2024-09-28 03:12:00",
                "dscg_time": "2024-10-19 11:00:00",
                "bill_code": "37060124",
                "bill_no": "0099000004",
                "setl_begn_date": "2024-09-01",
            },
            "diseinfo": [
                {"diag_type": "1", "diag_code": "I10", "diag_name": "高血压", "maindiag_flag": "0"},
                {"diag_type": "1", "diag_code": "I71.000", "diag_name": "主动脉夹层",
                 "maindiag_flag": 1},
                {"diag_name": "无编码"},
            ],
            "iteminfo": [{"med_chrgitm": "09", "amt": "1.00"}],
        },
    })
}

#[test]
fn a_settlement_list_supplements_stay_and_diagnoses() {
    let read = facts(read_value(&list(), None));
    let known = read_sample("04_2304_case_b");
    assert_eq!(read.settlement_id, known.settlement_id);
    assert_eq!(read.visit_id, known.visit_id);
    assert_eq!(read.hospital_level, None, "hi_setl_lv is another level");
    assert_eq!(read.admission_date.unwrap().to_string(), "2024-09-28");
    assert_eq!(read.invoice_no.as_deref(), Some("0099000004"));
    let codes: Vec<&str> = read.diagnoses.iter().map(|it| it.code.reveal()).collect();
    assert_eq!(codes, ["I71.000", "I10"], "the main one first");
    assert_eq!(read.amounts.total, Fen::ZERO, "not stated");

    let answer = json!({"infcode": 0, "output": {"setl_list_id": "1"}});
    assert_eq!(facts(read_value(&answer, Some(&list()))), read);
    let camel: Value = serde_json::from_str(
        &list()
            .to_string()
            .replace("adm_time", "admTime")
            .replace("diag_code", "diagCode")
            .replace("maindiag_flag", "maindiagFlag")
            .replace("setlinfo", "setlInfo"),
    )
    .unwrap();
    assert_eq!(facts(read_value(&camel, None)), read);
    let mut refused = list();
    refused["input"]["setlinfo"]["setl_id"] = Value::Null;
    refused["input"]["setlinfo"]["mdtrt_id"] = Value::Null;
    let found = problems(read_value(&refused, None));
    assert_eq!(found, ["input.setlinfo.mdtrt_id is required, or setl_id"]);
    let empty = json!({"infno": "4101", "input": {}});
    assert_eq!(problems(read_value(&empty, None)), ["input.setlinfo is required"]);
}

#[test]
fn a_stay_without_a_settlement_supplements() {
    let whole = sample("18d_composite_case_b_with_lines");
    let known = read_sample("18d_composite_case_b_with_lines");
    let part = |names: &[&str]| {
        let mut composite = json!({"source": whole["source"], "record_type": "original"});
        for name in names {
            composite[*name] = whole[*name].clone();
        }
        composite
    };
    let stay = facts(read_value(&part(&["mdtrtinfo"]), None));
    assert_eq!((&*stay.settlement_id, &stay.visit_id), ("", &known.visit_id));
    assert_eq!(stay.discharge_date, known.discharge_date);
    assert_eq!(stay.diagnoses, known.diagnoses);
    assert_eq!(stay.hospital_level, known.hospital_level);
    assert_eq!((stay.interim, &stay.lines[..]), (Some(false), &[][..]));
    let lines = facts(read_value(&part(&["feedetail"]), None));
    assert_eq!(lines.settlement_id, known.settlement_id);
    assert_eq!(lines.lines, known.lines);
    let both = facts(read_value(&part(&["mdtrtinfo", "feedetail"]), None));
    assert_eq!((both.lines, both.admission_date), (known.lines, known.admission_date));
    let mut foreign = part(&["mdtrtinfo", "feedetail"]);
    foreign["mdtrtinfo"]["mdtrt_id"] = "another".into();
    let found = problems(read_value(&foreign, None));
    assert_eq!(found, ["mdtrtinfo.mdtrt_id must be the same everywhere"]);
    let mut nameless = part(&["mdtrtinfo"]);
    nameless["mdtrtinfo"]["mdtrt_id"] = Value::Null;
    let found = problems(read_value(&nameless, None));
    assert_eq!(found, ["mdtrtinfo.mdtrt_id is required, or setl_id"]);
}

#[test]
fn a_request_alone_needs_its_answer() {
    let request = fixture("messages/00_2304_request_envelope.json");
    let found = problems(read_national(&message(&request)));
    let told = "output is required: this is a request, and only its answer says what was settled";
    assert_eq!(found, [told]);
}
