//! What comes in, in whichever form: taken by the ledger, or kept as a reject with its reasons. Every
//! way in and every retry goes through here.

use std::sync::Arc;

use super::parse::{self, Id};
use super::profiles::Profiles;
use super::status::Fault;
use crate::core::settlement::{FollowUp, Settlement};
use crate::intake::{self, About, Reading, Topic};
use crate::ledger::{Followed, Ledger, LedgerError, Mode, Queue, Rejected, Submitted};
use crate::pb::{self, SubmitMessageRequest};
use crate::store::{Delivery, RejectRow};

/// The forms in which things come in, as a reject keeps them.
mod format {
    pub(super) const MESSAGE: &str = "MESSAGE";
    pub(super) const SETTLEMENT: &str = "SETTLEMENT";
    pub(super) const EVENT: &str = "EVENT";
    pub(super) const SUPPLEMENT: &str = "SUPPLEMENT";
    pub(super) const REVERSAL: &str = "REVERSAL";
}

/// Takes what comes in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Intake {
    ledger: Ledger,
    profiles: Arc<Profiles>,
}

/// What became of something that was taken.
pub(super) enum Taken {
    /// A claim is new, changed or voided, by a message about this.
    Claim(Submitted, Topic),
    /// A claim as it would be.
    Quote(Submitted),
    /// It waits for its settlement, under this id.
    Parked(String),
    /// There was nothing to take; why.
    NoSettlement(String),
}

impl Taken {
    /// What became of a settlement.
    pub(super) fn of_settled(submitted: Submitted, mode: Mode) -> Taken {
        match mode {
            Mode::Record => Taken::Claim(submitted, Topic::Settlement),
            Mode::Preview => Taken::Quote(submitted),
        }
    }

    /// What became of a follow-up about this.
    pub(super) fn of_followed(followed: Followed, topic: Topic, mode: Mode) -> Taken {
        match (followed, mode) {
            (Followed::Applied(submitted), Mode::Record) => Taken::Claim(submitted, topic),
            (Followed::Applied(submitted), Mode::Preview) => Taken::Quote(submitted),
            (Followed::Parked(parked_id), _) => Taken::Parked(parked_id),
        }
    }
}

/// Something that cannot be used, before it is kept.
pub(super) struct Refused {
    pub(super) fault: Fault,
    pub(super) about: About,
}

impl Refused {
    pub(super) fn new(fault: impl Into<Fault>, about: About) -> Refused {
        Refused { fault: fault.into(), about }
    }
}

impl Intake {
    /// Takes things for a ledger.
    pub(crate) fn new(ledger: Ledger) -> Intake {
        Intake { ledger, profiles: Arc::default() }
    }

    /// What a hospital's message says, by the profile of its sender.
    pub(super) fn read(&self, request: &SubmitMessageRequest) -> Result<Reading, Refused> {
        let message = parse::message(request);
        let message = message.map_err(|it| Refused::new(it, About::default()))?;
        let profile = self.profiles.of(&self.ledger, message.sender);
        intake::read(&message, &profile).map_err(|error| {
            let fault = Fault::of_message(&error, &request.infno);
            Refused { fault, about: error.about }
        })
    }

    /// Takes a hospital's message, or says how it would be taken.
    pub(super) async fn message(&self, request: &SubmitMessageRequest) -> Result<Taken, Refused> {
        let mode = super::mode(request.validate_only);
        match self.read(request)? {
            Reading::NoSettlement { detail } => Ok(Taken::NoSettlement(detail)),
            Reading::Quote(settlement) => self.submit(*settlement, Mode::Preview).await,
            Reading::Settlement(settlement) => self.submit(*settlement, mode).await,
            Reading::FollowUp(what) => self.follow_up(what, of_message(request), mode).await,
            Reading::TakenBack { settlement, reversal } => {
                let reversal = FollowUp::Reversal(reversal);
                match self.follow_up(reversal, of_message(request), mode).await? {
                    // It waits, so that the settlement is taken back in the commit that brings it.
                    Taken::Parked(_) if mode == Mode::Record => {
                        self.submit(*settlement, mode).await
                    }
                    taken => Ok(taken),
                }
            }
        }
    }

