//! Honest: a token that cannot be served is refused with its reason, never silently replaced by
//! another start.

use greenlane::pb;
use greenlane::server::Limits;
use tonic::Code;
use tonic::transport::Channel;

use super::client::{Watching, after, from_beginning};
use super::{nth, send};
use crate::serving::{Served, Told, on_sqlite, persons, told};
use crate::support::on_every_backend;
use crate::world::start_ledger;

const MEMBERS: usize = 7;

/// Watches to the end and returns the place there.
async fn token_at_end(channel: &Channel) -> String {
    let mut watching = Watching::open(channel, from_beginning()).await.unwrap();
    watching.until_progress().await;
    watching.token
}

async fn refusal(channel: &Channel, request: pb::WatchClaimsRequest) -> Told {
    match Watching::open(channel, request).await {
        Ok(_) => panic!("must be refused"),
        Err(status) => told(&status),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_ledger_or_none_at_all_is_foreign() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &persons(MEMBERS)).await;
        send(&served.channel, (0..20).map(|n| nth(n, MEMBERS))).await;
        let token = token_at_end(&served.channel).await;
        on_every_backend(async |other| {
            let other = Served::start(&other, &persons(MEMBERS)).await;
            send(&other.channel, (0..20).map(|n| nth(n, MEMBERS))).await;
            let told = refusal(&other.channel, after(&token)).await;
            assert_eq!((told.code, &*told.reason), (Code::InvalidArgument, "TOKEN_FOREIGN"));
            assert_eq!(told.metadata["field"], "resume_token");
            other.stop().await;
        })
        .await;
        let page = pb::ListClaimsRequest { page_size: 1, ..pb::ListClaimsRequest::default() };
        let page = served.claims().list_claims(page).await.unwrap().into_inner();
        let mut garbled = token.clone().into_bytes();
        garbled[9] = if garbled[9] == b'A' { b'B' } else { b'A' };
        let garbled = String::from_utf8(garbled).unwrap();
        for text in [&garbled, "A", "!", "第一页", &token[..20], &page.next_page_token] {
            let told = refusal(&served.channel, after(text)).await;
            assert_eq!((told.code, &*told.reason), (Code::InvalidArgument, "TOKEN_FOREIGN"));
        }
        served.stop().await;
    })
    .await;
}

/// Filters that are wrong are all named at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_filter_names_every_field() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &persons(MEMBERS)).await;
        let filter = pb::ClaimEventFilter {
            member_id: "nobody".to_owned(),
            hospital_code: "H".repeat(31),
            plan_id: "p\u{0}".to_owned(),
            states: vec![i32::from(pb::ClaimState::Paid), 0, 99],
        };
        let request = pb::WatchClaimsRequest { filter: Some(filter), ..from_beginning() };
        let told = refusal(&served.channel, request).await;
        assert_eq!((told.code, &*told.reason), (Code::InvalidArgument, "INVALID_FIELD"));
        let named = |field: &str| told.violations.iter().any(|it| it.starts_with(field));
        for field in [
            "filter.member_id ",
            "filter.hospital_code ",
            "filter.plan_id ",
            "filter.states[1]",
            "filter.states[2]",
        ] {
            assert!(named(field), "{field} in {:?}", told.violations);
        }
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_that_is_not_kept_any_more_is_out_of_range() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &persons(MEMBERS)).await;
        send(&served.channel, (0..60).map(|n| nth(n, MEMBERS))).await;
        let token = token_at_end(&served.channel).await;
        send(&served.channel, (60..200).map(|n| nth(n, MEMBERS))).await;
        let fresh = token_at_end(&served.channel).await;
        database
            .execute(
                "delete from event where position < \
                 (select position from lane where lane.lane = event.lane)",
            )
            .await;
        let told = refusal(&served.channel, after(&token)).await;
        assert_eq!((told.code, &*told.reason), (Code::OutOfRange, "TOKEN_EXPIRED"));
        assert!(told.metadata.contains_key("lane") && told.metadata.contains_key("position"));
        Watching::open(&served.channel, after(&fresh)).await.expect("the end is still there");
        // Nobody may read on over the hole from the beginning either.
        let mut watching = Watching::open(&served.channel, from_beginning()).await.unwrap();
        let status = watching.response().await.expect_err("the first events are gone");
        assert_eq!(status.code(), Code::DataLoss);
        drop(watching);
        served.stop().await;
    })
    .await;
}

/// A database that was set back to an older copy, before it goes on and after.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_set_back_does_not_pretend() {
    on_every_backend(async |database| {
        const TABLES: [&str; 9] = [
            "lane",
            "member",
            "fact",
            "event",
            "claim",
            "counter",
            "payout",
            "settlement_key",
            "directory",
        ];
        let served = Served::start(&database, &persons(MEMBERS)).await;
        send(&served.channel, (0..40).map(|n| nth(n, MEMBERS))).await;
        for table in TABLES {
            database
                .execute_text(format!("create table copy_{table} as select * from {table}"))
                .await;
        }
        send(&served.channel, (40..80).map(|n| nth(n, MEMBERS))).await;
        let token = token_at_end(&served.channel).await;
        served.stop().await;
        for table in TABLES {
            database.execute_text(format!("delete from {table}")).await;
            database.execute_text(format!("insert into {table} select * from copy_{table}")).await;
        }
        let served = Served::of(start_ledger(&database).await, Limits::default()).await;
        for round in 0..2 {
            let told = refusal(&served.channel, after(&token)).await;
            let lost = (Code::OutOfRange, "TOKEN_HISTORY_LOST");
            assert_eq!((told.code, &*told.reason), lost, "round {round}");
            // Other settlements take the positions that the token has seen.
            send(&served.channel, (100..300).map(|n| nth(n, MEMBERS))).await;
        }
        served.stop().await;
    })
    .await;
}
