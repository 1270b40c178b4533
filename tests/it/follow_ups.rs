//! Reversals and supplements through the ledger, on every database, with one server and with two.

use std::sync::Arc;
use std::time::Duration;

use greenlane::core::checks::Problem;
use greenlane::core::claim::{Claim, ClaimState};
use greenlane::core::decision::Counters;
use greenlane::core::money::Fen;
use greenlane::core::settlement::{FollowUp, Reversal, Settlement, Supplement};
use greenlane::ledger::{
    CONFLICT, Followed, Grounds, Ledger, LedgerError, Mode, Queue, Rejected, Submitted,
};
use greenlane::store::{Delivery, ParkedRow, RejectFilter};

use crate::audit::{Audit, audit};
use crate::support::Database;
use crate::world::{enrol, on_every_setting, stay};

/// A message about the stay of person 1.
#[derive(Debug, Clone)]
enum Told {
    Settled(&'static str, i64),
    Reversed(&'static str),
    Supplied(&'static str),
}

/// A settlement of the one stay, of 1,000.00 that funds paid and a burden.
fn of_stay(id: &str, burden_fen: i64) -> Settlement {
    Settlement { visit_id: Some("v".into()), ..stay(1, id, burden_fen) }
}

/// The reversal of the one stay with a burden of 6,000.00, named in one of the ways there are.
fn reversal(way: &str) -> FollowUp {
    let total = Fen::new(700_000);
    let (original, own) = match way {
        "named" => (Some("a"), Some("r")),
        "echo" => (None, Some("a")),
        _ => (None, Some("r")),
    };
    FollowUp::Reversal(Arc::new(Reversal {
        source: "370200".into(),
        original_id: original.map(Into::into),
        reversal_id: own.map(Into::into),
        visit_id: Some("v".into()),
        total,
        reverse_time: None,
    }))
}

/// A fact about a settlement that nobody stated with it.
fn level_of(id: &str) -> FollowUp {
    let mut facts = of_stay(id, 0);
    facts = Settlement {
        person: greenlane::core::settlement::Person::default(),
        amounts: greenlane::core::settlement::Amounts::default(),
        invoice_no: None,
        visit_id: None,
        hospital_level: Some("02".into()),
        ..facts
    };
    FollowUp::Supplement(Arc::new(Supplement { facts }))
}

fn delivery(sender: &str, payload: &str) -> Delivery {
    Delivery {
        sender: sender.into(),
        format: "MESSAGE".into(),
        payload: payload.into(),
        ..Delivery::default()
    }
}

async fn follow(ledger: &Ledger, what: FollowUp) -> Result<Followed, LedgerError> {
    let pending = ledger.follow_up(what, delivery("test", "{}"), Queue::Window, Mode::Record).await;
    pending.outcome().await
}

#[track_caller]
fn applied(outcome: Result<Followed, LedgerError>) -> Submitted {
    match outcome {
        Ok(Followed::Applied(submitted)) => submitted,
        other => panic!("not applied: {other:?}"),
    }
}

#[track_caller]
fn parked(outcome: Result<Followed, LedgerError>) -> String {
    match outcome {
        Ok(Followed::Parked(parked_id)) => parked_id,
        other => panic!("not parked: {other:?}"),
    }
}

async fn tell(ledger: &Ledger, told: &Told) {
    match told {
        Told::Settled(id, burden) => {
            ledger.submit(of_stay(id, *burden), Mode::Record).await.unwrap();
        }
        Told::Reversed(way) => {
            follow(ledger, reversal(way)).await.unwrap();
        }
        Told::Supplied(id) => {
            follow(ledger, level_of(id)).await.unwrap();
        }
    }
}

async fn waiting(ledger: &Ledger) -> Vec<ParkedRow> {
    ledger.store().parked_page(None, None, "", 100).await.unwrap()
}

/// Waits until nothing waits any more: what came at the same moment is swept up.
async fn swept(ledger: &Ledger) {
    for _ in 0..200 {
        if waiting(ledger).await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("still waiting: {:?}", waiting(ledger).await);
}

fn used(audit: &Audit) -> Vec<Counters> {
    let counters = audit.books.values().flat_map(|book| book.counters.values().copied());
    counters.filter(|it| *it != Counters::default()).collect()
}

fn states(claims: &[&Claim]) -> Vec<(ClaimState, i64)> {
    claims.iter().map(|claim| (claim.state(), claim.payout().fen())).collect()
}

/// Every order of `told`.
fn orders(told: &[Told]) -> Vec<Vec<Told>> {
    let [first, rest @ ..] = told else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for order in orders(rest) {
        for place in 0..=order.len() {
            let mut with = order.clone();
            with.insert(place, first.clone());
            all.push(with);
        }
    }
    all
}

/// Settled, taken back, settled anew with a corrected bill: whatever comes first, on whichever
/// server, counters and money are those of the corrected settlement alone.
#[tokio::test]
async fn every_order_of_three_messages_ends_where_a_clean_history_does() {
    for way in ["named", "echo", "by the stay"] {
        let told = [Told::Settled("a", 600_000), Told::Reversed(way), Told::Settled("b", 800_000)];
        for order in orders(&told) {
            on_every_setting(async |database, ledgers| {
                enrol(&ledgers[0], [1]).await;
                for (told, ledger) in order.iter().zip(ledgers.iter().cycle()) {
                    tell(ledger, told).await;
                }
                ends_clean(database, ledgers, &format!("{way}: {order:?}")).await;
            })
            .await;
        }
    }
}

/// The same with a fourth that adds a fact, all at once.
#[tokio::test]
async fn messages_that_come_at_once_end_where_a_clean_history_does() {
    for way in ["named", "echo", "by the stay"] {
        on_every_setting(async |database, ledgers| {
            enrol(&ledgers[0], [1]).await;
            let told = [
                Told::Reversed(way),
                Told::Settled("b", 800_000),
                Told::Settled("a", 600_000),
                Told::Supplied("b"),
            ];
            let calls = told.iter().zip(ledgers.iter().cycle());
            futures::future::join_all(calls.map(|(told, ledger)| tell(ledger, told))).await;
            ends_clean(database, ledgers, way).await;
            let audit = audit(database).await;
            let level = &audit.claim("b").settlement.hospital_level;
            assert_eq!(level.as_deref(), Some("02"));
        })
        .await;
    }
}

async fn ends_clean(database: &Database, ledgers: &[Ledger], what: &str) {
    swept(&ledgers[0]).await;
    let audit = audit(database).await;
    let claims = [audit.claim("a"), audit.claim("b")];
    let standing = [(ClaimState::Voided, 0), (ClaimState::Approved, 300_000)];
    assert_eq!(states(&claims), standing, "{what}");
    let counters = used(&audit);
    assert_eq!(counters.len(), 1, "{what}");
    assert_eq!(counters[0].deductible.fen(), 500_000, "{what}");
    assert_eq!(counters[0].paid.fen(), 300_000, "{what}");
    let rejects =
        ledgers[0].store().rejects_page(&RejectFilter::default(), "", 10, true).await.unwrap();
    assert_eq!(rejects, []);
}

#[tokio::test]
async fn a_reversal_before_its_settlement_is_applied_in_the_commit_that_brings_it() {
    on_every_setting(async |database, ledgers| {
        let (first, last) = (&ledgers[0], ledgers.last().unwrap());
        enrol(first, [1]).await;
        let parked_id = parked(follow(first, reversal("by the stay")).await);
        assert_eq!(parked(follow(last, reversal("by the stay")).await), parked_id, "parked once");
        assert_eq!(waiting(last).await[0].kind, "REVERSAL");
        let other = last.submit(of_stay("other", 500_000), Mode::Record).await.unwrap();
        assert_eq!(other.claim.state(), ClaimState::Approved, "another bill of the stay");
        let submitted = last.submit(of_stay("a", 600_000), Mode::Record).await.unwrap();
        assert_eq!(submitted.claim.state(), ClaimState::Voided);
        assert!(!submitted.replayed);
        assert_eq!(waiting(first).await, []);
        let again = applied(follow(first, reversal("by the stay")).await);
        assert!(again.replayed);
        assert_eq!(again.claim, submitted.claim);
        let again = first.submit(of_stay("a", 600_000), Mode::Record).await.unwrap();
        assert!(again.replayed);
        assert_eq!(again.claim, submitted.claim);
        audit(database).await;
    })
    .await;
}

/// The replacement is decided before what came between, as if the first one had been right.
#[tokio::test]
async fn a_replacement_takes_the_place_of_what_was_reversed() {
    on_every_setting(async |database, ledgers| {
        let (first, last) = (&ledgers[0], ledgers.last().unwrap());
        enrol(first, [1]).await;
        first.submit(of_stay("a", 600_000), Mode::Record).await.unwrap();
        last.submit(stay(1, "c", 300_000), Mode::Record).await.unwrap();
        applied(follow(first, reversal("named")).await);
        let between = audit(database).await;
        assert_eq!(states(&[between.claim("c")]), [(ClaimState::Approved, 0)]);
        last.submit(of_stay("b", 800_000), Mode::Record).await.unwrap();
        let audit = audit(database).await;
        let claims = [audit.claim("a"), audit.claim("b"), audit.claim("c")];
        let expected = [
            (ClaimState::Voided, 0),
            (ClaimState::Approved, 300_000),
            (ClaimState::Approved, 300_000),
        ];
        assert_eq!(states(&claims), expected);
        assert_eq!(used(&audit)[0].paid.fen(), 600_000);
    })
    .await;
}

#[tokio::test]
async fn two_callers_who_reverse_at_once_reverse_once() {
    on_every_setting(async |database, ledgers| {
        enrol(&ledgers[0], [1]).await;
        ledgers[0].submit(of_stay("a", 600_000), Mode::Record).await.unwrap();
        let callers = ledgers.iter().cycle().take(8);
        let calls = callers.map(|ledger| follow(ledger, reversal("by the stay")));
        let answers = futures::future::join_all(calls).await;
        let answers: Vec<Submitted> = answers.into_iter().map(applied).collect();
        assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
        assert!(answers.iter().all(|answer| answer.claim == answers[0].claim));
        let audit = audit(database).await;
        assert_eq!(states(&[audit.claim("a")]), [(ClaimState::Voided, 0)]);
        assert_eq!(used(&audit), []);
    })
    .await;
}

#[tokio::test]
async fn a_part_cannot_be_reversed_and_a_trial_records_nothing() {
    on_every_setting(async |database, ledgers| {
        let ledger = &ledgers[0];
        enrol(ledger, [1]).await;
        let tried =
            |what| ledger.follow_up(what, Delivery::default(), Queue::Window, Mode::Preview);
        let nothing = tried(reversal("named")).await.outcome().await;
        assert_eq!(parked(nothing), "", "nothing waits after a trial");
        ledger.submit(of_stay("a", 500_000), Mode::Record).await.unwrap();
        let error = follow(ledger, reversal("named")).await.unwrap_err();
        assert!(
            matches!(error, LedgerError::ReversalDiffers { field: "total_fen", .. }),
            "{error:?}"
        );
        ledger.submit(of_stay("b", 600_000), Mode::Record).await.unwrap();
        let trial = applied(tried(reversal("by the stay")).await.outcome().await);
        assert_eq!(trial.claim.state(), ClaimState::Voided);
        let audit = audit(database).await;
        assert_eq!(audit.claim("b").state(), ClaimState::Approved);
        assert_eq!(waiting(ledger).await, []);
    })
    .await;
}

/// What a server parked before it died, and what came to two servers at the same moment.
#[tokio::test]
async fn a_sweep_applies_what_waits_beside_its_settlement() {
    on_every_setting(async |database, ledgers| {
        let ledger = &ledgers[0];
        enrol(ledger, [1]).await;
        let what = reversal("by the stay");
        let row = ParkedRow {
            parked_id: "0190".into(),
            digest: "d".into(),
            source: "370200".into(),
            settlement_id: Some("r".into()),
            visit_id: Some("v".into()),
            kind: "REVERSAL".into(),
            body: serde_json::to_string(&what).unwrap(),
            delivery: delivery("test", "{}"),
            receive_time: greenlane::clock::now(),
        };
        ledger.submit(of_stay("a", 600_000), Mode::Record).await.unwrap();
        let mut tx = ledger.store().begin().await.unwrap();
        tx.park(&row).await.unwrap();
        tx.commit().await.unwrap();
        swept(ledger).await;
        let audit = audit(database).await;
        assert_eq!(states(&[audit.claim("a")]), [(ClaimState::Voided, 0)]);
    })
    .await;
}

#[tokio::test]
async fn facts_that_wait_and_contradict_their_settlement_become_a_reject() {
    on_every_setting(async |_, ledgers| {
        let ledger = &ledgers[0];
        enrol(ledger, [1]).await;
        parked(follow(ledger, level_of("a")).await);
        let stated = Settlement { hospital_level: Some("01".into()), ..of_stay("a", 600_000) };
        let submitted = ledger.submit(stated, Mode::Record).await.unwrap();
        assert_eq!(submitted.claim.state(), ClaimState::Approved);
        assert_eq!(waiting(ledger).await, []);
        let rejects =
            ledger.store().rejects_page(&RejectFilter::default(), "", 10, true).await.unwrap();
        assert_eq!(rejects.len(), 1);
        assert_eq!((&*rejects[0].reason, &*rejects[0].delivery.payload), (CONFLICT, &b"{}"[..]));
        let grounds = Grounds::of_row(&rejects[0]);
        assert_eq!(grounds.fields[0].field, "settlement.hospital_level");
        assert_eq!(rejects[0].settlement_id.as_deref(), Some("a"));
    })
    .await;
}

fn rejected(payload: &str, reason: &str, settlement_id: Option<&str>) -> Rejected {
    let field = Problem { field: "payload".into(), problem: "must be JSON".into() };
    Rejected {
        delivery: delivery("H1", payload),
        source: Some("370200".into()),
        settlement_id: settlement_id.map(Into::into),
        topic: "SETTLEMENT",
        grounds: Grounds { reason: reason.into(), message: "no".into(), fields: vec![field] },
    }
}

#[tokio::test]
async fn a_reject_is_kept_once_until_it_is_made_good() {
    on_every_setting(async |_, ledgers| {
        let (first, last) = (&ledgers[0], ledgers.last().unwrap());
        let bytes = "\u{0}not JSON\u{ff}";
        let id = first.reject(rejected(bytes, "MESSAGE_UNREADABLE", None), None).await.unwrap();
        let again = last.reject(rejected(bytes, "INVALID_FIELD", Some("s")), None).await.unwrap();
        assert_eq!(id, again, "the same bytes are one reject");
        let row = last.store().reject(&id).await.unwrap().unwrap();
        assert_eq!((row.attempts, &*row.reason), (2, "INVALID_FIELD"), "with the new reasons");
        assert_eq!(row.delivery.payload, bytes.as_bytes());
        let conflict = first.reject(rejected("{}", CONFLICT, Some("s")), None).await.unwrap();
        let left = async || {
            let rows =
                last.store().rejects_page(&RejectFilter::default(), "", 10, true).await.unwrap();
            rows.into_iter().map(|row| row.reject_id).collect::<Vec<_>>()
        };
        assert_eq!(left().await, [id.clone(), conflict.clone()]);
        let made_good = async |ledger: &Ledger, sender, payload, topic: Option<&'static str>| {
            let about = topic.map(|topic| ("370200".into(), "s".into(), topic));
            ledger.made_good(|| delivery(sender, payload), about).await.unwrap();
        };
        made_good(first, "H1", "reversed", Some("REVERSAL")).await;
        assert_eq!(left().await.len(), 2, "a reversal that is taken makes no settlement good");
        made_good(first, "H1", "corrected", Some("SETTLEMENT")).await;
        assert_eq!(left().await, [&*conflict], "a contradiction is for a person to look at");
        made_good(first, "H2", "{}", None).await;
        assert_eq!(left().await, [&*conflict], "the bytes of somebody else");
        made_good(first, "H1", "{}", None).await;
        assert_eq!(left().await, [""; 0]);
    })
    .await;
}
