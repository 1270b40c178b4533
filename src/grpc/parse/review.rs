//! What people do to claims: acts with everything that is wrong with them, and questions about the
//! queue.

use prost::Message;
use sha2::{Digest, Sha256};
use tonic::metadata::MetadataMap;

use super::query::{size, uuid};
use super::{Problems, limits as own, missing};
use crate::core::checks::{Checks, Problem, limits};
use crate::core::claim::ClaimId;
use crate::core::money::Fen;
use crate::core::review::{Act, Actor, ContactPurpose, Deed, ITEMS_MAX, Texts};
use crate::core::route::ReasonCode;
use crate::grpc::names::{claim_state_of, reviewers_denial};
use crate::ledger::{Mode, RequestKey};
use crate::pb;
use crate::pb::review_claims_item::Act as Item;
use crate::store::{QueueFilter, QueueOrder};

/// The metadata that says who acts.
const ACTOR: &str = "greenlane-actor";
/// The most acts of one call.
const ACTS_MAX: usize = 500;

/// What a person asks to be done to a claim.
pub(in crate::grpc) struct Asked {
    /// The claim; none: the most urgent free one.
    pub(in crate::grpc) claim_id: Option<ClaimId>,
    pub(in crate::grpc) act: Act,
    pub(in crate::grpc) texts: Texts,
    pub(in crate::grpc) request: RequestKey,
    /// Which claims the most urgent one is looked for among.
    pub(in crate::grpc) queue: QueueFilter,
    pub(in crate::grpc) mode: Mode,
}

/// Who acts, as the call says.
pub(in crate::grpc) fn actor(metadata: &MetadataMap) -> Result<Actor, Problems> {
    let problem =
        |problem: &str| vec![Problem { field: ACTOR.to_owned(), problem: problem.into() }];
    let value = metadata.get(ACTOR).ok_or_else(|| problem("is required in the metadata"))?;
    let name = value.to_str().unwrap_or_default();
    let is_name = !name.is_empty()
        && name.len() <= own::ACTOR_MAX
        && name.bytes().all(|byte| byte.is_ascii_graphic());
    if is_name {
        Ok(Actor { name: name.to_owned(), is_asserted: true })
    } else {
        Err(problem("must be 1 to 64 ASCII letters, digits and signs without spaces"))
    }
}

/// The acts of one call.
pub(in crate::grpc) fn acts(
    request: &pb::ReviewClaimsRequest,
) -> Result<&[pb::ReviewClaimsItem], Problems> {
    let mut checks = Checks::default();
    if request.items.is_empty() {
        checks.refuse("items", "is required");
    }
    checks.at_most("items", request.items.len(), ACTS_MAX);
    checks.done(request.items.as_slice())
}

/// The claim that an act of many names.
pub(in crate::grpc) fn claim_of(item: &pb::ReviewClaimsItem) -> &str {
    match &item.act {
        None => "",
        Some(Item::Assign(it)) => &it.claim_id,
        Some(Item::Approve(it)) => &it.claim_id,
        Some(Item::Deny(it)) => &it.claim_id,
        Some(Item::RequestInformation(it)) => &it.claim_id,
        Some(Item::ProvideInformation(it)) => &it.claim_id,
        Some(Item::Reopen(it)) => &it.claim_id,
        Some(Item::Comment(it)) => &it.claim_id,
        Some(Item::RecordContact(it)) => &it.claim_id,
    }
}

/// Reads one act.
pub(in crate::grpc) fn act(item: Option<&Item>, actor: &Actor) -> Result<Asked, Problems> {
    match item {
        None => Err(missing("act")),
        Some(Item::Assign(it)) => assign(it, actor),
        Some(Item::Approve(it)) => approve(it, actor),
        Some(Item::Deny(it)) => deny(it, actor),
        Some(Item::RequestInformation(it)) => request_information(it, actor),
        Some(Item::ProvideInformation(it)) => provide_information(it, actor),
        Some(Item::Reopen(it)) => {
            let head = head!(it, "reopen");
            read(&head, actor, Seen::Required, Note::Required, |_, _| Deed::Reopen)
        }
        Some(Item::Comment(it)) => {
            let head = head!(it, "comment");
            read(&head, actor, Seen::Optional, Note::Required, |_, _| Deed::Comment)
        }
        Some(Item::RecordContact(it)) => record_contact(it, actor),
    }
}

/// What all acts say.
struct Head<'a> {
    claim_id: &'a str,
    request_id: &'a str,
    revision: &'a str,
    note: &'a str,
    validate_only: bool,
    /// Everything that is asked, to tell one request from another.
    content: Vec<u8>,
}

