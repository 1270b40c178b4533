//! The published cases and everything else that `expected.json` fixes, to the fen, through the
//! reader and the ledger, on every backend.

use greenlane::core::claim::{Claim, ClaimState};
use greenlane::core::decision::AdjustmentReason;
use greenlane::core::money::Fen;
use greenlane::core::payout::PayoutState;
use greenlane::ledger::{Ledger, Mode, Submitted};
use serde_json::Value;

use crate::support::on_every_backend;
use crate::world::{fixture, open_ledger, read_sample as read, sample_roster};

async fn submit(ledger: &Ledger, file: &str) -> Submitted {
    ledger.submit(read(file), Mode::Record).await.unwrap()
}

/// What `expected.json` says of one sample.
fn expected(file: &str) -> Value {
    let all: Value = serde_json::from_str(&fixture("expected.json")).unwrap();
    let results = all["results"].as_array().unwrap().clone();
    results.into_iter().find(|result| result["file"] == file).unwrap()
}

#[track_caller]
fn assert_expected(claim: &Claim, file: &str) {
    let expected = expected(file);
    let yuan = |key: &str| Fen::parse_yuan(expected[key].as_str().unwrap()).unwrap();
    let decision = claim.evaluation.decision.as_ref().unwrap();
    assert_eq!(claim.state(), ClaimState::Approved, "{file}");
    assert_eq!(decision.burden, yuan("personal_burden"), "{file}");
    assert_eq!(decision.ineligible(), yuan("ineligible"), "{file}");
    assert_eq!(decision.eligible, yuan("eligible"), "{file}");
    assert_eq!(decision.deductible(), yuan("deductible_applied"), "{file}");
    assert_eq!(decision.payout(), yuan("benefit"), "{file}");
    assert_eq!(decision.patient_share(), yuan("patient_bears"), "{file}");
    assert_eq!(decision.adjusted(AdjustmentReason::BenefitMax), yuan("over_limit"), "{file}");
    let after = decision.counters[0].after;
    assert_eq!(after.deductible, yuan("accumulated_deductible"), "{file}");
    assert_eq!(after.paid, yuan("accumulated_benefit"), "{file}");
    let adjusted: Fen = decision.adjustments.iter().map(|part| part.amount).sum();
    assert_eq!(adjusted + decision.payout(), decision.total, "{file} balances");
    let paid: Fen = claim.payouts.iter().map(|payout| payout.amount).sum();
    assert_eq!(paid, decision.payout(), "{file} is instructed");
}

const CASE_A: [[&str; 2]; 3] = [
    ["01_2304_case_a_stay1", "18_composite_ingest_case_a_stay1"],
    ["02_2304_case_a_stay2", "18b_composite_case_a_stay2"],
    ["03_2304_case_a_stay3", "18c_composite_case_a_stay3"],
];

