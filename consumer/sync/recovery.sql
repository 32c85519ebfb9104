-- name: lock_senders
-- Locked by key order, as the projection writes: neither waits for the other for ever.
select order_id, clinic_id, revision, left(actor, 500) as actor, greatest(attempts, 1) as attempts, invoice_number, problem_id
from orders
where order_id = any(%(order_ids)s::text[])
order by order_id
for update

-- name: hold
-- Whoever asked for the order has this answer.
update orders set hold = 'problem', problem_id = %(problem_id)s, due_at = null, requested_revision = null
where order_id = %(order_id)s
  and not exists (select from order_settlement s where s.order_id = orders.order_id and s.stands)

-- name: hold_in_doubt
-- Those that wait for the look-up; what became of others meanwhile is another matter.
update orders o set hold = 'problem', problem_id = %(problem_id)s, due_at = null
from (select order_id from orders where order_id = any(%(order_ids)s::text[]) order by order_id for update) w
where o.order_id = w.order_id and o.hold = 'in_doubt'
returning o.order_id

-- name: wake
-- Those whose fate is known may go on. Not only whoever sent the call: others waited for the contact of a patient that
-- was theirs then and may be no more. The condition is that of a claim, so that nobody is woken to be held again.
with waiting as (
    select o.order_id
    from clinic c
    join orders o on o.organisation_id = c.organisation_id and o.clinic_id = c.clinic_id
        and o.hold in ('in_doubt', 'problem')
    left join problem p on p.id = o.problem_id
    left join clinic_settings s on s.organisation_id = c.organisation_id and s.clinic_id = c.clinic_id
    where c.organisation_id = %(organisation_id)s
      and (o.hold = 'in_doubt' or p.code = 'look_up_refused')
      and not exists (
          select from unsettled u
          where u.order_id = o.order_id
             or (u.kind = 'contact' and u.local_id = o.patient_id
                 and u.tenant_id = case when s.synchronisation_enabled then s.tenant_id end)
      )
    order by o.order_id
    for update of o
)
update orders o
set due_at = now(), hold = 'retry'
from waiting w
where o.order_id = w.order_id

-- name: linked_invoices
select xero_id from xero_link
where order_id = any(%(order_ids)s::text[])
  and tenant_id = %(tenant_id)s and kind = 'invoice' and xero_id is not null

-- name: count_failure
update xero_intent set look_ups_failed = look_ups_failed + 1 where id = %(intent_id)s returning look_ups_failed

-- name: mark_told
-- Only those that were not told before.
update xero_intent_element set doubt_told = true
where intent_id = %(intent_id)s and position = any(%(positions)s::int4[]) and not doubt_told
returning position
