//! The review desk of the city: a few adjusters who take what is due first, ask for papers now and
//! then, and rule by what was planted.

use std::collections::HashMap;

use tonic::transport::Channel;
use uuid::Uuid;

use super::stays::Planted;
use super::{note, now};
use crate::cli::Failure;
use crate::cli::client::told;
use crate::cli::dice::Dice;
use crate::core::day::Moment;
use crate::pb;
use crate::pb::review_service_client::ReviewServiceClient;

/// Claims that the desk looks at in one sitting, of four a day.
const SITTING: usize = 3;
/// More than ever wait.
const WAITING_MAX: i32 = 200;
/// µs of a day.
const DAY: i64 = 86_400_000_000;

/// What the desk has before it.
pub(super) struct Desk {
    channel: Channel,
    /// Why what was planted is denied.
    denials: HashMap<String, &'static str>,
    /// Questions that are answered then, by claim.
    answers: Vec<(Moment, String)>,
    /// Denials whose notice goes out then, by claim.
    notices: Vec<(Moment, String)>,
    waiting: bool,
    ruled: u64,
}

/// What was planted is denied for, by the code of its rule; the rest is let through.
fn denial_of(code: &str) -> Option<&'static str> {
    Some(match code {
        "DUPLICATE_INVOICE" | "DUPLICATE_STAY" => "DUPLICATE",
        "READMISSION" | "OVERLAPPING_STAYS" | "LOW_INTENSITY" => "NOT_NECESSARY",
        "SEX_AGE" | "NAME_DIFFERS" | "PERSON_UNCLEAR" => "OTHER_PERSON",
        "AMOUNTS_CONTRADICT" | "NOTHING_BILLED" => "UNTRUE",
        _ => return None,
    })
}

impl Desk {
    pub(super) fn new(channel: &Channel, planted: &Planted) -> Desk {
        let denied = |(id, code): (&String, &&str)| Some((id.clone(), denial_of(code)?));
        Desk {
            channel: channel.clone(),
            denials: planted.iter().filter_map(denied).collect(),
            answers: Vec::new(),
            notices: Vec::new(),
            waiting: false,
            ruled: 0,
        }
    }

    /// Something came that waits for a person.
    pub(super) fn expect(&mut self) {
        self.waiting = true;
    }

    pub(super) fn ruled(&self) -> u64 {
        self.ruled
    }

    /// Whether nothing waits and nothing is to be sent.
    pub(super) fn is_empty(&self) -> bool {
        !self.waiting && self.answers.is_empty() && self.notices.is_empty()
    }

    /// The post: answers that came, and notices that are to go out.
    pub(super) async fn post(&mut self) -> Result<(), Failure> {
        self.answers().await?;
        self.notices().await
    }

    /// One sitting: the claims due first.
    pub(super) async fn work(
        &mut self,
        found: &mut HashMap<String, Vec<String>>,
    ) -> Result<(), Failure> {
        if !self.waiting {
            return Ok(());
        }
        let request = pb::ListReviewsRequest {
            state: pb::ClaimState::Pended.into(),
            page_size: WAITING_MAX,
            ..Default::default()
        };
        let answer = self.client().list_reviews(request).await.map_err(|status| told(&status))?;
        let mut claims = answer.into_inner().claims;
        self.waiting = claims.len() > SITTING;
        // Of two that are due at once their numbers decide, and those are not of the seed.
        claims.sort_by_cached_key(|claim| (due(claim), settlement_id(claim).to_owned()));
        for claim in claims.into_iter().take(SITTING) {
            note(found, &claim);
            let mut dice = dice_of(&claim);
            let act = self.look_at(&claim, &mut dice);
            match rule(&mut self.client(), act).await? {
                pb::ClaimState::Denied => {
                    // Notice goes out the next day; one in twenty is forgotten for five.
                    let days = if dice.happens(50) { 5 } else { 1 };
                    self.notices.push((in_days(days), claim.claim_id));
                }
                pb::ClaimState::InformationRequested => {
                    self.answers.push((in_days(dice.between(1, 6)), claim.claim_id));
                    continue;
                }
                _ => {}
            }
            self.ruled += 1;
        }
        Ok(())
    }

    /// What an adjuster makes of a claim.
    fn look_at(&self, claim: &pb::Claim, dice: &mut Dice) -> Act {
        let has_answer = claim.review.as_ref().is_some_and(|it| it.inquiry.is_some());
        let head = Head { claim_id: claim.claim_id.clone(), revision: claim.revision.clone() };
        let figure = claim.decision.as_ref().map(|decision| decision.payout_fen);
        if let Some(denial) = self.denials.get(settlement_id(claim)) {
            return Act::Deny(head, denial);
        }
        if !has_answer && dice.happens(125) {
            return Act::Ask(head);
        }
        match figure {
            // Without a figure nobody can say what is paid.
            None => Act::Deny(head, "NOT_PROVED"),
            Some(_) => Act::Approve(head),
        }
    }

