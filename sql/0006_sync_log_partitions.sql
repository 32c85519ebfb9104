-- The sync log by months: the oldest month is dropped in a moment instead of deleted row by row.

-- Rows that are there are not copied: their table becomes the first partition. Its lock lasts as long as it takes to
-- build one index on it (ten million rows: see deploy/runbook/upgrade.md).
lock table sync_log in access exclusive mode;
alter table sync_log rename to sync_log_before;
alter table sync_log_before alter column id drop identity;
alter table sync_log_before drop constraint sync_log_pkey;
alter index sync_log_newest rename to sync_log_before_newest;
alter index sync_log_order rename to sync_log_before_order;
alter index sync_log_clinic rename to sync_log_before_clinic;
alter index sync_log_failed rename to sync_log_before_failed;
alter index sync_log_problem rename to sync_log_before_problem;
alter index sync_log_invoice rename to sync_log_before_invoice;
alter index sync_log_occurred rename to sync_log_before_occurred;
alter index sync_log_operation rename to sync_log_before_operation;
alter index sync_log_code rename to sync_log_before_code;
drop policy console on sync_log_before;
alter table sync_log_before disable row level security;
-- Who may read the log reads it as a whole, where the policy is.
revoke select on sync_log_before from hearlink_console;

-- A partition can't have an identity of its own before Postgres 17; a sequence serves all of them.
create sequence sync_log_id_seq as bigint;
select setval('sync_log_id_seq', coalesce(max(id), 0) + 1, false) from sync_log_before;

create table sync_log (like sync_log_before including defaults including constraints) partition by range (occurred_at);
alter table sync_log alter column id set default nextval('sync_log_id_seq');
alter sequence sync_log_id_seq owned by sync_log.id;
-- The key of a partitioned table holds what it is partitioned by; the sequence alone makes the id unique.
alter table sync_log add primary key (id, occurred_at);

-- Rows for which nobody made a month in time land here, and move when it is made: see sync_log_add_month.
create table sync_log_default partition of sync_log default;

do $$
declare
    next_month timestamptz := date_trunc('month', now() + interval '1 month', 'UTC');
begin
    if exists (select from sync_log_before) then
        alter table sync_log_before alter column id set default nextval('sync_log_id_seq');
        execute format(
            'alter table sync_log attach partition sync_log_before for values from (minvalue) to (%L)', next_month
        );
    else
        drop table sync_log_before;
    end if;
end
$$;

-- The indexes that sync_log_before has already are taken over.
create index sync_log_newest on sync_log (organisation_id, id desc);
create index sync_log_order on sync_log (order_id, id desc);
create index sync_log_clinic on sync_log (organisation_id, clinic_id, id desc);
create index sync_log_failed on sync_log (organisation_id, id desc) where outcome = 'failed';
create index sync_log_problem on sync_log (problem_id, id desc) where problem_id is not null;
create index sync_log_invoice on sync_log (invoice_number, id desc) where invoice_number is not null;
create index sync_log_occurred on sync_log (organisation_id, occurred_at desc);
create index sync_log_operation on sync_log (organisation_id, operation, id desc);
create index sync_log_code on sync_log (organisation_id, problem, id desc) where problem is not null;

grant select on sync_log to hearlink_console;
alter table sync_log enable row level security;
create policy console on sync_log to hearlink_console using (organisation_id = console_organisation());

-- Every partition but the default, with the end of its time (excluded).
create view sync_log_partition as
select
    child.relname::text as partition,
    (regexp_match(pg_get_expr(child.relpartbound, child.oid), $re$TO \('([^']+)'\)$re$))[1]::timestamptz as ends_at
from pg_inherits
join pg_class child on child.oid = pg_inherits.inhrelid
where pg_inherits.inhparent = 'sync_log'::regclass
  and pg_get_expr(child.relpartbound, child.oid) <> 'DEFAULT';

-- Make the month of `moment` (UTC), unless it is there; return its partition's name, or null.
-- The table is filled and then attached: `create table … partition of` would lock the whole log.
create function sync_log_add_month(moment timestamptz) returns text language plpgsql as $$
declare
    month_start timestamptz := date_trunc('month', moment, 'UTC');
    month_end timestamptz := month_start + interval '1 month';
    name text := 'sync_log_' || to_char(month_start at time zone 'UTC', 'YYYY_MM');
begin
    -- One process at a time.
    perform pg_advisory_xact_lock(hashtext('sync_log_partition'));
    if exists (
        select from sync_log_partition p
        where p.ends_at = month_end or (p.partition = 'sync_log_before' and p.ends_at > month_start)
    ) then
        return null;
    end if;
    execute format('create table %I (like sync_log including all)', name);
    lock table sync_log_default in access exclusive mode;
    execute format(
        'with moved as (delete from sync_log_default where occurred_at >= %L and occurred_at < %L returning *)'
        ' insert into %I select * from moved', month_start, month_end, name
    );
    execute format(
        'alter table sync_log attach partition %I for values from (%L) to (%L)', name, month_start, month_end
    );
    return name;
end
$$;

-- Drop the partitions whose time was over at `moment`; return their names.
create function sync_log_drop_before(moment timestamptz) returns setof text language plpgsql as $$
declare
    name text;
begin
    for name in select partition from sync_log_partition where ends_at <= moment order by ends_at loop
        execute format('drop table %I', name);
        return next name;
    end loop;
end
$$;

select sync_log_add_month(now() + make_interval(months => ahead)) from generate_series(0, 3) ahead;
