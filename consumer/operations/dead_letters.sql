-- name: list
select
    id, topic, partition, "offset", message_timestamp, organisation_id, order_id, reason, detail, state, state_reason,
    state_actor, state_at, dead_at, octet_length(value) as size_bytes
from dead_letter
where (%(state)s::text is null or state = %(state)s::text)
  and (%(reason)s::text is null or reason = %(reason)s::text)
  and (%(order_id)s::text is null or order_id = %(order_id)s::text)
order by id desc
limit %(limit)s

-- name: show
select
    id, topic, partition, "offset", message_timestamp, organisation_id, order_id, reason, detail, state, state_reason,
    state_actor, state_at, dead_at, octet_length(value) as size_bytes, key, value, headers
from dead_letter
where id = %(id)s

-- name: between
select id
from dead_letter
where topic = %(topic)s
  and partition = %(partition)s
  and "offset" between %(first_offset)s and %(last_offset)s
  and state = 'open'
order by id

-- name: take
select id, topic, partition, key, value, headers
from dead_letter
where id = any(%(ids)s::int8[]) and (state = 'open' or (%(again)s and state = 'replayed'))
    and reason <> 'conflict'
order by id
for update

-- name: settle
update dead_letter
set state = %(state)s, state_reason = %(reason)s, state_actor = %(actor)s, state_at = now()
where id = any(%(ids)s::int8[]) and (state = 'open' or (%(again)s and state = 'replayed'))
    and reason <> 'conflict'
returning id

-- name: audit
-- A row an organisation, with its own letters. Of a message that could not be read the key may still tell whose it is.
insert into audit (organisation_id, actor, action, detail)
select
    coalesce(l.organisation_id, o.organisation_id),
    %(actor)s::text,
    %(action)s::text,
    jsonb_build_object('ids', jsonb_agg(l.id order by l.id), 'reason', %(reason)s::text)
from dead_letter l
left join orders o on o.order_id = l.order_id
where l.id = any(%(ids)s::int8[])
group by 1
order by 1
