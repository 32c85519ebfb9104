-- name: patience
-- Whoever takes the file may be slow; a big sort may take its time.
select
    set_config('idle_in_transaction_session_timeout', '10min', true),
    set_config('statement_timeout', '10min', true)

-- name: tenants
select tenant_id, name, country_code, accounts, tax_rates
from xero_tenant
where organisation_id = %(organisation_id)s

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
        null::text as credit_note_id, o.issued_on, o.invoice_number as number, s.tenant_id
    from orders o
    left join clinic_settings s using (organisation_id, clinic_id)
    where %(kind)s = 'invoices'
      and o.organisation_id = %(organisation_id)s
      and o.issued_on between %(since)s and %(until)s
      and (%(clinic_id)s::text is null or o.clinic_id = %(clinic_id)s)
      and not (o.state -> 'invoice' ->> 'deleted')::boolean
      and not (%(missing_only)s and exists (
          select from xero_link l
          where l.tenant_id = s.tenant_id and l.kind = 'invoice' and l.order_id = o.order_id
            and l.local_id = o.invoice_id and l.status not in ('removed', 'gone')
      ))
    union all
    select
        o.order_id, o.organisation_id, o.clinic_id, o.patient_id, o.revision, o.state,
        note.id as credit_note_id, (note.item -> 'value' ->> 'issued_on')::date as issued_on,
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
      and not (%(missing_only)s and exists (
          select from xero_link l
          where l.tenant_id = s.tenant_id and l.kind = 'credit_note' and l.order_id = o.order_id
            and l.local_id = note.id and l.status not in ('removed', 'gone')
      ))
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
    n.order_id, n.organisation_id, n.clinic_id, n.revision, n.state::text, n.credit_note_id, n.tenant_id,
    (
        select newest.state -> 'patient' from orders newest
        where newest.organisation_id = n.organisation_id and newest.patient_id = n.patient_id
        order by newest.occurred_at desc limit 1
    )::text as patient,
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
order by
    n.tenant_id, (n.state #>> '{invoice,value,prices_include_tax}')::boolean desc, n.issued_on, n.number, n.order_id
