-- name: counts
-- Under the settings as this transaction has them.
select
    (
        select count(*)
        from orders o
        join clinic_settings s using (organisation_id, clinic_id)
        where o.organisation_id = %(organisation_id)s
          and (%(clinic_ids)s::text[] is null or o.clinic_id = any(%(clinic_ids)s))
          and s.synchronisation_enabled
          -- What somebody settled stays as it is.
          and o.hold is distinct from 'settled'
          and (o.due_at is not null or (o.revision > o.synced_revision and o.hold is not null))
    ) as to_push,
    (
        select count(distinct l.order_id)
        from xero_link l
        join orders o on o.order_id = l.order_id
        join clinic_settings s on s.organisation_id = o.organisation_id and s.clinic_id = o.clinic_id
        where l.organisation_id = %(organisation_id)s
          and l.kind = 'invoice'
          and l.status not in ('removed', 'gone')
          and (%(clinic_ids)s::text[] is null or o.clinic_id = any(%(clinic_ids)s))
          and s.tenant_id is not null
          and l.tenant_id <> s.tenant_id
    ) as linked_elsewhere
