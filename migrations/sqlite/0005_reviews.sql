-- What people make of claims, money that is owed, and members that prove to be one.

-- Who works on the claim; null: nobody.
alter table claim add column assignee text;
-- Since when it waits for a person; null: it does not.
alter table claim add column pend_time_us integer;
-- The codes of its reasons for a review, each between commas; empty: none.
alter table claim add column reason_codes text not null default '';
-- The queue, by age and by amount. Small: only what waits is in it.
create index claim_pended on claim (pend_time_us, lane, claim_no) where pend_time_us is not null;
create index claim_reserved on claim (payout_fen, lane, claim_no) where pend_time_us is not null;
-- Who was denied for want of a plan: a version that comes later decides them.
create index claim_uncovered on claim (attribution_date)
    where state = 'DENIED' and plan_id is null;

-- The events of a claim before its last one, which is `claim.revision`.
create table claim_event (
    lane integer not null,
    claim_no integer not null,
    position integer not null,
    primary key (lane, claim_no, position)
) strict, without rowid;

-- What it was set off against; null unless its state is OFFSET.
alter table payout add column offset_lane integer;
alter table payout add column offset_claim_no integer;
alter table payout add column offset_number integer;

-- What the member owes and the next payouts are to be set off against.
alter table member add column receivable_fen integer not null default 0
    check (receivable_fen >= 0);
-- The member that this one proved to be; null: none.
alter table member add column merged_into text;

-- Requests that were carried out, by the id that their caller chose, so that none is done twice.
create table request (
    -- A UUID.
    request_id text not null primary key,
    -- Keyed hash of what was asked: the same id with something else is refused.
    digest text not null,
    -- The claim it was about.
    lane integer not null,
    claim_no integer not null,
    -- The events that it made.
    first_position integer not null,
    last_position integer not null
) strict, without rowid;

insert into claim_event (lane, claim_no, position)
    select e.lane, e.body ->> 'claim', e.position from event e
    join claim c on c.lane = e.lane and c.claim_no = e.body ->> 'claim'
    where e.body ->> 'kind' = 'claim' and e.position <> c.revision;
update claim set
    pend_time_us = update_time_us,
    reason_codes = coalesce((
        select ',' || group_concat(r.value ->> 'code', ',') || ','
        from event e, json_each(e.body, '$.reasons') r
        where e.lane = claim.lane and e.position = claim.revision), '')
    where state in ('PENDED', 'INFORMATION_REQUESTED');
