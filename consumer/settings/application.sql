-- name: lock
-- Two applications at once go one after the other, also where there is no row to lock yet.
select pg_advisory_xact_lock(hashtext('settings'), hashtext(%(organisation_id)s));

-- name: read
-- The organisation's row has no clinic.
select
    null as clinic_id,
    synchronisation_enabled, mode, invoice_status, tenant_id, payment_account, hearing_aids_revenue_account,
    hearing_aids_tax_type, accessories_revenue_account, accessories_tax_type, services_revenue_account,
    services_tax_type, custom_items_revenue_account, custom_items_tax_type, amount_limit::text
from organisation
where organisation_id = %(organisation_id)s
union all
select
    clinic_id,
    synchronisation_enabled, mode, invoice_status, tenant_id, payment_account, hearing_aids_revenue_account,
    hearing_aids_tax_type, accessories_revenue_account, accessories_tax_type, services_revenue_account,
    services_tax_type, custom_items_revenue_account, custom_items_tax_type, amount_limit::text
from clinic_override
where organisation_id = %(organisation_id)s;

-- name: write_organisation
insert into organisation (
    organisation_id,
    synchronisation_enabled, mode, invoice_status, tenant_id, payment_account, hearing_aids_revenue_account,
    hearing_aids_tax_type, accessories_revenue_account, accessories_tax_type, services_revenue_account,
    services_tax_type, custom_items_revenue_account, custom_items_tax_type, amount_limit, updated_by
)
values (
    %(organisation_id)s,
    %(synchronisation_enabled)s, %(mode)s, %(invoice_status)s, %(tenant_id)s, %(payment_account)s,
    %(hearing_aids_revenue_account)s, %(hearing_aids_tax_type)s, %(accessories_revenue_account)s,
    %(accessories_tax_type)s, %(services_revenue_account)s, %(services_tax_type)s,
    %(custom_items_revenue_account)s, %(custom_items_tax_type)s, %(amount_limit)s::numeric, %(actor)s
)
on conflict (organisation_id) do update
set synchronisation_enabled = excluded.synchronisation_enabled,
    mode = excluded.mode,
    invoice_status = excluded.invoice_status,
    tenant_id = excluded.tenant_id,
    payment_account = excluded.payment_account,
    hearing_aids_revenue_account = excluded.hearing_aids_revenue_account,
    hearing_aids_tax_type = excluded.hearing_aids_tax_type,
    accessories_revenue_account = excluded.accessories_revenue_account,
    accessories_tax_type = excluded.accessories_tax_type,
    services_revenue_account = excluded.services_revenue_account,
    services_tax_type = excluded.services_tax_type,
    custom_items_revenue_account = excluded.custom_items_revenue_account,
    custom_items_tax_type = excluded.custom_items_tax_type,
    amount_limit = excluded.amount_limit,
    updated_by = excluded.updated_by,
    updated_at = now();

-- name: remove_clinics
delete from clinic_override where organisation_id = %(organisation_id)s;

-- name: write_clinic
insert into clinic_override (
    organisation_id, clinic_id,
    synchronisation_enabled, mode, invoice_status, tenant_id, payment_account, hearing_aids_revenue_account,
    hearing_aids_tax_type, accessories_revenue_account, accessories_tax_type, services_revenue_account,
    services_tax_type, custom_items_revenue_account, custom_items_tax_type, amount_limit, updated_by
)
values (
    %(organisation_id)s, %(clinic_id)s,
    %(synchronisation_enabled)s, %(mode)s, %(invoice_status)s, %(tenant_id)s, %(payment_account)s,
    %(hearing_aids_revenue_account)s, %(hearing_aids_tax_type)s, %(accessories_revenue_account)s,
    %(accessories_tax_type)s, %(services_revenue_account)s, %(services_tax_type)s,
    %(custom_items_revenue_account)s, %(custom_items_tax_type)s, %(amount_limit)s::numeric, %(actor)s
);

-- name: audit
insert into audit (organisation_id, actor, action, detail)
values (%(organisation_id)s, %(actor)s, 'settings_apply', %(detail)s::jsonb);

-- name: tenant_ids
select tenant_id from xero_tenant where organisation_id = %(organisation_id)s;
