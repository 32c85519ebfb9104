-- name: organisation
with tenant as (
    insert into xero_connection (organisation_id, state) values ('org-1', 'connected') returning organisation_id
),
described as (
    insert into xero_tenant (
        organisation_id, tenant_id, connection_id, name, tenant_type, country_code, accounts, tax_rates
    )
    select
        organisation_id, 'tenant-1', 'c', 'Harbour Hearing', 'ORGANISATION', 'GB',
        '[{"AccountID": "a", "Code": "200", "Name": "Sales", "Status": "ACTIVE"}]',
        '[{"TaxType": "OUTPUT2", "Name": "20% (VAT on Income)"}]'
    from tenant
),
made as (
    insert into organisation (
        organisation_id, tenant_id, hearing_aids_revenue_account, hearing_aids_tax_type, accessories_revenue_account,
        accessories_tax_type, services_revenue_account, services_tax_type
    )
    values ('org-1', 'tenant-1', '200', 'OUTPUT2', '200', 'OUTPUT2', '200', 'OUTPUT2')
    returning organisation_id
)
insert into clinic (organisation_id, clinic_id) select organisation_id, 'clinic-1' from made

-- name: orders
-- Every patient has an order of theirs, and a name that nobody else has.
insert into orders (
    order_id, organisation_id, clinic_id, patient_id, invoice_id, invoice_number, issued_on, sequence, revision,
    event_id, occurred_at, state
)
select
    'order-' || m.word || n, 'org-1', 'clinic-1', 'patient-' || m.word || n, 'invoice-' || m.word || n,
    'WH-' || m.word || n, m.day, 1, 1, 'event', now(),
    jsonb_set(
        jsonb_set(
            jsonb_set(%(state)s::jsonb, '{invoice,value,number}', to_jsonb('WH-' || m.word || n)),
            '{patient,patient_id}', to_jsonb('patient-' || m.word || n)
        ),
        '{patient,last_name}', to_jsonb('Name-' || m.word || n)
    )
from (select %(month)s::date as day, to_char(%(month)s::date, 'MM-') as word) m, generate_series(1, %(count)s) n
