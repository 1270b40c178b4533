//! Leases: one process at a time for each sender, on both databases.

use std::sync::atomic::{AtomicI64, Ordering};

use greenlane::core::day::Moment;
use greenlane::ledger::{LEASE, Ledger, LedgerError};
use greenlane::pb::pull_service_client::PullServiceClient;
use greenlane::pb::{
    LeasePullRequest, PausePullRequest, PullState, RecordPullRequest, ResumePullRequest,
};
use greenlane::store::PullProgress;
use tonic::Code;

use crate::serving::{Served, on_sqlite, told};
use crate::support::on_every_backend;
use crate::world::{start_ledger, start_ledger_with};

const SENDER: &str = "platform";

async fn lease(ledger: &Ledger, holder: &str, lease_id: Option<&String>) -> Option<String> {
    let (sender, holder) = (SENDER.to_owned(), holder.to_owned());
    ledger.lease_pull(sender, holder, lease_id.cloned()).await.unwrap().0
}

fn progress(cursor: &str, failure: &str) -> PullProgress {
    PullProgress {
        cursor: cursor.into(),
        failure: failure.into(),
        records: 3,
        caught_up: failure.is_empty(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_ask_at_once_one_gets_the_lease() {
    on_every_backend(async |database| {
        let ledger = start_ledger(&database).await;
        let mut asking = tokio::task::JoinSet::new();
        for n in 0..10 {
            let ledger = ledger.clone();
            asking.spawn(async move { lease(&ledger, &format!("process {n}"), None).await });
        }
        let granted: Vec<String> = asking.join_all().await.into_iter().flatten().collect();
        assert_eq!(granted.len(), 1);
        assert_eq!(lease(&ledger, "the same", granted.first()).await.as_ref(), granted.first());
        // Another sender is another lease.
        let other = ledger.lease_pull("other".into(), "process".into(), None).await.unwrap();
        assert!(other.0.is_some());
        ledger.drain().await;
    })
    .await;
}

static NOW: AtomicI64 = AtomicI64::new(1_700_000_000_000_000);

fn simulated_clock() -> Moment {
    Moment::from_micros(NOW.load(Ordering::Relaxed))
}

fn pass(micros: i64) {
    NOW.fetch_add(micros, Ordering::Relaxed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_not_renewed_ends_and_its_holder_writes_nothing_more() {
    let length = i64::try_from(LEASE.as_micros()).unwrap();
    on_every_backend(async |database| {
        let ledger = start_ledger_with(&database, simulated_clock).await;
        let first = lease(&ledger, "one", None).await.unwrap();
        let record = async |lease_id: &String, progress| {
            ledger.record_pull(SENDER.to_owned(), lease_id.clone(), progress).await
        };
        let row = record(&first, progress("place 1", "")).await.unwrap();
        assert_eq!((row.cursor.as_str(), row.records, row.failures), ("place 1", 3, 0));
        assert_eq!(row.caught_up_time, Some(simulated_clock()));
        let caught_up = row.caught_up_time;
        for count in 1..3 {
            pass(length - 1);
            let row = record(&first, progress("", "the endpoint answers HTTP 503")).await.unwrap();
            assert_eq!((row.failures, row.cursor.as_str()), (count, "place 1"));
            assert_eq!(row.caught_up_time, caught_up);
        }
        pass(length - 1);
        assert_eq!(lease(&ledger, "other", None).await, None, "recording renews");
        pass(1);
        let second = lease(&ledger, "other", None).await.expect("it has ended");
        let lost = record(&first, progress("place 2", "")).await;
        assert!(matches!(lost, Err(LedgerError::PullLeaseLost { .. })), "{lost:?}");
        assert_eq!(lease(&ledger, "one", Some(&first)).await, None);
        let pulls = ledger.store().pulls().await.unwrap();
        assert_eq!((pulls[0].cursor.as_str(), pulls[0].holder.as_str()), ("place 1", "other"));
        // Nobody ends what is another's.
        ledger.release_pull(SENDER.to_owned(), first.clone()).await.unwrap();
        assert_eq!(lease(&ledger, "one", None).await, None);
        ledger.release_pull(SENDER.to_owned(), second).await.unwrap();
        // Who held it before the other one gets a new lease, and has to go on from its cursor.
        let third = lease(&ledger, "one", Some(&first)).await.unwrap();
        assert_ne!(third, first);
        assert_eq!(lease(&ledger, "one", Some(&third)).await, Some(third));
        ledger.drain().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_is_nobodys_until_it_is_resumed() {
    on_every_backend(async |database| {
        let ledger = start_ledger(&database).await;
        let resumed = ledger.resume_pull(SENDER.to_owned()).await;
        assert!(matches!(resumed, Err(LedgerError::PullNotFound { .. })), "{resumed:?}");
        let held = lease(&ledger, "one", None).await.unwrap();
        let since = ledger.pause_pull(SENDER.to_owned()).await.unwrap().pause_time;
        assert_eq!(ledger.pause_pull(SENDER.to_owned()).await.unwrap().pause_time, since);
        // What is being handed over is recorded, and nothing more is fetched.
        let recorded = ledger.record_pull(SENDER.to_owned(), held.clone(), progress("p", "")).await;
        assert_eq!(recorded.unwrap().pause_time, since);
        assert_eq!(lease(&ledger, "one", Some(&held)).await, None);
        ledger.release_pull(SENDER.to_owned(), held).await.unwrap();
        assert_eq!(lease(&ledger, "other", None).await, None);
        assert_eq!(ledger.resume_pull(SENDER.to_owned()).await.unwrap().pause_time, None);
        let (lease, row) = ledger.lease_pull(SENDER.into(), "other".into(), None).await.unwrap();
        assert!(lease.is_some());
        assert_eq!(row.cursor, "p");
        // One can be paused before anybody fetches from it.
        ledger.pause_pull("new".to_owned()).await.unwrap();
        assert!(ledger.lease_pull("new".into(), "x".into(), None).await.unwrap().0.is_none());
        ledger.drain().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_name_every_field_and_lost_leases_have_their_reason() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &[]).await;
        let mut pulls = PullServiceClient::new(served.channel.clone());
        let status = pulls.lease_pull(LeasePullRequest::default()).await.unwrap_err();
        assert_eq!(told(&status).violations, ["sender is required", "holder is required"]);
        let wrong = RecordPullRequest {
            lease_id: "x".into(),
            cursor: "x".repeat(20_000),
            failure: "x".repeat(201),
            record_count: -1,
            ..RecordPullRequest::default()
        };
        let told_wrong = told(&pulls.record_pull(wrong).await.unwrap_err());
        let fields: Vec<&str> =
            told_wrong.violations.iter().map(|it| it.split(' ').next().unwrap()).collect();
        assert_eq!(fields, ["sender", "lease_id", "cursor", "failure", "record_count"]);
        let sender = SENDER.to_owned();
        let unknown = pulls.pause_pull(PausePullRequest { sender: sender.clone() }).await;
        assert_eq!(told(&unknown.unwrap_err()).reason, "PULL_NOT_FOUND");
        let unknown = pulls.resume_pull(ResumePullRequest { sender: sender.clone() }).await;
        let unknown = told(&unknown.unwrap_err());
        assert_eq!((unknown.code, unknown.reason.as_str()), (Code::NotFound, "PULL_NOT_FOUND"));
        let holder = "window-1/4711".to_owned();
        let asked = LeasePullRequest { sender: sender.clone(), holder, lease_id: String::new() };
        let leased = pulls.lease_pull(asked).await.unwrap().into_inner();
        assert_eq!(leased.pull.unwrap().state(), PullState::Leased);
        let lease_id = "01930d2c-6c1f-7a84-b7f3-5e0d3b1c9a42".to_owned();
        let lost = RecordPullRequest { sender, lease_id, ..RecordPullRequest::default() };
        let lost = told(&pulls.record_pull(lost).await.unwrap_err());
        assert_eq!(lost.reason, "PULL_LEASE_LOST");
        assert!(lost.has_precondition);
        assert_eq!(lost.metadata["sender"], SENDER);
        served.stop().await;
    })
    .await;
}
