//! The samples against `expected.json`.

use serde_json::Value;

use super::mutations::SAMPLES;
use super::tests::{fixture, message, read_sample};
use super::*;
use crate::core::money::Fen;
use crate::core::settlement::Comparison;

const COMPOSITES: [(&str, &str); 4] = [
    ("01_2304_case_a_stay1", "18_composite_ingest_case_a_stay1"),
    ("02_2304_case_a_stay2", "18b_composite_case_a_stay2"),
    ("03_2304_case_a_stay3", "18c_composite_case_a_stay3"),
    ("04_2304_case_b", "18d_composite_case_b_with_lines"),
];

#[test]
fn every_sample_leaves_the_expected_burden() {
    let expected: Value = serde_json::from_slice(&fixture("expected.json")).unwrap();
    let mut seen = 0;
    for result in expected["results"].as_array().unwrap() {
        let (Some(file), Some(burden)) =
            (result["file"].as_str(), result["personal_burden"].as_str())
        else {
            continue;
        };
        let burden = Fen::parse_yuan(burden).ok();
        let bare = read_sample(file);
        assert_eq!(bare.burden(), burden, "{file}");
        assert_eq!(bare.contradictions(), [], "{file}");
        if let Some((_, composite)) = COMPOSITES.iter().find(|(name, _)| *name == file) {
            let composite = read_sample(composite);
            assert_eq!(composite.burden(), burden, "{file}, composite");
            assert_eq!(composite.contradictions(), [], "{file}, composite");
        }
        seen += 1;
    }
    assert_eq!(seen, 6);
}

#[test]
fn the_published_cases_add_up() {
    let stays: Vec<Settlement> =
        COMPOSITES[..3].iter().map(|(_, name)| read_sample(name)).collect();
    let sum = |part: fn(&Settlement) -> Option<Fen>| stays.iter().filter_map(part).sum::<Fen>();
    assert_eq!(sum(|stay| Some(stay.amounts.total)).to_string(), "239,000.00");
    assert_eq!(sum(|stay| stay.amounts.fund_total).to_string(), "113,000.00");
    assert_eq!(sum(Settlement::burden).to_string(), "126,000.00");
}

#[test]
fn a_composite_supplements_its_bare_answer_and_a_resend_brings_nothing() {
    for (bare, composite) in COMPOSITES {
        let (bare, composite) = (read_sample(bare), read_sample(composite));
        let Comparison::Supplement(merged) = bare.compare(&composite) else {
            panic!("{:?}", bare.compare(&composite))
        };
        assert_eq!(*merged, composite);
        assert_eq!(composite.compare(&bare), Comparison::Same);
    }
    let again = read_sample("17_2304_duplicate_resend_of_02");
    assert_eq!(read_sample("02_2304_case_a_stay2").compare(&again), Comparison::Same);
}

#[test]
fn a_composite_tells_stay_hospital_and_lines() {
    let read = read_sample("18d_composite_case_b_with_lines");
    assert_eq!(read.source, "370200");
    assert_eq!(read.settlement_id, "370200G0000008800004");
    assert_eq!(read.visit_id.as_deref(), Some("370200G0000009900004"));
    assert_eq!(read.hospital_code.as_deref(), Some("H37029999001"));
    assert_eq!(read.hospital_level.as_deref(), Some("02"));
    assert_eq!(read.insured_region.as_deref(), Some("370200"));
    assert_eq!(read.admission_date.unwrap().to_string(), "2024-09-28");
    assert_eq!(read.discharge_date.unwrap().to_string(), "2024-10-19");
    assert_eq!(read.settle_time.unwrap().local(), "2024-10-19 11:20:33");
    assert_eq!(read.diagnoses[0].code.reveal(), "I71.000");
    assert_eq!(read.invoice_no.as_deref(), Some("0099000004"));
    assert_eq!(read.lines.len(), 8);
    let bed = &read.lines[6];
    assert_eq!(bed.line_no, "F0007");
    assert_eq!(bed.charge_class.as_deref(), Some("14"));
    assert_eq!(bed.total.fen(), 12_100);
    assert_eq!(bed.out_of_catalogue.map(Fen::fen), Some(12_100));
    assert_eq!(read.lines.iter().map(|line| line.total).sum::<Fen>(), read.amounts.total);
    let funds: Vec<_> =
        read.funds.iter().map(|fund| (&*fund.fund_code, fund.amount.fen())).collect();
    assert_eq!(funds, [("390100", 9_241_681), ("390200", 1_820_000)]);
}

/// What each sample is, and the settlement that it names.
#[test]
fn every_sample_is_understood_as_what_it_is() {
    let told = SAMPLES.map(|sample| {
        let payload = fixture(&format!("messages/{sample}.json"));
        let (kind, source, id) = match read_national(&message(&payload)) {
            Ok(Reading::Settlement(it)) => ("settlement", it.source, it.settlement_id),
            Ok(Reading::Quote(it)) => ("quote", it.source, it.settlement_id),
            Ok(
                Reading::FollowUp(FollowUp::Reversal(it)) | Reading::TakenBack { reversal: it, .. },
            ) => ("reversal", it.source.clone(), it.reversal_id.clone().unwrap_or_default()),
            Ok(Reading::FollowUp(FollowUp::Supplement(it))) => {
                ("supplement", it.facts.source.clone(), it.facts.settlement_id.clone())
            }
            Ok(Reading::NoSettlement { .. }) => ("no settlement", String::new(), String::new()),
            Err(error) => ("refused", error.about.source.unwrap_or_default(), String::new()),
        };
        let number = sample.split('_').next().unwrap_or_default();
        format!("{number} {kind} {source} {id}").trim_end().to_owned() + "\n"
    });
    expect_test::expect![[r#"
        00 refused 370200
        01 settlement 370200 370200G0000008800001
        02 settlement 370200 370200G0000008800002
        03 settlement 370200 370200G0000008800003
        04 settlement 370200 370200G0000008800004
        04b supplement 370200 370200G0000008800004
        05a settlement 370200 370200G0000008800005
        05b reversal 370200 370200G0000008800105
        06 settlement 110000 110000G0000008800006
        09 no settlement
        17 settlement 370200 370200G0000008800002
        18 settlement 370200 370200G0000008800001
        18b settlement 370200 370200G0000008800002
        18c settlement 370200 370200G0000008800003
        18d settlement 370200 370200G0000008800004
    "#]]
    .assert_eq(&told.concat());
}

/// It names neither the old id nor the person: source, stay and the negated total lead to it.
#[test]
fn the_sample_of_a_reversal_leads_to_its_original() {
    let original = read_sample("05a_2304_original_to_be_reversed");
    let payload = fixture("messages/05b_2305_reversal_negative_amounts.json");
    let Ok(Reading::FollowUp(FollowUp::Reversal(reversal))) = read_national(&message(&payload))
    else {
        panic!("a reversal")
    };
    assert_eq!(reversal.source, original.source);
    assert_eq!(reversal.visit_id, original.visit_id);
    assert_eq!(reversal.total, Some(original.amounts.total));
}
