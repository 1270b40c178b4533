//! Questions: which claim, which member, which plan, which page.

use super::limits as own;
use super::{Problems, missing, moment};
use crate::core::checks::{Checks, Problem, limits};
use crate::core::claim::{ClaimId, ClaimState};
use crate::core::day::{Day, Moment};
use crate::core::plan::document::DOCUMENT_BYTES_MAX;
use crate::grpc::names::claim_state_of;
use crate::intake::Message;
use crate::ledger::Identity;
use crate::pb;
use crate::pb::check_eligibility_request::Selector as EligibilitySelector;
use crate::pb::get_balance_request::Selector as BalanceSelector;
use crate::pb::get_member_request::Selector as MemberSelector;

/// A hospital's message with what its sender says about it.
pub(in crate::grpc) fn message(
    request: &pb::SubmitMessageRequest,
) -> Result<Message<'_>, Problems> {
    let mut checks = Checks::default();
    checks.text("sender", &request.sender, own::SENDER_MAX);
    checks.code("infno", &request.infno, own::INFNO_MAX);
    if request.payload.is_empty() {
        checks.refuse("payload", "is required");
    }
    checks.done(Message {
        sender: &request.sender,
        payload: &request.payload,
        infno: (!request.infno.is_empty()).then_some(request.infno.as_str()),
        request_payload: (!request.request_payload.is_empty())
            .then_some(request.request_payload.as_slice()),
    })
}

/// Reads the id of a claim.
pub(in crate::grpc) fn claim_id(text: &str) -> Result<ClaimId, Problems> {
    if text.is_empty() {
        return Err(missing("claim_id"));
    }
    text.parse().map_err(|error: crate::core::claim::NoClaimId| {
        vec![Problem { field: "claim_id".to_owned(), problem: error.to_string() }]
    })
}

/// What a list of claims is filtered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::grpc) struct ClaimQuery {
    pub(in crate::grpc) states: Vec<ClaimState>,
    pub(in crate::grpc) member_id: Option<String>,
    pub(in crate::grpc) hospital_code: Option<String>,
    pub(in crate::grpc) plan_id: Option<String>,
    pub(in crate::grpc) invoice_no: Option<String>,
    pub(in crate::grpc) visit_id: Option<String>,
    pub(in crate::grpc) settlement_id: Option<String>,
    pub(in crate::grpc) source: Option<String>,
    pub(in crate::grpc) created_from: Option<Moment>,
    pub(in crate::grpc) created_until: Option<Moment>,
    pub(in crate::grpc) page_size: usize,
}

/// Reads the filters and the size of a page of claims.
pub(in crate::grpc) fn claim_query(
    request: &pb::ListClaimsRequest,
) -> Result<ClaimQuery, Problems> {
    let mut checks = Checks::default();
    let query = ClaimQuery {
        states: states(&request.states, &mut checks),
        member_id: uuid(&mut checks, "member_id", &request.member_id),
        hospital_code: checks.code(
            "hospital_code",
            &request.hospital_code,
            limits::HOSPITAL_CODE_MAX,
        ),
        plan_id: checks.code("plan_id", &request.plan_id, own::PLAN_ID_MAX),
        invoice_no: checks.code("invoice_no", &request.invoice_no, limits::INVOICE_NO_MAX),
        visit_id: checks.code("visit_id", &request.visit_id, limits::VISIT_ID_MAX),
        settlement_id: checks.code(
            "settlement_id",
            &request.settlement_id,
            limits::SETTLEMENT_ID_MAX,
        ),
        source: checks.region("source", &request.source),
        created_from: moment(&mut checks, "create_time_from", request.create_time_from.as_ref()),
        created_until: moment(&mut checks, "create_time_to", request.create_time_to.as_ref()),
        page_size: size(&mut checks, request.page_size),
    };
    checks.done(query)
}

fn states(asked: &[i32], checks: &mut Checks) -> Vec<ClaimState> {
    let mut states = Vec::new();
    for (index, state) in asked.iter().enumerate() {
        match pb::ClaimState::try_from(*state).ok().and_then(claim_state_of) {
            Some(state) if !states.contains(&state) => states.push(state),
            Some(_) => {}
            None => checks.item("states", index, |checks| {
                checks.refuse("", "must be a known state other than CLAIM_STATE_UNSPECIFIED");
            }),
        }
    }
    states
}