    /// Takes a settlement of the API.
    pub(super) async fn settlement(
        &self,
        message: Option<&pb::Settlement>,
        mode: Mode,
    ) -> Result<Taken, Refused> {
        let settlement = parse::settlement(message, Id::Required);
        let settlement = settlement.map_err(|it| Refused::new(it, stated(message)))?;
        self.submit(settlement, mode).await
    }

    /// Takes an event without a bill.
    pub(super) async fn event(
        &self,
        message: Option<&pb::InsuredEvent>,
        mode: Mode,
    ) -> Result<Taken, Refused> {
        let event = parse::event(message);
        let event = event.map_err(|it| Refused::new(it, About::default()))?;
        let submitted = self.submit(event, mode).await;
        submitted.map_err(|refused| Refused {
            fault: refused.fault.renamed("settlement.", "event."),
            ..refused
        })
    }

    /// Takes facts about a settlement.
    pub(super) async fn supplement(
        &self,
        message: Option<&pb::Settlement>,
        mode: Mode,
    ) -> Result<Taken, Refused> {
        let what = parse::supplement(message);
        let what = what.map_err(|it| Refused::new(it, stated(message)))?;
        let delivery = delivery(format::SUPPLEMENT, message);
        self.follow_up(FollowUp::Supplement(Arc::new(what)), delivery, mode).await
    }

    /// Takes a reversal.
    pub(super) async fn reversal(
        &self,
        message: Option<&pb::Reversal>,
        mode: Mode,
    ) -> Result<Taken, Refused> {
        let what = parse::reversal(message);
        let what = what.map_err(|it| Refused::new(it, About::default()))?;
        let delivery = delivery(format::REVERSAL, message);
        self.follow_up(FollowUp::Reversal(Arc::new(what)), delivery, mode).await
    }

    async fn submit(&self, settlement: Settlement, mode: Mode) -> Result<Taken, Refused> {
        let about = about_settlement(&settlement);
        match self.ledger.submit(settlement, mode).await {
            Ok(submitted) => Ok(Taken::of_settled(submitted, mode)),
            Err(error) => Err(Refused::new(error, about)),
        }
    }

    async fn follow_up(
        &self,
        what: FollowUp,
        delivery: Delivery,
        mode: Mode,
    ) -> Result<Taken, Refused> {
        let (about, topic) = (about(&what), topic(&what));
        let followed = self.ledger.follow_up(what, delivery, Queue::Window, mode).await;
        match followed.outcome().await {
            Ok(followed) => Ok(Taken::of_followed(followed, topic, mode)),
            Err(error) => Err(Refused::new(error, about)),
        }
    }

    /// Keeps what cannot be used, where that is for what it says; gives the fault to tell, with the
    /// id of the reject. What was to correct a reject takes its place.
    pub(super) async fn keep(
        &self,
        refused: Refused,
        delivery: Delivery,
        corrects: Option<String>,
    ) -> Fault {
        let Refused { fault, about } = refused;
        let Some(grounds) = fault.grounds() else { return fault };
        let About { source, settlement_id, topic } = about;
        let topic = topic.map_or("", topic_name);
        let rejected = Rejected { delivery, source, settlement_id, topic, grounds };
        match self.ledger.reject(rejected, corrects).await {
            Ok(reject_id) => fault.kept(reject_id),
            // What is not kept must be sent again: the database is what is wrong now.
            Err(error) => error.into(),
        }
    }

