-- name: load
select
    o.order_id, o.organisation_id, o.clinic_id, o.invoice_number, o.revision, o.synced_revision, o.requested_revision,
    o.state::text, o.hold, o.due_at, o.attempts,
    (
        select n.state -> 'patient' from orders n
        where n.organisation_id = o.organisation_id and n.patient_id = o.patient_id
        order by n.occurred_at desc limit 1
    )::text as patient,
    exists (
        select from unsettled u
        where u.order_id = o.order_id
           or (u.kind = 'contact' and u.local_id = o.patient_id and u.organisation_id = o.organisation_id)
    ) as in_doubt,
    (select p.class from problem p where p.id = o.problem_id) as problem_class,
    conflict.sequences as conflict_sequences, conflict.letters as conflict_letters
from orders o
cross join lateral (
    select
        coalesce(array_agg(distinct d.sequence), '{}') as sequences,
        coalesce(array_agg(d.id order by d.id), '{}') as letters
    from dead_letter d
    where d.order_id = o.order_id and d.state = 'open' and d.reason = 'conflict'
) conflict
where o.order_id = %(order_id)s

-- name: tenant
select name, base_currency, tax_rates, true as known
from xero_tenant
where organisation_id = %(organisation_id)s and tenant_id = %(tenant_id)s
