-- name: clinics
select clinic_id from clinic where organisation_id = %(organisation_id)s
union
select clinic_id from clinic_override where organisation_id = %(organisation_id)s
order by 1

-- name: tenants
select tenant_id, name, short_code from xero_tenant where organisation_id = %(organisation_id)s

-- name: call
select
    i.id as intent_id, i.method, i.path, i.stage, i.state, i.outcome, i.sent_at, i.settled_at,
    (select count(*) from xero_intent_element n where n.intent_id = i.id) as elements,
    e.detail ->> 'target_id' as target_id,
    -- As text: amounts keep the places that were sent.
    case when e.kind <> 'contact' then jsonb_pretty(e.detail -> 'body') end as request
from xero_intent i
left join xero_intent_element e
    on e.intent_id = i.id and e.order_id = %(order_id)s and e.local_id is not distinct from %(local_id)s
where i.id = %(intent_id)s
limit 1

-- name: still_failing
select order_id
from orders
where order_id = any(%(order_ids)s::text[])
  and (problem_id is not null or hold in ('problem', 'connection', 'settings', 'retry', 'disabled', 'in_doubt'))

-- name: settled
select order_id from order_settlement where order_id = any(%(order_ids)s) and stands

-- name: failed_orders
select distinct l.order_id
from sync_log l
join orders o on o.order_id = l.order_id
where l.outcome = 'failed'
  and (o.problem_id is not null or o.hold in ('problem', 'connection', 'settings', 'retry'))
  and l.organisation_id = %(organisation_id)s::text
  and (%(clinic_id)s::text is null or l.clinic_id = %(clinic_id)s::text)
  and (%(order_id)s::text is null or l.order_id = %(order_id)s::text)
  and (%(invoice_number)s::text is null or l.invoice_number = %(invoice_number)s::text)
  and (%(operation)s::text is null or l.operation = %(operation)s::text)
  and (%(outcome)s::text is null or l.outcome = %(outcome)s::text)
  and (%(problem)s::text is null or l.problem = %(problem)s::text)
  and (%(problem_id)s::bigint is null or l.problem_id = %(problem_id)s::bigint)
  and (%(since)s::timestamptz is null or l.occurred_at >= %(since)s::timestamptz)
  and (%(until)s::timestamptz is null or l.occurred_at < %(until)s::timestamptz)
order by l.order_id
limit %(limit)s

-- name: find
select order_id, invoice_number, clinic_id
from orders
where organisation_id = %(organisation_id)s and (invoice_number = %(text)s or order_id = %(text)s)
order by occurred_at desc
limit 20
