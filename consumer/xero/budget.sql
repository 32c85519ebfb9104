-- name: lock_tenant
-- Takes the tenant's row for the transaction. The counting below is a statement of its own, because a statement
-- sees only what was committed when it began, that is, before it waited for this lock.
insert into xero_budget (tenant_id)
values (%(tenant_id)s)
on conflict (tenant_id) do update set tenant_id = excluded.tenant_id;

-- name: state
select
    asked.tenant_id,
    case when budget.frozen_until > now.at then extract(epoch from budget.frozen_until - now.at) else 0 end::float8
        as frozen_seconds,
    case when budget.frozen_until > now.at then budget.frozen_until end as frozen_until,
    coalesce(budget.frozen_reason, '') as frozen_reason,
    budget.minute_allowance,
    budget.day_allowance,
    extract(epoch from now.at - budget.observed_at)::float8 as observed_seconds,
    coalesce(budget.refusals, 0) as refusals,
    -- A call weighs on the minute from its grant until a minute after its answer, or after the moment when it must
    -- have ended; only the newest rows can weigh, which keeps the index scan short.
    (
        select count(*)
        from xero_call as call
        where call.tenant_id = asked.tenant_id
          and call.granted_at > now.at - make_interval(secs => %(minute_seconds)s + %(call_seconds)s)
          and least(
              coalesce(call.ended_at, 'infinity'), call.granted_at + make_interval(secs => %(call_seconds)s)
          ) > now.at - make_interval(secs => %(minute_seconds)s)
    ) as minute_used,
    (
        select count(*)
        from xero_call as call
        where call.tenant_id = asked.tenant_id
          and call.granted_at > now.at - make_interval(secs => %(day_seconds)s)
    ) as day_used
from unnest(%(tenant_ids)s::text[]) as asked (tenant_id)
cross join (select clock_timestamp() as at) as now
left join xero_budget as budget on budget.tenant_id = asked.tenant_id;

-- name: minute_wait
-- Seconds until the call leaves the window whose leaving makes room: the (excess + 1)th to leave.
select extract(epoch from weighs_until - clock_timestamp())::float8 as seconds
from (
    select
        least(
            coalesce(ended_at, 'infinity'), granted_at + make_interval(secs => %(call_seconds)s)
        ) + make_interval(secs => %(minute_seconds)s) as weighs_until
    from xero_call
    where tenant_id = %(tenant_id)s
      and granted_at > clock_timestamp() - make_interval(secs => %(minute_seconds)s + %(call_seconds)s)
) as weighing
where weighs_until > clock_timestamp()
order by weighs_until
offset %(excess)s
limit 1;

-- name: day_wait
select
    extract(epoch from granted_at + make_interval(secs => %(day_seconds)s) - clock_timestamp())::float8 as seconds
from xero_call
where tenant_id = %(tenant_id)s
  and granted_at > clock_timestamp() - make_interval(secs => %(day_seconds)s)
order by granted_at
offset %(excess)s
limit 1;

-- name: grant
insert into xero_call (tenant_id) values (%(tenant_id)s) returning id;

-- name: prune
delete from xero_call
where tenant_id = %(tenant_id)s
  and granted_at < clock_timestamp() - make_interval(secs => %(day_seconds)s + %(call_seconds)s);

-- name: end_call
update xero_call set ended_at = clock_timestamp() where id = %(call_id)s and ended_at is null;

-- name: release
delete from xero_call where id = %(call_id)s and ended_at is null;

-- name: observe
-- What Xero says is left, with what we count as used, is how many calls of ours fit into a window: less than the
-- configured limit where others call in our name, or where Xero's limit is lower than ours.
-- An answer without the headers (of a proxy, say) leaves what was known.
update xero_budget
set minute_allowance = coalesce(%(minute_allowance)s::integer, minute_allowance),
    day_allowance = coalesce(%(day_allowance)s::integer, day_allowance),
    observed_at = case
        when coalesce(%(minute_allowance)s::integer, %(day_allowance)s::integer) is null then observed_at
        else clock_timestamp()
    end,
    refusals = 0
where tenant_id = %(tenant_id)s;

-- name: freeze
update xero_budget
set frozen_until = greatest(frozen_until, clock_timestamp() + make_interval(secs => %(seconds)s)),
    frozen_reason = case
        when frozen_until > clock_timestamp() + make_interval(secs => %(seconds)s) then frozen_reason
        else %(reason)s
    end,
    refusals = refusals + %(refusals)s
where tenant_id = %(tenant_id)s
returning extract(epoch from frozen_until - clock_timestamp())::float8 as seconds;
