-- name: load
-- Links of the orders in every tenant (to see those elsewhere), and the patients' contacts in this one.
select tenant_id, kind, order_id, local_id, organisation_id, xero_id, status, content_hash, detail::text
from xero_link
where order_id = any(%(order_ids)s::text[])
union all
select tenant_id, kind, order_id, local_id, organisation_id, xero_id, status, content_hash, detail::text
from xero_link
where tenant_id = %(tenant_id)s and kind = 'contact' and order_id = '' and local_id = any(%(patient_ids)s::text[])

-- name: save
insert into xero_link (tenant_id, kind, order_id, local_id, organisation_id, xero_id, status, content_hash, detail)
select * from unnest(
    %(tenant_ids)s::text[], %(kinds)s::text[], %(order_ids)s::text[], %(local_ids)s::text[],
    %(organisation_ids)s::text[], %(xero_ids)s::text[], %(statuses)s::text[], %(hashes)s::text[],
    %(details)s::jsonb[]
)
on conflict (tenant_id, kind, order_id, local_id) do update
set xero_id = excluded.xero_id,
    status = excluded.status,
    content_hash = excluded.content_hash,
    detail = excluded.detail,
    updated_at = now()

-- name: order_of
select order_id from xero_link where tenant_id = %(tenant_id)s and xero_id = %(xero_id)s and order_id <> '' limit 1

-- name: known_as
select local_id, status from xero_link where tenant_id = %(tenant_id)s and xero_id = %(xero_id)s and order_id <> ''
