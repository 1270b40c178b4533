//! Samples spoiled at random, through the whole server: each of them is taken, waits, or is kept as it
//! came with its reasons, and the books are right at the end.

use std::collections::BTreeMap;

use greenlane::pb;
use greenlane::pb::intake_service_client::IntakeServiceClient;
use serde_json::Value;
use tonic::Code;

use crate::audit::audit;
use crate::serving::{Served, told};
use crate::support::{Database, Dice, on_every_backend};
use crate::world::{enrolled, fixture, sample_roster};

/// How often each sample is spoiled.
const SEEDS: u64 = 200;

const SAMPLES: [&str; 15] = [
    "00_2304_request_envelope",
    "01_2304_case_a_stay1",
    "02_2304_case_a_stay2",
    "03_2304_case_a_stay3",
    "04_2304_case_b",
    "04b_5204_feedetail_case_b",
    "05a_2304_original_to_be_reversed",
    "05b_2305_reversal_negative_amounts",
    "06_5203_cross_region",
    "09_2304_error_response",
    "17_2304_duplicate_resend_of_02",
    "18_composite_ingest_case_a_stay1",
    "18b_composite_case_a_stay2",
    "18c_composite_case_a_stay3",
    "18d_composite_case_b_with_lines",
];

/// What stands where a value stood.
fn replacement(dice: &mut Dice, old: &Value) -> Value {
    match dice.roll(10) {
        0 => Value::Null,
        1 => Value::from(""),
        2 => Value::from("\u{0}"),
        3 => serde_json::from_str("1e999").unwrap(),
        4 => serde_json::from_str("-99999999999999999999999999").unwrap(),
        5 => serde_json::from_str("0.001").unwrap(),
        6 => Value::from(old.to_string()),
        7 => Value::from(true),
        8 => Value::Array(vec![old.clone()]),
        _ => Value::from(old.to_string().trim_matches('"').chars().rev().collect::<String>()),
    }
}

fn leaves(value: &Value) -> u64 {
    match value {
        Value::Object(fields) => fields.values().map(leaves).sum(),
        Value::Array(rows) => rows.iter().map(leaves).sum(),
        _ => 1,
    }
}

/// Spoils the leaf at `place`, counted from here.
fn spoil_leaf(value: &mut Value, place: &mut u64, dice: &mut Dice) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|it| spoil_leaf(it, place, dice)),
        Value::Array(rows) => rows.iter_mut().for_each(|it| spoil_leaf(it, place, dice)),
        leaf => {
            if *place == 0 {
                *leaf = replacement(dice, leaf);
            }
            *place = place.wrapping_sub(1);
        }
    }
}

/// A key in another spelling, or with another word, or gone.
fn spoil_key(value: &mut Value, dice: &mut Dice) {
    let Value::Object(fields) = value else { return };
    let keys: Vec<String> = fields.keys().cloned().collect();
    let Some(key) = keys.get(usize::try_from(dice.roll(keys.len() as u64 + 1)).unwrap()) else {
        return;
    };
    let mut held = fields.remove(key).unwrap();
    match dice.roll(4) {
        0 => drop(fields.insert(key.to_uppercase(), held)),
        1 => drop(fields.insert(format!("x_{key}"), held)),
        2 => {
            spoil_key(&mut held, dice);
            fields.insert(key.clone(), held);
        }
        _ => {}
    }
}