macro_rules! head {
    ($request:expr, $name:literal) => {
        head!($request, $name, &$request.note)
    };
    ($request:expr, $name:literal, $note:expr) => {
        Head {
            claim_id: &$request.claim_id,
            request_id: &$request.request_id,
            revision: &$request.revision,
            note: $note,
            validate_only: $request.validate_only,
            content: {
                let mut asked = $request.clone();
                asked.validate_only = false;
                [$name.as_bytes(), b"|", &asked.encode_to_vec()].concat()
            },
        }
    };
}
use head;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Required,
    Optional,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Note {
    Required,
    Optional,
}

fn assign(request: &pb::AssignClaimRequest, actor: &Actor) -> Result<Asked, Problems> {
    let head = head!(request, "assign", "");
    let mut asked = read(&head, actor, Seen::Optional, Note::Optional, |checks, _| {
        let assignee = checks.code("assignee", &request.assignee, own::ACTOR_MAX);
        checks.code("plan_id", &request.plan_id, own::PLAN_ID_MAX);
        if request.release && !request.assignee.is_empty() {
            checks.refuse("assignee", "must be empty with release");
        }
        if request.claim_id.is_empty() {
            for (field, is_set) in [
                ("release", request.release),
                ("revision", !request.revision.is_empty()),
                ("assignee", !request.assignee.is_empty()),
            ] {
                if is_set {
                    checks.refuse(field, "must not be set without a claim_id");
                }
            }
        }
        let assignee = (!request.release).then(|| assignee.unwrap_or_else(|| actor.name.clone()));
        Deed::Assign { assignee, only_free: request.claim_id.is_empty() }
    })?;
    let plan_id = (!request.plan_id.is_empty()).then(|| request.plan_id.clone());
    let order = order(request.order());
    asked.queue = QueueFilter { plan_id, order, only_free: true, ..QueueFilter::default() };
    Ok(asked)
}

fn approve(request: &pb::ApproveClaimRequest, actor: &Actor) -> Result<Asked, Problems> {
    let head = head!(request, "approve");
    let note = if request.payout_fen.is_some() { Note::Required } else { Note::Optional };
    read(&head, actor, Seen::Required, note, |checks, _| {
        let amount = request.payout_fen.and_then(|fen| checks.fen("payout_fen", fen));
        Deed::Approve { amount }
    })
}

fn deny(request: &pb::DenyClaimRequest, actor: &Actor) -> Result<Asked, Problems> {
    let head = head!(request, "deny");
    read(&head, actor, Seen::Required, Note::Optional, |checks, _| {
        let denial = reviewers_denial(&request.reason_code);
        if denial.is_none() && !request.reason_code.is_empty() {
            checks.refuse(
                "reason_code",
                "must be DUPLICATE, NOT_NECESSARY, NOT_PROVED, OTHER_LIABILITY, EXCLUDED, \
                 OTHER_PERSON or UNTRUE",
            );
        }
        Deed::Deny { denial }
    })
}

fn request_information(
    request: &pb::RequestInformationRequest,
    actor: &Actor,
) -> Result<Asked, Problems> {
    let head = head!(request, "request_information");
    read(&head, actor, Seen::Required, Note::Optional, |checks, texts| {
        if request.items.is_empty() {
            checks.refuse("items", "is required: everything that is missing");
        }
        texts.items = list(checks, "items", &request.items, own::ITEM_MAX);
        Deed::RequestInformation
    })
}

fn record_contact(request: &pb::RecordContactRequest, actor: &Actor) -> Result<Asked, Problems> {
    let head = head!(request, "record_contact");
    read(&head, actor, Seen::Optional, Note::Optional, |checks, _| {
        let purpose = match request.purpose() {
            pb::ContactPurpose::Claimant => ContactPurpose::Claimant,
            pb::ContactPurpose::RefusalNotice => ContactPurpose::RefusalNotice,
            pb::ContactPurpose::Unspecified => {
                checks.refuse("purpose", "is required");
                ContactPurpose::Claimant
            }
        };
        Deed::Contact { purpose }
    })
}

fn provide_information(
    request: &pb::ProvideInformationRequest,
    actor: &Actor,
) -> Result<Asked, Problems> {
    let head = head!(request, "provide_information");
    let note = if request.documents.is_empty() { Note::Required } else { Note::Optional };
    read(&head, actor, Seen::Optional, note, |checks, texts| {
        texts.documents = list(checks, "documents", &request.documents, own::REFERENCE_MAX);
        Deed::ProvideInformation
    })
}

fn list(checks: &mut Checks, field: &str, texts: &[String], chars_max: usize) -> Vec<String> {
    if !checks.at_most(field, texts.len(), ITEMS_MAX) {
        return Vec::new();
    }
    let read = |(index, text): (usize, &String)| {
        checks.item(field, index, |checks| checks.required_text("", text.trim(), chars_max))
    };
    texts.iter().enumerate().map(read).collect()
}

