//! What the server does not take: too large, too slow, too many.

use std::time::Duration;

use greenlane::pb;
use greenlane::server::Limits;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::serving::{CERT_A, Hold, Served, message_of, on_sqlite, refused, stay, submit, told};
use crate::support::on_postgres;
use crate::world::{open_ledger, sample_roster};

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn five_mebibytes_are_refused_and_everything_goes_on() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut client = served.settlements();
        let large = message_of(vec![b' '; 5 * MIB]);
        let told = told(&client.submit_message(large.clone()).await.unwrap_err());
        assert_eq!((told.code, &*told.reason), (Code::InvalidArgument, "MESSAGE_TOO_LARGE"));
        assert_eq!(told.metadata["limit_bytes"], "4194304");
        let good = submit(stay("S-1", CERT_A, 100));
        client.submit_settlement(good).await.expect("the same connection serves on");
        let too_large = (Code::InvalidArgument, "MESSAGE_TOO_LARGE".to_owned());
        let document = " ".repeat(5 * MIB);
        let plan = pb::PublishPlanRequest { document, validate_only: true, confirm_impact: false };
        assert_eq!(refused(served.plans().publish_plan(plan).await), too_large);
        let name = "甲".repeat(2 * MIB);
        let member = pb::Member { name, ..pb::Member::default() };
        let rows = tokio_stream::iter([pb::ImportMembersRequest {
            member: Some(member),
            ..Default::default()
        }]);
        assert_eq!(refused(served.members().import_members(rows).await), too_large);
        client.submit_settlement(submit(stay("S-2", CERT_A, 100))).await.unwrap();
        served.stop().await;
    })
    .await;
}

/// What came before it in the stream is answered first.
#[tokio::test(flavor = "multi_thread")]
async fn five_mebibytes_in_a_stream_end_it_after_the_answers_before() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut items: Vec<_> = (0..3).map(|n| stay(&format!("S-{n}"), CERT_A, 100)).collect();
        items.push(pb::Settlement { visit_id: "v".repeat(5 * MIB), ..stay("S-3", CERT_A, 100) });
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        for settlement in items {
            let request = pb::SubmitSettlementsRequest {
                settlement: Some(settlement),
                ..pb::SubmitSettlementsRequest::default()
            };
            sender.send(request).await.unwrap();
        }
        let answers = served.settlements().submit_settlements(ReceiverStream::new(receiver)).await;
        let mut answers = answers.unwrap().into_inner();
        for index in 0..3 {
            assert_eq!(answers.message().await.unwrap().unwrap().index, index);
        }
        let too_large = (Code::InvalidArgument, "MESSAGE_TOO_LARGE".to_owned());
        assert_eq!(refused(answers.message().await), too_large);
        served.settlements().submit_settlement(submit(stay("S-4", CERT_A, 1))).await.unwrap();
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_takes_too_long_is_told_so_and_may_be_repeated() {
    on_postgres(async |database| {
        let ledger = open_ledger(&database, &sample_roster()).await;
        let limits = Limits { timeout_max: Duration::from_millis(300), ..Limits::default() };
        let served = Served::of(ledger, limits).await;
        let request = || submit(stay("S-1", CERT_A, 100));
        let hold = Hold::every_lane(&database).await;
        let status = served.settlements().submit_settlement(request()).await.unwrap_err();
        let told = told(&status);
        assert_eq!((told.code, &*told.reason), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
        assert_eq!(told.metadata["timeout_ms"], "300");
        hold.let_go().await;
        // What was accepted is carried out although nobody waits; the repeat finds it.
        let answer = loop {
            match served.settlements().submit_settlement(request()).await {
                Ok(answer) => break answer.into_inner(),
                Err(status) => assert_eq!(status.code(), Code::DeadlineExceeded),
            }
        };
        assert!(answer.replayed, "the first call was carried out");
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_calls_are_told_to_come_again() {
    on_postgres(async |database| {
        let ledger = open_ledger(&database, &sample_roster()).await;
        let served = Served::of(ledger, Limits { in_flight_max: 1, ..Limits::default() }).await;
        let hold = Hold::every_lane(&database).await;
        let mut client = served.settlements();
        let waiting = tokio::spawn(async move {
            loop {
                match client.submit_settlement(submit(stay("S-1", CERT_A, 100))).await {
                    Ok(answer) => break answer.into_inner(),
                    Err(status) => assert_eq!(status.code(), Code::ResourceExhausted),
                }
            }
        });
        let request = || served.plans();
        // Until the first call has arrived, others find room.
        let status = loop {
            match request().list_plans(pb::ListPlansRequest::default()).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(status) => break status,
            }
        };
        let told = told(&status);
        assert_eq!((told.code, &*told.reason), (Code::ResourceExhausted, "TOO_MANY_REQUESTS"));
        assert!(told.has_retry);
        assert_eq!(told.metadata["limit"], "1");
        let mut health = tonic_health::pb::health_client::HealthClient::new(served.channel.clone());
        let check = tonic_health::pb::HealthCheckRequest::default();
        health.check(check).await.expect("a busy server is alive");
        hold.let_go().await;
        assert!(!waiting.await.unwrap().replayed, "who waits in the only place is answered");
        while let Err(status) = request().list_plans(pb::ListPlansRequest::default()).await {
            assert_eq!(status.code(), Code::ResourceExhausted, "the place comes free again");
        }
        served.stop().await;
    })
    .await;
}
