//! The real server on a socket of this process, generated clients, and what they send.

use std::collections::HashMap;
use std::time::Duration;

use greenlane::core::member::Roster;
use greenlane::ledger::Ledger;
use greenlane::pb;
use greenlane::pb::claim_service_client::ClaimServiceClient;
use greenlane::pb::member_service_client::MemberServiceClient;
use greenlane::pb::plan_service_client::PlanServiceClient;
use greenlane::pb::review_service_client::ReviewServiceClient;
use greenlane::pb::settlement_service_client::SettlementServiceClient;
use greenlane::server::{self, Limits, ServerError};
use sqlx::Connection;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::{ErrorDetail, StatusExt};

use crate::support::Database;
use crate::world::{fixture, open_ledger};

/// 甲, 乙 and 己 of the samples; 戊 is not on the roster.
pub const CERT_A: &str = "370299194903120017";
pub const CERT_B: &str = "370299196008050031";
pub const CERT_E: &str = "370299195001010016";

/// A server of this process.
pub struct Served {
    pub channel: Channel,
    ledger: Ledger,
    shutdown: CancellationToken,
    server: JoinHandle<Result<(), ServerError>>,
}

impl Served {
    /// Serves a ledger with the shipped plan in force and these persons on the roster.
    pub async fn start(database: &Database, roster: &[Roster]) -> Served {
        Served::of(open_ledger(database, roster).await, Limits::default()).await
    }

    pub async fn of(ledger: Ledger, limits: Limits) -> Served {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let serving = server::run(listener, ledger.clone(), limits, shutdown.clone());
        let server = tokio::spawn(serving);
        let channel = connect(&address).await;
        Served { channel, ledger, shutdown, server }
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub fn settlements(&self) -> SettlementServiceClient<Channel> {
        SettlementServiceClient::new(self.channel.clone())
    }

    pub fn claims(&self) -> ClaimServiceClient<Channel> {
        ClaimServiceClient::new(self.channel.clone())
    }

    pub fn members(&self) -> MemberServiceClient<Channel> {
        MemberServiceClient::new(self.channel.clone())
    }

    pub fn plans(&self) -> PlanServiceClient<Channel> {
        PlanServiceClient::new(self.channel.clone())
    }

    pub fn reviews(&self) -> ReviewServiceClient<Channel> {
        ReviewServiceClient::new(self.channel.clone())
    }

    /// Puts one more person on the roster.
    pub async fn enrol(&self, person: Roster) {
        self.ledger
            .enrol(person, greenlane::ledger::Mode::Record)
            .await
            .unwrap()
            .outcome()
            .await
            .unwrap();
    }

    /// Tells the server to end, and does not wait.
    pub fn tell_to_stop(&self) {
        self.shutdown.cancel();
    }

    /// Ends the server; nobody holds it up.
    pub async fn stop(self) {
        self.shutdown.cancel();
        drop(self.channel);
        let ended = tokio::time::timeout(Duration::from_secs(10), self.server).await;
        ended.expect("it ends within ten seconds").unwrap().unwrap();
    }
}

pub async fn connect(address: &str) -> Channel {
    Endpoint::from_shared(address.to_owned()).unwrap().connect().await.unwrap()
}

/// Runs a test on an empty SQLite database, where the database does not matter.
pub async fn on_sqlite(test: impl AsyncFn(Database)) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/ledger.db", directory.path().display());
    test(Database { url, is_postgres: false }).await;
}

/// Another session that holds every lane: until it lets go, nothing is written.
pub struct Hold(sqlx::PgConnection);

impl Hold {
    pub async fn every_lane(database: &Database) -> Hold {
        let mut session = sqlx::PgConnection::connect(&database.url).await.unwrap();
        let lock = "begin; select lane from lane order by lane for update";
        sqlx::raw_sql(lock).execute(&mut session).await.unwrap();
        Hold(session)
    }

