//! `greenlane review`: the desk of those who look at claims.

use clap::{Subcommand, ValueEnum};
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use uuid::Uuid;

use super::Failure;
use super::client::connect;
use super::flags::Shown;
use crate::core::money::Fen;
use crate::pb;
use crate::pb::review_claims_item::Act;
use crate::pb::review_service_client::ReviewServiceClient;

mod acts;
mod queue;
mod sheet;

/// The longest name of an account, as the server takes it.
const ACTOR_MAX: usize = 64;

/// What to do at the review desk.
#[derive(Subcommand)]
pub(super) enum ReviewCommand {
    /// List the claims that wait for a person, and what they hold together by plan.
    ///
    /// A claim a line: since when it waits (Asia/Shanghai), the hospital, what it would pay, where
    /// it stands, who works on it, and why. The totals below are those of the whole queue,
    /// whatever the filters.
    List {
        #[command(flatten)]
        filter: Box<queue::Filter>,
        #[command(flatten)]
        desk: Desk,
    },
    /// Take a claim, or the most urgent one that nobody works on, and show it.
    ///
    /// Two who ask at once never get the same. Prints the commands to go on with.
    Take {
        /// The claim; without it the most urgent free one.
        #[arg(value_name = "CLAIM")]
        claim_id: Option<String>,
        /// The most urgent one of this plan.
        #[arg(long, value_name = "ID", default_value = "", conflicts_with = "claim_id")]
        plan: String,
        /// Which is the most urgent: the one whose clock runs out first, that has waited longest, or
        /// that would pay most.
        #[arg(long, value_enum, default_value = "due", conflicts_with = "claim_id")]
        order: OrderArg,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        desk: Desk,
    },
    /// Let go of a claim, so that others can take it.
    Release {
        /// The claim's id, such as 3-18442.
        #[arg(value_name = "CLAIM")]
        claim_id: String,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        desk: Desk,
    },
    /// Show a claim: its statement, what stands of the review, and everything that happened to it.
    Show {
        /// The claim's id, such as 3-18442.
        #[arg(value_name = "CLAIM")]
        claim_id: String,
        #[command(flatten)]
        desk: Desk,
    },
    /// Approve a claim (核准), as the rules give it or with another amount.
    ///
    /// Above the plan's amount for two persons the first approval is a proposal: another person
    /// approves the same amount.
    Approve {
        #[command(flatten)]
        seen: Seen,
        /// What is paid instead of what the rules give, in yuan, such as 42000.00.
        #[arg(long, value_name = "YUAN", value_parser = Fen::parse_yuan, requires = "note")]
        amount: Option<Fen>,
        /// The reason, in words. Needed with another amount.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        desk: Desk,
    },
    /// Deny a claim (拒赔). What it held is free for the member's later claims.
    Deny {
        #[command(flatten)]
        seen: Seen,
        /// Why: duplicate, not-necessary, not-proved, other-liability, excluded, other-person or
        /// untrue. Without it what the rules deny it for; an error where they do not.
        #[arg(long, value_name = "CODE")]
        reason: Option<String>,
        /// The reason, in words.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        desk: Desk,
    },
    /// Ask the hospital or the person for what is missing, once and completely (一次性告知).
    Request {
        #[command(flatten)]
        seen: Seen,
        /// What is missing; may be given several times.
        #[arg(long = "item", value_name = "TEXT", required = true)]
        items: Vec<String>,
        /// What else is to be said.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        desk: Desk,
    },
    /// Answer what was asked, in words or with documents. The claim goes back to a person.
    Provide {
        /// The claim's id, such as 3-18442.
        #[arg(value_name = "CLAIM")]
        claim_id: String,
        /// The answer, in words.
        #[arg(long, value_name = "TEXT", required_unless_present = "documents")]
        note: Option<String>,
        /// Where material is kept; may be given several times.
        #[arg(long = "document", value_name = "REF")]
        documents: Vec<String>,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        desk: Desk,
    },
    /// Have a decision looked at again: the claim waits for a person, and holds what it would pay.
    Reopen {
        #[command(flatten)]
        seen: Seen,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        note: String,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        desk: Desk,
    },
    /// Note that you spoke with the claimant, or gave notice of a denial: clocks that wait for it stop.
    Contact {
        /// The claim's id, such as 3-18442.
        #[arg(value_name = "CLAIM")]
        claim_id: String,
        /// It was the notice of a denial with its reasons (拒赔通知).
        #[arg(long)]
        refusal_notice: bool,
        /// How and with whom, in words.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        desk: Desk,
    },
    /// Say something about a claim, in any state.
    Comment {
        /// The claim's id, such as 3-18442.
        #[arg(value_name = "CLAIM")]
        claim_id: String,
        /// What, in words.
        #[arg(long, value_name = "TEXT")]
        note: String,
        #[command(flatten)]
        once: Once,
        #[command(flatten)]
        desk: Desk,
    },
}

