//! Changes of mind: what happens to the other claims of a member when one of them changes.

use std::collections::BTreeSet;
use std::time::Instant;

use futures::future::{join, join_all};
use greenlane::core::book::ReviewRefusal;
use greenlane::core::claim::{Claim, ClaimState};
use greenlane::core::decision::Denial;
use greenlane::core::money::Fen;
use greenlane::core::review::{Act, Actor, Deed, Texts};
use greenlane::ledger::{Ledger, LedgerError, Mode, Pending, Queue, RequestKey, Submitted};
use greenlane::pb;
use uuid::Uuid;

use crate::audit::audit;
use crate::serving::{Served, cert, persons};
use crate::support::{Dice, on_every_backend};
use crate::watch::client::{Watching, from_now, place};
use crate::world::{enrol, on_every_setting, stay};

/// A person does something to a claim as they last saw it.
async fn act(
    ledger: &Ledger,
    name: &str,
    claim: &Claim,
    deed: Deed,
) -> Result<Submitted, LedgerError> {
    let actor = Actor { name: name.to_owned(), is_asserted: true };
    let act = Act { actor, deed, revision: Some(claim.revision) };
    let request = RequestKey { id: Uuid::now_v7().to_string(), digest: "test".to_owned() };
    ledger.review(claim.id, act, Texts::default(), request, Mode::Record).await
}

fn fen(fen: i64) -> Fen {
    Fen::new(fen).unwrap()
}

const WHOLE: Deed = Deed::Approve { amount: None };

fn deny() -> Deed {
    Deed::Deny { denial: Some(Denial::NotNecessary) }
}

/// If this fails a long chain is corrected in pieces, or watchers miss a piece.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_300_claims_is_corrected_in_one_commit_and_told_once_in_order() {
    const CLAIMS: usize = 300;
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(1)).await;
        let ledger = served.ledger();
        // Each takes of the limit what the ones before it leave: all of them hang together.
        let stays = (0..CLAIMS).map(|n| stay(0, &format!("s{n}"), 90_000));
        let mut stays: Vec<_> = stays.collect();
        for stay in &mut stays {
            stay.person.cert_no = Some(greenlane::core::personal::Personal::new(cert(0)));
            stay.person.psn_no = None;
        }
        let sent = ledger.send(stays, Queue::Bulk, Mode::Record).await;
        for answer in join_all(sent.into_iter().map(Pending::outcome)).await {
            answer.unwrap();
        }
        let mut watching = Watching::open(&served.channel, from_now()).await.unwrap();
        assert!(watching.until_progress().await.is_empty());
        let reversal = pb::Reversal {
            source: "370200".to_owned(),
            settlement_id: "s0".to_owned(),
            ..pb::Reversal::default()
        };
        let tried =
            pb::ReverseSettlementRequest { reversal: Some(reversal.clone()), validate_only: true };
        let tried = served.settlements().reverse_settlement(tried).await.unwrap().into_inner();
        let began = Instant::now();
        let request =
            pb::ReverseSettlementRequest { reversal: Some(reversal), validate_only: false };
        let done = served.settlements().reverse_settlement(request).await.unwrap().into_inner();
        eprintln!("{CLAIMS} claims corrected in {} ms", began.elapsed().as_millis());
        assert_eq!(done.changes.len(), CLAIMS - 1, "every later claim stands otherwise");
        let places: Vec<_> = done.changes.iter().map(|it| place(&it.revision)).collect();
        let first = places[0].1;
        let expected = (first..).zip(&places).all(|(position, (_, found))| position == *found);
        assert!(expected, "one commit, without gaps");
        let times: BTreeSet<_> =
            done.changes.iter().map(|it| it.event_time.unwrap().to_string()).collect();
        assert_eq!(times.len(), 1);
        let events = watching.events(CLAIMS).await;
        assert_eq!(events[0].cause(), pb::ClaimEventCause::Reversed);
        assert_eq!(events[1..], done.changes, "watchers are told what the caller was told");
        let trigger = events[0].claim_id.clone();
        for change in &done.changes {
            assert_eq!(change.cause(), pb::ClaimEventCause::Redecided);
            assert_eq!(change.trigger(), pb::ClaimEventTrigger::Claim);
            assert_eq!(change.trigger_claim_id, trigger);
        }
        let amounts = |changes: &[pb::ClaimEvent]| {
            let amount = |it: &pb::ClaimEvent| {
                (it.claim_id.clone(), it.payout_before_fen, it.payout_fen, it.state)
            };
            changes.iter().map(amount).collect::<Vec<_>>()
        };
        assert_eq!(amounts(&tried.changes), amounts(&done.changes), "as it was foretold");
        served.stop().await;
        let audit = audit(&database).await;
        let paid: i64 = audit.claims.values().map(|claim| claim.payout().fen()).sum();
        assert_eq!(paid, 299 * 90_000 - 500_000, "one deductible, once");
    })
    .await;
}

