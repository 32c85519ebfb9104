-- name: record
insert into audit (organisation_id, actor, action, detail)
values (%(organisation_id)s, %(actor)s, %(action)s, %(detail)s::jsonb)