/// The bytes of a sample with so many things wrong with it.
fn spoiled(sample: &str, dice: &mut Dice) -> Vec<u8> {
    let text = fixture(&format!("messages/{sample}.json"));
    let mut message: Value = serde_json::from_str(&text).unwrap();
    for _ in 0..=dice.roll(2) {
        let mut place = dice.roll(leaves(&message));
        match dice.roll(3) {
            0 => spoil_key(&mut message, dice),
            _ => spoil_leaf(&mut message, &mut place, dice),
        }
    }
    let mut bytes = message.to_string().into_bytes();
    let at =
        |dice: &mut Dice, bytes: &[u8]| usize::try_from(dice.roll(bytes.len() as u64)).unwrap();
    match dice.roll(16) {
        0 => bytes.truncate(at(dice, &bytes)),
        1 => {
            let place = at(dice, &bytes);
            bytes[place] = u8::try_from(dice.roll(256)).unwrap();
        }
        2 => bytes.splice(0..0, [0xd6, 0xd0]).for_each(drop),
        _ => {}
    }
    bytes
}

fn infno(dice: &mut Dice) -> String {
    // Mostly the message speaks for itself.
    let told = ["2304", "2305", "5203", "5204", "4101"];
    let told = told.get(usize::try_from(dice.roll(40)).unwrap());
    told.copied().unwrap_or_default().to_owned()
}

async fn kept(served: &Served) -> BTreeMap<String, pb::Reject> {
    let mut client = IntakeServiceClient::new(served.channel.clone());
    let mut request = pb::ListRejectsRequest { include_payload: true, ..Default::default() };
    let mut rejects = BTreeMap::new();
    loop {
        let page = client.list_rejects(request.clone()).await.unwrap().into_inner();
        rejects.extend(page.rejects.into_iter().map(|it| (it.reject_id.clone(), it)));
        if page.next_page_token.is_empty() {
            return rejects;
        }
        request.page_token = page.next_page_token;
    }
}

async fn contract(database: &Database) {
    let mut roster = sample_roster();
    roster.push(enrolled("RJ-D", "370299195506170058"));
    let served = Served::start(database, &roster).await;
    let mut client = served.settlements();
    let mut dice = Dice::seeded();
    let (mut outcomes, mut refused) = ([0; 5], BTreeMap::new());
    for sample in SAMPLES {
        for _ in 0..SEEDS {
            let payload = spoiled(sample, &mut dice);
            let infno = infno(&mut dice);
            let sender = "hospital".to_owned();
            let payload_sent = payload.clone();
            let message = pb::SubmitMessageRequest { sender, payload, infno, ..Default::default() };
            match client.submit_message(message).await {
                Ok(answer) => {
                    let outcome = answer.into_inner();
                    outcomes[usize::try_from(outcome.outcome).unwrap()] += 1;
                    if let Some(claim) = &outcome.claim
                        && claim.state() == pb::ClaimState::Pended
                    {
                        assert!(!claim.review_reasons.is_empty(), "a review has its reason");
                    }
                }
                Err(status) => {
                    let told = told(&status);
                    let is_ours = matches!(
                        told.code,
                        Code::InvalidArgument | Code::AlreadyExists | Code::FailedPrecondition
                    );
                    assert!(is_ours, "{sample}: {told:?}");
                    if payload_sent.is_empty() {
                        // There is nothing to keep: the request itself is at fault.
                        continue;
                    }
                    refused.insert(told.metadata["reject_id"].clone(), payload_sent);
                }
            }
        }
    }
    eprintln!(
        "claims {}, quotes {}, none {}, parked {}",
        outcomes[1], outcomes[2], outcomes[3], outcomes[4]
    );
    eprintln!("refused {}", refused.len());
    assert!(outcomes[1] > 500 && outcomes[4] > 10 && refused.len() > 500, "all ends are met");
    let kept = kept(&served).await;
    for (reject_id, reject) in &kept {
        assert_eq!(Some(&reject.payload), refused.get(reject_id), "as it came");
        assert!(!reject.refusal.as_ref().unwrap().field_violations.is_empty());
    }
    assert!(kept.len() > 100, "{} rejects are left", kept.len());
    served.stop().await;
    audit(database).await;
}

#[tokio::test]
async fn a_spoiled_message_is_taken_or_waits_or_is_kept() {
    on_every_backend(async |database| contract(&database).await).await;
}
