-- name: connection
select state from xero_connection where organisation_id = %(organisation_id)s

-- name: chosen
-- What the settings name.
select tenant_id from organisation where organisation_id = %(organisation_id)s and tenant_id is not null
union
select tenant_id from clinic_override where organisation_id = %(organisation_id)s and tenant_id is not null

-- name: connected
select tenant_id
from xero_tenant
where organisation_id = %(organisation_id)s
  and connected
  and lower(tenant_id) = any(%(tenant_ids)s::text[])
order by tenant_id

-- name: stand_in
-- A clinic that overrides nothing: what the defaults come to, also before the first order of any clinic.
insert into clinic (organisation_id, clinic_id) values (%(organisation_id)s, %(clinic_id)s) on conflict do nothing
