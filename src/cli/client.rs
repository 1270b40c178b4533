//! How client commands reach a server, and how they tell its errors.

use std::collections::BTreeMap;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::Failure;
use super::statement::in_yuan;
use crate::config::Client;
use crate::pb;
use crate::pb::settlement_service_client::SettlementServiceClient;

/// How long a client waits for a connection; answers have the server's deadline.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The first pause before a call is tried again, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A silent connection is asked so often whether anybody is there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

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

/// How long to wait before each of many tries: longer and longer, and not all callers alike.
pub(super) fn pauses() -> ExponentialBackoff {
    let pauses = ExponentialBuilder::new().with_min_delay(PAUSE_MIN).with_max_delay(PAUSE_MAX);
    pauses.with_jitter().without_max_times().build()
}

/// Whether the same request may be answered another time.
pub(super) fn is_passing(code: Code) -> bool {
    use Code::{Aborted, Cancelled, DeadlineExceeded, ResourceExhausted, Unavailable};
    matches!(code, Aborted | Cancelled | DeadlineExceeded | ResourceExhausted | Unavailable)
}

/// Whether a stream that ended like this may be opened again. What comes without our details is
/// the word of the transport or of a proxy.
pub(super) fn may_be_opened_again(status: &Status) -> bool {
    use Code::{PermissionDenied, Unauthenticated, Unimplemented};
    match status.get_error_details().error_info() {
        Some(_) => is_passing(status.code()),
        None => !matches!(status.code(), PermissionDenied | Unauthenticated | Unimplemented),
    }
}

/// The server that the command line names.
pub(super) fn endpoint(client: &Client) -> Result<Endpoint, Failure> {
    let server = &client.server;
    Endpoint::from_shared(server.clone())
        .map(|endpoint| endpoint.connect_timeout(TIMEOUT))
        .map_err(|_| Failure::told(format!("--server: {server} is no address")))
}

/// The same for a connection that may be silent for long: it is noticed when nobody is there.
pub(super) fn lasting_endpoint(client: &Client) -> Result<Endpoint, Failure> {
    let endpoint = endpoint(client)?.http2_keep_alive_interval(KEEP_ALIVE);
    Ok(endpoint.keep_alive_while_idle(true))
}

/// A client of the stream of settlements. An answer repeats its settlement and explains it, so it is
/// larger than the request was.
pub(super) fn settlement_stream(channel: Channel) -> SettlementServiceClient<Channel> {
    SettlementServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

/// An error of the server in one text: what, why, and every field at fault; without fields, what
/// else it names, such as the claim that stands in the way.
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
    } else if let Some(info) = details.error_info() {
        let named: BTreeMap<_, _> = info.metadata.iter().collect();
        for (name, value) in named {
            text = format!("{text}\n  {}", in_yuan(name, value, ": "));
        }
        if info.reason == pb::ErrorReason::ImpactUnconfirmed.as_str_name() {
            text.push_str("\n  if that is meant, repeat it with --confirm-impact");
        }
    }
    Failure::Told(text)
}
