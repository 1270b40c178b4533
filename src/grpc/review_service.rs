//! `ReviewService`: the desk of those who look at claims.

use prost::Message;
use tonic::{Request, Response, Status};

use super::parse::{self, Asked};
use super::render;
use super::status::Fault;
use super::token::{QueuePlace, Scope};
use crate::core::review::Actor;
use crate::ledger::{Ledger, LedgerError, Submitted};
use crate::pb;
use crate::pb::review_claims_item::Act as Item;
use crate::pb::review_claims_result::Outcome;
use crate::pb::review_service_server::ReviewService;
use crate::store::QueueCursor;

/// The largest page: common clients take 4 MiB.
const PAGE_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Answers `ReviewService`.
pub(crate) struct Reviews {
    ledger: Ledger,
}

impl Reviews {
    /// Serves a ledger.
    pub(crate) fn new(ledger: Ledger) -> Reviews {
        Reviews { ledger }
    }

    /// Carries out one act; `None` when nothing waits that nobody works on.
    async fn act(&self, act: Item, actor: &Actor) -> Result<Option<Submitted>, Fault> {
        let asked = parse::act(Some(&act), actor)?;
        self.carry_out(asked, actor).await
    }

    async fn carry_out(&self, asked: Asked, actor: &Actor) -> Result<Option<Submitted>, Fault> {
        let Asked { claim_id, act, texts, request, queue, mode } = asked;
        let Some(id) = claim_id else {
            return Ok(self.ledger.take_next(queue, actor.clone(), request, mode).await?);
        };
        match self.ledger.review(id, act, texts, request, mode).await {
            Err(LedgerError::ClaimNotFound) => Err(Fault::claim_not_found(id)),
            done => Ok(Some(done?)),
        }
    }

    /// The answer to one act that names its claim.
    async fn reviewed<R>(
        &self,
        request: Request<R>,
        act: impl FnOnce(R) -> Item,
    ) -> Result<pb::ReviewedClaim, Fault> {
        let actor = parse::actor(request.metadata());
        let act = act(request.into_inner());
        let actor = actor.map_err(|mut problems| {
            // Nobody asks twice to hear everything that is wrong.
            problems.extend(parse::act(Some(&act), &Actor::default()).err().unwrap_or_default());
            problems
        })?;
        Ok(self.reviewed_claim(self.act(act, &actor).await?.as_ref()))
    }

    async fn list(
        &self,
        request: &pb::ListReviewsRequest,
    ) -> Result<pb::ListReviewsResponse, Fault> {
        let (filter, page_size) = parse::queue(request)?;
        let store = self.ledger.store();
        let scope = Scope::of_reviews(store.ledger_id(), request);
        let after = scope.open(&request.page_token)?.map(|place| QueuePlace::read(&place));
        let after = after.transpose()?.map(|place| place.0);
        // One more than wanted tells whether there is another page.
        let limit = u32::try_from(page_size + 1).unwrap_or(u32::MAX);
        let found = store.review_queue(&filter, after, limit).await.map_err(LedgerError::from)?;
        let (mut claims, mut last, mut bytes) = (Vec::new(), None, 0);
        let (plans, now) = (self.ledger.plans(), self.ledger.now());
        for row in found.iter().take(page_size) {
            let rendered = render::claim_with_clocks(&row.claim, &plans, now);
            bytes += rendered.encoded_len();
            if bytes > PAGE_BYTES_MAX && !claims.is_empty() {
                break;
            }
            claims.push(rendered);
            last = Some(QueueCursor { key: row.key, id: row.claim.id });
        }
        let next = last.filter(|_| claims.len() < found.len());
        let next_page_token =
            next.map(|it| scope.seal(&QueuePlace(it).bytes())).unwrap_or_default();
        Ok(pb::ListReviewsResponse { claims, next_page_token })
    }

    async fn summary(&self) -> Result<pb::GetReviewSummaryResponse, Fault> {
        let reserves = self.ledger.store().reserves().await.map_err(LedgerError::from)?;
        let reserves = reserves.iter().map(render::reserve).collect();
        Ok(pb::GetReviewSummaryResponse { reserves })
    }

    /// Acts on many claims, one after the other: what one changes the next one sees.
    async fn many(
        &self,
        request: Request<pb::ReviewClaimsRequest>,
    ) -> Result<pb::ReviewClaimsResponse, Fault> {
        let actor = parse::actor(request.metadata())?;
        let request = request.into_inner();
        let mut results = Vec::with_capacity(request.items.len());
        for item in parse::acts(&request)? {
            let done = match parse::act(item.act.as_ref(), &actor) {
                Ok(asked) => self.carry_out(asked, &actor).await,
                Err(problems) => Err(problems.into()),
            };
            let outcome = match done {
                Ok(done) => Outcome::Reviewed(self.reviewed_claim(done.as_ref())),
                // What was carried out before it is safe to repeat.
                Err(fault) if fault.ends_a_stream() => return Err(fault),
                Err(fault) => Outcome::Refused(fault.into_refusal()),
            };
            let claim_id = parse::claim_of(item).to_owned();
            results.push(pb::ReviewClaimsResult { claim_id, outcome: Some(outcome) });
        }
        Ok(pb::ReviewClaimsResponse { results })
    }

