//! `IntakeService`: what came in and has not become a claim.

use tonic::{Request, Response, Status};

use super::intake::Intake;
use super::status::Fault;
use super::token::Scope;
use super::{parse, render};
use crate::ledger::Ledger;
use crate::pb;
use crate::pb::intake_service_server::IntakeService;
use crate::store::RejectRow;

/// Of payloads in one page: below what a caller takes in one message.
const PAYLOAD_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Rejects in one page with their payloads, which are read whole.
const PAGE_WITH_BYTES_MAX: usize = 20;

/// Answers `IntakeService`.
pub(crate) struct Backlog {
    ledger: Ledger,
    intake: Intake,
}

impl Backlog {
    /// Serves a ledger.
    pub(crate) fn new(ledger: Ledger, intake: Intake) -> Backlog {
        Backlog { ledger, intake }
    }

    async fn rejects(
        &self,
        request: &pb::ListRejectsRequest,
    ) -> Result<pb::ListRejectsResponse, Fault> {
        let page_size = parse::page_size(request.page_size)?;
        let filter = parse::reject_filter(request)?;
        let store = self.ledger.store();
        let scope = Scope::of_rejects(store.ledger_id(), request);
        let after = place(scope.open(&request.page_token)?)?;
        let with_bytes = request.include_payload;
        let page_size = if with_bytes { page_size.min(PAGE_WITH_BYTES_MAX) } else { page_size };
        let limit = u32::try_from(page_size + 1).unwrap_or(u32::MAX);
        let rows = store.rejects_page(&filter, &after, limit, with_bytes).await;
        let mut rows = rows.map_err(of_store)?;
        let mut has_more = rows.len() > page_size;
        rows.truncate(page_size);
        if request.include_payload {
            has_more |= cut_to_bytes(&mut rows);
        }
        let last = rows.last().filter(|_| has_more);
        Ok(pb::ListRejectsResponse {
            next_page_token: last
                .map(|row| scope.seal(row.reject_id.as_bytes()))
                .unwrap_or_default(),
            rejects: rows.iter().map(|row| render::reject(row, request.include_payload)).collect(),
        })
    }

    async fn retry(
        &self,
        request: &pb::RetryRejectRequest,
    ) -> Result<pb::RetryRejectResponse, Fault> {
        let reject_id = parse::reject_id(request)?;
        let row = self.ledger.store().reject(&reject_id).await.map_err(of_store)?;
        let row = row.ok_or_else(|| Fault::reject_not_found(&reject_id))?;
        let taken = self.intake.retry(row, request).await?;
        let pb::SubmitMessageResponse { outcome, claim, replayed, detail, parked_id, changes } =
            super::settlement_service::message_response(&taken);
        Ok(pb::RetryRejectResponse { outcome, claim, replayed, detail, parked_id, changes })
    }

    async fn parked(
        &self,
        request: &pb::ListParkedRequest,
    ) -> Result<pb::ListParkedResponse, Fault> {
        let page_size = parse::page_size(request.page_size)?;
        let (sender, visit_id) = parse::parked_filter(request)?;
        let store = self.ledger.store();
        let scope = Scope::of_parked(store.ledger_id(), request);
        let after = place(scope.open(&request.page_token)?)?;
        let limit = u32::try_from(page_size + 1).unwrap_or(u32::MAX);
        let rows = store.parked_page(sender.as_deref(), visit_id.as_deref(), &after, limit).await;
        let mut rows = rows.map_err(of_store)?;
        let has_more = rows.len() > page_size;
        rows.truncate(page_size);
        let last = rows.last().filter(|_| has_more);
        Ok(pb::ListParkedResponse {
            next_page_token: last
                .map(|row| scope.seal(row.parked_id.as_bytes()))
                .unwrap_or_default(),
            parked: rows.iter().map(render::parked).collect(),
        })
    }
}

/// The id that a page token stands behind; empty before the first page.
fn place(place: Option<Vec<u8>>) -> Result<String, Fault> {
    let id = String::from_utf8(place.unwrap_or_default());
    id.map_err(|_| Fault::page_token_invalid())
}

fn of_store(error: crate::store::StoreError) -> Fault {
    crate::ledger::LedgerError::from(error).into()
}

/// Leaves so many rows as a message may hold, at least one; tells whether any were cut off.
fn cut_to_bytes(rows: &mut Vec<RejectRow>) -> bool {
    let mut bytes = 0;
    let count = rows.len();
    let mut index = 0;
    rows.retain(|row| {
        bytes += row.delivery.payload.len() + row.delivery.request_payload.len();
        index += 1;
        index == 1 || bytes <= PAYLOAD_BYTES_MAX
    });
    rows.len() < count
}

#[tonic::async_trait]
impl IntakeService for Backlog {
    async fn list_rejects(
        &self,
        request: Request<pb::ListRejectsRequest>,
    ) -> Result<Response<pb::ListRejectsResponse>, Status> {
        Ok(Response::new(self.rejects(request.get_ref()).await?))
    }

    async fn retry_reject(
        &self,
        request: Request<pb::RetryRejectRequest>,
    ) -> Result<Response<pb::RetryRejectResponse>, Status> {
        Ok(Response::new(self.retry(request.get_ref()).await?))
    }

    async fn list_parked(
        &self,
        request: Request<pb::ListParkedRequest>,
    ) -> Result<Response<pb::ListParkedResponse>, Status> {
        Ok(Response::new(self.parked(request.get_ref()).await?))
    }
}
