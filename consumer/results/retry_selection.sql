-- name: candidates
select
    orders.order_id, orders.organisation_id, orders.clinic_id, orders.invoice_number, orders.revision, orders.attempts,
    orders.hold, orders.problem_id, problem.code as problem, problem.message
from orders
left join problem on problem.id = orders.problem_id
where orders.order_id > %(after_order_id)s
  and (%(order_ids)s::text[] is null or orders.order_id = any(%(order_ids)s::text[]))
  and (
      %(order_ids)s::text[] is not null
      or orders.problem_id is not null
      or orders.hold in ('problem', 'connection', 'settings', 'retry')
  )
  and (%(organisation_id)s::text is null or orders.organisation_id = %(organisation_id)s::text)
  and (%(clinic_id)s::text is null or orders.clinic_id = %(clinic_id)s::text)
  and (%(problem)s::text is null or problem.code = %(problem)s::text)
  and (%(problem_id)s::bigint is null or orders.problem_id = %(problem_id)s::bigint)
  and (
      %(since)s::timestamptz is null
      or exists (
          select from sync_log
          where sync_log.order_id = orders.order_id
            and sync_log.outcome = 'failed'
            and sync_log.occurred_at >= %(since)s::timestamptz
      )
  )
order by orders.order_id
limit %(limit)s
