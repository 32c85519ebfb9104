-- Settings: an organisation's defaults, a clinic's overrides (null = inherited), and the one view that resolves them.

create table organisation (
    organisation_id text primary key,
    synchronisation_enabled boolean not null default false,
    mode text not null default 'manual' check (mode in ('auto', 'manual')),
    invoice_status text not null default 'draft' check (invoice_status in ('draft', 'authorised')),
    tenant_id text,
    payment_account text,
    hearing_aids_revenue_account text,
    hearing_aids_tax_type text,
    accessories_revenue_account text,
    accessories_tax_type text,
    services_revenue_account text,
    services_tax_type text,
    custom_items_revenue_account text,
    custom_items_tax_type text,
    updated_at timestamptz not null default now(),
    updated_by text
);

create table clinic_override (
    organisation_id text not null references organisation on delete cascade,
    clinic_id text not null,
    synchronisation_enabled boolean,
    mode text check (mode in ('auto', 'manual')),
    invoice_status text check (invoice_status in ('draft', 'authorised')),
    tenant_id text,
    payment_account text,
    hearing_aids_revenue_account text,
    hearing_aids_tax_type text,
    accessories_revenue_account text,
    accessories_tax_type text,
    services_revenue_account text,
    services_tax_type text,
    custom_items_revenue_account text,
    custom_items_tax_type text,
    updated_at timestamptz not null default now(),
    updated_by text,
    primary key (organisation_id, clinic_id)
);

create view clinic_settings as
select
    c.organisation_id,
    c.clinic_id,
    coalesce(v.synchronisation_enabled, o.synchronisation_enabled) as synchronisation_enabled,
    coalesce(v.mode, o.mode) as mode,
    coalesce(v.invoice_status, o.invoice_status) as invoice_status,
    coalesce(v.tenant_id, o.tenant_id) as tenant_id,
    coalesce(v.payment_account, o.payment_account) as payment_account,
    coalesce(v.hearing_aids_revenue_account, o.hearing_aids_revenue_account) as hearing_aids_revenue_account,
    coalesce(v.hearing_aids_tax_type, o.hearing_aids_tax_type) as hearing_aids_tax_type,
    coalesce(v.accessories_revenue_account, o.accessories_revenue_account) as accessories_revenue_account,
    coalesce(v.accessories_tax_type, o.accessories_tax_type) as accessories_tax_type,
    coalesce(v.services_revenue_account, o.services_revenue_account) as services_revenue_account,
    coalesce(v.services_tax_type, o.services_tax_type) as services_tax_type,
    coalesce(v.custom_items_revenue_account, o.custom_items_revenue_account) as custom_items_revenue_account,
    coalesce(v.custom_items_tax_type, o.custom_items_tax_type) as custom_items_tax_type,
    v.clinic_id is not null as overridden
from (
    select organisation_id, clinic_id from clinic
    union
    select organisation_id, clinic_id from clinic_override
) c
join organisation o using (organisation_id)
left join clinic_override v using (organisation_id, clinic_id);

-- Who did what by hand: settings, connections, retries, dead letters.
create table audit (
    id bigint generated always as identity primary key,
    occurred_at timestamptz not null default now(),
    organisation_id text,
    actor text not null,
    action text not null,
    detail jsonb not null default '{}'
);