    /// Rejects of what was taken now are made good. What was taken stays taken in any case. A
    /// supplement is one of several, so it makes only its own bytes good; so does what was known.
    pub(super) async fn made_good(&self, taken: &Taken, delivery: impl FnOnce() -> Delivery) {
        if !self.ledger.has_rejects() {
            return;
        }
        let about = match taken {
            Taken::Claim(it, topic) if !it.replayed && *topic != Topic::Supplement => {
                let facts = &it.claim.settlement;
                let key = (facts.source.clone(), facts.settlement_id.clone());
                Some((key.0, key.1, topic_name(*topic)))
            }
            Taken::Claim(..) | Taken::Parked(_) => None,
            Taken::Quote(_) | Taken::NoSettlement(_) => return,
        };
        if let Err(error) = self.ledger.made_good(delivery, about).await {
            tracing::warn!(%error, "a reject that is made good stays listed");
        }
    }

    /// A reject that this was said to correct is made good, if it is about the same. Where that
    /// fails the outcome is told as open: the same again is a replay, and takes it out.
    pub(super) async fn corrected(&self, taken: &Taken, reject_id: &str) -> Result<(), Fault> {
        let drop = async {
            match self.ledger.store().reject(reject_id).await? {
                Some(row) if is_about(taken, row.settlement_id.as_deref()) => {
                    self.ledger.drop_reject(reject_id).await
                }
                _ => Ok(()),
            }
        };
        drop.await.map_err(|error: LedgerError| {
            tracing::warn!(%error, "a reject that is made good stays listed");
            LedgerError::OutcomeUnknown.into()
        })
    }

    /// Takes a reject again, with the corrections of whoever asks.
    pub(super) async fn retry(
        &self,
        row: RejectRow,
        request: &pb::RetryRejectRequest,
    ) -> Result<Taken, Fault> {
        let (reject_id, about) = (row.reject_id, row.settlement_id);
        let delivery = corrected(row.delivery, request);
        match self.again(&delivery).await {
            Ok(taken) => {
                if !is_changed(request) || is_about(&taken, about.as_deref()) {
                    self.ledger.drop_reject(&reject_id).await?;
                }
                Ok(taken)
            }
            Err(refused) if is_changed(request) => Err(refused.fault),
            Err(refused) => Err(self.keep(refused, delivery, None).await),
        }
    }

    /// Takes what came, in the form in which it came.
    async fn again(&self, delivery: &Delivery) -> Result<Taken, Refused> {
        let (payload, mode) = (delivery.payload.as_slice(), Mode::Record);
        match delivery.format.as_str() {
            format::MESSAGE => self.message(&to_message(delivery)).await,
            format::SETTLEMENT => self.settlement(Some(&decoded(payload)?), mode).await,
            format::EVENT => self.event(Some(&decoded(payload)?), mode).await,
            format::SUPPLEMENT => self.supplement(Some(&decoded(payload)?), mode).await,
            format::REVERSAL => self.reversal(Some(&decoded(payload)?), mode).await,
            // Kept by a newer server, which can read it.
            _ => Err(Refused::new(Fault::command_failed(), About::default())),
        }
    }
}

/// Whether what a correction came to makes good a reject about this settlement, where it is known:
/// the wrong file does not, nor another settlement.
fn is_about(taken: &Taken, settlement_id: Option<&str>) -> bool {
    match taken {
        Taken::Claim(it, _) => {
            settlement_id.is_none_or(|id| id == it.claim.settlement.settlement_id)
        }
        Taken::Parked(_) => true,
        Taken::Quote(_) | Taken::NoSettlement(_) => false,
    }
}

/// What a follow-up says of its settlement.
pub(super) fn topic(what: &FollowUp) -> Topic {
    match what {
        FollowUp::Reversal(_) => Topic::Reversal,
        FollowUp::Supplement(_) => Topic::Supplement,
    }
}

fn topic_name(topic: Topic) -> &'static str {
    match topic {
        Topic::Settlement => "SETTLEMENT",
        Topic::Reversal => "REVERSAL",
        Topic::Supplement => "SUPPLEMENT",
    }
}

/// Whether a retry brings something else than what came.
fn is_changed(request: &pb::RetryRejectRequest) -> bool {
    !request.payload.is_empty() || !request.request_payload.is_empty() || !request.sender.is_empty()
}

