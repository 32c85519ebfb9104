-- name: organisations
with connections as (
    insert into xero_connection (organisation_id, state)
    select 'org-' || n, 'connected' from generate_series(1, %(tenants)s) n
    returning organisation_id
),
tenants as (
    insert into xero_tenant (organisation_id, tenant_id, connection_id, name, tenant_type)
    select organisation_id, 'tenant-of-' || organisation_id, 'c', 'Tenant of ' || organisation_id, 'ORGANISATION'
    from connections
    returning organisation_id, tenant_id
),
made as (
    insert into organisation (organisation_id, tenant_id) select organisation_id, tenant_id from tenants
    returning organisation_id
)
insert into clinic (organisation_id, clinic_id)
select organisation_id, 'clinic-' || n || '-of-' || organisation_id from made, generate_series(1, 3) n

-- name: orders
-- Nine of ten are in step; the others wait for a person, a limit or a retry.
insert into orders (
    order_id, organisation_id, clinic_id, patient_id, sequence, revision, synced_revision, event_id, occurred_at, state,
    hold, due_at, pending_since, tenant_id
)
select
    'order-' || c.clinic_id || '-' || n, c.organisation_id, c.clinic_id, 'patient', 1, 1,
    case when n %% 10 = 0 then 0 else 1 end, 'event', now(), '{}',
    case when n %% 10 = 0 then (array['problem', 'limit', 'retry'])[1 + n / 10 %% 3] end,
    case when n %% 10 = 0 and n / 10 %% 3 > 0 then now() + interval '1 hour' end,
    case when n %% 10 = 0 then now() end,
    'tenant-of-' || c.organisation_id
from clinic c, generate_series(1, %(orders)s / 3) n
where %(tenants)s > 0

-- name: calls
-- A tenant's busy day.
insert into xero_call (tenant_id, granted_at, ended_at)
select t.tenant_id, now() - n * interval '4 minutes', now() - n * interval '4 minutes' + interval '1 second'
from xero_tenant t, generate_series(1, 300) n
where %(tenants)s > 0 and %(orders)s > 0
