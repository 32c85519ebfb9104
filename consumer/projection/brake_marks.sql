-- name: load
-- Also what a transaction that is under way has moved past: whoever asks says from where on.
select m.is_release, m.topic, m.partition, m.first_offset, m.last_offset
from (
    select false as is_release, topic, topic_id, partition, first_offset, last_offset from brake_stop
    union all
    select true, topic, topic_id, partition, first_offset, last_offset from brake_release
) m
join unnest(%(topics)s::text[], %(partitions)s::integer[], %(first_offsets)s::bigint[])
    as asked (topic, partition, first_offset)
    on asked.topic = m.topic and asked.partition = m.partition and asked.first_offset <= m.last_offset
join partition_offset p on p.topic = m.topic and p.partition = m.partition
where m.topic_id is null or m.topic_id is not distinct from p.topic_id
order by m.topic, m.partition, m.first_offset

-- name: note_stop
-- Only by who still owns the partition; a stop that is known already stays as it is.
insert into brake_stop (topic, topic_id, partition, first_offset, last_offset, detail)
select p.topic, p.topic_id, p.partition, stop.first_offset, stop.last_offset, %(detail)s
from unnest(
    %(topics)s::text[], %(partitions)s::integer[], %(epochs)s::bigint[], %(first_offsets)s::bigint[],
    %(last_offsets)s::bigint[]
) as stop (topic, partition, epoch, first_offset, last_offset)
join partition_offset p on p.topic = stop.topic and p.partition = stop.partition and p.epoch = stop.epoch
on conflict (topic, partition, first_offset, last_offset) do update
set topic_id = excluded.topic_id, detail = excluded.detail, stopped_at = excluded.stopped_at
where brake_stop.topic_id is distinct from excluded.topic_id

-- name: standing
-- Where the projection still stands before bad messages that nobody let through.
select s.topic, s.partition, s.first_offset, s.last_offset, s.stopped_at, s.detail
from brake_stop s
join partition_offset p on p.topic = s.topic and p.partition = s.partition
where s.topic = %(topic)s
  and s.last_offset >= p.next_offset
  and (s.topic_id is null or s.topic_id is not distinct from p.topic_id)
  and not exists (
      select from brake_release r
      where r.topic = s.topic
        and r.partition = s.partition
        and (r.topic_id is null or r.topic_id is not distinct from p.topic_id)
        and r.first_offset <= greatest(s.first_offset, p.next_offset)
        and r.last_offset >= s.last_offset
  )
order by s.topic, s.partition, s.first_offset

-- name: release
-- Nothing where the projection has passed the range meanwhile, or the topic is another one than was looked at.
insert into brake_release (topic, topic_id, partition, first_offset, last_offset, reason, actor)
select topic, topic_id, partition, %(first_offset)s, %(last_offset)s, %(reason)s, %(actor)s
from partition_offset
where topic = %(topic)s
  and partition = %(partition)s
  and next_offset <= %(last_offset)s
  and topic_id is not distinct from %(topic_id)s
returning id

-- name: position
select next_offset, topic_id, owner from partition_offset where topic = %(topic)s and partition = %(partition)s
