//! `SettlementService`: what basic insurance settled becomes a decided claim.

use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::intake::{self, Intake, Refused, Taken};
use super::parse::{self, Id};
use super::settlement_stream::{self, Answers};
use super::status::Fault;
use super::{mode, render};
use crate::intake::Topic;
use crate::ledger::{Ledger, Mode, Submitted};
use crate::pb;
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
    async fn submitted(
        &self,
        taken: Result<Submitted, Refused>,
        topic: Topic,
        mode: Mode,
        delivery: impl Fn() -> Delivery,
    ) -> Result<Submitted, Fault> {
        match taken {
            Ok(submitted) => {
                if mode == Mode::Record {
                    let taken = Taken::Claim(submitted.clone(), topic);
                    self.intake.made_good(&taken, delivery).await;
                }
                Ok(submitted)
            }
            Err(refused) if mode == Mode::Record && refused.fault.is_contradiction() => {
                Err(self.intake.keep(refused, delivery()).await)
            }
            Err(refused) => Err(refused.fault),
        }
    }

    /// The same for what may have to wait.
    async fn taken(
        &self,
        taken: Result<Taken, Refused>,
        topic: Topic,
        mode: Mode,
        delivery: impl Fn() -> Delivery,
    ) -> Result<(Option<pb::Claim>, bool, String), Fault> {
        match taken {
            Ok(Taken::Parked(parked_id)) => Ok((None, false, parked_id)),
            Ok(Taken::NoSettlement(_)) => Err(Fault::command_failed()),
            Ok(Taken::Claim(it, _) | Taken::Quote(it)) => {
                let it = self.submitted(Ok(it), topic, mode, delivery).await?;
                Ok((Some(render::claim(&it.claim)), it.replayed, String::new()))
            }
            Err(refused) => match self.submitted(Err(refused), topic, mode, delivery).await {
                Ok(_) => Err(Fault::command_failed()),
                Err(fault) => Err(fault),
            },
        }
    }
}

/// What became of a message, for its sender.
pub(super) fn message_response(taken: &Taken) -> SubmitMessageResponse {
    let of_claim = |outcome: MessageOutcome, it: &Submitted| SubmitMessageResponse {
        outcome: outcome.into(),
        claim: Some(render::claim(&it.claim)),
        replayed: it.replayed,
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
        let submitted =
            self.submitted(taken, Topic::Settlement, mode, || intake::of_settlement(facts)).await?;
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
        let taken =
            self.taken(taken, Topic::Supplement, mode, || intake::of_supplement(facts)).await?;
        let (claim, replayed, parked_id) = taken;
        Ok(Response::new(SupplementSettlementResponse { claim, replayed, parked_id }))
    }

    async fn reverse_settlement(
        &self,
        request: Request<ReverseSettlementRequest>,
    ) -> Result<Response<ReverseSettlementResponse>, Status> {
        let request = request.into_inner();
        let (reversal, mode) = (request.reversal.as_ref(), mode(request.validate_only));
        let taken = self.intake.reversal(reversal, mode).await;
        let taken =
            self.taken(taken, Topic::Reversal, mode, || intake::of_reversal(reversal)).await?;
        let (claim, replayed, parked_id) = taken;
        Ok(Response::new(ReverseSettlementResponse { claim, replayed, parked_id }))
    }

    async fn submit_event(
        &self,
        request: Request<SubmitEventRequest>,
    ) -> Result<Response<SubmitEventResponse>, Status> {
        let request = request.into_inner();
        let (event, mode) = (request.event.as_ref(), mode(request.validate_only));
        let taken = self.intake.event(event, mode).await;
        let submitted =
            self.submitted(taken, Topic::Settlement, mode, || intake::of_event(event)).await?;
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
        let taken = match self.intake.message(&request).await {
            Ok(taken) => taken,
            Err(refused) if request.validate_only => return Err(refused.fault.into()),
            Err(refused) => {
                let delivery = intake::of_message(&request);
                return Err(self.intake.keep(refused, delivery).await.into());
            }
        };
        if !request.validate_only {
            self.intake.made_good(&taken, || intake::of_message(&request)).await;
        }
        Ok(Response::new(message_response(&taken)))
    }
}
