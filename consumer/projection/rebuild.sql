-- name: lock
-- Two at once would build in each other's tables. Freed with the connection, also where the process dies.
select pg_try_advisory_lock(hashtext('rebuild'), 0)

-- name: prepare
drop schema if exists rebuild cascade;
create schema rebuild;
create table rebuild.orders (like public.orders including defaults including constraints including indexes);
-- A state without the fold's own notes, which rows that former versions wrote don't have. Damaged ones pass as well.
create function rebuild.bare(part jsonb) returns jsonb language sql immutable as $$
    select case jsonb_typeof(part) when 'object' then part - '{saved,deletions}'::text[] else part end
$$;
create function rebuild.bare_entries(entries jsonb) returns jsonb language sql immutable as $$
    select coalesce(jsonb_object_agg(e.key, rebuild.bare(e.value)), entries)
    from jsonb_each(case jsonb_typeof(entries) when 'object' then entries end) e
$$;
create function rebuild.content(state jsonb) returns jsonb language sql immutable as $$
    select state || jsonb_build_object(
        'invoice', rebuild.bare(state -> 'invoice'),
        'payments', rebuild.bare_entries(state -> 'payments'),
        'credit_notes', rebuild.bare_entries(state -> 'credit_notes')
    )
$$;
-- Whether the topic no longer has events that the living order knows: what they said can't be built again.
create function rebuild.tells_less(rebuilt rebuild.orders, living public.orders) returns boolean
language sql immutable as $$
    select rebuilt.sequence < living.sequence or not rebuilt.missing <@ living.missing
$$;
-- The projection's own statements then read and write the table beside the living one.
set search_path = rebuild, public;
set statement_timeout = 0;
set idle_in_transaction_session_timeout = 0

-- name: discard
drop schema if exists rebuild cascade

-- name: unlock
select pg_advisory_unlock(hashtext('rebuild'), 0)

-- name: hold
-- Were the schema gone, the statements that follow would write the living table.
lock table rebuild.orders in row exclusive mode

-- name: overruled
select order_id, sequence, event_id from public.overruled_event

-- name: offsets
select partition, next_offset from public.partition_offset where topic = %(topic)s

-- name: differences
with difference as (
    select
        coalesce(living.order_id, rebuilt.order_id) as order_id,
        case
            when living.order_id is null then 'missing'
            when rebuilt.order_id is null then 'extra'
            when tells_less(rebuilt, living) then 'incomplete'
            when content(living.state) is distinct from content(rebuilt.state) or living.clinic_id <> rebuilt.clinic_id
                then 'state'
            else 'sequence'
        end as kind,
        living.sequence as living_sequence,
        rebuilt.sequence as rebuilt_sequence
    from public.orders living
    full join rebuild.orders rebuilt using (order_id)
    where (
        living.order_id is null
        or rebuilt.order_id is null
        or living.state is distinct from rebuilt.state
        or living.clinic_id <> rebuilt.clinic_id
        or living.sequence <> rebuilt.sequence
        or living.missing <> rebuilt.missing
    )
    and (%(order_ids)s::text[] is null or coalesce(living.order_id, rebuilt.order_id) = any(%(order_ids)s::text[]))
)
select order_id, kind, living_sequence, rebuilt_sequence from difference order by order_id

-- name: count
select count(*) from rebuild.orders

-- name: insert_missing
insert into public.orders
select rebuilt.*
from rebuild.orders rebuilt
where not exists (select from public.orders living where living.order_id = rebuilt.order_id)
order by rebuilt.order_id

-- name: register_clinics
insert into public.clinic (organisation_id, clinic_id)
select distinct organisation_id, clinic_id from rebuild.orders
on conflict do nothing

-- name: replace
-- What the projection writes comes from the rebuilt row, where the topic tells all of the order. The sync's columns stay; an order whose state differs gets a
-- revision more than it had, and is due by that.
with changed as (
    select
        rebuilt.*,
        content(living.state) is distinct from content(rebuilt.state) or living.clinic_id <> rebuilt.clinic_id as is_other
    from public.orders living
    join rebuild.orders rebuilt using (order_id)
    where not tells_less(rebuilt, living)
      and (
          living.state is distinct from rebuilt.state
          or living.clinic_id <> rebuilt.clinic_id
          or living.sequence <> rebuilt.sequence
          or living.missing <> rebuilt.missing
      )
    order by order_id
)
update public.orders o
set organisation_id = c.organisation_id,
    clinic_id = c.clinic_id,
    patient_id = c.patient_id,
    invoice_id = c.invoice_id,
    invoice_number = c.invoice_number,
    issued_on = c.issued_on,
    currency = c.currency,
    total = c.total,
    sequence = c.sequence,
    missing = c.missing,
    seen = c.seen,
    event_id = c.event_id,
    occurred_at = c.occurred_at,
    trace_parent = c.trace_parent,
    state = c.state,
    projected_at = now(),
    revision = o.revision + c.is_other::integer,
    -- An order in doubt is looked up in Xero first; the look-up sets it free.
    due_at = case when c.is_other and o.hold is distinct from 'in_doubt' then now() else o.due_at end,
    hold = case when c.is_other and o.hold is distinct from 'in_doubt' then null else o.hold end,
    pending_since = case when c.is_other then coalesce(o.pending_since, now()) else o.pending_since end
from changed c
where o.order_id = c.order_id
returning c.is_other

-- name: replace_seen
-- Of rows that a former version wrote, or whose events were chosen anew. What was seen makes no order another one.
update public.orders o
set seen = rebuilt.seen
from rebuild.orders rebuilt
where rebuilt.order_id = o.order_id
  and rebuilt.seen <> o.seen
  and rebuilt.sequence = o.sequence

-- name: wake_sync
select pg_notify('hearlink_due', '')
