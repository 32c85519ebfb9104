-- name: claim
-- Waits for a transaction that still writes under the former epoch, so that nobody starts too early.
insert into partition_offset as stored (topic, partition, next_offset, epoch, owner, topic_id)
select topic, partition, first_offset, 1, %(owner)s, topic_id
from unnest(%(topics)s::text[], %(partitions)s::integer[], %(first_offsets)s::bigint[], %(topic_ids)s::text[])
    as claimed (topic, partition, first_offset, topic_id)
order by topic, partition
on conflict (topic, partition) do update
set
    epoch = stored.epoch + 1,
    owner = excluded.owner,
    topic_id = coalesce(stored.topic_id, excluded.topic_id),
    -- Nothing is known of what comes before an offset that somebody wrote by hand, or of a new topic.
    last_for = case when stored.topic_id is not null then stored.last_for end,
    claimed_at = now()
returning
    stored.topic, stored.partition, stored.next_offset, stored.epoch, stored.topic_id,
    case when stored.last_for = stored.next_offset then stored.last_offset end,
    stored.last_leader_epoch

-- name: reposition
update partition_offset
set next_offset = %(next_offset)s, topic_id = %(topic_id)s, last_for = null
where topic = %(topic)s and partition = %(partition)s

-- name: swap
update partition_offset as stored
set next_offset = batch.next_offset,
    last_offset = batch.last_offset,
    last_leader_epoch = batch.last_leader_epoch,
    last_for = batch.next_offset,
    updated_at = now()
from unnest(
    %(topics)s::text[], %(partitions)s::integer[], %(epochs)s::bigint[], %(expected)s::bigint[],
    %(next_offsets)s::bigint[], %(last_offsets)s::bigint[], %(last_leader_epochs)s::integer[]
) as batch (topic, partition, epoch, expected, next_offset, last_offset, last_leader_epoch)
where stored.topic = batch.topic
  and stored.partition = batch.partition
  and stored.epoch = batch.epoch
  and stored.next_offset = batch.expected

-- name: stored
select topic, partition, epoch, next_offset
from partition_offset
where (topic, partition) in (select * from unnest(%(topics)s::text[], %(partitions)s::integer[]))

-- name: load
select
    order_id, organisation_id, clinic_id, sequence, missing::text, revision, event_id,
    (extract(epoch from occurred_at) * 1000000)::bigint, trace_parent, actor, state::text, seen
from orders
where order_id = any(%(order_ids)s)
order by order_id
for update

-- name: hurry
-- The poll thread, which has to answer its group, waits for this connection: no longer than this.
set statement_timeout = '2s'

-- name: peek
select
    order_id, organisation_id, clinic_id, sequence, missing::text, revision, event_id,
    (extract(epoch from occurred_at) * 1000000)::bigint, trace_parent, actor, state::text, seen
from orders
where order_id = any(%(order_ids)s)

-- name: upsert
insert into orders as stored (
    order_id, organisation_id, clinic_id, patient_id, invoice_id, invoice_number, issued_on, currency, total,
    sequence, missing, seen, revision, event_id, occurred_at, trace_parent, state,
    -- The revision that the fold began with: 0 for a new order, which is right for a row that is inserted, and
    -- what the update below compares.
    synced_revision,
    due_at, priority, trigger, requested_revision, actor, pending_since
)
select
    order_id, organisation_id, clinic_id,
    state -> 'patient' ->> 'patient_id',
    invoice ->> 'invoice_id',
    invoice ->> 'number',
    (invoice ->> 'issued_on')::date,
    invoice ->> 'currency',
    (invoice ->> 'total')::numeric,
    sequence, missing::int8multirange, seen, revision, event_id,
    timestamptz 'epoch' + occurred_at_us * interval '1 microsecond',
    trace_parent, state,
    base_revision,
    now(),
    case when requested_revision is null then 1 else 0 end,
    case when requested_revision is null then 'auto' else 'manual' end,
    requested_revision,
    actor,
    timestamptz 'epoch' + first_change_at_us * interval '1 microsecond'
