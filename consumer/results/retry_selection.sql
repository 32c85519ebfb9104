-- name: candidates
select
    orders.order_id, orders.organisation_id, orders.clinic_id, orders.invoice_number, orders.revision, orders.attempts,
    orders.hold, orders.problem_id, problem.code as problem, problem.message
from orders
left join problem on problem.id = orders.problem_id
where orders.order_id > %(after_order_id)s
  -- What somebody settled is answered with the settlement, whoever asks.
  and not exists (select from order_settlement s where s.order_id = orders.order_id and s.stands)
  and (%(order_ids)s::text[] is null or orders.order_id = any(%(order_ids)s::text[]))
  and case
      when %(order_ids)s::text[] is not null then true
      -- Where synchronisation is off a request would only fail.
      when %(held)s::text[] is not null then orders.hold = any(%(held)s::text[]) and exists (
          select from clinic_settings s
          where s.organisation_id = orders.organisation_id and s.clinic_id = orders.clinic_id
            and s.synchronisation_enabled
      )
      else orders.problem_id is not null or orders.hold in ('problem', 'connection', 'settings', 'retry')
  end
  and (%(organisation_id)s::text is null or orders.organisation_id = %(organisation_id)s::text)
  and (%(clinic_id)s::text is null or orders.clinic_id = %(clinic_id)s::text)
  and (%(problem)s::text is null or problem.code = %(problem)s::text)
  and (%(problem_id)s::bigint is null or orders.problem_id = %(problem_id)s::bigint)
  and (
      %(since)s::timestamptz is null
      or (%(held)s::text[] is not null and orders.occurred_at >= %(since)s::timestamptz)
      or (%(held)s::text[] is null and exists (
          select from sync_log
          where sync_log.order_id = orders.order_id
            and sync_log.outcome = 'failed'
            and sync_log.occurred_at >= %(since)s::timestamptz
      ))
  )
order by orders.order_id
limit %(limit)s

-- name: settled
-- Of the same orders those that are left out, since somebody settled them; by what they failed for then.
select s.order_id
from order_settlement s
where s.stands
  and %(held)s::text[] is null
  and (%(order_ids)s::text[] is null or s.order_id = any(%(order_ids)s::text[]))
  and (%(organisation_id)s::text is null or s.organisation_id = %(organisation_id)s::text)
  and (%(clinic_id)s::text is null or s.clinic_id = %(clinic_id)s::text)
  and (%(problem)s::text is null or s.problem = %(problem)s::text)
  and (
      %(problem_id)s::bigint is null
      or exists (select from sync_log l where l.order_id = s.order_id and l.problem_id = %(problem_id)s::bigint)
  )
  and (
      %(since)s::timestamptz is null
      or exists (
          select from sync_log l
          where l.order_id = s.order_id and l.outcome = 'failed' and l.occurred_at >= %(since)s::timestamptz
      )
  )
order by s.order_id

-- name: still_off
select count(*)
from orders
left join clinic_settings s using (organisation_id, clinic_id)
where orders.hold = any(%(held)s::text[])
  and not coalesce(s.synchronisation_enabled, false)
  and (%(organisation_id)s::text is null or orders.organisation_id = %(organisation_id)s::text)
  and (%(clinic_id)s::text is null or orders.clinic_id = %(clinic_id)s::text)
  and (%(since)s::timestamptz is null or orders.occurred_at >= %(since)s::timestamptz)

-- name: left_behind
select count(*)
from orders
join clinic_settings s using (organisation_id, clinic_id)
where orders.organisation_id = %(organisation_id)s and orders.hold = 'disabled' and s.synchronisation_enabled
