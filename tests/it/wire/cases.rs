//! The published cases over the wire, on every road, and what a quote promises of them.

use greenlane::pb;

use crate::serving::{Served, message, submit};
use crate::support::{Database, on_every_backend};
use crate::world::sample_roster;

/// What a sample must come to, in fen.
struct Expected {
    file: &'static str,
    burden: i64,
    ineligible: i64,
    payout: i64,
    share: i64,
}

const fn expected(file: &'static str, burden: i64, payout: i64, share: i64) -> Expected {
    Expected { file, burden, ineligible: 0, payout, share }
}

const BARE: [Expected; 4] = [
    expected("01_2304_case_a_stay1", 3_720_718, 3_220_718, 500_000),
    expected("02_2304_case_a_stay2", 4_818_724, 4_818_724, 0),
    expected("03_2304_case_a_stay3", 4_060_558, 4_060_558, 0),
    expected("04_2304_case_b", 5_770_394, 5_270_394, 500_000),
];

const COMPOSITE: [Expected; 4] = [
    expected("18_composite_ingest_case_a_stay1", 3_720_718, 3_220_718, 500_000),
    expected("18b_composite_case_a_stay2", 4_818_724, 4_818_724, 0),
    expected("18c_composite_case_a_stay3", 4_060_558, 4_060_558, 0),
    Expected {
        ineligible: 12_100,
        ..expected("18d_composite_case_b_with_lines", 5_770_394, 5_258_294, 512_100)
    },
];

async fn by_message(served: &Served, file: &str) -> pb::Claim {
    let answer = served.settlements().submit_message(message(file)).await.unwrap().into_inner();
    assert_eq!((answer.outcome(), answer.replayed), (pb::MessageOutcome::Claim, false), "{file}");
    answer.claim.unwrap()
}

/// The facts of a message, as the server reads them and without recording them.
async fn facts(served: &Served, file: &str) -> pb::Settlement {
    let request = pb::SubmitMessageRequest { validate_only: true, ..message(file) };
    let answer = served.settlements().submit_message(request).await.unwrap().into_inner();
    assert_eq!(answer.outcome(), pb::MessageOutcome::Quote);
    answer.claim.unwrap().settlement.unwrap()
}

async fn by_settlement(served: &Served, file: &str) -> pb::Claim {
    let request = submit(facts(served, file).await);
    let answer = served.settlements().submit_settlement(request).await.unwrap().into_inner();
    assert!(!answer.replayed, "{file}");
    answer.claim.unwrap()
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
}

/// The figures, that they add up, and that a person can read why.
fn assert_claim(claim: &pb::Claim, expected: &Expected) {
    let file = expected.file;
    assert_eq!((claim.state(), claim.route()), (pb::ClaimState::Approved, pb::Route::Green));
    let decision = claim.decision.as_ref().unwrap();
    assert_eq!(decision.burden_fen, expected.burden, "{file}");
    assert_eq!(decision.ineligible_fen, expected.ineligible, "{file}");
    assert_eq!(decision.payout_fen, expected.payout, "{file}");
    assert_eq!(decision.patient_share_fen, expected.share, "{file}");
    let adjusted: i64 = decision.adjustments.iter().map(|part| part.amount_fen).sum();
    let total = claim.settlement.as_ref().unwrap().total_fen;
    assert_eq!(adjusted + decision.indemnity_fen, total, "{file} adds up to the bill");
    assert_eq!(decision.indemnity_fen + decision.fixed_benefit_fen, decision.payout_fen, "{file}");
    assert_lines(claim, file);
    let [payout] = &claim.payouts[..] else { panic!("{file} has one payout") };
    assert_eq!(payout.amount_fen, expected.payout, "{file}");
    assert_eq!(payout.state(), pb::PayoutState::Instructed, "{file}");
    assert_eq!(claim.next_step(), pb::NextStep::AwaitTransfer, "{file}");
    assert!(!decision.steps.is_empty());
    for step in &decision.steps {
        assert!(is_chinese(&step.text_zh), "{file}: {step:?}");
        assert!(!step.text_en.is_empty() && !step.code.is_empty(), "{file}: {step:?}");
    }
}

/// Every line is told, in the order of the bill, and adds up to its own amount.
fn assert_lines(claim: &pb::Claim, file: &str) {
    let (lines, decision) =
        (&claim.settlement.as_ref().unwrap().lines, claim.decision.as_ref().unwrap());
    assert_eq!(decision.lines.len(), lines.len(), "{file}");
    for (decided, line) in decision.lines.iter().zip(lines) {
        assert_eq!((&decided.line_no, decided.total_fen), (&line.line_no, line.total_fen));
        let adjusted: i64 = decided.adjustments.iter().map(|part| part.amount_fen).sum();
        assert_eq!(adjusted + decided.payout_fen, decided.total_fen, "{file} {}", line.line_no);
    }
    let paid: i64 = decision.lines.iter().map(|line| line.payout_fen).sum();
    assert!(lines.is_empty() || paid == decision.indemnity_fen, "{file} pays by line {paid}");
}