/// Who sits at the desk, and how answers are shown.
#[derive(clap::Args)]
pub(super) struct Desk {
    /// Who acts: an account, such as adjuster-7. Believed as it is said, and marked so.
    #[arg(long, env = "GREENLANE_ACTOR", value_name = "NAME", value_parser = parse_actor)]
    actor: AsciiMetadataValue,
    #[command(flatten)]
    shown: Shown,
}

impl Desk {
    async fn client(&self) -> Result<ReviewServiceClient<Channel>, Failure> {
        Ok(ReviewServiceClient::new(connect(&self.shown.server).await?))
    }

    /// A request in the name of who sits at the desk.
    fn signed<R>(&self, request: R) -> tonic::Request<R> {
        let mut request = tonic::Request::new(request);
        request.metadata_mut().insert("greenlane-actor", self.actor.clone());
        request
    }
}

fn parse_actor(text: &str) -> Result<AsciiMetadataValue, &'static str> {
    let is_name = !text.is_empty()
        && text.len() <= ACTOR_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    let value = AsciiMetadataValue::try_from(text).ok().filter(|_| is_name);
    value.ok_or("must be 1 to 64 ASCII letters, digits and signs without spaces")
}

/// A claim as a person saw it.
#[derive(clap::Args)]
pub(super) struct Seen {
    /// The claim's id, such as 3-18442.
    #[arg(value_name = "CLAIM")]
    claim_id: String,
    /// The claim's revision that you saw, such as 3/18460. Where it has changed since, nothing is
    /// done.
    #[arg(long)]
    revision: String,
}

/// How often an act is carried out: not at all, or once however often it is asked for.
#[derive(clap::Args)]
pub(super) struct Once {
    /// Say what would become of the claim, and record nothing.
    #[arg(long)]
    validate_only: bool,
    /// Names this act, so that it can be repeated and is carried out once (default: a new one).
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
}

impl Once {
    /// The id of the request; what is only tried needs none.
    fn id(&self) -> String {
        let fresh = || (!self.validate_only).then(Uuid::now_v7);
        self.request_id.or_else(fresh).map(|id| id.to_string()).unwrap_or_default()
    }
}

/// Which claims come first.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum OrderArg {
    /// Those whose clock runs out first.
    Due,
    /// Those that have waited longest.
    Age,
    /// Those that would pay most.
    Amount,
}

impl From<OrderArg> for pb::ReviewOrder {
    fn from(arg: OrderArg) -> pb::ReviewOrder {
        match arg {
            OrderArg::Due => pb::ReviewOrder::Due,
            OrderArg::Age => pb::ReviewOrder::Age,
            OrderArg::Amount => pb::ReviewOrder::Amount,
        }
    }
}

/// A code of the API, also as flags are spelled: `not-proved`.
fn code(text: &str) -> String {
    text.to_uppercase().replace('-', "_")
}

pub(super) async fn run(command: ReviewCommand) -> Result<(), Failure> {
    use ReviewCommand as C;
    let (act, once, desk) = match command {
        C::List { filter, desk } => return queue::list(&filter, &desk).await,
        C::Show { claim_id, desk } => return sheet::show(claim_id, &desk).await,
        C::Take { claim_id, plan, order, once, desk } => {
            let order = pb::ReviewOrder::from(order);
            return sheet::take(claim_id, plan, order, &once, &desk).await;
        }
        C::Release { claim_id, once, desk } => (acts::release(claim_id, &once), once, desk),
        C::Approve { seen, amount, note, once, desk } => {
            (acts::approve(seen, amount, note, &once), once, desk)
        }
        C::Deny { seen, reason, note, once, desk } => {
            (acts::deny(seen, reason.as_deref(), note, &once), once, desk)
        }
        C::Request { seen, items, note, once, desk } => {
            (acts::request(seen, items, note, &once), once, desk)
        }
        C::Provide { claim_id, note, documents, once, desk } => {
            (acts::provide(claim_id, note, documents, &once), once, desk)
        }
        C::Reopen { seen, note, once, desk } => (acts::reopen(seen, note, &once), once, desk),
        C::Contact { claim_id, refusal_notice, note, once, desk } => {
            (acts::contact(claim_id, refusal_notice, note, &once), once, desk)
        }
        C::Comment { claim_id, note, once, desk } => {
            (acts::comment(claim_id, note, &once), once, desk)
        }
    };
    rule(act, &once, &desk).await
}

/// Carries out an act and prints what it changed.
async fn rule(act: Act, once: &Once, desk: &Desk) -> Result<(), Failure> {
    let done = acts::carry_out(act, desk).await?;
    print!("{}", sheet::done(&done, once.validate_only, desk.shown.language()));
    Ok(())
}