/// Two persons rule at once on two claims that share what is left of the limit.
#[tokio::test(flavor = "multi_thread")]
async fn two_claims_on_one_allowance_ruled_at_once_never_overspend_it_and_strand_nothing() {
    const ROUNDS: u32 = 24;
    let limit = fen(30_000_000);
    on_every_setting(async |database, ledgers| {
        enrol(&ledgers[0], 0..ROUNDS).await;
        let (left, right) = (&ledgers[0], &ledgers[ledgers.len() - 1]);
        let mut dice = Dice::seeded();
        for person in 0..ROUNDS {
            let id = |part: &str| format!("{part}{person}");
            let bill = |part: &str, burden| stay(person, &id(part), burden);
            let first = left.submit(bill("a", 18_000_000), Mode::Record).await.unwrap().claim;
            let second = left.submit(bill("b", 18_000_000), Mode::Record).await.unwrap().claim;
            assert_eq!(second.state(), ClaimState::Pended);
            assert_eq!(first.payout() + second.payout(), limit, "both hold what they would pay");
            let mut deed = || match dice.roll(3) {
                0 => WHOLE,
                1 => Deed::Approve { amount: Some(fen(500_000)) },
                _ => deny(),
            };
            let (one, other) =
                join(act(left, "a", &first, deed()), act(right, "b", &second, deed())).await;
            for outcome in [one, other] {
                // Whoever came second may have seen what stands no longer: then they are told.
                match outcome {
                    Ok(_) => {}
                    Err(LedgerError::Review { refusal, .. }) => match *refusal {
                        ReviewRefusal::Stale { claim } => assert!(claim.payout() <= limit),
                        other => panic!("{other:?}"),
                    },
                    Err(other) => panic!("{other:?}"),
                }
            }
            for _ in 0..4 {
                for id in [first.id, second.id] {
                    let claim = left.store().claim(id).await.unwrap().unwrap();
                    if claim.state() == ClaimState::Pended {
                        act(right, "c", &claim, WHOLE).await.unwrap();
                    }
                }
            }
        }
        let audit = audit(database).await;
        for claim in audit.claims.values() {
            assert_ne!(claim.state(), ClaimState::Pended, "a claim is stranded");
        }
        for book in audit.books.values() {
            let paid: Fen = book.counters.values().map(|it| it.paid).sum();
            let claims: Fen = book.claims.iter().map(|it| it.payout()).sum();
            assert_eq!(paid, claims);
            assert!(paid <= limit, "overspent");
        }
    })
    .await;
}

/// A person who approves what changed meanwhile is told the new amount, and nothing is paid.
#[tokio::test(flavor = "multi_thread")]
async fn a_stale_approval_is_refused_with_the_new_amount() {
    on_every_setting(async |database, ledgers| {
        enrol(&ledgers[0], [1]).await;
        let first = ledgers[0].submit(stay(1, "a", 20_000_000), Mode::Record).await.unwrap().claim;
        let second = ledgers[0].submit(stay(1, "b", 25_000_000), Mode::Record).await.unwrap().claim;
        assert_eq!(second.payout(), fen(10_500_000), "what the first leaves of the limit");
        act(&ledgers[0], "a", &first, deny()).await.unwrap();
        let last = &ledgers[ledgers.len() - 1];
        match act(last, "b", &second, WHOLE).await {
            Err(LedgerError::Review { refusal, claim_id }) => {
                assert_eq!(claim_id, second.id);
                let ReviewRefusal::Stale { claim } = *refusal else { panic!("{refusal:?}") };
                assert_eq!(claim.payout(), fen(24_500_000));
                act(last, "b", &claim, WHOLE).await.unwrap();
            }
            other => panic!("{other:?}"),
        }
        let audit = audit(database).await;
        assert_eq!(audit.claim("b").payout(), fen(24_500_000));
    })
    .await;
}

/// Many who take the next claim at once, on all servers: nobody gets what another has.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_what_another_has_taken() {
    const CLAIMS: u32 = 30;
    const PERSONS: usize = 8;
    on_every_setting(async |database, ledgers| {
        enrol(&ledgers[0], 0..CLAIMS).await;
        for person in 0..CLAIMS {
            let bill = stay(person, &format!("s{person}"), 20_000_000);
            ledgers[0].submit(bill, Mode::Record).await.unwrap();
        }
        let take = |number: usize| async move {
            let ledger = &ledgers[number % ledgers.len()];
            let actor = Actor { name: format!("adjuster-{number}"), is_asserted: true };
            let mut taken = Vec::new();
            loop {
                let id = Uuid::now_v7().to_string();
                let request = RequestKey { id, digest: "take".to_owned() };
                let filter = greenlane::store::QueueFilter::default();
                let next = ledger.take_next(filter, actor.clone(), request.clone(), Mode::Record);
                let Some(next) = next.await.unwrap() else { return taken };
                // The same request again is the same claim.
                let filter = greenlane::store::QueueFilter::default();
                let again = ledger.take_next(filter, actor.clone(), request, Mode::Record);
                let again = again.await.unwrap().unwrap();
                assert!(again.replayed);
                assert_eq!(again.claim.id, next.claim.id);
                taken.push(next.claim.id);
            }
        };
        let taken: Vec<_> = join_all((0..PERSONS).map(take)).await.into_iter().flatten().collect();
        let distinct: BTreeSet<_> = taken.iter().collect();
        assert_eq!(taken.len(), distinct.len(), "two have the same claim");
        assert_eq!(taken.len(), CLAIMS as usize, "one was left");
        audit(database).await;
    })
    .await;
}
