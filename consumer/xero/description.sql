-- name: describe
update xero_tenant
set base_currency = %(base_currency)s,
    country_code = %(country_code)s,
    short_code = %(short_code)s,
    accounts = %(accounts)s::jsonb,
    tax_rates = %(tax_rates)s::jsonb,
    described_at = clock_timestamp(),
    updated_at = clock_timestamp()
where organisation_id = %(organisation_id)s and tenant_id = %(tenant_id)s;
