-- The console: a role that sees one organisation's rows and nothing else, and indexes for its pages.

-- The console's connections change to this role for each request, inside a transaction that names the organisation:
--   set local role hearlink_console; select set_config('hearlink.organisation', 'org-1', true)
-- The service owns the tables and is not concerned.
do $$
begin
    if not exists (select from pg_roles where rolname = 'hearlink_console') then
        create role hearlink_console nologin;
    end if;
exception
    when duplicate_object or unique_violation then
        null; -- another database of the same server was quicker
    when insufficient_privilege then
        raise exception 'The role hearlink_console is missing, and % may not create it', current_user
            using hint = 'As an administrator: create role hearlink_console nologin; grant hearlink_console to '
                || quote_ident(current_user);
end
$$;
do $$
begin
    if not pg_has_role(current_user, 'hearlink_console', 'member') then
        execute format('grant hearlink_console to %I', current_user);
    end if;
    execute format('grant usage on schema %I to hearlink_console', current_schema());
end
$$;

-- What the role may do at all. Tokens are none of its business: connecting is done as the service.
grant select on clinic, sync_log, problem, xero_tenant, xero_link, xero_intent, xero_intent_element to hearlink_console;
grant select, insert, update on organisation to hearlink_console;
grant select, insert, update, delete on clinic_override to hearlink_console;
grant select, insert on audit to hearlink_console;
grant select, update (due_at, hold, trigger) on orders to hearlink_console;
grant select (
    organisation_id, state, access_expires_at, refreshed_at, scopes, connected_at, connected_by, disconnected_at,
    disconnected_reason, generation
) on xero_connection to hearlink_console;
grant insert on outbox to hearlink_console;
-- Not the messages themselves, which hold patients' data.
grant select (
    id, topic, partition, "offset", organisation_id, order_id, reason, detail, state, state_reason, state_actor,
    state_at, dead_at
) on dead_letter to hearlink_console;

-- A view shows what its owner may see, unless it is told otherwise.
alter view clinic_settings set (security_invoker = true);
grant select on clinic_settings to hearlink_console;

-- Of which rows. Without the setting, of none.
create function console_organisation() returns text language sql stable parallel safe
    return current_setting('hearlink.organisation', true);

alter table clinic enable row level security;
alter table organisation enable row level security;
alter table clinic_override enable row level security;
alter table orders enable row level security;
alter table sync_log enable row level security;
alter table problem enable row level security;
alter table audit enable row level security;
alter table xero_connection enable row level security;
alter table xero_tenant enable row level security;
alter table xero_link enable row level security;
alter table xero_intent enable row level security;
alter table xero_intent_element enable row level security;
alter table outbox enable row level security;
alter table dead_letter enable row level security;

create policy console on clinic to hearlink_console using (organisation_id = console_organisation());
create policy console on organisation to hearlink_console using (organisation_id = console_organisation());
create policy console on clinic_override to hearlink_console using (organisation_id = console_organisation());
create policy console on orders to hearlink_console using (organisation_id = console_organisation());
create policy console on sync_log to hearlink_console using (organisation_id = console_organisation());
create policy console on problem to hearlink_console using (organisation_id = console_organisation());
create policy console on audit to hearlink_console using (organisation_id = console_organisation());
create policy console on xero_connection to hearlink_console using (organisation_id = console_organisation());
create policy console on xero_tenant to hearlink_console using (organisation_id = console_organisation());
create policy console on xero_link to hearlink_console using (organisation_id = console_organisation());
create policy console on xero_intent to hearlink_console using (organisation_id = console_organisation());
create policy console on xero_intent_element to hearlink_console
    using (exists (select from xero_intent where xero_intent.id = intent_id));
create policy console on dead_letter to hearlink_console using (organisation_id = console_organisation());
-- Messages leave, and are never read back: which orders they may name, the console has checked by then.
create policy console on outbox for insert to hearlink_console with check (topic = 'retry');

-- Filters that can be rare: without these a page of ten million rows would read all of them to find a handful.
create index sync_log_operation on sync_log (organisation_id, operation, id desc);
create index sync_log_code on sync_log (organisation_id, problem, id desc) where problem is not null;
create index audit_newest on audit (organisation_id, id desc);
create index audit_order on audit ((detail ->> 'order_id'), id) where detail ? 'order_id';
create index problem_of_organisation on problem (organisation_id) where closed_at is null;
