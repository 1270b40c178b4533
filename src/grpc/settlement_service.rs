//! `SettlementService`: what basic insurance settled becomes a decided claim.

use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::parse::{self, Id};
use super::settlement_stream::{self, Answers};
use super::status::Fault;
use super::{message, mode, render};
use crate::core::settlement::Settlement;
use crate::intake::Reading;
use crate::ledger::{Ledger, Mode, Submitted};
use crate::pb::settlement_service_server::SettlementService;
use crate::pb::{
    MessageOutcome, QuoteSettlementRequest, QuoteSettlementResponse, SubmitEventRequest,
    SubmitEventResponse, SubmitMessageRequest, SubmitMessageResponse, SubmitSettlementRequest,
    SubmitSettlementResponse, SubmitSettlementsRequest,
};

/// Answers `SettlementService`.
pub(crate) struct Settlements {
    ledger: Ledger,
    closing: CancellationToken,
}

impl Settlements {
    /// Serves a ledger; streams end when `closing` is cancelled.
    pub(crate) fn new(ledger: Ledger, closing: CancellationToken) -> Settlements {
        Settlements { ledger, closing }
    }

    async fn submit(&self, settlement: Settlement, mode: Mode) -> Result<Submitted, Fault> {
        Ok(self.ledger.submit(settlement, mode).await?)
    }

    async fn submit_read(
        &self,
        settlement: Settlement,
        outcome: MessageOutcome,
    ) -> Result<SubmitMessageResponse, Fault> {
        let mode = mode(outcome == MessageOutcome::Quote);
        let submitted = self.submit(settlement, mode).await?;
        Ok(SubmitMessageResponse {
            outcome: outcome.into(),
            claim: Some(render::claim(&submitted.claim)),
            replayed: submitted.replayed,
            detail: String::new(),
        })
    }
}

#[tonic::async_trait]
impl SettlementService for Settlements {
    async fn submit_settlement(
        &self,
        request: Request<SubmitSettlementRequest>,
    ) -> Result<Response<SubmitSettlementResponse>, Status> {
        let request = request.into_inner();
        let settlement = parse::settlement(request.settlement.as_ref(), Id::Required);
        let settlement = settlement.map_err(Fault::from)?;
        let submitted = self.submit(settlement, mode(request.validate_only)).await?;
        Ok(Response::new(SubmitSettlementResponse {
            claim: Some(render::claim(&submitted.claim)),
            replayed: submitted.replayed,
        }))
    }

    type SubmitSettlementsStream = Answers;

    async fn submit_settlements(
        &self,
        request: Request<Streaming<SubmitSettlementsRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let (ledger, closing) = (self.ledger.clone(), self.closing.clone());
        Ok(Response::new(settlement_stream::answer(request.into_inner(), ledger, closing)))
    }

    async fn quote_settlement(
        &self,
        request: Request<QuoteSettlementRequest>,
    ) -> Result<Response<QuoteSettlementResponse>, Status> {
        let request = request.into_inner();
        let settlement = parse::settlement(request.settlement.as_ref(), Id::Optional);
        let settlement = settlement.map_err(Fault::from)?;
        let submitted = self.submit(settlement, Mode::Preview).await?;
        let claim = Some(render::claim(&submitted.claim));
        Ok(Response::new(QuoteSettlementResponse { claim }))
    }

    async fn submit_event(
        &self,
        request: Request<SubmitEventRequest>,
    ) -> Result<Response<SubmitEventResponse>, Status> {
        let request = request.into_inner();
        let event = parse::event(request.event.as_ref()).map_err(Fault::from)?;
        let submitted = self.submit(event, mode(request.validate_only)).await;
        let submitted = submitted.map_err(|fault| fault.renamed("settlement.", "event."))?;
        Ok(Response::new(SubmitEventResponse {
            claim: Some(render::claim(&submitted.claim)),
            replayed: submitted.replayed,
        }))
    }

    async fn submit_message(
        &self,
        request: Request<SubmitMessageRequest>,
    ) -> Result<Response<SubmitMessageResponse>, Status> {
        let request = request.into_inner();
        let response = match message::read(&request)? {
            Reading::NoSettlement { detail } => SubmitMessageResponse {
                outcome: MessageOutcome::NoSettlement.into(),
                detail,
                ..SubmitMessageResponse::default()
            },
            Reading::Settlement(settlement) if !request.validate_only => {
                self.submit_read(*settlement, MessageOutcome::Claim).await?
            }
            Reading::Settlement(settlement) | Reading::Quote(settlement) => {
                self.submit_read(*settlement, MessageOutcome::Quote).await?
            }
        };
        Ok(Response::new(response))
    }
}
