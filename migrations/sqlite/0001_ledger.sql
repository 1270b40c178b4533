-- The ledger's first schema. The same tables, names and order of columns as in migrations/postgres.
--
-- Money is in fen (1/100 yuan), instants in µs since 1970-01-01T00:00:00Z, both 64-bit integers.
-- Days are ISO text. Bodies are the exact bytes that were hashed.
-- Tables with long rows keep their rowid: a wide row would make every page of a tree without one useless.

-- What this database is. One row.
create table ledger (
    -- Names the database in resume tokens, a UUID.
    ledger_id text not null primary key,
    -- How many lanes there are, for ever.
    lanes integer not null check (lanes > 0),
    -- Tells whether a server has the same directory key, without telling the key.
    directory_key_check text not null,
    -- When the database was created.
    create_time_us integer not null,
    -- The newest revision in `document`; 0 before the first.
    documents_revision integer not null
) strict, without rowid;
-- `lanes` is never 0, so every row has the same key here: a second one cannot exist.
create unique index ledger_one on ledger ((lanes > 0));

-- The head of each lane. Its row lock orders all writers of the lane.
create table lane (
    lane integer not null primary key,
    -- Of the last event; 0 before the first. Without gaps.
    position integer not null,
    -- Of the last event: where the chain goes on. Empty before the first.
    hash text not null,
    -- Of the last event; time never runs backwards in a lane.
    time_us integer not null,
    -- The last claim number given out.
    claims integer not null,
    -- Up to which revision the lane's log names the documents in force.
    documents_revision integer not null
) strict, without rowid;

-- Which member an identity means. First insert wins. Not part of any lane.
create table directory (
    -- Keyed hash of a certificate, a card or a person number: tells nothing without the key.
    identity_hash text not null primary key,
    -- Ours, a UUID.
    member_id text not null
) strict, without rowid;

-- Every settlement ever accepted, so that none counts twice in any lane. First insert wins.
create table settlement_key (
    -- The platform that issued the id (结算平台).
    source text not null,
    -- Unique only inside `source`.
    settlement_id text not null,
    lane integer not null,
    claim_no integer not null,
    member_id text not null,
    -- The id first, so that one index serves a search without the platform too.
    primary key (settlement_id, source)
) strict, without rowid;

-- Published documents: plans and whatever else a decision stands on. Immutable.
create table document (
    -- `plan`, …
    kind text not null,
    id text not null,
    version text not null,
    -- The first day it holds.
    start_date text not null,
    -- As published.
    body text not null,
    -- SHA-256 of `body`, in hex.
    hash text not null,
    -- 1, 2, 3, … in the order of publishing.
    revision integer not null,
    -- When it was published.
    publish_time_us integer not null,
    primary key (kind, id, version)
) strict;
create unique index document_revision on document (revision);

-- Everybody the ledger knows, on the roster or not.
create table member (
    lane integer not null,
    -- Ours, a UUID.
    member_id text not null,
    -- Where in `fact` the newest roster entry lies.
    facts_position integer not null,
    -- When the ledger first heard of the member, and last.
    create_time_us integer not null,
    update_time_us integer not null,
    primary key (lane, member_id)
) strict, without rowid;

-- Personal facts, apart from the events that name them by digest: erasing one breaks no chain.
create table fact (
    lane integer not null,
    -- Of the event these facts belong to.
    position integer not null,
    -- Keeps the digest in the event from telling anything once the facts are gone.
    salt text not null,
    -- JSON of a settlement or of a roster entry.
    body text not null,
    primary key (lane, position)
) strict;

-- The log of each lane. Append-only.
create table event (
    lane integer not null,
    -- 1, 2, 3, … in the lane, without gaps.
    position integer not null,
    -- When it was recorded.
    time_us integer not null,
    -- Covers the hash before it in the lane and everything in this row; hex.
    hash text not null,
    -- JSON without personal data. A decision is stored here and nowhere else.
    body text not null,
    primary key (lane, position)
) strict;

-- Claims as they stand: what is asked for often, and where the rest lies.
create table claim (
    lane integer not null,
    -- The number in the lane; `<lane>-<claim_no>` names the claim.
    claim_no integer not null,
    -- Whose it is; ours, a UUID.
    member_id text not null,
    -- The settlement's platform and its id there.
    source text not null,
    settlement_id text not null,
    -- The stay, where the settlement states it.
    visit_id text,
    hospital_code text,
    invoice_no text,
    -- The version that decided; null without one.
    plan_id text,
    plan_version text,
    -- The day that decides coverage, version and period; null without a decision.
    attribution_date text,
    -- INCOMPLETE, PENDED, INFORMATION_REQUESTED, APPROVED, PAID, DENIED, VOIDED.
    state text not null,
    -- GREEN or REVIEW.
    route text not null,
    -- What the plan pays, decided or reserved.
    payout_fen integer not null check (payout_fen >= 0),
    -- Where in `fact` the settlement lies, with everything that was supplemented.
    facts_position integer not null,
    -- Where in `event` the decision lies.
    decision_position integer not null,
    -- Of the claim's last event.
    revision integer not null,
    -- When the claim came in, and when it last changed.
    create_time_us integer not null,
    update_time_us integer not null,
    primary key (lane, claim_no)
) strict, without rowid;
-- Without the lane: a second index that begins with it would be a choice for every look-up by id,
-- and while the table is empty the planner cannot know that it is the wrong one.
create index claim_member on claim (member_id);
create index claim_time on claim (create_time_us, lane, claim_no);
create index claim_hospital on claim (hospital_code, create_time_us, lane, claim_no)
    where hospital_code is not null;
create index claim_visit on claim (visit_id) where visit_id is not null;
create index claim_invoice on claim (invoice_no) where invoice_no is not null;
-- For the question whether a version may start in the past. Whole days, so it stays small.
create index claim_plan_day on claim (plan_id, attribution_date) where plan_id is not null;

-- What each member has used in each benefit period (累计). Keyed by plan, not by version.
create table counter (
    lane integer not null,
    member_id text not null,
    plan_id text not null,
    -- The first day of the period.
    period_start text not null,
    responsibility text not null,
    -- Of the plan's deductible.
    deductible_fen integer not null check (deductible_fen >= 0),
    -- Eligible expense that stayed with the person.
    burden_fen integer not null check (burden_fen >= 0),
    -- Paid by the plan.
    paid_fen integer not null check (paid_fen >= 0),
    primary key (lane, member_id, plan_id, period_start, responsibility)
) strict, without rowid;

-- Instructions to pay or to recover.
create table payout (
    lane integer not null,
    claim_no integer not null,
    -- 1, 2, 3, … in the claim; `<claim id>/<number>` names the payout.
    number integer not null,
    -- PAYMENT or RECOVERY.
    kind text not null,
    amount_fen integer not null check (amount_fen > 0),
    -- INSTRUCTED, SENT, SETTLED, FAILED, RETURNED, CANCELLED.
    state text not null,
    -- When it was instructed.
    create_time_us integer not null,
    primary key (lane, claim_no, number)
) strict, without rowid;
