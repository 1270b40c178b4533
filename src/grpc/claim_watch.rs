//! `WatchClaims`: the feed on the wire. The feed says what is told and where; here it gets its token
//! and its last word.

use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::render;
use super::status::Fault;
use super::token::Scope;
use crate::feed::{Feed, Item, Watch};
use crate::ledger::LedgerError;
use crate::pb;
use crate::pb::watch_claims_response::Item as Wire;

/// What one watcher is told.
pub(super) type Responses =
    Pin<Box<dyn Stream<Item = Result<pb::WatchClaimsResponse, Status>> + Send>>;

/// Tells a watcher what the feed has, until `closing` is cancelled or the watch is old enough.
pub(super) async fn tell(
    feed: &Feed,
    watch: Watch,
    scope: Scope,
    closing: CancellationToken,
) -> Result<Responses, Fault> {
    let items = feed.watch(watch, closing.clone()).await?;
    Ok(Box::pin(async_stream::stream! {
        let mut items = std::pin::pin!(items);
        while let Some(item) = items.next().await {
            match item {
                Ok((cursor, item)) => yield Ok(response(scope.resume_token(&cursor), &item)),
                Err(error) => {
                    yield Err(Status::from(Fault::from(LedgerError::from(error))));
                    return;
                }
            }
        }
        if closing.is_cancelled() {
            yield Err(Status::from(Fault::shutting_down()));
        }
    }))
}

fn response(resume_token: String, item: &Item) -> pb::WatchClaimsResponse {
    let item = match item {
        Item::Event(told) => Wire::Event(render::claim_event(told)),
        Item::Progress { is_up_to_date } => {
            Wire::Progress(pb::WatchProgress { is_up_to_date: *is_up_to_date })
        }
    };
    pb::WatchClaimsResponse { resume_token, item: Some(item) }
}

/// An age up to a fifth below `age_max`, so that watches which began together do not end together.
pub(super) fn spread(age_max: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness they do end together, which is only less smooth.
    let _ = getrandom::fill(&mut byte);
    age_max.saturating_sub(age_max / 5 * u32::from(byte[0]) / 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_lie_between_four_fifths_and_the_whole() {
        let age_max = Duration::from_hours(1);
        for _ in 0..1000 {
            let age = spread(age_max);
            assert!(age >= age_max / 5 * 4 && age <= age_max, "{age:?}");
        }
    }
}