#[tokio::test(flavor = "multi_thread")]
async fn three_stays_are_the_published_case_bare_or_composite() {
    for form in 0..2 {
        on_every_backend(async |database| {
            let ledger = open_ledger(&database, &sample_roster()).await;
            for names in CASE_A {
                let submitted = submit(&ledger, names[form]).await;
                assert!(!submitted.replayed);
                assert_expected(&submitted.claim, names[0]);
            }
            let replay = submit(&ledger, "17_2304_duplicate_resend_of_02").await;
            assert!(replay.replayed);
            assert_expected(&replay.claim, "02_2304_case_a_stay2");
            ledger.drain().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_composite_after_its_bare_message_is_a_supplement() {
    on_every_backend(async |database| {
        let ledger = open_ledger(&database, &sample_roster()).await;
        for names in CASE_A {
            submit(&ledger, names[0]).await;
        }
        for names in CASE_A {
            let supplemented = submit(&ledger, names[1]).await;
            assert!(!supplemented.replayed);
            assert_expected(&supplemented.claim, names[0]);
            assert!(supplemented.claim.settlement.admission_date.is_some());
            assert!(submit(&ledger, names[0]).await.replayed, "the bare one adds nothing");
            assert!(submit(&ledger, names[1]).await.replayed);
        }
        ledger.drain().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fee_lines_take_the_escort_bed_out_at_once_or_later() {
    on_every_backend(async |database| {
        let ledger = open_ledger(&database, &sample_roster()).await;
        let bare = submit(&ledger, "04_2304_case_b").await.claim;
        assert_eq!(bare.payout(), Fen::parse_yuan("52703.94").unwrap());
        let with_lines = submit(&ledger, "18d_composite_case_b_with_lines").await.claim;
        let decision = with_lines.evaluation.decision.as_ref().unwrap();
        assert_eq!(decision.payout(), Fen::parse_yuan("52582.94").unwrap());
        assert_eq!(decision.ineligible(), Fen::parse_yuan("121.00").unwrap());
        let states: Vec<_> = with_lines.payouts.iter().map(|payout| payout.state).collect();
        assert_eq!(states, [PayoutState::Cancelled, PayoutState::Instructed], "one payout stands");
        ledger.drain().await;
    })
    .await;
    on_every_backend(async |database| {
        let ledger = open_ledger(&database, &sample_roster()).await;
        let at_once = submit(&ledger, "18d_composite_case_b_with_lines").await.claim;
        assert_expected(&at_once, "04_2304_case_b");
        assert_expected(
            &submit(&ledger, "05a_2304_original_to_be_reversed").await.claim,
            "05a_2304_original_to_be_reversed",
        );
        ledger.drain().await;
    })
    .await;
}

/// What a caller reads later is what it was answered, from a connection that saw neither.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_reads_as_it_was_answered() {
    on_every_backend(async |database| {
        let ledger = open_ledger(&database, &sample_roster()).await;
        for file in [
            "18_composite_ingest_case_a_stay1",
            "18d_composite_case_b_with_lines",
            "20_2304_person_without_coverage",
            "21_2304_above_green_ceiling",
        ] {
            let answered = submit(&ledger, file).await.claim;
            let read = ledger.store().claim(answered.id).await.unwrap().unwrap();
            assert_eq!(read, *answered, "{file}");
        }
        ledger.drain().await;
    })
    .await;
}

/// How many rows there are, of every kind.
const EVERYTHING: &str = "select 'identities ' || (select count(*) from directory) \
     || ' keys ' || (select count(*) from settlement_key) || ' events ' || (select count(*) from event) \
     || ' facts ' || (select count(*) from fact) || ' claims ' || (select count(*) from claim) \
     || ' members ' || (select count(*) from member) || ' payouts ' || (select count(*) from payout) \
     || ' counters ' || (select coalesce(sum(paid_fen + deductible_fen + burden_fen), 0) from counter) \
     || ' positions ' || (select sum(position + claims) from lane)";

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_equals_the_submit_at_the_same_moment_and_leaves_nothing() {
    on_every_backend(async |database| {
        let ledger = open_ledger(&database, &sample_roster()).await;
        for file in
            ["01_2304_case_a_stay1", "02_2304_case_a_stay2", "20_2304_person_without_coverage"]
        {
            let mut nameless = read(file);
            nameless.settlement_id = String::new();
            let before = database.text(EVERYTHING).await;
            let quoted = ledger.submit(nameless, Mode::Preview).await.unwrap().claim;
            let tried = ledger.submit(read(file), Mode::Preview).await.unwrap().claim;
            assert_eq!(database.text(EVERYTHING).await, before, "a quote leaves nothing behind");
            assert_eq!((quoted.revision, tried.revision), (0, 0));
            let submitted = submit(&ledger, file).await.claim;
            assert_eq!(quoted.evaluation, submitted.evaluation, "{file}");
            assert_eq!(tried.evaluation, submitted.evaluation, "{file}");
        }
        ledger.drain().await;
    })
    .await;
}
