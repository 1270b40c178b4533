//! Hospital messages as they are: every sample comes to what `expected.json` says, whatever way it
//! comes and in whatever order.

use greenlane::pb;
use serde_json::Value;

use crate::serving::{Served, message_of};
use crate::support::{Database, on_every_backend};
use crate::world::{enrolled, fixture, sample_roster};

/// 丁 of sample 06.
const CERT_D: &str = "370299195506170058";

/// A sample, without a word about its transaction: it speaks for itself.
fn bare(file: &str) -> pb::SubmitMessageRequest {
    let message = message_of(fixture(&format!("messages/{file}.json")));
    pb::SubmitMessageRequest { infno: String::new(), ..message }
}

async fn start(database: &Database) -> Served {
    let mut roster = sample_roster();
    roster.push(enrolled("RJ-D", CERT_D));
    Served::start(database, &roster).await
}

async fn send(served: &Served, file: &str) -> pb::SubmitMessageResponse {
    let answer = served.settlements().submit_message(bare(file)).await;
    answer.unwrap_or_else(|status| panic!("{file}: {status:?}")).into_inner()
}

/// Yuan as `expected.json` writes them, in fen; the sign is left out.
fn fen(row: &Value, key: &str) -> Option<i64> {
    let text = row.get(key)?.as_str().unwrap().trim_start_matches('-');
    let (yuan, cents) = text.split_once('.').unwrap();
    Some(yuan.parse::<i64>().unwrap() * 100 + cents.parse::<i64>().unwrap())
}

/// What the person has used of deductible and benefit.
async fn accumulated(served: &Served, claim: &pb::Claim) -> (i64, i64) {
    let request = pb::GetBalanceRequest {
        selector: Some(pb::get_balance_request::Selector::MemberId(claim.member_id.clone())),
        date: "2024-12-31".into(),
        ..pb::GetBalanceRequest::default()
    };
    let balances = served.members().get_balance(request).await.unwrap().into_inner().balances;
    let used = |allowance: &Option<pb::Allowance>| allowance.as_ref().map_or(0, |it| it.used_fen);
    (used(&balances[0].deductible), used(&balances[0].paid))
}

async fn check(served: &Served, row: &Value, answer: &pb::SubmitMessageResponse) {
    let file = row["file"].as_str().unwrap();
    let claim = answer.claim.as_ref().unwrap();
    assert_eq!(claim.state(), pb::ClaimState::Approved, "{file}");
    assert_eq!(claim.route(), pb::Route::Green, "{file}");
    let decision = claim.decision.as_ref().unwrap();
    let figures = [
        ("personal_burden", decision.burden_fen),
        ("ineligible", decision.ineligible_fen),
        ("eligible", decision.eligible_fen),
        ("deductible_applied", decision.deductible_fen),
        ("benefit", decision.payout_fen),
        ("patient_bears", decision.patient_share_fen),
    ];
    for (name, figure) in figures {
        assert_eq!(Some(figure), fen(row, name), "{file} {name}");
    }
    let used = accumulated(served, claim).await;
    let expected = [fen(row, "accumulated_deductible"), fen(row, "accumulated_benefit")];
    assert_eq!([Some(used.0), Some(used.1)], expected, "{file}");
}

#[tokio::test]
async fn every_sample_comes_to_what_is_expected() {
    let expected: Value = serde_json::from_str(&fixture("expected.json")).unwrap();
    on_every_backend(async |database| {
        let served = start(&database).await;
        let mut seen = 0;
        for row in expected["results"].as_array().unwrap() {
            let file = row["file"].as_str().unwrap();
            let route = row.get("route").and_then(Value::as_str).unwrap_or_default();
            match route.split(' ').next() {
                Some("GREEN") => {
                    let mut answer = send(&served, file).await;
                    if file == "04_2304_case_b" {
                        let alone = answer.claim.unwrap().decision.unwrap();
                        assert_eq!(alone.payout_fen, 5_270_394);
                        answer = send(&served, "04b_5204_feedetail_case_b").await;
                    }
                    assert_eq!(answer.outcome(), pb::MessageOutcome::Claim, "{file}");
                    assert!(!answer.replayed, "{file}");
                    check(&served, row, &answer).await;
                }
                Some("replayed") => assert!(send(&served, file).await.replayed, "{file}"),
                Some("reversal") => {
                    let answer = send(&served, file).await;
                    let claim = answer.claim.unwrap();
                    assert_eq!(claim.state(), pb::ClaimState::Voided, "{file}");
                    assert_eq!(claim.payouts[0].state(), pb::PayoutState::Cancelled);
                    assert_eq!(Some(claim.payouts[0].amount_fen), fen(row, "benefit"));
                    assert_eq!(accumulated(&served, &claim).await, (0, 0));
                    assert!(send(&served, file).await.replayed, "reversing twice");
                }
                Some("NO_SETTLEMENT") => {
                    let answer = send(&served, file).await;
                    assert_eq!(answer.outcome(), pb::MessageOutcome::NoSettlement, "{file}");
                }
                _ => composites(&served).await,
            }
            seen += 1;
        }
        assert_eq!(seen, 10);
        served.stop().await;
    })
    .await;
}