/// What a watch of claims is filtered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::grpc) struct WatchQuery {
    pub(in crate::grpc) member_id: Option<String>,
    pub(in crate::grpc) hospital_code: Option<String>,
    pub(in crate::grpc) plan_id: Option<String>,
    pub(in crate::grpc) states: Vec<ClaimState>,
}

/// Reads the filter of a watch.
pub(in crate::grpc) fn watch_query(
    request: &pb::WatchClaimsRequest,
) -> Result<WatchQuery, Problems> {
    let mut checks = Checks::default();
    let filter = request.filter.clone().unwrap_or_default();
    let query = checks.nested("filter", |checks| WatchQuery {
        member_id: uuid(checks, "member_id", &filter.member_id),
        hospital_code: checks.code(
            "hospital_code",
            &filter.hospital_code,
            limits::HOSPITAL_CODE_MAX,
        ),
        plan_id: checks.code("plan_id", &filter.plan_id, own::PLAN_ID_MAX),
        states: states(&filter.states, checks),
    });
    checks.done(query)
}

/// Reads the size of a page where nothing else can be wrong.
pub(in crate::grpc) fn page_size(page_size: i32) -> Result<usize, Problems> {
    let mut checks = Checks::default();
    let size = size(&mut checks, page_size);
    checks.done(size)
}

pub(super) fn size(checks: &mut Checks, page_size: i32) -> usize {
    match usize::try_from(page_size) {
        Ok(0) => own::PAGE_SIZE_DEFAULT,
        Ok(size) => size.min(own::PAGE_SIZE_MAX),
        Err(_) => {
            checks.refuse("page_size", "must not be negative");
            0
        }
    }
}

/// Which member a call is about.
pub(in crate::grpc) enum Who {
    /// By our own id.
    Member(String),
    /// By the bureau's key.
    External(Identity),
    /// By a certificate or a person number.
    Person(Identity),
}

impl Who {
    /// The name of the selector that was used.
    pub(in crate::grpc) fn selector(&self) -> &'static str {
        match self {
            Who::Member(_) => "member_id",
            Who::External(_) => "external_id",
            Who::Person(_) => "identity",
        }
    }
}

