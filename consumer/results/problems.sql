-- name: open
insert into problem (organisation_id, tenant_id, code, subject, class, message, fix, xero_message)
values (
    %(organisation_id)s, %(tenant_id)s, %(code)s, %(subject)s, %(class)s, %(message)s, %(fix)s, %(xero_message)s
)
on conflict (organisation_id, coalesce(tenant_id, ''), code, subject) where closed_at is null
do update set
    last_seen_at = now(),
    class = excluded.class,
    message = excluded.message,
    fix = excluded.fix,
    xero_message = excluded.xero_message
returning id

-- name: lock
select id from problem where id = any(%(problem_ids)s) and closed_at is null order by id for no key update

-- name: lock_if_free
select id from problem where id = any(%(problem_ids)s) and closed_at is null order by id for no key update nowait

-- name: close_empty
update problem set closed_at = now()
where id = any(%(problem_ids)s)
  and closed_at is null
  and not exists (select from orders where orders.problem_id = problem.id)
returning id

-- name: list_open
select
    problem.id as problem_id,
    problem.organisation_id,
    problem.tenant_id,
    problem.code,
    problem.subject,
    problem.class as problem_class,
    problem.message,
    problem.fix,
    problem.xero_message,
    problem.opened_at,
    problem.last_seen_at,
    coalesce(held.order_count, 0) as order_count,
    held.oldest_order_at
from problem
left join lateral (
    select count(*) as order_count, min(orders.pending_since) as oldest_order_at
    from orders
    where orders.problem_id = problem.id
) held on true
where problem.closed_at is null
  and (%(organisation_id)s::text is null or problem.organisation_id = %(organisation_id)s::text)
order by order_count desc, problem.id
