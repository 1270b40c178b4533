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
    let server = &client.server;
    let endpoint = Endpoint::from_shared(server.clone())
        .map_err(|_| Failure::told(format!("--server: {server} is no address")))?;
    endpoint.connect_timeout(TIMEOUT).connect().await.map_err(|_| {
        Failure::told(format!("no server answers at {server}; is `greenlane serve` up?"))
    })
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
