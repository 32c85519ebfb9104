-- name: senders
select order_id, clinic_id, actor, greatest(attempts, 1), invoice_number
from orders
where order_id = any(%(order_ids)s::text[])

-- name: hold
update orders set hold = 'problem', problem_id = %(problem_id)s, due_at = null
where order_id = %(order_id)s and (due_at is null or hold = 'in_doubt')

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
set due_at = now(), hold = null
from waiting w
where o.order_id = w.order_id
