-- name: open
insert into xero_intent (
    tenant_id, organisation_id, lease_epoch, stage, method, path, idempotency_key, body_hash, sent_at
)
values (
    %(tenant_id)s, %(organisation_id)s, %(epoch)s, %(stage)s, %(method)s, %(path)s, %(key)s, %(body_hash)s,
    clock_timestamp()
)
returning id

-- name: open_elements
insert into xero_intent_element (
    intent_id, position, operation, kind, order_id, local_id, patient_id, revision, detail
)
select %(intent_id)s, e.position, e.operation, e.kind, e.order_id, e.local_id, e.patient_id, e.revision, e.detail
from unnest(
    %(positions)s::int4[], %(operations)s::text[], %(kinds)s::text[], %(order_ids)s::text[], %(local_ids)s::text[],
    %(patient_ids)s::text[], %(revisions)s::int8[], %(details)s::jsonb[]
) as e (position, operation, kind, order_id, local_id, patient_id, revision, detail)

-- name: lock_orders
select from orders where order_id = any(%(order_ids)s::text[]) order by order_id for no key update

-- name: moved
-- Orders that are no longer this tenant's to send: their clinic's settings changed, another tenant has, or may have,
-- their invoice by now, or somebody settled them.
select o.order_id
from orders o
left join clinic_settings s using (organisation_id, clinic_id)
where o.order_id = any(%(order_ids)s::text[])
  and (
      not coalesce(s.synchronisation_enabled and s.tenant_id = %(tenant_id)s, false)
      or exists (
          select from xero_link l
          where l.order_id = o.order_id and l.kind = 'invoice' and l.tenant_id <> %(tenant_id)s
      )
      or exists (
          select from unsettled u where u.order_id = o.order_id and u.tenant_id <> %(tenant_id)s
      )
      or exists (select from order_settlement s where s.order_id = o.order_id and s.stands)
  )

-- name: settle_elements
update xero_intent_element set settled = true
where intent_id = %(intent_id)s and position = any(%(positions)s::int4[])

-- name: settle
update xero_intent
set state = 'settled', outcome = %(outcome)s, settled_at = clock_timestamp()
where id = %(intent_id)s
  and state = 'open'
  and not exists (select from xero_intent_element e where e.intent_id = xero_intent.id and not e.settled)

-- name: doubt
update xero_intent
set
    look_up_at = clock_timestamp() + %(seconds)s * interval '1 second',
    look_up_noted_at = clock_timestamp(),
    outcome = %(outcome)s
where id = %(intent_id)s

-- name: load_open
select
    i.id, i.organisation_id, i.stage, i.lease_epoch,
    extract(epoch from clock_timestamp() - i.sent_at)::float8 as age_seconds,
    extract(epoch from coalesce(i.look_up_at, i.sent_at) - clock_timestamp())::float8 as wait_seconds
from xero_intent i
where i.tenant_id = %(tenant_id)s and i.state = 'open'
order by i.id

-- name: load_elements
select e.intent_id, e.position, e.operation, e.kind, e.order_id, e.local_id, e.patient_id, e.revision, e.detail::text
from xero_intent_element e
where e.intent_id = any(%(intent_ids)s::int8[]) and not e.settled
order by e.intent_id, e.position

-- name: prune
delete from xero_intent
where id in (
    select id from xero_intent
    where state = 'settled' and settled_at < now() - interval '30 days'
    order by id limit 1000
)
