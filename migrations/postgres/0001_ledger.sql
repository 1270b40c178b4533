-- The ledger's first schema. The same tables, names and order of columns as in migrations/sqlite.
--
-- Money is in fen (1/100 yuan), instants in µs since 1970-01-01T00:00:00Z, both 64-bit integers.
-- Days are ISO text. Bodies are the exact bytes that were hashed (JSONB would
-- reorder them).
-- Room is left in pages whose rows change (fillfactor), so that a change needs no new index entries.
-- Keys collate "C": the order of a page of results must not depend on the server's locale.

-- What this database is. One row.
create table ledger (
    -- Names the database in resume tokens, a UUID.
    ledger_id text collate "C" not null primary key,
    -- How many lanes there are, for ever.
    lanes integer not null check (lanes > 0),
    -- Tells whether a server has the same directory key, without telling the key.
    directory_key_check text not null,
    -- When the database was created.
    create_time_us bigint not null,
    -- The newest revision in `document`; 0 before the first.
    documents_revision bigint not null
);
-- `lanes` is never 0, so every row has the same key here: a second one cannot exist.
create unique index ledger_one on ledger ((lanes > 0));

-- The head of each lane. Its row lock orders all writers of the lane.
create table lane (
    lane integer not null primary key,
    -- Of the last event; 0 before the first. Without gaps.
    position bigint not null,
    -- Of the last event: where the chain goes on. Empty before the first.
    hash text not null,
    -- Of the last event; time never runs backwards in a lane.
    time_us bigint not null,
    -- The last claim number given out.
    claims bigint not null,
    -- Up to which revision the lane's log names the documents in force.
    documents_revision bigint not null
) with (fillfactor = 10);

-- Which member an identity means. First insert wins. Not part of any lane.
create table directory (
    -- Keyed hash of a certificate, a card or a person number: tells nothing without the key.
    identity_hash text collate "C" not null primary key,
    -- Ours, a UUID.
    member_id text collate "C" not null
);

-- Every settlement ever accepted, so that none counts twice in any lane. First insert wins.
create table settlement_key (
    -- The platform that issued the id (结算平台).
    source text collate "C" not null,
    -- Unique only inside `source`.
    settlement_id text collate "C" not null,
    lane integer not null,
    claim_no bigint not null,
    member_id text collate "C" not null,
    -- The id first, so that one index serves a search without the platform too.
    primary key (settlement_id, source)
);

-- Published documents: plans and whatever else a decision stands on. Immutable.
create table document (
    -- `plan`, …
    kind text collate "C" not null,
    id text collate "C" not null,
    version text collate "C" not null,
    -- The first day it holds.
    start_date text collate "C" not null,
    -- As published.
    body text not null,
    -- SHA-256 of `body`, in hex.
    hash text not null,
    -- 1, 2, 3, … in the order of publishing.
    revision bigint not null,
    -- When it was published.
    publish_time_us bigint not null,
    primary key (kind, id, version)
);
create unique index document_revision on document (revision);

-- Everybody the ledger knows, on the roster or not.
create table member (
    lane integer not null,
    -- Ours, a UUID.
    member_id text collate "C" not null,
    -- Where in `fact` the newest roster entry lies.
    facts_position bigint not null,
    -- When the ledger first heard of the member, and last.
    create_time_us bigint not null,
    update_time_us bigint not null,
    primary key (lane, member_id)
) with (fillfactor = 90);

-- Personal facts, apart from the events that name them by digest: erasing one breaks no chain.
create table fact (
    lane integer not null,
    -- Of the event these facts belong to.
    position bigint not null,
    -- Keeps the digest in the event from telling anything once the facts are gone.
    salt text not null,
    -- JSON of a settlement or of a roster entry.
    body text not null,
    primary key (lane, position)
);

-- The log of each lane. Append-only.
create table event (
    lane integer not null,
    -- 1, 2, 3, … in the lane, without gaps.
    position bigint not null,
    -- When it was recorded.
    time_us bigint not null,
    -- Covers the hash before it in the lane and everything in this row; hex.
    hash text not null,
    -- JSON without personal data. A decision is stored here and nowhere else.
    body text not null,
    primary key (lane, position)
);

-- Claims as they stand: what is asked for often, and where the rest lies.
create table claim (
    lane integer not null,
    -- The number in the lane; `<lane>-<claim_no>` names the claim.
    claim_no bigint not null,
    -- Whose it is; ours, a UUID.
    member_id text collate "C" not null,
    -- The settlement's platform and its id there.
    source text collate "C" not null,
    settlement_id text collate "C" not null,
    -- The stay, where the settlement states it.
    visit_id text collate "C",
    hospital_code text collate "C",
    invoice_no text collate "C",
    -- The version that decided; null without one.
    plan_id text collate "C",
    plan_version text collate "C",
    -- The day that decides coverage, version and period; null without a decision.
    attribution_date text collate "C",
    -- INCOMPLETE, PENDED, INFORMATION_REQUESTED, APPROVED, PAID, DENIED, VOIDED.
    state text collate "C" not null,
    -- GREEN or REVIEW.
    route text collate "C" not null,
    -- What the plan pays, decided or reserved.
    payout_fen bigint not null check (payout_fen >= 0),
    -- Where in `fact` the settlement lies, with everything that was supplemented.
    facts_position bigint not null,
    -- Where in `event` the decision lies.
    decision_position bigint not null,
    -- Of the claim's last event.
    revision bigint not null,
    -- When the claim came in, and when it last changed.
    create_time_us bigint not null,
    update_time_us bigint not null,
    primary key (lane, claim_no)
) with (fillfactor = 90);
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
    member_id text collate "C" not null,
    plan_id text collate "C" not null,
    -- The first day of the period.
    period_start text collate "C" not null,
    responsibility text collate "C" not null,
    -- Of the plan's deductible.
    deductible_fen bigint not null check (deductible_fen >= 0),
    -- Eligible expense that stayed with the person.
    burden_fen bigint not null check (burden_fen >= 0),
    -- Paid by the plan.
    paid_fen bigint not null check (paid_fen >= 0),
    primary key (lane, member_id, plan_id, period_start, responsibility)
) with (fillfactor = 80);

-- Instructions to pay or to recover.
create table payout (
    lane integer not null,
    claim_no bigint not null,
    -- 1, 2, 3, … in the claim; `<claim id>/<number>` names the payout.
    number integer not null,
    -- PAYMENT or RECOVERY.
    kind text collate "C" not null,
    amount_fen bigint not null check (amount_fen > 0),
    -- INSTRUCTED, SENT, SETTLED, FAILED, RETURNED, CANCELLED.
    state text collate "C" not null,
    -- When it was instructed.
    create_time_us bigint not null,
    primary key (lane, claim_no, number)
) with (fillfactor = 90);
