-- No amount of an order beyond this goes to Xero before somebody has looked at it. Null = the service's own limit.
alter table organisation add column amount_limit numeric(16, 2) check (amount_limit > 0);
alter table clinic_override add column amount_limit numeric(16, 2) check (amount_limit > 0);

create or replace view clinic_settings with (security_invoker = true) as
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
    v.clinic_id is not null as overridden,
    coalesce(v.amount_limit, o.amount_limit) as amount_limit
from (
    select organisation_id, clinic_id from clinic
    union
    select organisation_id, clinic_id from clinic_override
) c
join organisation o using (organisation_id)
left join clinic_override v using (organisation_id, clinic_id);
