//! What the rest of the system relies on, whichever database is underneath.

use std::sync::Arc;

use greenlane::core::claim::{Claim, ClaimId, ClaimState};
use greenlane::core::day::{Day, Moment};
use greenlane::core::money::Fen;
use greenlane::core::payout::PayoutState;
use greenlane::store::{
    ClaimCursor, ClaimFilter, ClaimRow, DocumentRow, KeyRow, LaneHead, Options, PayoutRow, Rows,
    Store, StoreError,
};

use crate::support::{key, on_every_backend, options, record, recorded, settlement};

fn id(lane: u16, number: i64) -> ClaimId {
    ClaimId { lane, number }
}

fn key_row(settlement_id: &str, number: i64) -> KeyRow {
    key(&settlement(settlement_id), id(1, number), "m1")
}

/// The claim of a row as it must be read again.
fn stored(row: &ClaimRow) -> Claim {
    Claim { revision: row.revision, ..(*row.claim).clone() }
}

async fn head(store: &Store, lane: u16) -> LaneHead {
    store.begin().await.unwrap().lock_lanes(&[lane]).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_database_is_made_once_and_keeps_what_it_is() {
    on_every_backend(async |database| {
        let store = database.open().await;
        assert_eq!(store.lanes(), 4);
        assert_eq!(store.shares_one_writer(), !database.is_postgres);
        store.ping().await.unwrap();
        let again = database.open_with(&Options { lanes: 9, ..options() }).await.unwrap();
        assert_eq!((again.lanes(), again.ledger_id()), (4, store.ledger_id()));
        let mut tx = store.begin().await.unwrap();
        let heads = tx.lock_lanes(&[0, 1, 2, 3]).await.unwrap();
        assert_eq!(heads.iter().map(|head| head.lane).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(heads.iter().all(|head| head.position == 0 && head.hash.is_empty()));
        assert!(matches!(tx.lock_lanes(&[4]).await, Err(StoreError::Corrupt { .. })));
        drop(tx);
        store.close().await;
        again.close().await;
    })
    .await;
}

#[tokio::test]
async fn another_directory_key_is_refused() {
    on_every_backend(async |database| {
        database.open().await.close().await;
        let other = Options { directory_key_check: "other".into(), ..options() };
        let refused = database.open_with(&other).await.err();
        assert!(matches!(refused, Some(StoreError::WrongDirectoryKey)), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn servers_that_start_together_make_one_ledger() {
    on_every_backend(async |database| {
        if !database.is_postgres {
            return; // One process owns a SQLite file.
        }
        let options = options();
        let opened = futures::future::join_all((0..5).map(|_| database.open_with(&options))).await;
        let stores: Vec<Store> = opened.into_iter().map(Result::unwrap).collect();
        assert!(stores.iter().all(|store| store.ledger_id() == stores[0].ledger_id()));
        for store in stores {
            store.close().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_text_that_names_no_database_is_refused() {
    for url in ["", "mysql://x", "sqlite://:memory:", "sqlite://x?mode=memory", "postgres://["] {
        let refused = Store::open(url, &options()).await.err();
        assert!(matches!(refused, Some(StoreError::BadUrl(_))), "{url:?}: {refused:?}");
    }
    let refused = Store::open("postgres://postgres@127.0.0.1:1/x", &options()).await.err();
    assert!(matches!(refused, Some(StoreError::Unreachable(_))), "{refused:?}");
}

#[tokio::test]
async fn the_first_insert_of_a_key_wins_and_the_others_see_it() {
    on_every_backend(async |database| {
        let store = database.open().await;
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.insert_keys(&[key_row("a", 1), key_row("b", 2)]).await.unwrap(), []);
        tx.delete_keys(&[("370200".into(), "b".into())]).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let taken = tx.insert_keys(&[key_row("a", 7), key_row("b", 8), key_row("c", 9)]).await;
        assert_eq!(taken.unwrap(), [key_row("a", 1)], "b was given back, c is new");
        let taken = tx.insert_keys(&[key_row("c", 10)]).await.unwrap();
        assert_eq!(taken, [key_row("c", 9)], "this transaction's own count too");
        drop(tx);
        store.close().await;
    })
    .await;
}

/// If this fails one settlement can become two claims.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_inserts_of_one_key_have_one_owner() {
    on_every_backend(async |database| {
        let store = database.open().await;
        let mut writers = tokio::task::JoinSet::new();
        for number in 1..=20 {
            let store = store.clone();
            writers.spawn(async move {
                let mut tx = store.begin().await.unwrap();
                let keys = [key_row("a", number), key_row("b", number), key_row("c", number)];
                let taken = tx.insert_keys(&keys).await.unwrap();
                tx.commit().await.unwrap();
                taken
            });
        }
        let answers = writers.join_all().await;
        let owners = answers.iter().filter(|taken| taken.is_empty()).count();
        assert_eq!(owners, 1);
        let first = answers.iter().find(|taken| !taken.is_empty()).unwrap();
        assert!(answers.iter().all(|taken| taken.is_empty() || taken == first));
        store.close().await;
    })
    .await;
}

/// Twenty writers, one lane: this is the test that fails when the lock is forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn the_lock_on_a_lane_orders_its_writers() {
    on_every_backend(async |database| {
        let store = database.open().await;
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let store = store.clone();
            writers.spawn(async move {
                let mut tx = store.begin().await.unwrap();
                let mut head = tx.lock_lanes(&[2]).await.unwrap().remove(0);
                tokio::task::yield_now().await;
                head.position += 1;
                head.hash = format!("{}.", head.hash);
                tx.write(&Rows { heads: vec![head], ..Rows::default() }).await.unwrap();
                tx.commit().await.unwrap();
            });
        }
        writers.join_all().await;
        let head = head(&store, 2).await;
        assert_eq!((head.position, head.hash.len()), (20, 20));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_not_committed_is_gone() {
    on_every_backend(async |database| {
        let store = database.open().await;
        let mut tx = store.begin().await.unwrap();
        let mut head = tx.lock_lanes(&[1]).await.unwrap().remove(0);
        tx.insert_keys(&[key_row("a", 1)]).await.unwrap();
        tx.write(&recorded(&mut head, "m1", &[settlement("a")])).await.unwrap();
        assert_eq!(tx.history(1, "m1").await.unwrap().len(), 1);
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.lock_lanes(&[1]).await.unwrap()[0].position, 0);
        assert_eq!(tx.insert_keys(&[key_row("a", 2)]).await.unwrap(), []);
        assert_eq!(tx.history(1, "m1").await.unwrap(), []);
        drop(tx);
        assert!(store.book(1, "m1").await.unwrap().is_none());
        store.close().await;
    })
    .await;
}

/// If this fails a half-done batch could be acknowledged.
#[tokio::test]
async fn a_transaction_with_a_failed_statement_cannot_be_committed() {
    on_every_backend(async |database| {
        let store = database.open().await;
        let rows = record(&store, 1, "m1", &["a"]).await;
        let mut tx = store.begin().await.unwrap();
        let again = Rows { events: rows.events, ..Rows::default() };
        let refused = tx.write(&again).await.unwrap_err();
        assert!(matches!(refused, StoreError::Statement(_)) && !refused.is_connection());
        assert_eq!(refused.to_string(), "a statement failed", "no value in the text");
        assert!(tokio::spawn(tx.commit()).await.unwrap_err().is_panic());
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_written_is_read_again() {
    on_every_backend(async |database| {
        let store = database.open().await;
        let rows = record(&store, 1, "m1", &["a", "b", "c"]).await;
        let claims: Vec<Claim> = rows.claims.iter().map(stored).collect();
        assert!(claims.iter().all(|claim| claim.evaluation.decision.is_some()));
        assert_eq!(claims[1].payouts.len(), 1, "the second stay is above the deductible");
        assert_eq!(store.claim(id(1, 2)).await.unwrap().as_ref(), Some(&claims[1]));
        assert_eq!(store.claim(id(2, 2)).await.unwrap(), None);
        let book = store.book(1, "m1").await.unwrap().unwrap();
        assert!(book.is_recorded && !book.is_full && book.claims.is_empty());
        assert_eq!(*book.roster, crate::support::roster());
        assert_eq!(book.counters.len(), rows.counters.len());
        assert_eq!(book.counters[&rows.counters[0].key], rows.counters[0].counters);
        assert_eq!(head(&store, 1).await, rows.heads[0]);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.history(1, "m1").await.unwrap(), claims, "by number");
        let found = tx.claims(&[id(1, 3), id(1, 9), id(1, 1)]).await.unwrap();
        assert_eq!(found, [claims[0].clone(), claims[2].clone()]);
        let members = [(1, "m1".to_owned()), (1, "m2".to_owned()), (2, "m1".to_owned())];
        let books = tx.books(&members).await.unwrap();
        assert_eq!(books.len(), 1);
        assert_eq!(books[0].counters, book.counters);
        drop(tx);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_changed_claim_keeps_its_facts_and_its_first_time() {
    on_every_backend(async |database| {
        let store = database.open().await;
        let rows = record(&store, 1, "m1", &["a"]).await;
        let mut claim = stored(&rows.claims[0]);
        claim.evaluation.state = ClaimState::Paid;
        claim.payouts[0].state = PayoutState::Settled;
        claim.payouts.push(greenlane::core::payout::Payout {
            number: 2,
            amount: Fen::ONE,
            ..claim.payouts[0].clone()
        });
        claim.update_time = Moment::from_micros(99);
        let payouts = claim.payouts.iter().cloned();
        let payouts = payouts.map(|payout| PayoutRow { claim_id: claim.id, payout }).collect();
        let revision = claim.revision;
        let row = ClaimRow {
            claim: Arc::new(claim.clone()),
            facts_position: None,
            decision_position: Some(revision),
            revision,
            due: None,
        };
        let mut tx = store.begin().await.unwrap();
        tx.write(&Rows { claims: vec![row], payouts, ..Rows::default() }).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.claim(claim.id).await.unwrap(), Some(claim));
        store.close().await;
    })
    .await;
}

/// Twelve claims of three members in two lanes, in one order for all.
#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    on_every_backend(async |database| {
        let store = database.open().await;
        for (lane, member) in [(1, "m1"), (2, "m2"), (1, "m3")] {
            let names: Vec<String> = (0..4).map(|n| format!("{member}-{n}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            record(&store, lane, member, &names).await;
        }
        let filter = ClaimFilter::default();
        let all = store.claims_page(&filter, None, 100).await.unwrap();
        assert_eq!(all.len(), 12);
        assert!(all.is_sorted_by_key(|claim| (claim.create_time, claim.id)));
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = store.claims_page(&filter, after, 5).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(ClaimCursor { create_time: last.create_time, id: last.id });
            seen.extend(page);
        }
        assert_eq!(seen, all);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn each_filter_finds_its_claims_and_no_others() {
    on_every_backend(async |database| {
        let store = database.open().await;
        record(&store, 1, "m1", &["a", "b"]).await;
        record(&store, 2, "m2", &["c"]).await;
        let found = async |filter: ClaimFilter| {
            let page = store.claims_page(&filter, None, 100).await.unwrap();
            let mut ids: Vec<String> =
                page.iter().map(|claim| claim.settlement.settlement_id.clone()).collect();
            ids.sort();
            ids.concat()
        };
        let none = ClaimFilter::default;
        let text = |text: &str| Some(text.to_owned());
        let moment = |micros| Some(Moment::from_micros(micros));
        let both = vec![ClaimState::Approved, ClaimState::Paid];
        assert_eq!(found(none()).await, "abc");
        assert_eq!(found(ClaimFilter { states: both, ..none() }).await, "abc");
        assert_eq!(found(ClaimFilter { states: vec![ClaimState::Paid], ..none() }).await, "");
        let member = Some((1, "m1".to_owned()));
        assert_eq!(found(ClaimFilter { member: member.clone(), ..none() }).await, "ab");
        assert_eq!(found(ClaimFilter { member: Some((2, "m1".into())), ..none() }).await, "");
        assert_eq!(
            found(ClaimFilter { hospital_code: text("H37020000123"), ..none() }).await,
            "abc"
        );
        assert_eq!(found(ClaimFilter { hospital_code: text("H1"), ..none() }).await, "");
        assert_eq!(found(ClaimFilter { plan_id: text("rongjunbao"), ..none() }).await, "abc");
        assert_eq!(found(ClaimFilter { invoice_no: text("invoice-b"), ..none() }).await, "b");
        assert_eq!(found(ClaimFilter { visit_id: text("visit-c"), ..none() }).await, "c");
        let one = ClaimFilter { settlement_id: text("c"), ..none() };
        assert_eq!(found(one.clone()).await, "c");
        assert_eq!(found(ClaimFilter { member, ..one.clone() }).await, "");
        assert_eq!(found(ClaimFilter { source: text("370200"), ..one.clone() }).await, "c");
        assert_eq!(found(ClaimFilter { source: text("370800"), ..one }).await, "");
        // The first event of each lane is the member's, at 1 µs; claims follow at 2 and 3.
        assert_eq!(found(ClaimFilter { created_from: moment(3), ..none() }).await, "b");
        assert_eq!(found(ClaimFilter { created_until: moment(3), ..none() }).await, "ac");
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_first_member_of_an_identity_stays() {
    on_every_backend(async |database| {
        let store = database.open().await;
        let row = |hash: &str, member: &str| (hash.to_owned(), member.to_owned());
        let mut tx = store.begin().await.unwrap();
        let first = [row("h1", "m1"), row("h2", "m1")];
        assert_eq!(tx.insert_identities(&first).await.unwrap(), first);
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let mut now = tx.insert_identities(&[row("h2", "m2"), row("h3", "m2")]).await.unwrap();
        now.sort();
        assert_eq!(now, [row("h2", "m1"), row("h3", "m2")]);
        tx.commit().await.unwrap();
        let hashes = ["h3".to_owned(), "h4".to_owned()];
        assert_eq!(store.identities(&hashes).await.unwrap(), [row("h3", "m2")]);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn documents_come_in_the_order_of_publishing() {
    on_every_backend(async |database| {
        let store = database.open().await;
        let row = |version: &str, revision| DocumentRow {
            kind: "plan".into(),
            id: "rongjunbao".into(),
            version: version.into(),
            start_date: Day::parse("2024-01-01").unwrap(),
            body: "# exact\tbytes \"保\" \\ \r\n".into(),
            hash: "f".repeat(64),
            revision,
            publish_time: Moment::from_micros(revision),
        };
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.ledger_documents_revision().await.unwrap(), 0);
        tx.insert_document(&row("z", 1)).await.unwrap();
        tx.insert_document(&row("a", 2)).await.unwrap();
        assert_eq!(tx.ledger_documents_revision().await.unwrap(), 2);
        let found = tx.document("plan", "rongjunbao", "a").await.unwrap();
        assert_eq!(found, Some(row("a", 2)));
        assert_eq!(tx.document("plan", "rongjunbao", "b").await.unwrap(), None);
        tx.commit().await.unwrap();
        assert_eq!(store.documents_since(0).await.unwrap(), [row("z", 1), row("a", 2)]);
        assert_eq!(store.documents_since(1).await.unwrap(), [row("a", 2)]);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_last_decided_day_counts_claims_that_stand() {
    on_every_backend(async |database| {
        let store = database.open().await;
        record(&store, 1, "m1", &["a"]).await;
        let day = |text: &str| Day::parse(text).unwrap();
        let last_before = async |plan: &str, from: &str, until: Option<&str>| {
            let mut tx = store.begin().await.unwrap();
            tx.last_decided_day(plan, day(from), until.map(day)).await.unwrap()
        };
        let last = async |plan: &str, from: &str| last_before(plan, from, None).await;
        assert_eq!(last_before("rongjunbao", "2024-01-01", Some("2024-03-15")).await, None);
        assert_eq!(last("rongjunbao", "2024-01-01").await, Some(day("2024-03-15")));
        assert_eq!(last("rongjunbao", "2024-03-16").await, None);
        assert_eq!(last("other", "2024-01-01").await, None);
        database.execute("update claim set state = 'VOIDED'").await;
        assert_eq!(last("rongjunbao", "2024-01-01").await, None);
        store.close().await;
    })
    .await;
}

/// Whatever JSON may hold in a text must come back byte for byte: it was hashed.
#[tokio::test]
async fn bodies_keep_their_exact_bytes() {
    on_every_backend(async |database| {
        let store = database.open().await;
        let mut rows = record(&store, 1, "m1", &["a"]).await;
        let body =
            "{\"b\" : 1.50,\"a\":\"\\u4fdd 保 \\\" \\\\ \u{7f} \u{2028} 😀\",  \"a\":1e2}\t\r\n";
        rows.events.truncate(1);
        rows.facts.truncate(1);
        rows.events[0].position = 77;
        rows.events[0].body = body.into();
        rows.facts[0].position = 77;
        rows.facts[0].body = body.into();
        let rows = Rows { events: rows.events, facts: rows.facts, ..Rows::default() };
        let mut tx = store.begin().await.unwrap();
        tx.write(&rows).await.unwrap();
        tx.commit().await.unwrap();
        for table in [
            "select body from event where position = 77",
            "select body from fact where position = 77",
        ] {
            assert_eq!(database.text(table).await, body);
        }
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_corrupt_row_is_named_and_never_guessed_around() {
    let damages = [
        ("event", "delete from event where position = 2"),
        ("event", "update event set body = '{}' where position = 2"),
        (
            "event",
            "update event set body = (select body from event where position = 3) where position = 2",
        ),
        ("fact", "delete from fact where position = 2"),
        (
            "fact",
            "update fact set body = (select body from fact where position = 3) where position = 2",
        ),
        ("claim", "update claim set state = 'LOST'"),
        ("payout", "update payout set kind = 'GIFT'"),
    ];
    on_every_backend(async |database| {
        let store = database.open().await;
        let rows = record(&store, 1, "m1", &["a", "b"]).await;
        for (expected, damage) in damages {
            database.execute(damage).await;
            match store.claim(id(1, 1)).await {
                Err(StoreError::Corrupt { table, .. }) => assert_eq!(table, expected, "{damage}"),
                other => panic!("{damage}: {other:?}"),
            }
            database.execute("delete from event").await;
            database.execute("delete from fact").await;
            database.execute("delete from payout").await;
            let mut tx = store.begin().await.unwrap();
            tx.write(&rows).await.unwrap();
            tx.commit().await.unwrap();
        }
        database.execute("update fact set body = '{' where position = 1").await;
        let found = store.book(1, "m1").await;
        assert!(matches!(found, Err(StoreError::Corrupt { table: "fact", .. })), "{found:?}");
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_new_database_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let store = Store::open(&format!("sqlite://{}", path.display()), &options()).await.unwrap();
    record(&store, 1, "m1", &["a"]).await;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    store.close().await;
}
