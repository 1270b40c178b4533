//! How client commands reach a server, and how they tell its errors.

use std::time::Duration;

use backon::BackoffBuilder;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::Failure;
use crate::config::Client;

/// How long a client waits for a connection; answers have the server's deadline.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The first pause before a call is tried again, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Connects to the server that the command line names.
pub(super) async fn connect(client: &Client) -> Result<Channel, Failure> {
    let server = &client.server;
    let endpoint = Endpoint::from_shared(server.clone())
        .map_err(|_| Failure::told(format!("--server: {server} is no address")))?;
    endpoint.connect_timeout(TIMEOUT).connect().await.map_err(|_| {
        Failure::told(format!("no server answers at {server}; is `greenlane serve` up?"))
    })
}

/// How long to wait before each of many tries: longer and longer, and not all callers alike.
pub(super) fn pauses() -> impl Iterator<Item = Duration> {
    let pauses = backon::ExponentialBuilder::new()
        .with_min_delay(PAUSE_MIN)
        .with_max_delay(PAUSE_MAX)
        .with_jitter()
        .without_max_times();
    pauses.build()
}

/// Whether the same call may succeed later or elsewhere. `UNKNOWN` and `CANCELLED` are what a
/// connection that breaks leaves behind.
pub(super) fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::Aborted
            | Code::ResourceExhausted
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
    )
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
