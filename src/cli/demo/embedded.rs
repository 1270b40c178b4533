//! A server of this process on a fresh ledger, for as long as a demo takes.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use crate::cli::Failure;
use crate::cli::serve::error_chain;
use crate::ledger::{Clock, DirectoryKey, Ledger};
use crate::server::{self, Limits, ServerError};
use crate::store::{Options, Store};

/// The server, and a connection to it.
pub(super) struct Embedded {
    pub(super) address: String,
    pub(super) channel: Channel,
    shutdown: CancellationToken,
    server: JoinHandle<Result<(), ServerError>>,
    /// Removed with what is in it when the demo is over.
    _directory: tempfile::TempDir,
}

impl Embedded {
    /// Starts it on a fresh SQLite database in a temporary directory.
    pub(super) async fn start(clock: Clock) -> Result<Embedded, Failure> {
        let directory = tempfile::tempdir().map_err(Failure::told)?;
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(Failure::told)?;
        let key = DirectoryKey::new(key);
        let database = format!("sqlite://{}", directory.path().join("demo.db").display());
        let options = Options { lanes: 8, directory_key_check: key.check(), readers_max: 4 };
        let store = Store::open(&database, &options).await;
        let store = store.map_err(|error| Failure::Told(error_chain(&error)))?;
        let ledger = Ledger::start(store, key, clock).await;
        let ledger = ledger.map_err(|error| Failure::Told(error_chain(&error)))?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(Failure::told)?;
        let address = format!("http://{}", listener.local_addr().map_err(Failure::told)?);
        let shutdown = CancellationToken::new();
        let limits = Limits::default();
        let server = tokio::spawn(server::run(listener, ledger, limits, shutdown.clone()));
        let channel = tonic::transport::Endpoint::from_shared(address.clone())
            .map_err(Failure::told)?
            .connect()
            .await
            .map_err(Failure::told)?;
        Ok(Embedded { address, channel, shutdown, server, _directory: directory })
    }

    /// Ends it.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        self.shutdown.cancel();
        self.server.await.map_err(Failure::told)?.map_err(Failure::told)
    }
}
