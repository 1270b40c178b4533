-- What comes about a settlement apart from it, and what cannot be used at all.

-- 1: a settlement of the member was reversed once, so that another one may replace it; else 0.
alter table member add column has_voids integer not null default 0 check (has_voids in (0, 1));

-- Reversals and supplements that came before their settlement. Whoever sees both applies them and
-- takes the row out in the same commit.
create table parked (
    -- Ours, a UUID.
    parked_id text collate "C" not null primary key,
    -- SHA-256 of the body, in hex: the same message again is no second row.
    digest text collate "C" not null,
    -- The platform that issued the ids.
    source text collate "C" not null,
    -- The settlement it names; null where it names only the stay.
    settlement_id text collate "C",
    visit_id text collate "C",
    -- REVERSAL or SUPPLEMENT.
    kind text not null,
    -- JSON of the follow-up. May be personal.
    body text not null,
    -- Who delivered it, in which form and as which transaction, and the bytes as sent. Personal.
    sender text not null,
    format text not null,
    infno text not null,
    payload bytea not null,
    request_payload bytea not null,
    -- When it came.
    receive_time_us bigint not null
);
create unique index parked_digest on parked (digest);
create index parked_settlement on parked (settlement_id) where settlement_id is not null;
create index parked_visit on parked (visit_id) where visit_id is not null;

-- What came in and cannot be used, as it came, with its reasons, until it is sent again with success.
create table reject (
    -- Ours, a UUID.
    reject_id text collate "C" not null primary key,
    -- SHA-256 of everything that was sent, in hex: the same again is no second row.
    digest text collate "C" not null,
    -- Who delivered it; empty: nobody in particular.
    sender text not null,
    -- MESSAGE: a hospital's message as it is. SETTLEMENT, EVENT, SUPPLEMENT, REVERSAL: one of the
    -- API, as protobuf.
    format text not null,
    -- The transaction, where the sender said it apart from the message.
    infno text not null,
    -- What it is about, as far as it could be read.
    source text collate "C",
    settlement_id text collate "C",
    -- What it says of it: SETTLEMENT, REVERSAL or SUPPLEMENT; empty where that could not be told.
    topic text not null,
    -- The reason, as in an error of the API.
    reason text not null,
    -- JSON: every field that is wrong, and how. Never a value.
    problems text not null,
    -- The bytes as sent. Personal; opaque to everything but a retry.
    payload bytea not null,
    request_payload bytea not null,
    -- When it came first, and last.
    create_time_us bigint not null,
    update_time_us bigint not null,
    -- How often it came.
    attempts integer not null
);
create unique index reject_digest on reject (digest);
create index reject_settlement on reject (settlement_id) where settlement_id is not null;
