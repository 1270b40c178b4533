//! Serves a ledger on a socket until it is told to stop. The caller binds the socket and owns the
//! signal, so that tests serve on port 0 and end when they like.

mod metrics;

use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::{Router, TcpIncoming};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::layer::util::{Identity, Stack};

use crate::core::money::Fen;
use crate::grpc::layers::CallLayer;
use crate::grpc::status::MESSAGE_BYTES_MAX;
use crate::grpc::{
    Admin, Backlog, Claims, Intake, Members, PlanCatalogue, Pulls, Reviews, Settlements,
};
use crate::ledger::{ImpactBound, Ledger};
use crate::pb;
use crate::pb::admin_service_server::AdminServiceServer;
use crate::pb::claim_service_server::ClaimServiceServer;
use crate::pb::intake_service_server::IntakeServiceServer;
use crate::pb::member_service_server::MemberServiceServer;
use crate::pb::plan_service_server::PlanServiceServer;
use crate::pb::pull_service_server::PullServiceServer;
use crate::pb::review_service_server::ReviewServiceServer;
use crate::pb::settlement_service_server::SettlementServiceServer;

/// Finds callers who vanished without a word.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often health looks at the lanes.
const HEALTH_INTERVAL: Duration = Duration::from_millis(250);
/// How long calls may take to end; with [`DRAIN_MAX`] below the ten seconds that a supervisor
/// waits.
const GRACE_MAX: Duration = Duration::from_secs(6);
/// How often it is asked whether any are left.
const GRACE_STEP: Duration = Duration::from_millis(50);
/// How long connections may take to end after the last call on them: for the last bytes of its
/// answer, and for callers who hang up by themselves.
const LINGER: Duration = Duration::from_millis(500);
/// How long the lanes may take to commit what they accepted.
const DRAIN_MAX: Duration = Duration::from_secs(3);

/// What a server takes on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls in flight in the whole server; a stream counts as one. Beyond it calls are refused.
    pub in_flight_max: usize,
    /// Watches in the whole server, counted apart. Beyond it they are refused.
    pub watches_max: usize,
    /// The age at which a watch is ended, so that its caller begins a new one, perhaps elsewhere.
    pub watch_age_max: Duration,
    /// Calls in flight on one connection; beyond it they wait.
    pub streams_per_connection_max: u32,
    /// The longest that a call may take that is no stream.
    pub timeout_max: Duration,
    /// What a roster import or a plan version may change of claims without being told so.
    pub impact: ImpactBound,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            in_flight_max: 4096,
            watches_max: 16_384,
            watch_age_max: Duration::from_hours(1),
            streams_per_connection_max: 1024,
            timeout_max: Duration::from_secs(30),
            impact: ImpactBound { claims: 100, amount: Fen::from_yuan(100_000) },
        }
    }
}

