-- name: audit
insert into audit (organisation_id, actor, action, detail)
values (
    null,
    %(actor)s,
    'dead_letters_skip',
    jsonb_build_object(
        'topic', %(topic)s::text, 'partition', %(partition)s::integer, 'first_offset', %(first_offset)s::bigint,
        'last_offset', %(last_offset)s::bigint, 'bad', %(bad)s::integer, 'reason', %(reason)s::text
    )
)
