//! `PullService`: which process fetches from which sender, and how far that has come.

use tonic::{Request, Response, Status};

use super::status::Fault;
use super::{parse, render};
use crate::ledger::{Ledger, LedgerError, PROFILE};
use crate::pb;
use crate::pb::pull_service_server::PullService;
use crate::store::{DocumentRow, PullProgress, PullRow};

/// Answers `PullService`.
pub(crate) struct Pulls {
    ledger: Ledger,
}

impl Pulls {
    /// Serves a ledger.
    pub(crate) fn new(ledger: Ledger) -> Pulls {
        Pulls { ledger }
    }

    fn pull(&self, row: &PullRow) -> pb::Pull {
        render::pull(row, self.ledger.now())
    }

    async fn lease(&self, request: pb::LeasePullRequest) -> Result<pb::LeasePullResponse, Fault> {
        let lease_id = parse::pull_lease(&request)?;
        let leased = self.ledger.lease_pull(request.sender, request.holder, lease_id).await?;
        let (lease_id, row) = leased;
        Ok(pb::LeasePullResponse {
            lease_id: lease_id.unwrap_or_default(),
            pull: Some(self.pull(&row)),
            cursor: row.cursor,
        })
    }

    async fn record(
        &self,
        request: pb::RecordPullRequest,
    ) -> Result<pb::RecordPullResponse, Fault> {
        parse::pull_progress(&request)?;
        let progress = PullProgress {
            cursor: request.cursor,
            caught_up: request.caught_up,
            failure: request.failure,
            records: request.record_count,
        };
        let (sender, lease_id) = (request.sender, request.lease_id);
        let row = self.ledger.record_pull(sender, lease_id, progress).await?;
        Ok(pb::RecordPullResponse { pull: Some(self.pull(&row)) })
    }

    async fn release(&self, request: pb::ReleasePullRequest) -> Result<(), Fault> {
        parse::pull_held(&request.sender, &request.lease_id)?;
        Ok(self.ledger.release_pull(request.sender, request.lease_id).await?)
    }

    async fn list(&self) -> Result<pb::ListPullsResponse, Fault> {
        let rows = self.ledger.store().pulls().await.map_err(LedgerError::from)?;
        Ok(pb::ListPullsResponse { pulls: rows.iter().map(|row| self.pull(row)).collect() })
    }

    async fn pause(&self, sender: String) -> Result<pb::Pull, Fault> {
        parse::pull_sender(&sender)?;
        let is_profile = |it: &DocumentRow| it.kind == PROFILE && it.id == sender;
        if !self.ledger.documents().iter().any(is_profile) {
            let rows = self.ledger.store().pulls().await.map_err(LedgerError::from)?;
            if rows.iter().all(|row| row.sender != sender) {
                // A mistyped name would leave the right one going.
                return Err(LedgerError::PullNotFound { sender }.into());
            }
        }
        Ok(self.pull(&self.ledger.pause_pull(sender).await?))
    }

    async fn resume(&self, sender: String) -> Result<pb::Pull, Fault> {
        parse::pull_sender(&sender)?;
        Ok(self.pull(&self.ledger.resume_pull(sender).await?))
    }
}

#[tonic::async_trait]
impl PullService for Pulls {
    async fn lease_pull(
        &self,
        request: Request<pb::LeasePullRequest>,
    ) -> Result<Response<pb::LeasePullResponse>, Status> {
        Ok(Response::new(self.lease(request.into_inner()).await?))
    }

    async fn record_pull(
        &self,
        request: Request<pb::RecordPullRequest>,
    ) -> Result<Response<pb::RecordPullResponse>, Status> {
        Ok(Response::new(self.record(request.into_inner()).await?))
    }

    async fn release_pull(
        &self,
        request: Request<pb::ReleasePullRequest>,
    ) -> Result<Response<pb::ReleasePullResponse>, Status> {
        self.release(request.into_inner()).await?;
        Ok(Response::new(pb::ReleasePullResponse {}))
    }

    async fn list_pulls(
        &self,
        _: Request<pb::ListPullsRequest>,
    ) -> Result<Response<pb::ListPullsResponse>, Status> {
        Ok(Response::new(self.list().await?))
    }

    async fn pause_pull(
        &self,
        request: Request<pb::PausePullRequest>,
    ) -> Result<Response<pb::PausePullResponse>, Status> {
        let pull = Some(self.pause(request.into_inner().sender).await?);
        Ok(Response::new(pb::PausePullResponse { pull }))
    }

    async fn resume_pull(
        &self,
        request: Request<pb::ResumePullRequest>,
    ) -> Result<Response<pb::ResumePullResponse>, Status> {
        let pull = Some(self.resume(request.into_inner().sender).await?);
        Ok(Response::new(pb::ResumePullResponse { pull }))
    }
}