    async fn answers(&mut self) -> Result<(), Failure> {
        let due: Vec<_> = self.answers.extract_if(.., |(time, _)| *time <= now()).collect();
        for (_, claim_id) in due {
            let request = pb::ProvideInformationRequest {
                claim_id,
                request_id: request_id(),
                note: "材料已补齐".to_owned(),
                ..Default::default()
            };
            let answer = self.client().provide_information(signed(request)).await;
            unless_reversed(answer)?;
            self.waiting = true;
        }
        Ok(())
    }

    async fn notices(&mut self) -> Result<(), Failure> {
        let due: Vec<_> = self.notices.extract_if(.., |(time, _)| *time <= now()).collect();
        for (_, claim_id) in due {
            let request = pb::RecordContactRequest {
                claim_id,
                request_id: request_id(),
                purpose: pb::ContactPurpose::RefusalNotice.into(),
                ..Default::default()
            };
            let answer = self.client().record_contact(signed(request)).await;
            unless_reversed(answer)?;
        }
        Ok(())
    }

    fn client(&self) -> ReviewServiceClient<Channel> {
        ReviewServiceClient::new(self.channel.clone())
    }
}

/// A claim whose settlement was reversed meanwhile needs neither papers nor notice.
fn unless_reversed<T>(answer: Result<T, tonic::Status>) -> Result<(), Failure> {
    match answer {
        Err(status) if status.code() != tonic::Code::FailedPrecondition => Err(told(&status)),
        _ => Ok(()),
    }
}

/// A claim as it was seen.
struct Head {
    claim_id: String,
    revision: String,
}

enum Act {
    Approve(Head),
    Deny(Head, &'static str),
    Ask(Head),
}

/// Carries out an act; gives where the claim stands then.
async fn rule(
    client: &mut ReviewServiceClient<Channel>,
    act: Act,
) -> Result<pb::ClaimState, Failure> {
    let claim = match act {
        Act::Approve(Head { claim_id, revision }) => {
            let request_id = request_id();
            let request =
                pb::ApproveClaimRequest { claim_id, request_id, revision, ..Default::default() };
            client.approve_claim(signed(request)).await.map(|it| it.into_inner().claim)
        }
        Act::Deny(Head { claim_id, revision }, reason_code) => {
            let (request_id, reason_code) = (request_id(), reason_code.to_owned());
            let request = pb::DenyClaimRequest {
                claim_id,
                request_id,
                revision,
                reason_code,
                ..Default::default()
            };
            client.deny_claim(signed(request)).await.map(|it| it.into_inner().claim)
        }
        Act::Ask(Head { claim_id, revision }) => {
            let items = vec!["出院小结".to_owned(), "费用清单".to_owned()];
            let request_id = request_id();
            let request = pb::RequestInformationRequest {
                claim_id,
                request_id,
                revision,
                items,
                ..Default::default()
            };
            client.request_information(signed(request)).await.map(|it| it.into_inner().claim)
        }
    };
    match claim {
        Ok(claim) => Ok(claim.unwrap_or_default().state()),
        // What another claim of the member changed meanwhile is seen in the next sitting.
        Err(status) if status.code() == tonic::Code::Aborted => Ok(pb::ClaimState::Pended),
        Err(status) => Err(told(&status)),
    }
}

fn signed<R>(request: R) -> tonic::Request<R> {
    let mut request = tonic::Request::new(request);
    let name = tonic::metadata::AsciiMetadataValue::from_static("adjuster-7");
    request.metadata_mut().insert("greenlane-actor", name);
    request
}

fn request_id() -> String {
    Uuid::now_v7().to_string()
}

fn settlement_id(claim: &pb::Claim) -> &str {
    claim.settlement.as_ref().map_or("", |it| &it.settlement_id)
}

/// When the clock that runs out first does, in seconds.
fn due(claim: &pb::Claim) -> i64 {
    let running = claim.clocks.iter().filter(|clock| clock.stop_time.is_none());
    running.filter_map(|clock| clock.due_time).map(|due| due.seconds).min().unwrap_or(i64::MAX)
}

/// What an adjuster does with a claim is the same in every run of a seed.
fn dice_of(claim: &pb::Claim) -> Dice {
    let mix = |sum: u64, byte: u8| sum.wrapping_mul(31).wrapping_add(u64::from(byte));
    Dice::new(settlement_id(claim).bytes().fold(0, mix))
}

fn in_days(days: i64) -> Moment {
    Moment::from_micros(now().micros() + days * DAY)
}