/// Why a server could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The connections failed as a whole.
    #[error("the server failed")]
    Transport(#[from] tonic::transport::Error),
    /// The descriptors of the API do not hold together: a fault of the build.
    #[error("the descriptors of the API are damaged")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Serves `ledger` on `listener` until `shutdown` is cancelled, then ends within ten seconds:
/// health says `NOT_SERVING`, streams answer what they accepted and end, calls in flight are answered,
/// and the ledger is drained. Connections that stay silent or streams that stay open hold nothing.
pub async fn run(
    listener: TcpListener,
    ledger: Ledger,
    limits: Limits,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    let closing = CancellationToken::new();
    metrics::register(&ledger);
    metrics::register_pulls(&ledger, closing.clone());
    metrics::register_reviews(&ledger, closing.clone());
    metrics::register_clocks(&ledger, closing.clone());
    let health = HealthReporter::new();
    let calls = CallLayer::new(limits.in_flight_max, limits.watches_max, limits.timeout_max);
    let router = router(&ledger, limits, &calls, &closing, &health)?;
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let told = ledger.is_serving();
    report(&health, told).await;
    let serving = router.serve_with_incoming_shutdown(incoming, closing.clone().cancelled_owned());
    let watching = watch_health(&health, &ledger, &shutdown, told);
    let ending = async {
        watching.await;
        // First nobody new is sent here, then those who are here are told.
        report(&health, false).await;
        closing.cancel();
        let _ = tokio::time::timeout(GRACE_MAX, last_call(&calls)).await;
    };
    let served = tokio::select! {
        served = serving => served,
        () = ending => {
            tracing::info!("connections that were still open are cut");
            Ok(())
        }
    };
    closing.cancel();
    if tokio::time::timeout(DRAIN_MAX, ledger.drain()).await.is_err() {
        tracing::error!("the lanes did not finish in time; callers repeat what was not answered");
    }
    Ok(served?)
}

/// Waits until nobody is called any more: a connection that only stays open holds nothing up.
async fn last_call(calls: &CallLayer) {
    loop {
        while !calls.is_idle() {
            tokio::time::sleep(GRACE_STEP).await;
        }
        tokio::time::sleep(LINGER).await;
        if calls.is_idle() {
            return;
        }
    }
}

type Calls = Stack<CallLayer, Identity>;

fn router(
    ledger: &Ledger,
    limits: Limits,
    calls: &CallLayer,
    closing: &CancellationToken,
    health: &HealthReporter,
) -> Result<Router<Calls>, ServerError> {
    let intake = Intake::new(ledger.clone());
    let settlements = Settlements::new(ledger.clone(), intake.clone(), closing.clone());
    let backlog = Backlog::new(ledger.clone(), intake);
    let admin = Admin::new(ledger.clone());
    let members = Members::new(ledger.clone(), limits.impact, closing.clone());
    let claims = Claims::new(ledger.clone(), limits.watch_age_max, closing.clone());
    let plans = PlanCatalogue::new(ledger.clone(), limits.impact);
    let reviews = Reviews::new(ledger.clone());
    let pulls = Pulls::new(ledger.clone());
    let health = tonic_health::server::HealthService::from_health_reporter(health.clone());
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let router = Server::builder()
        .max_concurrent_streams(limits.streams_per_connection_max)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .layer(calls.clone())
        .add_service(
            SettlementServiceServer::new(settlements).max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(IntakeServiceServer::new(backlog).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(AdminServiceServer::new(admin).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(ClaimServiceServer::new(claims).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(MemberServiceServer::new(members).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(PlanServiceServer::new(plans).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(PullServiceServer::new(pulls).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(ReviewServiceServer::new(reviews).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(tonic_health::pb::health_server::HealthServer::new(health))
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    Ok(router)
}

/// Tells health what the ledger says until the shutdown.
async fn watch_health(
    health: &HealthReporter,
    ledger: &Ledger,
    shutdown: &CancellationToken,
    mut told: bool,
) {
    let mut interval = tokio::time::interval(HEALTH_INTERVAL);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            _ = interval.tick() => {}
        }
        let is_serving = ledger.is_serving();
        if told != is_serving {
            report(health, is_serving).await;
            told = is_serving;
        }
    }
}

/// Reports for the whole server and for each of its services.
async fn report(health: &HealthReporter, is_serving: bool) {
    let status = if is_serving { ServingStatus::Serving } else { ServingStatus::NotServing };
    let services = [
        "",
        SettlementServiceServer::<Settlements>::NAME,
        IntakeServiceServer::<Backlog>::NAME,
        AdminServiceServer::<Admin>::NAME,
        ClaimServiceServer::<Claims>::NAME,
        MemberServiceServer::<Members>::NAME,
        PlanServiceServer::<PlanCatalogue>::NAME,
        PullServiceServer::<Pulls>::NAME,
        ReviewServiceServer::<Reviews>::NAME,
    ];
    for service in services {
        health.set_service_status(service, status).await;
    }
}
