//! What people make of a claim (人工审核): who works on it, what was asked, what was ruled.
//!
//! Their decisions stand (`design.md` 5.3): the rules never overturn them, and a claim goes back to
//! a person where what a ruling was about has changed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::day::Moment;
use super::decision::Denial;
use super::money::Fen;
use super::route::{Reason, ReasonCode};

/// The most texts of one list: a reviewer asks once and completely, for a few dozen things.
pub const ITEMS_MAX: usize = 50;

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Actor {
    /// The name of a person or a service: an account, never a name of civil life.
    pub name: String,
    /// Whether the caller only said so and nobody checked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_asserted: bool,
}

/// What stands of the work of people on a claim.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Review {
    /// Who works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// Since when it waits for a person; none while it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// What was ruled last, while it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Ruling>,
    /// An approval that waits for a second person (双人复核).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// What was asked, once and completely (一次性告知), until the next ruling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inquiry: Option<Inquiry>,
    /// Reasons that only a ruling clears.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<Reason>,
}

/// What a person ruled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ruling", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Ruling {
    /// It is paid.
    Approved {
        /// What the rules gave when it was approved.
        figure: Fen,
        /// Another amount than that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount: Option<Fen>,
        /// The reasons for a review that the person looked at.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accepted: Vec<ReasonCode>,
    },
    /// Nothing is paid.
    Denied {
        /// Why.
        denial: Denial,
    },
}

/// An amount that a person set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Award {
    /// What is paid.
    pub amount: Fen,
    /// What the rules gave when it was set: where they come to give something else, the claim goes
    /// back to a person.
    pub figure: Fen,
}

/// An approval that waits for a second person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Who proposed it; another one has to agree.
    pub actor: Actor,
    /// What would be paid.
    pub amount: Fen,
}

/// What a reviewer asked for. The texts lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inquiry {
    /// When.
    pub ask_time: Moment,
    /// How many things.
    pub items: u32,
    /// When it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_time: Option<Moment>,
}

/// One act of a person on a claim, without its texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Who.
    pub actor: Actor,
    /// What.
    #[serde(flatten)]
    pub deed: Deed,
    /// The revision of the claim that the person saw; none where it does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
}

/// What a person does to a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Deed {
    /// Somebody works on it from now on; nobody: it is free again.
    Assign {
        /// Who.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignee: Option<String>,
        /// Only if nobody works on it: two who take the next one never get the same.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        only_free: bool,
    },
    /// It is paid, as the rules give it or with another amount.
    Approve {
        /// Another amount than the rules give.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount: Option<Fen>,
    },
    /// Nothing is paid.
    Deny {
        /// Why; none: what the rules deny it for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        denial: Option<Denial>,
    },
    /// Something is missing; the texts say what.
    RequestInformation,
    /// What was asked for is there.
    ProvideInformation,
    /// A decision is looked at again.
    Reopen,
    /// Something to be known.
    Comment,
    /// Somebody spoke with the claimant, or gave notice of a denial.
    Contact {
        /// What for.
        purpose: ContactPurpose,
    },
}

/// What the claimant was spoken with for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ContactPurpose {
    /// 首次联系: about the claim.
    Claimant,
    /// 拒赔通知: notice of a denial with its reasons.
    RefusalNotice,
}

/// The texts of an act. They may be personal, so they lie beside its event and print as `***`.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Texts {
    /// The reason, the comment or the answer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What is asked for, one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// Where material is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<String>,
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Texts {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        *self == Texts::default()
    }
}

impl Review {
    /// Whether nobody ever had to do with the claim.
    pub fn is_untouched(&self) -> bool {
        *self == Review::default()
    }

    /// The reasons that a person has looked at and let pass.
    pub fn accepted(&self) -> &[ReasonCode] {
        match &self.ruling {
            Some(Ruling::Approved { accepted, .. }) => accepted,
            Some(Ruling::Denied { .. }) | None => &[],
        }
    }

    /// The amount that a person set.
    pub fn award(&self) -> Option<Award> {
        match &self.ruling {
            Some(Ruling::Approved { figure, amount, .. }) => {
                amount.map(|amount| Award { amount, figure: *figure })
            }
            Some(Ruling::Denied { .. }) | None => None,
        }
    }

    /// What a person let through.
    pub fn let_through(&self) -> Option<Fen> {
        match &self.ruling {
            Some(Ruling::Approved { figure, amount, .. }) => Some(amount.unwrap_or(*figure)),
            Some(Ruling::Denied { .. }) | None => None,
        }
    }

    /// What a person denied it for.
    pub fn denial(&self) -> Option<Denial> {
        match &self.ruling {
            Some(Ruling::Denied { denial }) => Some(*denial),
            Some(Ruling::Approved { .. }) | None => None,
        }
    }

    /// Whether an answer is waited for.
    pub fn awaits_answer(&self) -> bool {
        self.inquiry.is_some_and(|inquiry| inquiry.answer_time.is_none())
    }

    /// What is left when a person rules: the desk is cleared.
    #[must_use]
    pub fn ruled(ruling: Ruling) -> Review {
        Review { ruling: Some(ruling), ..Review::default() }
    }
}
