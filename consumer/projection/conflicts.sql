-- name: decided
-- Which of them somebody decided upon, and which wait for that already.
select c.order_id, c.sequence, c.event_id
from unnest(%(order_ids)s::text[], %(sequences)s::bigint[], %(event_ids)s::text[]) as c (order_id, sequence, event_id)
where exists (
    select from overruled_event o
    where o.order_id = c.order_id and o.sequence = c.sequence and o.event_id = c.event_id
) or exists (
    select from dead_letter d
    where d.order_id = c.order_id and d.sequence = c.sequence and d.event_id = c.event_id
      and d.state = 'open' and d.reason = 'conflict'
)

-- name: identify
update dead_letter d
set sequence = c.sequence, event_id = c.event_id
from unnest(
    %(topics)s::text[], %(partitions)s::integer[], %(offsets)s::bigint[], %(sequences)s::bigint[], %(event_ids)s::text[]
) as c (topic, partition, "offset", sequence, event_id)
where d.topic = c.topic and d.partition = c.partition and d."offset" = c."offset"

-- name: hold
-- The sync looks at them once more, holds them and says why. One in doubt is looked up in Xero before that.
update orders o
set due_at = now(), hold = null
from (
    select order_id from orders
    where order_id = any(%(order_ids)s) and hold is distinct from 'in_doubt'
    order by order_id
    for update
) c
where o.order_id = c.order_id
