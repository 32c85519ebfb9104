-- name: patience
-- Whoever takes the file may be slow; a big sort may take its time.
select
    set_config('idle_in_transaction_session_timeout', '10min', true),
    set_config('statement_timeout', '10min', true)

-- name: tenants
select tenant_id, name, country_code, accounts, tax_rates
from xero_tenant
where organisation_id = %(organisation_id)s

-- name: is_known_clinic
select exists (
    select from clinic where organisation_id = %(organisation_id)s and clinic_id = %(clinic_id)s
    union all
    select from clinic_override where organisation_id = %(organisation_id)s and clinic_id = %(clinic_id)s
)

-- name: is_known_organisation
select exists (
    select from organisation where organisation_id = %(organisation_id)s
    union all
    select from clinic where organisation_id = %(organisation_id)s
)

-- name: count_invoices
select count(*)
from orders o
where o.organisation_id = %(organisation_id)s
  and o.issued_on between %(since)s and %(until)s
  and (%(clinic_id)s::text is null or o.clinic_id = %(clinic_id)s)

-- name: count_credit_notes
select count(*)
from orders o
cross join lateral jsonb_each(o.state -> 'credit_notes') as note (id, item)
where o.organisation_id = %(organisation_id)s
  and o.state -> 'credit_notes' <> '{}'
  and (note.item -> 'value' ->> 'issued_on')::date between %(since)s and %(until)s
  and (%(clinic_id)s::text is null or o.clinic_id = %(clinic_id)s)

-- name: documents
-- Sorted by what goes into one file, so that one file after the other is written and none is kept open.
with chosen as (
    select
        o.order_id, o.organisation_id, o.clinic_id, o.patient_id, o.revision, o.state,
        o.invoice_id as local_id, null::text as credit_note_id, o.issued_on, o.invoice_number as number, s.tenant_id
    from orders o
    left join clinic_settings s using (organisation_id, clinic_id)
    where %(kind)s = 'invoices'
      and o.organisation_id = %(organisation_id)s
      and o.issued_on between %(since)s and %(until)s
      and (%(clinic_id)s::text is null or o.clinic_id = %(clinic_id)s)
      and not (o.state -> 'invoice' ->> 'deleted')::boolean
    union all
    select
        o.order_id, o.organisation_id, o.clinic_id, o.patient_id, o.revision, o.state,
        note.id as local_id, note.id as credit_note_id, (note.item -> 'value' ->> 'issued_on')::date as issued_on,
        note.item -> 'value' ->> 'number' as number, s.tenant_id
    from orders o
    cross join lateral jsonb_each(o.state -> 'credit_notes') as note (id, item)
    left join clinic_settings s using (organisation_id, clinic_id)
    where %(kind)s = 'credit-notes'
      and o.organisation_id = %(organisation_id)s
      and o.state -> 'credit_notes' <> '{}'
      and not (note.item ->> 'deleted')::boolean
      and (note.item -> 'value' ->> 'issued_on')::date between %(since)s and %(until)s
      and (%(clinic_id)s::text is null or o.clinic_id = %(clinic_id)s)
),
named as (
    select
        chosen.*,
        lower(btrim(regexp_replace(
            concat_ws(' ', state #>> '{patient,first_name}', state #>> '{patient,last_name}'), '[<>\s]+', ' ', 'g'
        ))) as name
    from chosen
)
select
    n.order_id, n.organisation_id, n.clinic_id, n.revision, n.number, n.credit_note_id, n.tenant_id,
    held.order_id is not null as is_in_xero,
    -- What is left out is counted, and needs not be read.
    case when held.order_id is null or not %(missing_only)s then n.state::text end as state,
    (
        select newest.state -> 'patient' from orders newest
        where newest.organisation_id = n.organisation_id and newest.patient_id = n.patient_id
        order by newest.occurred_at desc limit 1
    )::text as patient,
    (
        select other.order_id
        from orders other
        join xero_link theirs
            on theirs.tenant_id = n.tenant_id and theirs.kind = 'invoice' and theirs.order_id = other.order_id
            and theirs.local_id = other.invoice_id and theirs.status not in ('removed', 'gone')
        where %(kind)s = 'invoices'
          and other.organisation_id = n.organisation_id
          and other.invoice_number = n.number
          and other.order_id <> n.order_id
          and theirs.detail ->> 'number' = n.number
        order by other.order_id limit 1
    ) as other_order_id,
    coalesce(contact.detail ->> 'full_name', contact.detail ->> 'name') as contact_name,
    min(n.patient_id) over (partition by n.tenant_id, n.name) <> n.patient_id
        or exists (
            select from xero_link other
            where other.organisation_id = n.organisation_id and other.tenant_id = n.tenant_id
              and other.kind = 'contact' and other.order_id = '' and lower(other.detail ->> 'name') = n.name
              and other.local_id <> n.patient_id
        ) as name_is_taken
from named n
left join xero_link contact
    on contact.tenant_id = n.tenant_id and contact.kind = 'contact' and contact.order_id = ''
    and contact.local_id = n.patient_id
left join xero_link held
    on held.tenant_id = n.tenant_id and held.order_id = n.order_id and held.local_id = n.local_id
    and held.kind = case %(kind)s when 'invoices' then 'invoice' else 'credit_note' end
    and held.status not in ('removed', 'gone')
order by
    n.tenant_id, (n.state #>> '{invoice,value,prices_include_tax}')::boolean desc, n.issued_on, n.number, n.order_id