fn assert_published_sums(claims: &[pb::Claim]) {
    let mut sums = [0; 3];
    for claim in &claims[..3] {
        let decision = claim.decision.as_ref().unwrap();
        sums[0] += claim.settlement.as_ref().unwrap().total_fen;
        sums[1] += decision.payout_fen;
        sums[2] += decision.patient_share_fen;
    }
    assert_eq!(sums, [23_900_000, 12_100_000, 500_000], "239,000 = 113,000 + 121,000 + 5,000");
}

async fn decide(
    database: &Database,
    expected: &[Expected],
    submit: impl AsyncFn(&Served, &str) -> pb::Claim,
) -> Vec<pb::Claim> {
    let served = Served::start(database, &sample_roster()).await;
    let mut claims = Vec::new();
    for one in expected {
        let claim = submit(&served, one.file).await;
        assert_claim(&claim, one);
        let request =
            pb::GetClaimRequest { claim_id: claim.claim_id.clone(), ..Default::default() };
        let read = served.claims().get_claim(request).await.unwrap().into_inner().claim;
        assert_eq!(read.as_ref(), Some(&claim), "a claim reads as it was answered");
        claims.push(claim);
    }
    assert_published_sums(&claims);
    served.stop().await;
    claims
}

async fn assert_roads_agree(expected: &[Expected]) {
    let all = std::sync::Mutex::new(Vec::new());
    on_every_backend(async |database| {
        let claims = decide(&database, expected, by_message).await;
        all.lock().unwrap().push(claims);
    })
    .await;
    on_every_backend(async |database| {
        let claims = decide(&database, expected, by_settlement).await;
        all.lock().unwrap().push(claims);
    })
    .await;
    let all = all.into_inner().unwrap();
    for claims in &all[1..] {
        for (one, other) in claims.iter().zip(&all[0]) {
            assert_eq!(one.settlement, other.settlement, "the same facts");
            assert_eq!(one.decision, other.decision, "the same decision to the last step");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bare_samples_are_decided_alike_as_message_and_as_settlement() {
    assert_roads_agree(&BARE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn composite_samples_are_decided_alike_as_message_and_as_settlement() {
    assert_roads_agree(&COMPOSITE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resent_message_returns_its_claim_as_it_stands() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let first = by_message(&served, "02_2304_case_a_stay2").await;
        let again = message("17_2304_duplicate_resend_of_02");
        let answer = served.settlements().submit_message(again).await.unwrap().into_inner();
        assert!(answer.replayed);
        assert_eq!(answer.claim.unwrap(), first);
        served.stop().await;
    })
    .await;
}

/// What differs between a claim and its quote: that it is recorded, and nothing else.
fn unrecorded(claim: pb::Claim) -> pb::Claim {
    let mut claim = pb::Claim {
        claim_id: String::new(),
        revision: String::new(),
        create_time: None,
        update_time: None,
        review: None,
        payouts: Vec::new(),
        member_id: String::new(),
        ..claim
    };
    claim.settlement.as_mut().unwrap().settlement_id = String::new();
    claim
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_equals_the_submit_after_it_and_records_nothing() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        for file in [
            "01_2304_case_a_stay1",
            "18d_composite_case_b_with_lines",
            "21_2304_above_green_ceiling",
        ] {
            let settlement = facts(&served, file).await;
            let nameless = pb::Settlement { settlement_id: String::new(), ..settlement.clone() };
            let request = pb::QuoteSettlementRequest { settlement: Some(nameless) };
            let quoted = served.settlements().quote_settlement(request).await.unwrap();
            let quoted = quoted.into_inner().claim.unwrap();
            assert_eq!((quoted.claim_id.as_str(), quoted.revision.as_str()), ("", ""));
            assert_eq!((quoted.create_time, quoted.update_time), (None, None));
            let validate =
                pb::SubmitSettlementRequest { validate_only: true, ..submit(settlement.clone()) };
            let tried = served.settlements().submit_settlement(validate).await.unwrap();
            let tried = tried.into_inner().claim.unwrap();
            let settlement_id = settlement.settlement_id.clone();
            let own = pb::ListClaimsRequest { settlement_id, ..pb::ListClaimsRequest::default() };
            let list = served.claims().list_claims(own).await.unwrap().into_inner();
            assert_eq!(list.claims, [], "nothing is left behind");
            let submitted = served.settlements().submit_settlement(submit(settlement)).await;
            let submitted = submitted.unwrap().into_inner().claim.unwrap();
            assert_eq!(unrecorded(quoted), unrecorded(submitted.clone()), "{file}");
            assert_eq!(unrecorded(tried), unrecorded(submitted), "{file}");
        }
        served.stop().await;
    })
    .await;
}
