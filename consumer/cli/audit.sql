-- name: record
insert into audit (organisation_id, actor, action, detail)
values (%(organisation_id)s, %(actor)s, %(action)s, %(detail)s::jsonb)

-- name: organisations
select order_id, organisation_id from orders where order_id = any(%(order_ids)s::text[])
