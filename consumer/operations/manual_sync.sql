-- name: state
select
    o.order_id, o.organisation_id, o.clinic_id, o.revision, o.hold, o.due_at,
    o.requested_revision is not null as requested,
    (select coalesce(max(l.id), 0) from sync_log l where l.order_id = o.order_id) as newest_log_id
from orders o
where o.order_id = %(order_id)s

-- name: next_offset
select next_offset from partition_offset where topic = %(topic)s and partition = %(partition)s
