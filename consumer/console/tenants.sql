-- name: tenants
select
    tenant_id, name, tenant_type, connected, base_currency, country_code, short_code, accounts, tax_rates, described_at
from xero_tenant
where organisation_id = %(organisation_id)s
order by name, tenant_id

-- name: connection
select state, connected_at, connected_by, disconnected_at, disconnected_reason as reason
from xero_connection
where organisation_id = %(organisation_id)s
