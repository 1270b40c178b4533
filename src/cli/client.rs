//! How client commands reach a server, and how they tell its errors.

use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_types::StatusExt;

use super::Failure;
use crate::config::Client;

/// How long a client waits for a connection; answers have the server's deadline.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Connects to the server that the command line names.
pub(super) async fn connect(client: &Client) -> Result<Channel, Failure> {
    connect_to(&endpoint(client)?, client).await
}

/// Connects to an endpoint that [`endpoint`] made for this server.
pub(super) async fn connect_to(endpoint: &Endpoint, client: &Client) -> Result<Channel, Failure> {
    let server = &client.server;
    endpoint.connect().await.map_err(|_| {
        Failure::told(format!("no server answers at {server}; is `greenlane serve` up?"))
    })
}

/// The server that the command line names.
pub(super) fn endpoint(client: &Client) -> Result<Endpoint, Failure> {
    let server = &client.server;
    Endpoint::from_shared(server.clone())
        .map(|endpoint| endpoint.connect_timeout(TIMEOUT))
        .map_err(|_| Failure::told(format!("--server: {server} is no address")))
}

/// An error of the server in one text: what, why, and every field at fault.
pub(super) fn told(status: &Status) -> Failure {
    let details = status.get_error_details();
    let mut text = status.message().to_owned();
    if let Some(info) = details.error_info() {
        text = format!("{text} ({})", info.reason);
    }
    if let Some(bad) = details.bad_request() {
        for violation in &bad.field_violations {
            text = format!("{text}\n  {}: {}", violation.field, violation.description);
        }
    }
    Failure::Told(text)
}
