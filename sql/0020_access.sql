-- What Xero refuses us although the connection lives: a right that nobody granted, a role that is too low, credentials
-- of the app that it does not know. One row for each tenant and scope that is refused; none = nothing is.
create table xero_refusal (
    organisation_id text not null references xero_connection on delete cascade,
    -- '' = whichever tenant.
    tenant_id text not null default '',
    -- OAuth's name of what was refused (accounting.payments, accounting.payments.read); '' = everything.
    scope text not null default '',
    -- Of the problem catalogue: scope_missing, permission_missing, access_refused, app_refused.
    code text not null,
    -- Xero's own words, null where it had none.
    xero_message text,
    since timestamptz not null default clock_timestamp(),
    refusals integer not null default 1,
    -- When it is worth one call again; null = not before somebody connects.
    retry_at timestamptz,
    -- Since then it is refused no more: the row goes once the orders that it held were woken.
    lifted_at timestamptz,
    primary key (organisation_id, tenant_id, scope)
);

-- Where Xero does not let us in, all of it in one place: whoever shows or judges access reads this and nothing else.
create view xero_access with (security_invoker = true) as
select
    organisation_id, '' as tenant_id, '' as scope, 'xero_disconnected' as code, disconnected_reason as reason,
    null::text as xero_message, disconnected_at as since, null::timestamptz as retry_at
from xero_connection
where state = 'disconnected'
union all
select
    organisation_id, tenant_id, '', 'xero_disconnected', 'the tenant was taken out of the connection',
    null, updated_at, null
from xero_tenant
where not connected
union all
select organisation_id, tenant_id, scope, code, null, xero_message, since, retry_at
from xero_refusal
where lifted_at is null;

alter table xero_refusal enable row level security;
create policy console on xero_refusal to hearlink_console using (organisation_id = console_organisation());
grant select on xero_refusal, xero_access to hearlink_console;
