-- What routing rules and clocks look at.

-- The first and the last day of the stay; null unless both are known. A claim near to it may be one
-- stay with it.
alter table claim add column stay_start text;
alter table claim add column stay_end text;
-- The clock that runs out first, of those that run while the claim waits for a person or a notice;
-- null: none does. When it warns, and when it runs out.
alter table claim add column due_clock text;
alter table claim add column warn_time_us integer;
alter table claim add column due_time_us integer;
update claim set
    stay_start = (select f.body ->> '$.admission_date' from fact f
        where f.lane = claim.lane and f.position = claim.facts_position
        and f.body ->> '$.discharge_date' is not null),
    stay_end = (select f.body ->> '$.discharge_date' from fact f
        where f.lane = claim.lane and f.position = claim.facts_position
        and f.body ->> '$.admission_date' is not null);
drop index claim_member;
create index claim_member on claim (member_id, stay_end);
-- The queue, by what runs out first; what has no clock comes after, by age. The sum lies more than a
-- century ahead.
create index claim_due on claim
    ((coalesce(due_time_us, pend_time_us + 4000000000000000)), lane, claim_no)
    where pend_time_us is not null;
-- For figures of clocks. Small: only what waits is in it.
create index claim_clock on claim (due_clock, due_time_us) where due_clock is not null;
