//! Names that go both ways between the wire and the core.

use crate::core::claim::ClaimState;
use crate::core::decision::Denial;
use crate::core::settlement::Cause;
use crate::pb;

const CLAIM_STATES: [(ClaimState, pb::ClaimState); 7] = [
    (ClaimState::Incomplete, pb::ClaimState::Incomplete),
    (ClaimState::Pended, pb::ClaimState::Pended),
    (ClaimState::InformationRequested, pb::ClaimState::InformationRequested),
    (ClaimState::Approved, pb::ClaimState::Approved),
    (ClaimState::Paid, pb::ClaimState::Paid),
    (ClaimState::Denied, pb::ClaimState::Denied),
    (ClaimState::Voided, pb::ClaimState::Voided),
];

const CAUSES: [(Cause, pb::Cause); 2] =
    [(Cause::Disease, pb::Cause::Disease), (Cause::Accident, pb::Cause::Accident)];

const REVIEW_DENIALS: [Denial; 7] = Denial::OF_REVIEWERS;

/// What a reviewer denies for, by its code.
pub(super) fn reviewers_denial(code: &str) -> Option<Denial> {
    REVIEW_DENIALS.into_iter().find(|denial| crate::core::decision::code(denial) == code)
}

const PAYEE_KINDS: [(&str, pb::PayeeKind); 3] = [
    ("member", pb::PayeeKind::Member),
    ("agent", pb::PayeeKind::Agent),
    ("hospital", pb::PayeeKind::Hospital),
];

/// The state on the wire.
pub(super) fn claim_state(state: ClaimState) -> pb::ClaimState {
    let found = CLAIM_STATES.iter().find(|(core, _)| *core == state);
    found.map_or(pb::ClaimState::Unspecified, |(_, wire)| *wire)
}

/// The state of the wire; none for `UNSPECIFIED`.
pub(super) fn claim_state_of(state: pb::ClaimState) -> Option<ClaimState> {
    CLAIM_STATES.iter().find(|(_, wire)| *wire == state).map(|(core, _)| *core)
}

/// The cause on the wire; `UNSPECIFIED` where it is not known.
pub(super) fn cause(cause: Option<Cause>) -> pb::Cause {
    let found = CAUSES.iter().find(|(core, _)| Some(*core) == cause);
    found.map_or(pb::Cause::Unspecified, |(_, wire)| *wire)
}

/// The cause of the wire; none for `UNSPECIFIED`.
pub(super) fn cause_of(cause: pb::Cause) -> Option<Cause> {
    CAUSES.iter().find(|(_, wire)| *wire == cause).map(|(core, _)| *core)
}

/// The kind of payee on the wire.
pub(super) fn payee_kind(name: &str) -> pb::PayeeKind {
    let found = PAYEE_KINDS.iter().find(|(core, _)| *core == name);
    found.map_or(pb::PayeeKind::Unspecified, |(_, wire)| *wire)
}

/// The kind of payee as the core keeps it; none for `UNSPECIFIED`.
pub(super) fn payee_kind_name(kind: pb::PayeeKind) -> Option<&'static str> {
    PAYEE_KINDS.iter().find(|(_, wire)| *wire == kind).map(|(core, _)| *core)
}
