//! Why a person must look: a code with the evidence for it.

use serde::{Deserialize, Serialize};

/// Why a person must look, or what is missing (`domain.md` 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReasonCode {
    /// F17: certificate, card and person number name different members.
    PersonUnclear,
    /// F4: the stated amounts contradict each other.
    AmountsContradict,
    /// A fact without which nothing can be decided is missing.
    FactMissing,
    /// F10: the payout is above the green channel's ceiling.
    AboveCeiling,
    /// Money is due and nobody said where it goes.
    PayeeMissing,
    /// An event without a bill: its documents are for a person to look at.
    EventReported,
    /// The plan excludes or caps lines, and the settlement has none.
    LinesMissing,
    /// The fee lines come to more than the bill: cents apart (`domain.md` 1.7, I6), one is wrong.
    LinesExceedBill,
    /// F21: the sender computed another payout (`domain.md` 4.1).
    SenderPayoutDiffers,
    /// A decision that stood is taken back by later facts; only a person may do that.
    DecisionWithdrawn,
    /// What the rules give has changed under an amount that a person set.
    FigureChanged,
    /// A person wants the decision looked at again.
    Reopened,
    /// What a person asked for has been answered.
    InformationProvided,
    /// F2: another claim has the same invoice.
    DuplicateInvoice,
    /// F3: another settlement has the same hospital, days and total.
    DuplicateStay,
    /// F5: the bill comes to nothing.
    NothingBilled,
    /// F6: two stays share days.
    OverlappingStays,
    /// F7: back in hospital soon after.
    Readmission,
    /// F8: on too few days something was done.
    LowIntensity,
    /// F9: the stay is unusually long.
    LengthOutlier,
    /// F9: a day is unusually dear.
    CostOutlier,
    /// F10: much is paid in the period.
    CumulativeCeiling,
    /// F11: a diagnosis or an item does not go with the person.
    SexAge,
    /// F12: too much of an item.
    Quantity,
    /// F13: signs of an injury.
    Injury,
    /// F14: signs of a birth.
    Maternity,
    /// F15: the person died.
    Death,
    /// F16: treated elsewhere.
    CrossRegion,
    /// F16: settled from papers.
    ManualReimbursement,
    /// F17: no class holds any more.
    ClassEnded,
    /// F18: mostly out of the catalogue.
    OutOfCatalogue,
    /// F19: many have the account.
    SharedAccount,
    /// F20: it came in late.
    LateNotice,
    /// F22: the identity card number cannot be trusted.
    WeakIdentity,
    /// F22: the roster has another name.
    NameDiffers,
}

/// A reason with the evidence for it, in the order the rules ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule.
    pub code: ReasonCode,
    /// What it saw: names and values, nothing personal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<(String, String)>,
}

/// A reason with its evidence.
pub fn reason(code: ReasonCode, evidence: impl IntoIterator<Item = (String, String)>) -> Reason {
    Reason { code, evidence: evidence.into_iter().collect() }
}