fn read(
    head: &Head<'_>,
    actor: &Actor,
    seen: Seen,
    note: Note,
    deed: impl FnOnce(&mut Checks, &mut Texts) -> Deed,
) -> Result<Asked, Problems> {
    let mut checks = Checks::default();
    let mut texts = Texts::default();
    let deed = deed(&mut checks, &mut texts);
    let may_lack_claim = matches!(deed, Deed::Assign { only_free: true, .. });
    let claim_id = match head.claim_id {
        "" if may_lack_claim => None,
        "" => {
            checks.refuse("claim_id", "is required");
            None
        }
        text => claim_id(&mut checks, text),
    };
    let revision = revision(&mut checks, head.revision, claim_id, seen);
    if note == Note::Required && head.note.trim().is_empty() {
        checks.refuse("note", "is required");
    }
    texts.note = words(&mut checks, "note", head.note);
    if head.request_id.is_empty() && !head.validate_only {
        checks.refuse("request_id", "is required: a UUID that names this request");
    }
    let id = uuid(&mut checks, "request_id", head.request_id).unwrap_or_default();
    let content = [actor.name.as_bytes(), b"|", &head.content].concat();
    checks.done(Asked {
        claim_id,
        act: Act { actor: actor.clone(), deed, revision },
        texts,
        request: RequestKey { id, digest: hex::encode(Sha256::digest(content)) },
        queue: QueueFilter::default(),
        mode: crate::grpc::mode(head.validate_only),
    })
}

/// Words of a person: lines may end.
fn words(checks: &mut Checks, field: &str, text: &str) -> String {
    let is_allowed = |it: char| !it.is_control() || it == '\n';
    if text.chars().all(is_allowed) && text.chars().nth(own::NOTE_MAX).is_none() {
        return text.to_owned();
    }
    checks.refuse(field, "must be at most 2000 characters without control characters");
    String::new()
}

fn claim_id(checks: &mut Checks, text: &str) -> Option<ClaimId> {
    let id = text.parse().ok();
    if id.is_none() {
        checks.refuse("claim_id", crate::core::claim::NoClaimId.to_string());
    }
    id
}

/// The position of a revision of this claim.
fn revision(checks: &mut Checks, text: &str, claim_id: Option<ClaimId>, seen: Seen) -> Option<i64> {
    if text.is_empty() {
        if seen == Seen::Required {
            checks.refuse("revision", "is required: the one that you saw");
        }
        return None;
    }
    let parts = text.split_once('/');
    let position = parts.and_then(|(lane, position)| {
        let lane: u16 = lane.parse().ok()?;
        let is_its = claim_id.is_none_or(|claim| claim.lane == lane);
        position.parse::<i64>().ok().filter(|position| is_its && *position > 0)
    });
    if position.is_none() {
        checks.refuse("revision", "must be a revision of this claim such as 3/18442");
    }
    position
}

/// What the queue is asked for.
pub(in crate::grpc) fn queue(
    request: &pb::ListReviewsRequest,
) -> Result<(QueueFilter, usize), Problems> {
    let mut checks = Checks::default();
    let state = match pb::ClaimState::try_from(request.state) {
        Ok(pb::ClaimState::Unspecified) => None,
        Ok(state @ (pb::ClaimState::Pended | pb::ClaimState::InformationRequested)) => {
            claim_state_of(state)
        }
        _ => {
            checks.refuse("state", "must be PENDED or INFORMATION_REQUESTED");
            None
        }
    };
    let mut fen = |field: &str, fen: Option<i64>| fen.and_then(|fen| checks.fen(field, fen));
    let amount_min: Option<Fen> = fen("payout_min_fen", request.payout_min_fen);
    let amount_max: Option<Fen> = fen("payout_max_fen", request.payout_max_fen);
    let assignee = checks.code("assignee", &request.assignee, own::ACTOR_MAX);
    if request.only_free && assignee.is_some() {
        checks.refuse("only_free", "must be false with an assignee");
    }
    let filter = QueueFilter {
        state,
        plan_id: checks.code("plan_id", &request.plan_id, own::PLAN_ID_MAX),
        hospital_code: checks.code(
            "hospital_code",
            &request.hospital_code,
            limits::HOSPITAL_CODE_MAX,
        ),
        reason: reason(&mut checks, &request.reason_code),
        assignee,
        only_free: request.only_free,
        amount_min,
        amount_max,
        order: order(request.order()),
    };
    let page_size = size(&mut checks, request.page_size);
    checks.done((filter, page_size))
}

fn reason(checks: &mut Checks, text: &str) -> Option<ReasonCode> {
    let code = (!text.is_empty()).then(|| serde_json::from_value(text.into()))?;
    if code.is_err() {
        checks.refuse("reason_code", "must be a known reason such as ABOVE_CEILING");
    }
    code.ok()
}

fn order(order: pb::ReviewOrder) -> QueueOrder {
    match order {
        pb::ReviewOrder::Unspecified | pb::ReviewOrder::Due => QueueOrder::Due,
        pb::ReviewOrder::Age => QueueOrder::Age,
        pb::ReviewOrder::Amount => QueueOrder::Amount,
    }
}
