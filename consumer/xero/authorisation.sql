-- name: tenants_in_use
-- By the settings, or by what was already pushed.
select tenant_id from organisation where organisation_id = %(organisation_id)s and tenant_id is not null
union
select tenant_id from clinic_override where organisation_id = %(organisation_id)s and tenant_id is not null
union
select tenant_id from xero_link where organisation_id = %(organisation_id)s;

-- name: store_connection
insert into xero_connection as connection (
    organisation_id, state, access_token, refresh_token, access_expires_at, refreshed_at, scopes, connected_at,
    connected_by
)
values (
    %(organisation_id)s, 'connected', %(access_token)s, %(refresh_token)s,
    clock_timestamp() + make_interval(secs => %(expires_seconds)s), clock_timestamp(), %(scopes)s,
    clock_timestamp(), %(actor)s
)
on conflict (organisation_id) do update
set state = excluded.state,
    access_token = excluded.access_token,
    refresh_token = excluded.refresh_token,
    access_expires_at = excluded.access_expires_at,
    refreshed_at = excluded.refreshed_at,
    scopes = excluded.scopes,
    connected_at = excluded.connected_at,
    connected_by = excluded.connected_by,
    disconnected_at = null,
    disconnected_reason = null,
    generation = connection.generation + 1;

-- name: take_out_others
update xero_tenant
set connected = false, updated_at = clock_timestamp()
where organisation_id = %(organisation_id)s and connected and tenant_id <> all(%(tenant_ids)s);

-- name: store_tenant
insert into xero_tenant as tenant (organisation_id, tenant_id, connection_id, name, tenant_type)
values (%(organisation_id)s, %(tenant_id)s, %(connection_id)s, %(name)s, %(tenant_type)s)
on conflict (organisation_id, tenant_id) do update
set connection_id = excluded.connection_id,
    name = excluded.name,
    tenant_type = excluded.tenant_type,
    connected = true,
    updated_at = clock_timestamp();

-- name: audit
insert into audit (organisation_id, actor, action, detail)
values (%(organisation_id)s, %(actor)s, 'connect', %(detail)s::jsonb);
