//! `ClaimService`: claims as they stand, and what happens to them.

use std::time::Duration;

use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::claim_watch::{self, Responses};
use super::parse::{self, ClaimQuery};
use super::render;
use super::status::Fault;
use super::token::{ClaimsPlace, Scope};
use crate::feed::{Filter, Start, Watch};
use crate::ledger::{Ledger, LedgerError};
use crate::pb::claim_service_server::ClaimService;
use crate::pb::{
    GetClaimRequest, GetClaimResponse, ListClaimsRequest, ListClaimsResponse, WatchClaimsRequest,
};
use crate::store::{ClaimCursor, ClaimFilter};

/// Claims read at once: a page of many is read in parts, so that claims with long bills do not
/// gather in memory beyond what a page may hold.
const READ_MAX: usize = 100;
/// The largest page: common clients take 4 MiB.
const PAGE_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Answers `ClaimService`.
pub(crate) struct Claims {
    ledger: Ledger,
    watch_age_max: Duration,
    closing: CancellationToken,
}

impl Claims {
    /// Serves a ledger. Watches end when they are about `watch_age_max` old, and when `closing` is
    /// cancelled.
    pub(crate) fn new(
        ledger: Ledger,
        watch_age_max: Duration,
        closing: CancellationToken,
    ) -> Claims {
        Claims { ledger, watch_age_max, closing }
    }

    async fn get(&self, request: &GetClaimRequest) -> Result<GetClaimResponse, Fault> {
        let id = parse::claim_id(&request.claim_id)?;
        let claim = self.ledger.store().claim(id).await.map_err(LedgerError::from)?;
        let claim = claim.ok_or_else(|| Fault::claim_not_found(id))?;
        let history = if request.include_history {
            let past = self.ledger.store().claim_history(id).await.map_err(LedgerError::from)?;
            render::history(id.lane, past)
        } else {
            Vec::new()
        };
        let plans = self.ledger.plans();
        let claim = render::claim_with_clocks(&claim, &plans, self.ledger.now());
        Ok(GetClaimResponse { claim: Some(claim), history })
    }

    async fn list(&self, request: &ListClaimsRequest) -> Result<ListClaimsResponse, Fault> {
        let query = parse::claim_query(request)?;
        let store = self.ledger.store();
        let scope = Scope::of_claims(store.ledger_id(), request);
        let (heads, mut after) = match scope.open(&request.page_token)? {
            // Before the first page is read: what is recorded meanwhile is told by a watch.
            None => (self.ledger.feed().heads().await.map_err(LedgerError::from)?, None),
            Some(place) => {
                let place = ClaimsPlace::read(&place, store.lanes())?;
                (place.heads, Some(place.after))
            }
        };
        let page_size = query.page_size;
        let filter = self.filter(query);
        let (plans, now) = (self.ledger.plans(), self.ledger.now());
        let mut claims = Vec::new();
        let mut bytes = 0;
        let has_more = 'page: loop {
            let wanted = (page_size - claims.len()).min(READ_MAX);
            // One more than wanted tells whether there is another page.
            let limit = u32::try_from(wanted + 1).unwrap_or(u32::MAX);
            let read = store.claims_page(&filter, after, limit).await.map_err(LedgerError::from)?;
            let has_more = read.len() > wanted;
            for claim in read.iter().take(wanted) {
                let rendered = render::claim_with_clocks(claim, &plans, now);
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
        let resume_token = Scope::of_events(store.ledger_id()).resume_token(&heads);
        let next = after.filter(|_| has_more).map(|after| ClaimsPlace { after, heads });
        let next_page_token = next.map(|place| scope.seal(&place.bytes())).unwrap_or_default();
        Ok(ListClaimsResponse { claims, next_page_token, resume_token })
    }

    async fn watch(&self, request: &WatchClaimsRequest) -> Result<Responses, Fault> {
        let query = parse::watch_query(request)?;
        let store = self.ledger.store();
        let scope = Scope::of_events(store.ledger_id());
        let start = match (request.resume_token.as_str(), request.include_existing) {
            ("", false) => Start::Now,
            ("", true) => Start::Beginning,
            (token, _) => Start::After(scope.read_resume_token(token, store.lanes())?),
        };
        let filter = Filter {
            member: query.member_id.map(|member_id| (self.ledger.lane_of(&member_id), member_id)),
            hospital_code: query.hospital_code,
            plan_id: query.plan_id,
            states: query.states,
        };
        let watch = Watch { start, filter, age_max: claim_watch::spread(self.watch_age_max) };
        claim_watch::tell(self.ledger.feed(), watch, scope, self.closing.clone()).await
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
        Ok(Response::new(self.get(request.get_ref()).await?))
    }

    async fn list_claims(
        &self,
        request: Request<ListClaimsRequest>,
    ) -> Result<Response<ListClaimsResponse>, Status> {
        Ok(Response::new(self.list(request.get_ref()).await?))
    }

    type WatchClaimsStream = Responses;

    async fn watch_claims(
        &self,
        request: Request<WatchClaimsRequest>,
    ) -> Result<Response<Responses>, Status> {
        Ok(Response::new(self.watch(request.get_ref()).await?))
    }
}
