-- name: state
select connection.state, connection.disconnected_reason as reason
from organisation
left join xero_connection as connection using (organisation_id)
where organisation_id = %(organisation_id)s;

-- name: tenants
select tenant_id, name, connected, tenant_type, accounts, tax_rates
from xero_tenant
where organisation_id = %(organisation_id)s
order by name, tenant_id;

-- name: refusals
-- What the connection may not do although it lives.
select code, tenant_id, scope, xero_message
from xero_access
where organisation_id = %(organisation_id)s and code <> 'xero_disconnected'
order by tenant_id, scope;
