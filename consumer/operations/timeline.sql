-- name: order
select
    order_id, organisation_id, clinic_id, invoice_number, sequence, missing::text as missing, revision, synced_revision,
    requested_revision, event_id, occurred_at, projected_at, pushed_at, due_at, hold, attempts, trigger, actor,
    pending_since, tenant_id, (select p.code from problem p where p.id = orders.problem_id) as problem
from orders
where order_id = %(order_id)s

-- name: intents
select distinct
    i.id, i.tenant_id, i.stage, i.method, i.path, i.state, i.outcome, i.opened_at, i.sent_at, i.look_up_at, i.settled_at,
    i.look_up_noted_at
from xero_intent_element e
join xero_intent i on i.id = e.intent_id
where e.order_id = %(order_id)s
order by i.id

-- name: dead_letters
select id, topic, partition, "offset", reason, detail, state, dead_at
from dead_letter
where order_id = %(order_id)s
order by id

-- name: acts
-- Of an act upon many orders the others' ids are left out.
select id, occurred_at, actor, action, detail
from audit
where detail ->> 'order_id' = %(order_id)s and detail ? 'order_id'
union all
select
    id, occurred_at, actor, action,
    (detail - 'order_ids') || jsonb_build_object('orders', jsonb_array_length(detail -> 'order_ids'))
from audit
where detail -> 'order_ids' ? %(order_id)s and detail ? 'order_ids' and detail ->> 'order_id' is distinct from %(order_id)s
order by id
