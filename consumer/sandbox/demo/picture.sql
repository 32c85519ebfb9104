-- name: progress
-- `projected` counts events: each order has seen all of its own up to its sequence. `busy` are orders that the service
-- still has to look at; held ones wait for a person.
select
    coalesce(sum(sequence), 0)::bigint as projected,
    count(*) filter (where synced_revision >= revision) as in_step,
    count(*) filter (where synced_revision < revision and due_at is null) as held,
    count(*) filter (where due_at is not null)
        + (select count(*) from xero_intent where state = 'open')
        + (select count(*) from outbox where set_aside_at is null) as busy,
    (select count(*) from dead_letter) as dead_letters
from orders

-- name: documents
-- Every invoice, payment and credit note that stands in HearLink or was left in Xero, with why it isn't in both.
with item as (
    select o.order_id, 'invoice' as kind, o.state #>> '{invoice,value,invoice_id}' as local_id,
           o.state #>> '{invoice,value,number}' as number,
           (o.state #>> '{invoice,value,total}')::numeric as amount,
           (o.state #>> '{invoice,deleted}')::boolean as deleted
    from orders o
    where jsonb_typeof(o.state #> '{invoice,value}') = 'object'
    union all
    select o.order_id, 'payment', p.key, null, (p.value #>> '{value,amount}')::numeric, (p.value ->> 'deleted')::boolean
    from orders o
    cross join lateral jsonb_each(o.state -> 'payments') p
    where jsonb_typeof(p.value -> 'value') = 'object'
    union all
    select o.order_id, 'credit_note', n.key, n.value #>> '{value,number}', (n.value #>> '{value,total}')::numeric,
           (n.value ->> 'deleted')::boolean
    from orders o
    cross join lateral jsonb_each(o.state -> 'credit_notes') n
    where jsonb_typeof(n.value -> 'value') = 'object'
)
select
    s.tenant_id,
    i.kind,
    i.number,
    i.amount,
    not i.deleted as in_hearlink,
    l.xero_id,
    case
        when o.state -> 'closed' <> 'null'::jsonb then 'order_closed'
        when o.hold = 'problem' then coalesce(p.code, o.hold)
        when o.hold is not null then o.hold
        when jsonb_typeof(o.state #> '{invoice,value}') is distinct from 'object' then 'no_invoice'
        else 'open'
    end as reason
from item i
join orders o using (order_id)
join clinic_settings s using (organisation_id, clinic_id)
left join xero_link l on l.order_id = i.order_id and l.kind = i.kind and l.local_id = i.local_id
    and l.tenant_id = s.tenant_id and l.status not in ('removed', 'gone')
left join problem p on p.id = o.problem_id
where not i.deleted or l.xero_id is not null
order by s.tenant_id, i.kind, i.order_id, i.local_id

-- name: orders_in_xero
select count(distinct order_id) from xero_link where kind = 'invoice'

-- name: warnings
select w, count(*)
from sync_log cross join lateral jsonb_array_elements_text(warnings) w
group by 1 order by 2 desc, 1

-- name: order_state
select revision, synced_revision, hold, sequence from orders where order_id = %(order_id)s

-- name: order_log
select operation, outcome, message, warnings
from sync_log
where order_id = %(order_id)s and id > %(after_id)s
order by id

-- name: last_log_id
select coalesce(max(id), 0) from sync_log
