-- name: lock_senders
-- Locked by key order, as the projection writes: neither waits for the other for ever.
select order_id, clinic_id, revision, actor, greatest(attempts, 1) as attempts, invoice_number
from orders
where order_id = any(%(order_ids)s::text[])
order by order_id
for update

-- name: hold
-- Whoever asked for the order has this answer.
update orders set hold = 'problem', problem_id = %(problem_id)s, due_at = null, requested_revision = null
where order_id = %(order_id)s

-- name: wake
-- Those whose fate is known may go on; orders that wait for a patient's contact are the patient's, whoever sent it.
with waiting as (
    select order_id from orders
    where hold = 'in_doubt'
      and (order_id = any(%(order_ids)s::text[])
           or (organisation_id = %(organisation_id)s and patient_id = any(%(patient_ids)s::text[])))
    order by order_id
    for update
)
update orders o
set due_at = now(), hold = 'retry'
from waiting w
where o.order_id = w.order_id
