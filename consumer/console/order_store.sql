-- name: order
select
    o.order_id, o.organisation_id, o.clinic_id, o.invoice_number, o.revision, o.synced_revision, o.sequence,
    o.missing::text as missing, o.state::text as state, o.hold, o.due_at, o.attempts, o.occurred_at, o.pushed_at,
    o.requested_revision is not null as requested, o.problem_id, p.code as problem_code,
    p.message as problem_message, p.fix as problem_fix
from orders o
left join problem p on p.id = o.problem_id
where o.organisation_id = %(organisation_id)s and o.order_id = %(order_id)s

-- name: documents
select
    l.tenant_id, t.name as tenant_name, t.short_code, l.kind, l.local_id, l.xero_id, l.status, l.detail, l.updated_at
from xero_link l
left join xero_tenant t on t.organisation_id = l.organisation_id and t.tenant_id = l.tenant_id
where l.organisation_id = %(organisation_id)s
  and (l.order_id = %(order_id)s
       or (l.kind = 'contact' and l.order_id = '' and l.local_id = %(patient_id)s
           and l.tenant_id in (select tenant_id from xero_tenant where organisation_id = %(organisation_id)s)))
