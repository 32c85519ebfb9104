-- name: patience
-- Whoever takes the file may be slow; a big sort may take its time.
select
    set_config('idle_in_transaction_session_timeout', '10min', true),
    set_config('statement_timeout', '10min', true)

-- name: tenants
select tenant_id, name, country_code, base_currency, accounts, tax_rates
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
with slim as materialized (
    -- All orders of the organisation, whatever is chosen of them: a number and a name are as good as taken wherever
    -- they are borne, and a patient's contact is to be called the same in every export. Without the states, so that
    -- what is sorted stays small; it is one pass, for which no index has to be kept up to date with every event.
    select
        o.order_id, o.clinic_id, o.patient_id, o.occurred_at, o.invoice_id, o.invoice_number, o.issued_on,
        s.tenant_id,
        o.state -> 'closed' <> 'null' as is_closed,
        (o.state -> 'invoice' ->> 'deleted')::boolean as is_deleted,
        case %(kind)s when 'credit-notes' then nullif(o.state -> 'credit_notes', '{}') end as credit_notes,
        lower(btrim(left(btrim(regexp_replace(
            concat_ws(' ', o.state #>> '{patient,first_name}', o.state #>> '{patient,last_name}'),
            %(blanks)s, ' ', 'g'
        )), %(name_length)s))) as name
    from orders o
    left join clinic_settings s using (organisation_id, clinic_id)
    where o.organisation_id = %(organisation_id)s
),
every as materialized (
    select s.*, first_value(s.order_id) over newest as newest_order_id, first_value(s.name) over newest as newest_name
    from slim s
    window newest as (partition by s.patient_id order by s.occurred_at desc, s.order_id)
),
linked as materialized (
    select l.*
    from (select distinct tenant_id from clinic_settings where organisation_id = %(organisation_id)s) t
    join xero_link l using (tenant_id)
    where l.organisation_id = %(organisation_id)s
      and l.kind in ('contact', case %(kind)s when 'invoices' then 'invoice' else 'credit_note' end)
      and l.status not in ('removed', 'gone')
),
standing as materialized (
    select d.*, lower(btrim(regexp_replace(d.number, %(spaces)s, ' ', 'g'))) as number_key
    from (
        select
            e.order_id, e.clinic_id, e.patient_id, e.newest_order_id, e.newest_name, e.tenant_id, e.is_closed,
            e.invoice_id, e.invoice_id as local_id, null::text as credit_note_id, e.issued_on,
            e.invoice_number as number
        from every e
        where %(kind)s = 'invoices' and not e.is_deleted
        union all
        select
            e.order_id, e.clinic_id, e.patient_id, e.newest_order_id, e.newest_name, e.tenant_id, e.is_closed,
            e.invoice_id, note.id, note.id, (note.item -> 'value' ->> 'issued_on')::date,
            note.item -> 'value' ->> 'number'
        from every e
        cross join lateral jsonb_each(e.credit_notes) as note (id, item)
        where not (note.item ->> 'deleted')::boolean
    ) d
),
claimed as (
    -- Who bears which number: by HearLink, and by what Xero was last seen to hold.
    select c.tenant_id, c.number_key, c.order_id, c.local_id, bool_or(c.is_in_xero) as is_in_xero
    from (
        select tenant_id, number_key, order_id, local_id, false as is_in_xero from standing where not is_closed
        union all
        select
            tenant_id, lower(btrim(regexp_replace(detail ->> 'number', %(spaces)s, ' ', 'g'))), order_id, local_id, true
        from linked
        where kind <> 'contact'
    ) c
    group by c.tenant_id, c.number_key, c.order_id, c.local_id
),
shared_number as materialized (
    -- The first two of those who bear it are enough to name another one to anybody.
    select
        tenant_id, number_key, count(*) filter (where is_in_xero) as in_xero,
        (array_agg(order_id order by is_in_xero desc, order_id, local_id))[1:2] as order_ids,
        (array_agg(local_id order by is_in_xero desc, order_id, local_id))[1:2] as local_ids
    from claimed
    where number_key <> ''
    group by tenant_id, number_key
    having count(*) > 1
),
bearer as (
    select name, patient_id from every where name <> ''
    union
    select lower(detail ->> 'name'), local_id from linked where kind = 'contact'
),
shared_name as materialized (
    select name from bearer group by name having min(patient_id) <> max(patient_id)
),
shared_start as materialized (
    -- Namesakes whose ids begin alike as well, so that the beginning (bodies.suffixed_name) tells them apart no more.
    select name, left(patient_id, 8) as start
    from bearer
    join shared_name using (name)
    group by name, left(patient_id, 8)
    having min(patient_id) <> max(patient_id)
),
chosen as (
    select
        d.*,
        -- Of two that bear one number, the one that Xero holds may keep it.
        shared.number_key is not null
            and not (shared.in_xero = 1 and (d.order_id, d.local_id) = (shared.order_ids[1], shared.local_ids[1]))
            as clashes,
        case when (d.order_id, d.local_id) = (shared.order_ids[1], shared.local_ids[1]) then 2 else 1 end as other,
        shared.order_ids, shared.in_xero,
        case
            when held.status not in ('removed', 'gone') then 'standing'
            when held.status = 'gone' then 'gone'
            -- We took it away when HearLink had deleted it. It may come again, but not under the number it had.
            when lower(btrim(regexp_replace(held.number, %(spaces)s, ' ', 'g'))) = d.number_key
                then 'used_up'
            when (
                select bill.status from xero_link bill
                where bill.tenant_id = d.tenant_id and bill.kind = 'invoice' and bill.order_id = d.order_id
                  and bill.local_id = d.invoice_id
            ) = 'gone' then 'without_invoice'
            -- Somebody said that it is in Xero by hand, or not to be sent.
            when exists (select from order_settlement s where s.order_id = d.order_id and s.stands) then 'settled'
        end as fate
    from standing d
    left join shared_number shared on shared.tenant_id = d.tenant_id and shared.number_key = d.number_key
    -- One by one through the key, here and below: without statistics, a join would compare each with each.
    left join lateral (
        select l.status, l.detail ->> 'number' as number from xero_link l
        where l.tenant_id = d.tenant_id and l.order_id = d.order_id and l.local_id = d.local_id
          and l.kind = case %(kind)s when 'invoices' then 'invoice' else 'credit_note' end
        limit 1
    ) held on true
    where d.issued_on between %(since)s and %(until)s
      and (%(clinic_id)s::text is null or d.clinic_id = %(clinic_id)s)
)
select
    c.order_id, o.organisation_id, c.clinic_id, o.revision, c.credit_note_id, c.tenant_id, c.fate,
    -- What is left out is counted, and needs not be read.
    case when c.fate is null or c.fate = 'standing' and not %(missing_only)s then o.state::text end as state,
    (select newest.state -> 'patient' from orders newest where newest.order_id = c.newest_order_id)::text as patient,
    case when c.clashes then c.order_ids[c.other] end as other_order_id,
    coalesce(c.in_xero >= c.other, false) as other_is_in_xero,
    (
        select coalesce(contact.detail ->> 'full_name', contact.detail ->> 'name') from xero_link contact
        where contact.tenant_id = c.tenant_id and contact.kind = 'contact' and contact.order_id = ''
          and contact.local_id = c.patient_id
    ) as contact_name,
    c.newest_name in (select name from shared_name) as name_is_taken,
    (c.newest_name, left(c.patient_id, 8)) in (select name, start from shared_start) as start_is_taken
from chosen c
cross join lateral (
    select o.organisation_id, o.revision, o.state from orders o where o.order_id = c.order_id limit 1
) o
order by
    c.tenant_id, (o.state #>> '{invoice,value,prices_include_tax}')::boolean desc, c.issued_on, c.number, c.order_id
