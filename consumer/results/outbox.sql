-- name: post
with posted as (
    insert into outbox (topic, key, value, headers)
    select topic, key, value, headers::jsonb
    from unnest(%(topics)b::text[], %(keys)b::bytea[], %(values)b::bytea[], %(headers)b::text[])
        with ordinality as message (topic, key, value, headers, position)
    order by position
)
select pg_notify('hearlink_outbox', '')

-- name: count_unpublished
select count(*) from outbox where set_aside_at is null

-- name: count_set_aside
select count(*) from outbox where set_aside_at is not null