from (
    -- Arrays in binary form: the same rows as JSON cost Postgres twice the time. "offset 0" lets it read each document
    -- once, not once for each column that comes from it.
    select *, state_text::jsonb as state
    from unnest(
        %(order_ids)b::text[], %(organisation_ids)b::text[], %(clinic_ids)b::text[], %(sequences)b::bigint[],
        %(missing)b::text[], %(seen)b::bytea[], %(revisions)b::bigint[], %(base_revisions)b::bigint[], %(event_ids)b::text[],
        %(occurred_at_us)b::bigint[], %(trace_parents)b::text[], %(requested_revisions)b::bigint[],
        %(actors)b::text[], %(first_change_at_us)b::bigint[], %(states)b::text[]
    ) as folded (
        order_id, organisation_id, clinic_id, sequence, missing, seen, revision, base_revision, event_id, occurred_at_us,
        trace_parent, requested_revision, actor, first_change_at_us, state_text
    )
    offset 0
) folded
cross join lateral (select state -> 'invoice' -> 'value' as invoice offset 0) part
on conflict (order_id) do update
set
    organisation_id = excluded.organisation_id,
    clinic_id = excluded.clinic_id,
    patient_id = excluded.patient_id,
    invoice_id = excluded.invoice_id,
    invoice_number = excluded.invoice_number,
    issued_on = excluded.issued_on,
    currency = excluded.currency,
    total = excluded.total,
    sequence = excluded.sequence,
    missing = excluded.missing,
    seen = excluded.seen,
    revision = excluded.revision,
    event_id = excluded.event_id,
    occurred_at = excluded.occurred_at,
    trace_parent = excluded.trace_parent,
    state = excluded.state,
    projected_at = now(),
    -- An order in doubt is looked up in Xero first, whatever changes meanwhile; the look-up sets it free. Looked at no
    -- more closely than where an order is held so: nothing in doubt may be left for it, once its patient is another.
    due_at = case
        when stored.hold = 'in_doubt' and exists (
            select from unsettled u
            where u.order_id = excluded.order_id
               or (u.kind = 'contact' and u.local_id = excluded.patient_id and u.tenant_id = (
                   select s.tenant_id from clinic_settings s
                   where s.organisation_id = excluded.organisation_id and s.clinic_id = excluded.clinic_id
               ))
        ) then stored.due_at
        -- A person waits for it.
        when excluded.requested_revision is not null or stored.requested_revision is not null then now()
        -- It has its place in the queue already, and the row can stay where it is in the index.
        when stored.due_at <= now() and stored.hold is null and stored.attempts = 0 then stored.due_at
        -- An order that is edited again and again waits for its edits to gather: the people at the desk don't
        -- notice, the day's budget of calls does. Never for long, even where the clock was set back.
        else least(greatest(now(), stored.calm_at - interval '6 seconds'), now() + interval '6 seconds')
    end,
    hold = case
        when stored.hold = 'in_doubt' and exists (
            select from unsettled u
            where u.order_id = excluded.order_id
               or (u.kind = 'contact' and u.local_id = excluded.patient_id and u.tenant_id = (
                   select s.tenant_id from clinic_settings s
                   where s.organisation_id = excluded.organisation_id and s.clinic_id = excluded.clinic_id
               ))
        ) then stored.hold
    end,
    attempts = 0,
    unended_claims = 0,
    -- A request that is unanswered stays a person's, also where Xero has followed all there was when it was made.
    priority = excluded.priority * (stored.requested_revision is null)::integer,
    trigger = case when stored.requested_revision is not null then 'manual' else excluded.trigger end,
    requested_revision = coalesce(excluded.requested_revision, stored.requested_revision),
    actor = case
        when excluded.requested_revision is null and stored.requested_revision is not null then stored.actor
        else excluded.actor
    end,
    pending_since = case
        when stored.revision > stored.synced_revision then coalesce(stored.pending_since, excluded.pending_since)
        else excluded.pending_since
    end
where stored.revision = excluded.synced_revision

-- name: register_clinics
insert into clinic (organisation_id, clinic_id)
select organisation_id, clinic_id
from unnest(%(organisation_ids)s::text[], %(clinic_ids)s::text[]) as seen (organisation_id, clinic_id)
order by organisation_id, clinic_id
on conflict do nothing

-- name: dead_letters
insert into dead_letter (
    topic, partition, "offset", message_timestamp, key, value, headers, organisation_id, order_id, reason, detail, dead_at
)
select topic, partition, "offset", message_timestamp, key, value, headers::jsonb, organisation_id, order_id, reason, detail, dead_at
from unnest(
    %(topics)b::text[], %(partitions)b::integer[], %(offsets)b::bigint[], %(timestamps)b::timestamptz[],
    %(keys)b::bytea[], %(values)b::bytea[], %(headers)b::text[], %(organisation_ids)b::text[], %(order_ids)b::text[],
    %(reasons)b::text[], %(details)b::text[], %(dead_ats)b::timestamptz[]
) as letter (
    topic, partition, "offset", message_timestamp, key, value, headers, organisation_id, order_id, reason, detail, dead_at
)
on conflict (topic, partition, "offset") do nothing

-- name: wake_sync
select pg_notify('hearlink_due', '')
