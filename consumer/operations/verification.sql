-- name: totals
-- Of orders that are in step: pushed as they are, held by nothing, and with an invoice that stands.
with in_step as (
    select * from orders
    where revision = synced_revision and hold is null and problem_id is null and tenant_id is not null
      and state -> 'closed' = 'null' and state -> 'invoice' <> 'null' and not (state -> 'invoice' ->> 'deleted')::boolean
)
select
    o.organisation_id,
    count(*) as orders,
    count(*) filter (where o.invoice_linked) as invoices_linked,
    coalesce(sum(o.payments), 0)::bigint as payments,
    coalesce(sum(o.payments_linked), 0)::bigint as payments_linked,
    coalesce(sum(o.payment_amount), 0)::text as payment_amount,
    coalesce(sum(o.linked_amount), 0)::text as linked_amount,
    coalesce(sum(o.credit_notes), 0)::bigint as credit_notes,
    coalesce(sum(o.credit_notes_linked), 0)::bigint as credit_notes_linked
from (
    select
        i.organisation_id,
        exists (
            select from xero_link l
            where l.order_id = i.order_id and l.tenant_id = i.tenant_id and l.kind = 'invoice' and l.local_id = i.invoice_id
        ) as invoice_linked,
        p.*, lp.*, n.*, ln.*
    from in_step i
    cross join lateral (
        select count(*) as payments, sum(round((e.value -> 'value' ->> 'amount')::numeric, 2)) as payment_amount
        from jsonb_each(i.state -> 'payments') e
        where not (e.value ->> 'deleted')::boolean and round((e.value -> 'value' ->> 'amount')::numeric, 2) > 0
    ) p
    cross join lateral (
        select count(*) as payments_linked, sum((l.detail ->> 'amount')::numeric) as linked_amount
        from xero_link l
        where l.order_id = i.order_id and l.tenant_id = i.tenant_id and l.kind = 'payment' and l.status <> 'removed'
    ) lp
    cross join lateral (
        select count(*) as credit_notes
        from jsonb_each(i.state -> 'credit_notes') e
        where not (e.value ->> 'deleted')::boolean
    ) n
    cross join lateral (
        select count(*) as credit_notes_linked
        from xero_link l
        where l.order_id = i.order_id and l.tenant_id = i.tenant_id and l.kind = 'credit_note' and l.status <> 'removed'
    ) ln
) o
group by 1
order by 1

-- name: findings
with in_step as (
    select * from orders
    where revision = synced_revision and hold is null and problem_id is null and tenant_id is not null
      and state -> 'closed' = 'null' and state -> 'invoice' <> 'null' and not (state -> 'invoice' ->> 'deleted')::boolean
      -- What people did away with in Xero stays away.
      and not exists (
          select from xero_link g where g.order_id = orders.order_id and g.tenant_id = orders.tenant_id and g.status = 'gone'
      )
),
link as (select * from xero_link where status not in ('removed', 'gone')),
wanted as (
    select i.order_id, i.tenant_id, 'invoice' as kind, i.invoice_id as local_id, null::numeric as amount
    from in_step i
    union all
    select i.order_id, i.tenant_id, 'payment', e.key, round((e.value -> 'value' ->> 'amount')::numeric, 2)
    from in_step i cross join lateral jsonb_each(i.state -> 'payments') e
    where not (e.value ->> 'deleted')::boolean and round((e.value -> 'value' ->> 'amount')::numeric, 2) > 0
    union all
    select i.order_id, i.tenant_id, 'credit_note', e.key, null
    from in_step i cross join lateral jsonb_each(i.state -> 'credit_notes') e
    where not (e.value ->> 'deleted')::boolean
    union all
    select i.order_id, i.tenant_id, 'allocation', e.key, null
    from in_step i cross join lateral jsonb_each(i.state -> 'credit_notes') e
    where not (e.value ->> 'deleted')::boolean and round((e.value -> 'value' ->> 'total')::numeric, 2) > 0
),
finding as (
    select 'not_linked' as code, w.order_id, w.kind || ' ' || w.local_id as detail
    from wanted w
    left join link l using (order_id, tenant_id, kind, local_id)
    where l.order_id is null
    union all
    select 'amount_differs', w.order_id, w.local_id || ': ' || w.amount || ' in HearLink, ' || (l.detail ->> 'amount') || ' linked'
    from wanted w
    join link l using (order_id, tenant_id, kind, local_id)
    where w.kind = 'payment' and (l.detail ->> 'amount')::numeric <> w.amount
    union all
    select 'linked_too_much', l.order_id, l.kind || ' ' || l.local_id
    from link l
    join in_step i on i.order_id = l.order_id and i.tenant_id = l.tenant_id
    left join wanted w on w.order_id = l.order_id and w.kind = l.kind and w.local_id = l.local_id
    where w.order_id is null and l.kind in ('payment', 'credit_note', 'allocation')
      and not (l.kind = 'allocation' and exists (
          select from wanted n where n.order_id = l.order_id and n.kind = 'credit_note' and n.local_id = l.local_id
      ))
    union all
    -- Not contacts: a patient that was merged into another has no orders, and the contact stays in Xero.
    select 'orphan', l.order_id, l.kind || ' ' || l.local_id
    from link l
    where l.kind <> 'contact' and not exists (select from orders o where o.order_id = l.order_id)
    union all
    select 'linked_twice', max(l.order_id), l.kind || ' ' || l.xero_id
    from link l
    where l.xero_id is not null and l.kind <> 'allocation'
    group by l.tenant_id, l.kind, l.xero_id
    having count(*) > 1
    union all
    select 'open_intent', e.order_id, i.stage || ' since ' || to_char(i.opened_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
    from xero_intent i
    join xero_intent_element e on e.intent_id = i.id and not e.settled
    where i.state = 'open' and i.opened_at < now() - interval '10 minutes'
    union all
    select 'events_missing', order_id, 'sequence ' || missing::text from orders where missing <> '{}'
    union all
    select 'synced_beyond', order_id, 'revision ' || revision || ', synced ' || synced_revision
    from orders
    where synced_revision > revision
)
select code, order_id, detail from finding order by code, order_id, detail
