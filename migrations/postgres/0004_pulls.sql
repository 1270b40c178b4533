-- Fetching from senders (主动获取): who fetches from each of them now, and how far that has come.

create table pull (
    -- The sender, by the name of its profile.
    sender text collate "C" not null primary key,
    -- The lease of who fetches: a UUID of its own each time it changes hands; empty: nobody's.
    lease_id text not null,
    -- Which process that is, for operators; stays when the lease has ended.
    holder text not null,
    -- Until when, unless it is renewed.
    lease_expire_time_us bigint not null,
    -- How far it has come: JSON of the connector; empty: nowhere yet.
    cursor text not null,
    -- When an operator paused it; null: it goes on.
    pause_time_us bigint,
    -- When it was first fetched from.
    create_time_us bigint not null,
    -- When everything that was there had been fetched, last; null: never yet.
    caught_up_time_us bigint,
    -- Why the last attempt failed, in our words; empty: it did not.
    failure text not null,
    -- How many attempts failed in a row.
    failures bigint not null,
    -- How many records were handed to the ledger in all, repeated ones included.
    records bigint not null,
    -- When one of these last changed.
    update_time_us bigint not null
);
