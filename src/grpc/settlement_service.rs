//! `SettlementService`: what basic insurance settled becomes a decided claim.

use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::intake::{self, Intake, Refused, Taken};
use super::parse::{self, Id};
use super::settlement_stream::{self, Answers};
use super::status::Fault;
use super::{mode, render};
use crate::ledger::{Ledger, Mode, Submitted};
use crate::pb::settlement_service_server::SettlementService;
use crate::pb::{
    MessageOutcome, QuoteSettlementRequest, QuoteSettlementResponse, ReverseSettlementRequest,
    ReverseSettlementResponse, SubmitEventRequest, SubmitEventResponse, SubmitMessageRequest,
    SubmitMessageResponse, SubmitSettlementRequest, SubmitSettlementResponse,
    SubmitSettlementsRequest, SupplementSettlementRequest, SupplementSettlementResponse,
};
use crate::store::Delivery;

/// Answers `SettlementService`.
pub(crate) struct Settlements {
    ledger: Ledger,
    intake: Intake,
    closing: CancellationToken,
}

impl Settlements {
    /// Serves a ledger; streams end when `closing` is cancelled.
    pub(crate) fn new(ledger: Ledger, intake: Intake, closing: CancellationToken) -> Settlements {
        Settlements { ledger, intake, closing }
    }

    /// What contradicts what is recorded is kept; what is only malformed goes back to its caller,
    /// who has it.
    async fn settled(
        &self,
        taken: Result<Taken, Refused>,
        mode: Mode,
        delivery: impl FnOnce() -> Delivery,
    ) -> Result<SubmitMessageResponse, Fault> {
        match taken {
            Ok(taken) => {
                self.intake.made_good(&taken, delivery).await;
                Ok(message_response(&taken))
            }
            Err(refused) if mode == Mode::Record && refused.fault.is_contradiction() => {
                Err(self.intake.keep(refused, delivery(), None).await)
            }
            Err(refused) => Err(refused.fault),
        }
    }
}

/// What became of a message, for its sender.
pub(super) fn message_response(taken: &Taken) -> SubmitMessageResponse {
    let of_claim = |outcome: MessageOutcome, it: &Submitted| SubmitMessageResponse {
        outcome: outcome.into(),
        claim: Some(render::claim(&it.claim)),
        replayed: it.replayed,
        changes: render::changes(&it.changes),
        ..SubmitMessageResponse::default()
    };
    match taken {
        Taken::Claim(it, _) => of_claim(MessageOutcome::Claim, it),
        Taken::Quote(it) => of_claim(MessageOutcome::Quote, it),
        Taken::Parked(parked_id) => SubmitMessageResponse {
            outcome: MessageOutcome::Parked.into(),
            parked_id: parked_id.clone(),
            ..SubmitMessageResponse::default()
        },
        Taken::NoSettlement(detail) => SubmitMessageResponse {
            outcome: MessageOutcome::NoSettlement.into(),
            detail: detail.clone(),
            ..SubmitMessageResponse::default()
        },
    }
}

#[tonic::async_trait]
impl SettlementService for Settlements {
    async fn submit_settlement(
        &self,
        request: Request<SubmitSettlementRequest>,
    ) -> Result<Response<SubmitSettlementResponse>, Status> {
        let request = request.into_inner();
        let (facts, mode) = (request.settlement.as_ref(), mode(request.validate_only));
        let taken = self.intake.settlement(facts, mode).await;
        let settled = self.settled(taken, mode, || intake::of_settlement(facts)).await?;
        let SubmitMessageResponse { claim, replayed, changes, .. } = settled;
        Ok(Response::new(SubmitSettlementResponse { claim, replayed, changes }))
    }

    type SubmitSettlementsStream = Answers;

    async fn submit_settlements(
        &self,
        request: Request<Streaming<SubmitSettlementsRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let (ledger, intake) = (self.ledger.clone(), self.intake.clone());
        let closing = self.closing.clone();
        Ok(Response::new(settlement_stream::answer(request.into_inner(), ledger, intake, closing)))
    }

    async fn quote_settlement(
        &self,
        request: Request<QuoteSettlementRequest>,
    ) -> Result<Response<QuoteSettlementResponse>, Status> {
        let request = request.into_inner();
        let settlement = parse::settlement(request.settlement.as_ref(), Id::Optional);
        let settlement = settlement.map_err(Fault::from)?;
        let submitted = self.ledger.submit(settlement, Mode::Preview).await.map_err(Fault::from)?;
        let claim = Some(render::claim(&submitted.claim));
        Ok(Response::new(QuoteSettlementResponse { claim }))
    }

    async fn supplement_settlement(
        &self,
        request: Request<SupplementSettlementRequest>,
    ) -> Result<Response<SupplementSettlementResponse>, Status> {
        let request = request.into_inner();
        let (facts, mode) = (request.settlement.as_ref(), mode(request.validate_only));
        let taken = self.intake.supplement(facts, mode).await;
        let settled = self.settled(taken, mode, || intake::of_supplement(facts)).await?;
        let SubmitMessageResponse { claim, replayed, parked_id, changes, .. } = settled;
        Ok(Response::new(SupplementSettlementResponse { claim, replayed, parked_id, changes }))
    }

    async fn reverse_settlement(
        &self,
        request: Request<ReverseSettlementRequest>,
    ) -> Result<Response<ReverseSettlementResponse>, Status> {
        let request = request.into_inner();
        let (reversal, mode) = (request.reversal.as_ref(), mode(request.validate_only));
        let taken = self.intake.reversal(reversal, mode).await;
        let settled = self.settled(taken, mode, || intake::of_reversal(reversal)).await?;
        let SubmitMessageResponse { claim, replayed, parked_id, changes, .. } = settled;
        Ok(Response::new(ReverseSettlementResponse { claim, replayed, parked_id, changes }))
    }

    async fn submit_event(
        &self,
        request: Request<SubmitEventRequest>,
    ) -> Result<Response<SubmitEventResponse>, Status> {
        let request = request.into_inner();
        let (event, mode) = (request.event.as_ref(), mode(request.validate_only));
        let taken = self.intake.event(event, mode).await;
        let settled = self.settled(taken, mode, || intake::of_event(event)).await?;
        let SubmitMessageResponse { claim, replayed, changes, .. } = settled;
        Ok(Response::new(SubmitEventResponse { claim, replayed, changes }))
    }

    async fn submit_message(
        &self,
        request: Request<SubmitMessageRequest>,
    ) -> Result<Response<SubmitMessageResponse>, Status> {
        let request = request.into_inner();
        let taken = match self.intake.message(&request).await {
            Ok(taken) => taken,
            Err(refused) if request.validate_only => return Err(refused.fault.into()),
            Err(refused) => {
                let delivery = intake::of_message(&request);
                return Err(self.intake.keep(refused, delivery, None).await.into());
            }
        };
        if !request.validate_only {
            self.intake.made_good(&taken, || intake::of_message(&request)).await;
        }
        Ok(Response::new(message_response(&taken)))
    }
}
