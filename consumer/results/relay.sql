-- name: end_silent_session
select set_config('idle_session_timeout', %(milliseconds)s::text, false)

-- name: take_turn
select pg_try_advisory_lock(%(lock)s)

-- name: listen
listen hearlink_outbox

-- name: sign_of_life
select 1

-- name: next_rows
select id, topic, key, value, headers
from (
    select *, sum(octet_length(value)) over (order by id) as bytes, row_number() over (order by id) as position
    from (
        select id, topic, key, value, headers
        from outbox
        where set_aside_at is null
          and topic <> all(%(resting)s::text[])
        order by id
        limit %(rows)s
    ) waiting
) batch
where coalesce(bytes, 0) <= %(bytes)s or position = 1
order by id

-- name: delete
delete from outbox where id = any(%(ids)s)

-- name: set_aside
update outbox set set_aside_at = now(), set_aside_reason = %(reason)s where id = %(id)s
