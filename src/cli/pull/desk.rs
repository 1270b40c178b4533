//! The lease of one sender, as a server grants it.

use std::time::Duration;

use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use crate::pb::pull_service_client::PullServiceClient;
use crate::pb::{
    LeasePullRequest, LeasePullResponse, Pull, PullState, RecordPullRequest, ReleasePullRequest,
};

/// How often a lease is renewed: thrice while it lasts.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Holds the lease of one sender, or not.
pub(super) struct Desk {
    client: PullServiceClient<Channel>,
    sender: String,
    holder: String,
    lease_id: String,
    renew_at: Instant,
}

/// How a sender stands for us.
pub(super) enum Standing {
    /// It is ours. With a cursor where it has just become so.
    Ours(Option<String>),
    /// Another process fetches from it, or an operator has paused it.
    NotOurs,
}

/// What happened since it was said last.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) cursor: String,
    pub(super) caught_up: bool,
    pub(super) failure: String,
    pub(super) records: i64,
    /// Whether a failure is that of one file, so that others are tried.
    pub(super) goes_on: bool,
}

impl Desk {
    /// Leases nothing yet.
    pub(super) fn new(channel: Channel, sender: String, holder: String) -> Desk {
        let (client, lease_id) = (PullServiceClient::new(channel), String::new());
        Desk { client, sender, holder, lease_id, renew_at: Instant::now() }
    }

    /// Leases the sender, or renews the lease where that is due.
    pub(super) async fn hold(&mut self) -> Result<Standing, Status> {
        if !self.lease_id.is_empty() && Instant::now() < self.renew_at {
            return Ok(Standing::Ours(None));
        }
        let answer = self.ask().await?;
        if answer.lease_id.is_empty() {
            // Where it was paused the lease is still ours; another process may begin at once.
            self.release().await;
            return Ok(Standing::NotOurs);
        }
        let is_renewed = answer.lease_id == self.lease_id;
        self.lease_id = answer.lease_id;
        Ok(Standing::Ours(if is_renewed { None } else { Some(answer.cursor) }))
    }

    /// Renews the lease while something else goes on. Returns when it is another's. A pause lets
    /// finish what goes on.
    pub(super) async fn keep(&mut self) {
        loop {
            tokio::time::sleep_until(self.renew_at).await;
            match self.ask().await {
                Ok(answer) if answer.lease_id == self.lease_id => {}
                Ok(answer) if answer.pull.as_ref().is_some_and(is_paused) => {}
                Ok(_) => {
                    self.lease_id = String::new();
                    return;
                }
                // Until it ends it is still ours, and the next try may succeed.
                Err(_) => self.renew_at = Instant::now() + RENEW_EVERY / 10,
            }
        }
    }

    async fn ask(&mut self) -> Result<LeasePullResponse, Status> {
        let asked = LeasePullRequest {
            sender: self.sender.clone(),
            holder: self.holder.clone(),
            lease_id: self.lease_id.clone(),
        };
        let asked_at = Instant::now();
        let answer = within(self.client.lease_pull(asked)).await?;
        self.renew_at = asked_at + RENEW_EVERY;
        Ok(answer)
    }

    /// Records what happened, which renews the lease.
    pub(super) async fn record(&mut self, progress: Progress) -> Result<(), Status> {
        let Progress { cursor, caught_up, failure, records, .. } = progress;
        let told = RecordPullRequest {
            sender: self.sender.clone(),
            lease_id: self.lease_id.clone(),
            cursor,
            caught_up,
            failure,
            record_count: records,
        };
        let told_at = Instant::now();
        match within(self.client.record_pull(told)).await {
            Ok(answer) => {
                let is_paused = answer.pull.as_ref().is_some_and(is_paused);
                self.renew_at = if is_paused { told_at } else { told_at + RENEW_EVERY };
                Ok(())
            }
            Err(status) => {
                if status.code() == Code::FailedPrecondition {
                    self.lease_id = String::new();
                }
                Err(status)
            }
        }
    }

    /// Ends the lease, so that another process goes on at once.
    pub(super) async fn release(&mut self) {
        if !self.lease_id.is_empty() {
            let (sender, lease_id) = (self.sender.clone(), self.lease_id.clone());
            // A lease that cannot be ended ends by itself.
            let _ = within(self.client.release_pull(ReleasePullRequest { sender, lease_id })).await;
            self.lease_id = String::new();
        }
    }
}

/// A server that does not answer must not hold up a process that is told to end.
async fn within<T>(call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Status> {
    match tokio::time::timeout(TIMEOUT, call).await {
        Ok(answer) => answer.map(Response::into_inner),
        Err(_) => Err(Status::deadline_exceeded("no answer")),
    }
}

fn is_paused(pull: &Pull) -> bool {
    pull.state() == PullState::Paused
}