fn corrected(delivery: Delivery, request: &pb::RetryRejectRequest) -> Delivery {
    let bytes = |new: &[u8], old: Vec<u8>| if new.is_empty() { old } else { new.to_vec() };
    Delivery {
        sender: if request.sender.is_empty() { delivery.sender } else { request.sender.clone() },
        payload: bytes(&request.payload, delivery.payload),
        request_payload: bytes(&request.request_payload, delivery.request_payload),
        ..delivery
    }
}

fn decoded<M: prost::Message + Default>(payload: &[u8]) -> Result<M, Refused> {
    let read = M::decode(payload);
    read.map_err(|_| Refused::new(Fault::not_protobuf(), About::default()))
}

/// A message of the API as it came.
fn delivery<M: prost::Message>(format: &str, message: Option<&M>) -> Delivery {
    let payload = message.map(M::encode_to_vec).unwrap_or_default();
    Delivery { format: format.to_owned(), payload, ..Delivery::default() }
}

/// A settlement as it came.
pub(super) fn of_settlement(message: Option<&pb::Settlement>) -> Delivery {
    delivery(format::SETTLEMENT, message)
}

/// An event as it came.
pub(super) fn of_event(message: Option<&pb::InsuredEvent>) -> Delivery {
    delivery(format::EVENT, message)
}

/// Facts about a settlement as they came.
pub(super) fn of_supplement(message: Option<&pb::Settlement>) -> Delivery {
    delivery(format::SUPPLEMENT, message)
}

/// A reversal as it came.
pub(super) fn of_reversal(message: Option<&pb::Reversal>) -> Delivery {
    delivery(format::REVERSAL, message)
}

/// A hospital's message as it came.
pub(super) fn of_message(request: &SubmitMessageRequest) -> Delivery {
    // A name that is refused for its length is not kept either.
    let label = |text: &String, chars_max: usize| {
        let fits = text.chars().nth(chars_max).is_none() && !text.chars().any(char::is_control);
        if fits { text.clone() } else { String::new() }
    };
    Delivery {
        sender: label(&request.sender, parse::SENDER_MAX),
        format: format::MESSAGE.to_owned(),
        infno: label(&request.infno, parse::INFNO_MAX),
        payload: request.payload.clone(),
        request_payload: request.request_payload.clone(),
    }
}

fn to_message(delivery: &Delivery) -> SubmitMessageRequest {
    SubmitMessageRequest {
        sender: delivery.sender.clone(),
        infno: delivery.infno.clone(),
        payload: delivery.payload.clone(),
        request_payload: delivery.request_payload.clone(),
        validate_only: false,
    }
}

/// The form of a reject on the wire.
pub(super) fn form(delivery: &Delivery) -> pb::RejectForm {
    match delivery.format.as_str() {
        format::MESSAGE => pb::RejectForm::Message,
        format::SETTLEMENT => pb::RejectForm::Settlement,
        format::EVENT => pb::RejectForm::Event,
        format::SUPPLEMENT => pb::RejectForm::Supplement,
        format::REVERSAL => pb::RejectForm::Reversal,
        _ => pb::RejectForm::Unspecified,
    }
}

/// What a settlement of the API says it is about, right or wrong.
pub(super) fn stated(message: Option<&pb::Settlement>) -> About {
    let id = |text: &String| {
        let is_id = (1..=30).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic());
        is_id.then(|| text.clone())
    };
    About {
        topic: Some(Topic::Settlement),
        source: message.and_then(|it| id(&it.source)),
        settlement_id: message.and_then(|it| id(&it.settlement_id)),
    }
}

/// What a settlement that was read is about.
pub(super) fn about_settlement(settlement: &Settlement) -> About {
    About {
        topic: Some(Topic::Settlement),
        source: Some(settlement.source.clone()),
        settlement_id: Some(settlement.settlement_id.clone()).filter(|id| !id.is_empty()),
    }
}

/// What a follow-up is about.
pub(super) fn about(what: &FollowUp) -> About {
    About {
        topic: Some(topic(what)),
        source: Some(what.source().to_owned()),
        settlement_id: what.settlement_id().map(str::to_owned),
    }
}
