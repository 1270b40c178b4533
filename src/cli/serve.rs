//! `greenlane serve` and `greenlane config`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::pull::Fetchers;
use crate::config::{Client, Config, Settings};
use crate::ledger::ImpactBound;
use crate::ledger::Ledger;
use crate::server::{self, Limits};
use crate::store::{Options, Store, StoreError};
use crate::{clock, telemetry};

/// How long connectors may take to end their leases: less than a supervisor's patience allows.
const RELEASE_MAX: Duration = Duration::from_millis(500);
/// Connections that read: reads are short, and two databases' worth of cores is plenty.
const READERS_MAX: u32 = 8;

pub(super) async fn run(settings: &Settings) -> Result<(), Failure> {
    let config = Config::resolve(settings, std::env::vars_os())?;
    let fetchers = config.pull.as_deref().map(Fetchers::read).transpose()?;
    let endpoint = config.otlp_endpoint.as_deref();
    let _telemetry = telemetry::init(config.log_format, &config.log, endpoint)?;
    let shutdown = CancellationToken::new();
    let mut stop = Signals::new().map_err(Failure::told)?;
    let ledger = open(&config).await?;
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .map_err(|error| Failure::told(format!("cannot listen on {}: {error}", config.listen)))?;
    let address = listener.local_addr().map_err(Failure::told)?;
    tracing::info!(listen = %address, "serving");
    let (in_flight_max, watches_max) = (config.in_flight_max, config.watches_max);
    let impact = ImpactBound { claims: config.impact_claims_max, amount: config.impact_max };
    let limits = Limits { in_flight_max, watches_max, impact, ..Limits::default() };
    let serving = tokio::spawn(server::run(listener, ledger, limits, shutdown.clone()));
    tokio::pin!(serving);
    let stop_fetching = CancellationToken::new();
    let fetching = fetchers.map(|fetchers| {
        let server = Client { server: format!("http://{}", reachable(address)) };
        fetchers.start(&server, &stop_fetching, false)
    });
    let fetching = fetching.transpose()?;
    let outcome = tokio::select! {
        outcome = &mut serving => outcome,
        name = stop.received() => {
            tracing::info!(signal = name, "shutting down");
            stop_fetching.cancel();
            if let Some(fetching) = fetching {
                // Another process need not wait for the leases to end by themselves.
                let _ = tokio::time::timeout(RELEASE_MAX, fetching.join_all()).await;
            }
            shutdown.cancel();
            serving.await
        }
    };
    outcome.map_err(Failure::told)?.map_err(Failure::told)?;
    tracing::info!("ended, everything acknowledged is on disk");
    Ok(())
}

/// How this process reaches itself.
fn reachable(address: SocketAddr) -> SocketAddr {
    let loopback = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        IpAddr::V6(ip) if ip.is_unspecified() => Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        _ => None,
    };
    SocketAddr::new(loopback.unwrap_or(address.ip()), address.port())
}

/// Opens the database that the configuration names and starts its lanes.
async fn open(config: &Config) -> Result<Ledger, Failure> {
    let key = crate::ledger::DirectoryKey::new(*config.directory_key()?.bytes());
    let options =
        Options { lanes: config.lanes, directory_key_check: key.check(), readers_max: READERS_MAX };
    let told = |error: StoreError| Failure::told(error_chain(&error));
    let store = Store::open(config.database.url(), &options).await.map_err(told)?;
    Ledger::start(store, key, clock::now).await.map_err(told)
}

/// An error with its causes, in one line.
pub(super) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The signals that end a command in order.
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Catches them from now on.
    pub(super) fn new() -> std::io::Result<Signals> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Signals { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one and returns its name.
    pub(super) async fn received(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Cancelled by the first signal that asks us to end.
pub(super) fn stop_signal() -> Result<CancellationToken, Failure> {
    let stop = CancellationToken::new();
    let mut signals = Signals::new().map_err(Failure::told)?;
    let told = stop.clone();
    tokio::spawn(async move {
        signals.received().await;
        told.cancel();
    });
    Ok(stop)
}

pub(super) fn print_config(settings: &Settings) -> Result<(), Failure> {
    print!("{}", Config::resolve(settings, std::env::vars_os())?);
    Ok(())
}