    fn reviewed_claim(&self, done: Option<&Submitted>) -> pb::ReviewedClaim {
        let (plans, now) = (self.ledger.plans(), self.ledger.now());
        pb::ReviewedClaim {
            claim: done.map(|done| render::claim_with_clocks(&done.claim, &plans, now)),
            replayed: done.is_some_and(|done| done.replayed),
            changes: done.map(|done| render::changes(&done.changes)).unwrap_or_default(),
        }
    }
}

#[tonic::async_trait]
impl ReviewService for Reviews {
    async fn list_reviews(
        &self,
        request: Request<pb::ListReviewsRequest>,
    ) -> Result<Response<pb::ListReviewsResponse>, Status> {
        Ok(Response::new(self.list(request.get_ref()).await?))
    }

    async fn get_review_summary(
        &self,
        _: Request<pb::GetReviewSummaryRequest>,
    ) -> Result<Response<pb::GetReviewSummaryResponse>, Status> {
        Ok(Response::new(self.summary().await?))
    }

    async fn assign_claim(
        &self,
        request: Request<pb::AssignClaimRequest>,
    ) -> Result<Response<pb::AssignClaimResponse>, Status> {
        let pb::ReviewedClaim { claim, replayed, .. } =
            self.reviewed(request, Item::Assign).await?;
        Ok(Response::new(pb::AssignClaimResponse { claim, replayed }))
    }

    async fn approve_claim(
        &self,
        request: Request<pb::ApproveClaimRequest>,
    ) -> Result<Response<pb::ApproveClaimResponse>, Status> {
        let pb::ReviewedClaim { claim, replayed, changes } =
            self.reviewed(request, Item::Approve).await?;
        Ok(Response::new(pb::ApproveClaimResponse { claim, replayed, changes }))
    }

    async fn deny_claim(
        &self,
        request: Request<pb::DenyClaimRequest>,
    ) -> Result<Response<pb::DenyClaimResponse>, Status> {
        let pb::ReviewedClaim { claim, replayed, changes } =
            self.reviewed(request, Item::Deny).await?;
        Ok(Response::new(pb::DenyClaimResponse { claim, replayed, changes }))
    }

    async fn request_information(
        &self,
        request: Request<pb::RequestInformationRequest>,
    ) -> Result<Response<pb::RequestInformationResponse>, Status> {
        let pb::ReviewedClaim { claim, replayed, .. } =
            self.reviewed(request, Item::RequestInformation).await?;
        Ok(Response::new(pb::RequestInformationResponse { claim, replayed }))
    }

    async fn provide_information(
        &self,
        request: Request<pb::ProvideInformationRequest>,
    ) -> Result<Response<pb::ProvideInformationResponse>, Status> {
        let pb::ReviewedClaim { claim, replayed, .. } =
            self.reviewed(request, Item::ProvideInformation).await?;
        Ok(Response::new(pb::ProvideInformationResponse { claim, replayed }))
    }

    async fn reopen_claim(
        &self,
        request: Request<pb::ReopenClaimRequest>,
    ) -> Result<Response<pb::ReopenClaimResponse>, Status> {
        let pb::ReviewedClaim { claim, replayed, changes } =
            self.reviewed(request, Item::Reopen).await?;
        Ok(Response::new(pb::ReopenClaimResponse { claim, replayed, changes }))
    }

    async fn comment_claim(
        &self,
        request: Request<pb::CommentClaimRequest>,
    ) -> Result<Response<pb::CommentClaimResponse>, Status> {
        let pb::ReviewedClaim { claim, replayed, .. } =
            self.reviewed(request, Item::Comment).await?;
        Ok(Response::new(pb::CommentClaimResponse { claim, replayed }))
    }

    async fn record_contact(
        &self,
        request: Request<pb::RecordContactRequest>,
    ) -> Result<Response<pb::RecordContactResponse>, Status> {
        let pb::ReviewedClaim { claim, replayed, .. } =
            self.reviewed(request, Item::RecordContact).await?;
        Ok(Response::new(pb::RecordContactResponse { claim, replayed }))
    }

    async fn review_claims(
        &self,
        request: Request<pb::ReviewClaimsRequest>,
    ) -> Result<Response<pb::ReviewClaimsResponse>, Status> {
        Ok(Response::new(self.many(request).await?))
    }
}
