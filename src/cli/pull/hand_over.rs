//! Records on their way to the server: one stream for a page, which is done when every record of it
//! was answered.

use std::time::Duration;

use tonic::Code;
use tonic::transport::Channel;

use crate::cli::client::settlement_stream;
use crate::grpc::status::MESSAGE_BYTES_MAX;
use crate::pb::submit_settlements_response::Outcome;
use crate::pb::{SubmitMessageRequest, SubmitSettlementsRequest};

/// Everything beside the record in a request.
const ENVELOPE_BYTES_MAX: usize = 4096;
/// A server under load answers a page within seconds.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Why a page was not handed over as a whole. It can be handed over again: what was taken is known.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandOverError {
    #[error("the server did not take the records: {0}")]
    Refused(Code),
    #[error("the server did not answer in time")]
    Timeout,
    #[error("the server answered something that this version does not know")]
    Unknown,
    #[error("a record has more than 4 MiB, which the server does not take")]
    TooLarge,
}

/// What became of records. Those that were refused are kept by the server with their reasons.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) records: i64,
    pub(super) refused: i64,
}

/// Hands records of a sender over, each with the request it answers.
pub(super) async fn hand_over(
    channel: &Channel,
    sender: &str,
    records: &[&str],
    request: &str,
) -> Result<Tally, HandOverError> {
    if records.iter().any(|it| MESSAGE_BYTES_MAX < it.len() + ENVELOPE_BYTES_MAX) {
        return Err(HandOverError::TooLarge);
    }
    let requests: Vec<SubmitSettlementsRequest> = records
        .iter()
        .map(|record| SubmitSettlementsRequest {
            message: Some(SubmitMessageRequest {
                sender: sender.to_owned(),
                payload: record.as_bytes().to_vec(),
                request_payload: request.as_bytes().to_vec(),
                ..SubmitMessageRequest::default()
            }),
            ..SubmitSettlementsRequest::default()
        })
        .collect();
    let handed_over = tokio::time::timeout(TIMEOUT, answered(channel, requests)).await;
    handed_over.map_err(|_| HandOverError::Timeout)?
}

async fn answered(
    channel: &Channel,
    requests: Vec<SubmitSettlementsRequest>,
) -> Result<Tally, HandOverError> {
    let count = requests.len();
    let mut client = settlement_stream(channel.clone());
    let refused = |status: tonic::Status| HandOverError::Refused(status.code());
    let answers = client.submit_settlements(tokio_stream::iter(requests)).await;
    let mut answers = answers.map_err(refused)?.into_inner();
    let mut tally = Tally::default();
    let mut answered_count = 0;
    while let Some(answer) = answers.message().await.map_err(refused)? {
        answered_count += 1;
        match answer.outcome {
            // Whatever the server does not keep is handed over again, or nobody would have it.
            Some(Outcome::Refused(refusal)) if refusal.reject_id.is_empty() => {
                return Err(HandOverError::Refused(Code::from(refusal.code)));
            }
            Some(Outcome::Refused(_)) => tally.refused += 1,
            Some(_) => {}
            None => return Err(HandOverError::Unknown),
        }
        tally.records += 1;
    }
    if answered_count == count { Ok(tally) } else { Err(HandOverError::Refused(Code::Cancelled)) }
}
