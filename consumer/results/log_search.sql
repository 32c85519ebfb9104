-- name: entries
select
    id as log_id, occurred_at, organisation_id, clinic_id, order_id, tenant_id, operation, outcome, problem,
    problem_class, message, fix, xero_message, xero_id, local_id, invoice_number, trigger, actor, attempt, revision,
    event_id, intent_id, problem_id, warnings
from sync_log
where (%(organisation_id)s::text is null or organisation_id = %(organisation_id)s::text)
  and (%(clinic_id)s::text is null or clinic_id = %(clinic_id)s::text)
  and (%(order_id)s::text is null or order_id = %(order_id)s::text)
  and (%(invoice_number)s::text is null or invoice_number = %(invoice_number)s::text)
  and (%(operation)s::text is null or operation = %(operation)s::text)
  and (%(outcome)s::text is null or outcome = %(outcome)s::text)
  and (%(problem)s::text is null or problem = %(problem)s::text)
  and (%(problem_id)s::bigint is null or problem_id = %(problem_id)s::bigint)
  and (%(since)s::timestamptz is null or occurred_at >= %(since)s::timestamptz)
  and (%(until)s::timestamptz is null or occurred_at < %(until)s::timestamptz)
  -- Rows are read by id, so a span of time must bound the ids too, or the first page of last year would read its way
  -- through this one. Ids and times run together but for the moment that a transaction takes: a thousand rows of slack.
  and (
      %(since)s::timestamptz is null or %(organisation_id)s::text is null
      or id >= (
          select min(near.id)
          from (
              select id from sync_log
              where organisation_id = %(organisation_id)s::text and occurred_at >= %(since)s::timestamptz
              order by occurred_at
              limit 1000
          ) near
      )
  )
  and (
      %(until)s::timestamptz is null or %(organisation_id)s::text is null
      or id <= (
          select max(near.id)
          from (
              select id from sync_log
              where organisation_id = %(organisation_id)s::text and occurred_at < %(until)s::timestamptz
              order by occurred_at desc
              limit 1000
          ) near
      )
  )
  and (%(before_id)s::bigint is null or id < %(before_id)s::bigint)
order by id desc
limit %(limit)s

-- name: counts
select operation, outcome, problem, problem_class, count(*) as count
from sync_log
where (%(organisation_id)s::text is null or organisation_id = %(organisation_id)s::text)
  and (%(clinic_id)s::text is null or clinic_id = %(clinic_id)s::text)
  and (%(order_id)s::text is null or order_id = %(order_id)s::text)
  and (%(invoice_number)s::text is null or invoice_number = %(invoice_number)s::text)
  and (%(operation)s::text is null or operation = %(operation)s::text)
  and (%(outcome)s::text is null or outcome = %(outcome)s::text)
  and (%(problem)s::text is null or problem = %(problem)s::text)
  and (%(problem_id)s::bigint is null or problem_id = %(problem_id)s::bigint)
  and (%(since)s::timestamptz is null or occurred_at >= %(since)s::timestamptz)
  and (%(until)s::timestamptz is null or occurred_at < %(until)s::timestamptz)
group by operation, outcome, problem, problem_class
order by count desc, operation, outcome, problem
