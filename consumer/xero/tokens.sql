-- name: read
select
    connection.state,
    connection.access_token,
    -- A token that lives for a minute only is not refreshed before each call.
    connection.access_expires_at > clock_timestamp() + least(
        make_interval(secs => %(margin_seconds)s), (connection.access_expires_at - connection.refreshed_at) / 4
    ) as fresh,
    connection.disconnected_reason,
    connection.generation,
    connection.connected_at,
    -- Whether it is worth asking what exactly.
    exists (
        select from xero_refusal r
        where r.organisation_id = connection.organisation_id and r.lifted_at is null
          and r.tenant_id in ('', %(tenant_id)s)
    ) as has_refusals,
    -- Null = never listed: Xero decides. False = taken out of the connection.
    tenant.connected as tenant_connected
from xero_connection as connection
left join xero_tenant as tenant
    on tenant.organisation_id = connection.organisation_id and tenant.tenant_id = %(tenant_id)s
where connection.organisation_id = %(organisation_id)s;

-- name: lock
select
    state,
    access_token,
    refresh_token,
    access_expires_at > clock_timestamp() + least(
        make_interval(secs => %(margin_seconds)s), (access_expires_at - refreshed_at) / 4
    ) as fresh,
    disconnected_reason,
    generation,
    connected_at,
    exists (
        select from xero_refusal r
        where r.organisation_id = xero_connection.organisation_id and r.lifted_at is null
    ) as has_refusals
from xero_connection
where organisation_id = %(organisation_id)s
for update;

-- name: save
update xero_connection
set access_token = %(access_token)s,
    refresh_token = %(refresh_token)s,
    access_expires_at = clock_timestamp() + make_interval(secs => %(expires_seconds)s),
    refreshed_at = clock_timestamp(),
    generation = generation + 1
where organisation_id = %(organisation_id)s
returning generation;

-- name: disconnect
-- Once: who comes later finds the state changed, or the generation passed on.
update xero_connection
set state = 'disconnected',
    disconnected_at = clock_timestamp(),
    disconnected_reason = %(reason)s,
    generation = generation + 1
where organisation_id = %(organisation_id)s and state = 'connected' and generation = %(generation)s;

-- name: take_tenant_out
update xero_tenant
set connected = false, updated_at = clock_timestamp()
where organisation_id = %(organisation_id)s and tenant_id = %(tenant_id)s and connected;

-- name: all_tokens
select organisation_id, access_token, refresh_token
from xero_connection
where access_token is not null or refresh_token is not null
order by organisation_id
for update;

-- name: re_encrypt
update xero_connection
set access_token = %(access_token)s, refresh_token = %(refresh_token)s
where organisation_id = %(organisation_id)s;