/// The selector that three requests share.
pub(in crate::grpc) enum Selector<'a> {
    MemberId(&'a str),
    ExternalId(&'a str),
    Identity(&'a pb::Identity),
}

impl<'a> From<&'a MemberSelector> for Selector<'a> {
    fn from(selector: &'a MemberSelector) -> Selector<'a> {
        match selector {
            MemberSelector::MemberId(id) => Selector::MemberId(id),
            MemberSelector::ExternalId(id) => Selector::ExternalId(id),
            MemberSelector::Identity(identity) => Selector::Identity(identity),
        }
    }
}

impl<'a> From<&'a EligibilitySelector> for Selector<'a> {
    fn from(selector: &'a EligibilitySelector) -> Selector<'a> {
        match selector {
            EligibilitySelector::MemberId(id) => Selector::MemberId(id),
            EligibilitySelector::ExternalId(id) => Selector::ExternalId(id),
            EligibilitySelector::Identity(identity) => Selector::Identity(identity),
        }
    }
}

impl<'a> From<&'a BalanceSelector> for Selector<'a> {
    fn from(selector: &'a BalanceSelector) -> Selector<'a> {
        match selector {
            BalanceSelector::MemberId(id) => Selector::MemberId(id),
            BalanceSelector::ExternalId(id) => Selector::ExternalId(id),
            BalanceSelector::Identity(identity) => Selector::Identity(identity),
        }
    }
}

/// Reads who is meant.
pub(in crate::grpc) fn who<'a>(
    checks: &mut Checks,
    selector: Option<impl Into<Selector<'a>>>,
) -> Option<Who> {
    match selector.map(Into::into) {
        None => {
            checks.refuse("selector", "is required: member_id, external_id or identity");
            None
        }
        Some(Selector::MemberId(id)) => {
            if id.is_empty() {
                checks.refuse("member_id", "is required");
            }
            uuid(checks, "member_id", id).map(Who::Member)
        }
        Some(Selector::ExternalId(id)) => {
            let id = checks.required_text("external_id", id, own::EXTERNAL_ID_MAX);
            Some(Who::External(Identity::external(&id)))
        }
        Some(Selector::Identity(it)) => checks.nested("identity", |checks| identity(it, checks)),
    }
}

fn identity(identity: &pb::Identity, checks: &mut Checks) -> Option<Who> {
    let cert_type = checks.code("cert_type", &identity.cert_type, limits::CODE_MAX);
    let cert_no = checks.text("cert_no", &identity.cert_no, limits::CERT_NO_MAX);
    let psn_no = checks.text("psn_no", &identity.psn_no, limits::PSN_NO_MAX);
    let region = checks.region("region", &identity.region);
    if identity.cert_no.is_empty() && identity.psn_no.is_empty() {
        checks.refuse("", "must have a cert_no, or a psn_no with its region");
    }
    if !identity.psn_no.is_empty() && identity.region.is_empty() {
        checks.refuse("region", "is required with a psn_no");
    }
    let person = match (cert_no, region, psn_no) {
        (Some(cert_no), ..) => Identity::certificate(cert_type.as_deref(), &cert_no),
        (None, Some(region), Some(psn_no)) => Identity::person_number(&region, &psn_no),
        _ => return None,
    };
    Some(Who::Person(person))
}

pub(super) fn uuid(checks: &mut Checks, field: &str, text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let id = uuid::Uuid::try_parse(text).ok().map(|id| id.to_string());
    if id.is_none() {
        checks.refuse(field, "must be a UUID such as 01930d2c-6c1f-7a84-b7f3-5e0d3b1c9a42");
    }
    id
}

/// Which two members are one: the one that is closed, and the one that goes on.
pub(in crate::grpc) fn merged_members(
    request: &pb::MergeMembersRequest,
) -> Result<(String, String), Problems> {
    let mut checks = Checks::default();
    let mut id = |field: &str, text: &str| {
        if text.is_empty() {
            checks.refuse(field, "is required");
        }
        uuid(&mut checks, field, text).unwrap_or_default()
    };
    let from = id("from_member_id", &request.from_member_id);
    let into = id("into_member_id", &request.into_member_id);
    if !from.is_empty() && from == into {
        checks.refuse("into_member_id", "must be another member than from_member_id");
    }
    checks.done((from, into))
}

/// A day that a question is about; today when it names none.
pub(in crate::grpc) fn asked_day(checks: &mut Checks, text: &str, today: Day) -> Day {
    checks.day("date", text).unwrap_or(today)
}

/// A plan that a question is about; none when it is about any.
pub(in crate::grpc) fn plan_id(checks: &mut Checks, text: &str) -> Option<String> {
    checks.code("plan_id", text, own::PLAN_ID_MAX)
}

/// Which version of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::grpc) enum PlanChoice {
    /// This one.
    Version(String),
    /// The one in force on a day.
    InForce(Day),
}

/// Reads which version of which plan is meant.
pub(in crate::grpc) fn plan_choice(
    request: &pb::GetPlanRequest,
    today: Day,
) -> Result<(String, PlanChoice), Problems> {
    let mut checks = Checks::default();
    let plan_id = checks.required_code("plan_id", &request.plan_id, own::PLAN_ID_MAX);
    let version = checks.code("version", &request.version, own::VERSION_MAX);
    let day = asked_day(&mut checks, &request.date, today);
    if !request.version.is_empty() && !request.date.is_empty() {
        checks.refuse("date", "must be empty with a version");
    }
    checks.done((plan_id, version.map_or(PlanChoice::InForce(day), PlanChoice::Version)))
}

/// The text of a plan; what it says is checked by the core.
pub(in crate::grpc) fn plan_document(document: String) -> Result<String, Problems> {
    let mut checks = Checks::default();
    if document.is_empty() {
        checks.refuse("document", "is required");
    }
    if document.len() > DOCUMENT_BYTES_MAX {
        checks.refuse("document", format!("must be at most {DOCUMENT_BYTES_MAX} bytes"));
    }
    checks.done(document)
}