    pub async fn let_go(mut self) {
        sqlx::raw_sql("rollback").execute(&mut self.0).await.unwrap();
        self.0.close().await.unwrap();
    }
}

/// What a refusal tells a program.
#[derive(Debug)]
pub struct Told {
    pub code: Code,
    pub reason: String,
    pub metadata: HashMap<String, String>,
    /// `field problem`, as listed.
    pub violations: Vec<String>,
    pub has_retry: bool,
    pub has_precondition: bool,
}

/// Reads a refusal and holds it to what all of them promise.
#[track_caller]
pub fn told(status: &Status) -> Told {
    let (mut infos, mut violations) = (Vec::new(), Vec::new());
    let (mut has_retry, mut has_precondition) = (false, false);
    for detail in status.get_error_details_vec() {
        match detail {
            ErrorDetail::ErrorInfo(info) => infos.push(info),
            ErrorDetail::BadRequest(bad) => {
                let listed = bad.field_violations.into_iter();
                violations.extend(listed.map(|it| format!("{} {}", it.field, it.description)));
            }
            ErrorDetail::RetryInfo(_) => has_retry = true,
            ErrorDetail::PreconditionFailure(_) => has_precondition = true,
            other => panic!("nobody expects {other:?}"),
        }
    }
    assert_eq!(infos.len(), 1, "exactly one ErrorInfo: {status:?}");
    let info = infos.remove(0);
    assert_eq!(info.domain, "greenlane");
    let known = pb::ErrorReason::from_str_name(&info.reason);
    assert!(known.is_some_and(|it| it != pb::ErrorReason::Unspecified), "{}", info.reason);
    assert!(!status.message().is_empty());
    let metadata = info.metadata;
    let reason = info.reason.strip_prefix("ERROR_REASON_").unwrap().to_owned();
    Told { code: status.code(), reason, metadata, violations, has_retry, has_precondition }
}

/// Code and reason, for a refusal of which nothing else is to be said.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let told = told(&answer.expect_err("must be refused"));
    (told.code, told.reason)
}

/// A sample as a hospital sends it.
pub fn message(file: &str) -> pb::SubmitMessageRequest {
    message_of(fixture(&format!("messages/{file}.json")))
}

pub fn message_of(payload: impl Into<Vec<u8>>) -> pb::SubmitMessageRequest {
    pb::SubmitMessageRequest {
        sender: "hospital".to_owned(),
        payload: payload.into(),
        infno: "2304".to_owned(),
        ..pb::SubmitMessageRequest::default()
    }
}

pub fn submit(settlement: pb::Settlement) -> pb::SubmitSettlementRequest {
    pb::SubmitSettlementRequest { settlement: Some(settlement), validate_only: false }
}

/// A stay that leaves this burden to a person, all of it eligible.
pub fn stay(id: &str, cert_no: &str, burden_fen: i64) -> pb::Settlement {
    pb::Settlement {
        source: "370200".to_owned(),
        settlement_id: id.to_owned(),
        visit_id: format!("V-{id}"),
        member: Some(pb::MemberIdentity {
            cert_no: cert_no.to_owned(),
            ..pb::MemberIdentity::default()
        }),
        hospital_code: "H37029999001".to_owned(),
        medical_category: "21".to_owned(),
        settle_time: Some(prost_types::Timestamp { seconds: 1_710_468_906, nanos: 0 }),
        total_fen: burden_fen + 50_000,
        fund_total_fen: Some(50_000),
        personal_total_fen: Some(burden_fen),
        ..pb::Settlement::default()
    }
}

/// The certificate of the nth of many persons.
pub fn cert(n: usize) -> String {
    format!("3702991950{:08}", n + 1)
}

/// Many persons on the roster, all covered.
pub fn persons(count: usize) -> Vec<Roster> {
    (0..count).map(|n| crate::world::enrolled(&format!("P-{n}"), &cert(n))).collect()
}