/// After their bare messages the composites are supplements, and change no figure.
async fn composites(served: &Served) {
    let composites = [
        ("18_composite_ingest_case_a_stay1", 3_220_718),
        ("18b_composite_case_a_stay2", 4_818_724),
        ("18c_composite_case_a_stay3", 4_060_558),
        ("18d_composite_case_b_with_lines", 5_258_294),
    ];
    for (file, payout) in composites {
        let answer = send(served, file).await;
        assert!(!answer.replayed, "{file} adds the stay");
        let claim = answer.claim.unwrap();
        assert_eq!(claim.decision.unwrap().payout_fen, payout, "{file}");
        assert!(!claim.settlement.unwrap().admission_date.is_empty(), "{file}");
        assert!(send(served, file).await.replayed, "{file}");
    }
}

/// Fee lines and a reversal that come first wait, and are applied with their settlement.
#[tokio::test]
async fn what_comes_before_its_settlement_waits_for_it() {
    on_every_backend(async |database| {
        let served = start(&database).await;
        for file in ["04b_5204_feedetail_case_b", "05b_2305_reversal_negative_amounts"] {
            let answer = send(&served, file).await;
            assert_eq!(answer.outcome(), pb::MessageOutcome::Parked, "{file}");
            assert!(!answer.parked_id.is_empty());
            assert_eq!(send(&served, file).await.parked_id, answer.parked_id, "parked once");
        }
        let claim = send(&served, "04_2304_case_b").await.claim.unwrap();
        assert_eq!(claim.decision.unwrap().payout_fen, 5_258_294, "with its lines at once");
        assert_eq!(claim.payouts.len(), 1, "decided once: {:?}", claim.payouts);
        let claim = send(&served, "05a_2304_original_to_be_reversed").await.claim.unwrap();
        assert_eq!(claim.state(), pb::ClaimState::Voided);
        assert_eq!(accumulated(&served, &claim).await, (0, 0));
        served.stop().await;
    })
    .await;
}

/// In one stream, a reversal right behind its settlement is applied in its turn.
#[tokio::test]
async fn a_stream_carries_all_of_them_in_order() {
    on_every_backend(async |database| {
        let served = start(&database).await;
        let files = [
            "04_2304_case_b",
            "04b_5204_feedetail_case_b",
            "05a_2304_original_to_be_reversed",
            "05b_2305_reversal_negative_amounts",
            "09_2304_error_response",
        ];
        let requests = files.iter().map(|file| pb::SubmitSettlementsRequest {
            message: Some(bare(file)),
            ..pb::SubmitSettlementsRequest::default()
        });
        let requests: Vec<_> = requests.collect();
        let answers =
            served.settlements().submit_settlements(futures::stream::iter(requests)).await;
        let mut answers = answers.unwrap().into_inner();
        let mut told = Vec::new();
        while let Some(answer) = answers.message().await.unwrap() {
            told.push(match answer.outcome.unwrap() {
                pb::submit_settlements_response::Outcome::Accepted(it) => {
                    let claim = it.claim.unwrap();
                    let payout = claim.decision.as_ref().map(|it| it.payout_fen);
                    format!("{:?} {payout:?}", claim.state())
                }
                other => format!("{other:?}"),
            });
        }
        assert_eq!(
            told[..4],
            [
                "Approved Some(5270394)",
                "Approved Some(5258294)",
                "Approved Some(567922)",
                "Voided None",
            ]
        );
        assert!(told[4].starts_with("NoSettlement"), "{}", told[4]);
        served.stop().await;
    })
    .await;
}
