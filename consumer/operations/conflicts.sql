-- name: open
-- Who changes their mind about an event that was kept out may still take it.
select id, order_id, sequence, event_id, state
from dead_letter
where (id = any(%(ids)s::int8[]) or %(every)s)
  and reason = 'conflict'
  and (state = 'open' or (state = 'kept' and %(also_kept)s and id = any(%(ids)s::int8[])))
order by id

-- name: settle
update dead_letter
set state = %(state)s, state_reason = %(reason)s, state_actor = %(actor)s, state_at = now()
where id = any(%(ids)s::int8[]) and reason = 'conflict' and state in ('open', 'kept')
returning id

-- name: overrule
insert into overruled_event (order_id, sequence, event_id, actor)
select order_id, sequence, event_id, %(actor)s
from unnest(%(order_ids)s::text[], %(sequences)s::int8[], %(event_ids)s::text[]) as e (order_id, sequence, event_id)
order by order_id, sequence, event_id
on conflict do nothing

-- name: reinstate
delete from overruled_event o
using unnest(%(order_ids)s::text[], %(sequences)s::int8[], %(event_ids)s::text[]) as e (order_id, sequence, event_id)
where o.order_id = e.order_id and o.sequence = e.sequence and o.event_id = e.event_id

-- name: release
-- The sync looks at the orders again, which another conflict may hold still. One in doubt is looked up in Xero first.
-- Named in full, since a rebuild has a table of that name besides.
update public.orders o
set revision = o.revision + 1,
    due_at = case when o.hold = 'in_doubt' then o.due_at else now() end,
    hold = case when o.hold = 'in_doubt' then o.hold end,
    pending_since = coalesce(o.pending_since, now())
from (select order_id from public.orders where order_id = any(%(order_ids)s::text[]) order by order_id for update) r
where o.order_id = r.order_id

-- name: audit
-- A row an order, so that its timeline has it.
insert into audit (organisation_id, actor, action, detail)
select
    l.organisation_id,
    %(actor)s::text,
    %(action)s::text,
    jsonb_strip_nulls(jsonb_build_object(
        'ids', jsonb_agg(l.id order by l.id),
        'order_id', l.order_id,
        'sequences', jsonb_agg(l.sequence order by l.id),
        'reason', %(reason)s::text
    ))
from dead_letter l
where l.id = any(%(ids)s::int8[])
group by l.organisation_id, l.order_id
order by l.order_id

-- name: wake_sync
select pg_notify('hearlink_due', '')
