//! `ClaimService`: claims as they stand.

use prost::Message;
use tonic::{Request, Response, Status};

use super::page::{self, Scope};
use super::parse::{self, ClaimQuery};
use super::render;
use super::status::Fault;
use crate::ledger::{Ledger, LedgerError};
use crate::pb::claim_service_server::ClaimService;
use crate::pb::{GetClaimRequest, GetClaimResponse, ListClaimsRequest, ListClaimsResponse};
use crate::store::{ClaimCursor, ClaimFilter};

/// Claims read at once: a page of many is read in parts, so that claims with long bills do not
/// gather in memory beyond what a page may hold.
const READ_MAX: usize = 100;
/// The largest page: common clients take 4 MiB.
const PAGE_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Answers `ClaimService`.
pub(crate) struct Claims {
    ledger: Ledger,
}

impl Claims {
    /// Serves a ledger.
    pub(crate) fn new(ledger: Ledger) -> Claims {
        Claims { ledger }
    }

    async fn get(&self, claim_id: &str) -> Result<GetClaimResponse, Fault> {
        let id = parse::claim_id(claim_id)?;
        let claim = self.ledger.store().claim(id).await.map_err(LedgerError::from)?;
        let claim = claim.ok_or_else(|| Fault::claim_not_found(id))?;
        Ok(GetClaimResponse { claim: Some(render::claim(&claim)) })
    }

    async fn list(&self, request: &ListClaimsRequest) -> Result<ListClaimsResponse, Fault> {
        let query = parse::claim_query(request)?;
        let store = self.ledger.store();
        let scope = Scope::of_claims(store.ledger_id(), request);
        let after = scope.open(&request.page_token)?;
        let mut after = after.as_deref().map(page::read_claim_cursor).transpose()?;
        let page_size = query.page_size;
        let filter = self.filter(query);
        let mut claims = Vec::new();
        let mut bytes = 0;
        let has_more = 'page: loop {
            let wanted = (page_size - claims.len()).min(READ_MAX);
            // One more than wanted tells whether there is another page.
            let limit = u32::try_from(wanted + 1).unwrap_or(u32::MAX);
            let read = store.claims_page(&filter, after, limit).await.map_err(LedgerError::from)?;
            let has_more = read.len() > wanted;
            for claim in read.iter().take(wanted) {
                let rendered = render::claim(claim);
                bytes += rendered.encoded_len();
                if bytes > PAGE_BYTES_MAX && !claims.is_empty() {
                    break 'page true;
                }
                claims.push(rendered);
                after = Some(ClaimCursor { create_time: claim.create_time, id: claim.id });
            }
            if !has_more || claims.len() == page_size {
                break has_more;
            }
        };
        let token = after.filter(|_| has_more).map(|it| scope.seal(&page::claim_cursor(it)));
        Ok(ListClaimsResponse { claims, next_page_token: token.unwrap_or_default() })
    }

    fn filter(&self, query: ClaimQuery) -> ClaimFilter {
        let lane = |member_id: &String| self.ledger.lane_of(member_id);
        ClaimFilter {
            states: query.states,
            member: query.member_id.map(|member_id| (lane(&member_id), member_id)),
            hospital_code: query.hospital_code,
            plan_id: query.plan_id,
            invoice_no: query.invoice_no,
            visit_id: query.visit_id,
            settlement_id: query.settlement_id,
            source: query.source,
            created_from: query.created_from,
            created_until: query.created_until,
        }
    }
}

#[tonic::async_trait]
impl ClaimService for Claims {
    async fn get_claim(
        &self,
        request: Request<GetClaimRequest>,
    ) -> Result<Response<GetClaimResponse>, Status> {
        Ok(Response::new(self.get(&request.get_ref().claim_id).await?))
    }

    async fn list_claims(
        &self,
        request: Request<ListClaimsRequest>,
    ) -> Result<Response<ListClaimsResponse>, Status> {
        Ok(Response::new(self.list(request.get_ref()).await?))
    }
}
