-- Days in hospital that a per-diem benefit (住院津贴) paid for in the period.
alter table counter add column days bigint not null default 0 check (days >= 0);
