-- name: orders
-- Orders that are on their way, need someone or were settled by somebody, by tenant and state. An order that a worker has in hand keeps its
-- due_at until the result is written, so it is due here as well: nothing is ever in none of the states.
with counted as (
    select
        organisation_id, clinic_id, hold,
        -- What nothing makes due stays with the tenant that it was last tried for, also where its clinic was switched
        -- off since. What is due is under the tenant that serves it.
        case when due_at is null then tenant_id end as last_tenant,
        case when due_at <= now() then 'now' when due_at is not null then 'later' else 'never' end as due,
        priority = 0 as urgent,
        count(*) as orders,
        extract(epoch from now() - min(due_at))::float8 as due_seconds,
        extract(epoch from now() - min(pending_since))::float8 as pending_seconds
    from orders
    where due_at is not null
       or hold in ('problem', 'connection', 'settings', 'limit', 'retry', 'in_doubt', 'settled')
    group by 1, 2, 3, 4, 5, 6
),
placed as (
    select
        counted.*,
        coalesce(
            case when s.synchronisation_enabled then s.tenant_id end, last_tenant, '-:' || counted.organisation_id
        ) as tenant
    from counted
    left join clinic_settings s using (organisation_id, clinic_id)
),
judged as (
    select
        p.*,
        p.due = 'now' and p.tenant not like '-:%%' and (t.tenant_id is null or locked.code is not null) as lost,
        p.due = 'now' and greatest(
            b.frozen_until,
            -- A day that is spent but for its reserve is no limit for what a person waits for.
            case when p.urgent and l.rest_window = 'day' then null else l.rest_until end
        ) > now() as resting
    from placed p
    left join xero_tenant t on t.organisation_id = p.organisation_id and t.tenant_id = p.tenant
    left join lateral (
        select a.code from xero_access a
        where a.organisation_id = p.organisation_id and a.tenant_id in ('', p.tenant) and a.scope = ''
          and (a.retry_at is null or a.retry_at > now())
        limit 1
    ) locked on true
    left join xero_budget b on b.tenant_id = p.tenant
    left join xero_lease l on l.tenant_id = p.tenant
)
select
    organisation_id,
    tenant,
    case
        when lost or resting then 'waiting'
        when due = 'now' then 'due'
        when due = 'never' and hold = 'problem' then 'failed'
        when due = 'never' and hold = 'settled' then 'settled'
        else 'waiting'
    end as state,
    case
        when lost then 'connection'
        when resting then 'limit'
        when due = 'now' then ''
        when due = 'never' and hold in ('problem', 'settled') then ''
        when hold is null then 'pause'
        when hold = 'problem' then 'retry'
        else hold
    end as reason,
    sum(orders)::int8 as orders,
    max(due_seconds) as due_seconds,
    max(pending_seconds) as pending_seconds
from judged
group by 1, 2, 3, 4
order by 1, 2, 3, 4

-- name: orders_in_doubt
-- Orders of calls without a known outcome which nothing else shows as due or waiting.
select i.organisation_id, i.tenant_id as tenant, count(distinct e.order_id) as orders
from xero_intent i
join xero_intent_element e on e.intent_id = i.id and not e.settled
left join orders o using (order_id)
where i.state = 'open'
  and o.due_at is null
  and coalesce(o.hold, '') not in ('connection', 'settings', 'limit', 'retry', 'in_doubt')
group by 1, 2

-- name: held
-- What was saved while synchronisation was off, in clinics where it is on now, is nobody's wish.
with counted as (
    select organisation_id, clinic_id, hold, count(*) as orders
    from orders
    where hold in ('manual', 'disabled')
    group by 1, 2, 3
)
select
    case when c.hold = 'disabled' and s.synchronisation_enabled then 'left_behind' else c.hold end as held,
    sum(c.orders)::int8 as orders
from counted c
left join clinic_settings s using (organisation_id, clinic_id)
group by 1
order by 1

-- name: intents
select
    tenant_id as tenant,
    count(*) as intents,
    extract(epoch from clock_timestamp() - min(opened_at))::float8 as oldest_seconds
from xero_intent
where state = 'open'
group by 1
order by 1

-- name: outbox
select
    count(*) filter (where set_aside_at is null) as waiting,
    count(*) filter (where set_aside_at is not null) as set_aside,
    extract(epoch from clock_timestamp() - min(created_at) filter (where set_aside_at is null))::float8
        as oldest_seconds
from outbox

-- name: problems
select class as problem_class, code, count(*) as problems
from problem
where closed_at is null
group by 1, 2
order by 1, 2

-- name: dead_letters
select reason, count(*) as letters from dead_letter where state = 'open' group by 1 order by 1

-- name: leases
select
    count(*) filter (where expires_at > clock_timestamp()) as held,
    count(*) filter (where expires_at <= clock_timestamp()) as expired
from xero_lease
where owner is not null

-- name: connections
select
    organisation_id,
    state,
    disconnected_reason as reason,
    connected_at,
    disconnected_at,
    extract(epoch from clock_timestamp() - refreshed_at)::float8 as token_age_seconds
from xero_connection
order by organisation_id

-- name: tenants
select
    t.organisation_id, t.tenant_id, t.name,
    not exists (
        select from xero_access a
        where a.organisation_id = t.organisation_id and a.tenant_id in ('', t.tenant_id) and a.scope = ''
    ) as connected,
    -- Never frozen is minus infinity, of which Postgres 15 and 16 subtract nothing.
    extract(epoch from greatest(b.frozen_until, statement_timestamp()) - statement_timestamp())::float8
        as frozen_seconds,
    nullif(b.frozen_reason, '') as frozen_reason
from xero_tenant t
left join xero_budget b using (tenant_id)
order by t.organisation_id, t.tenant_id

-- name: role_failures
select role, code, count(*) as failures
from role_failure
where failed_at > now() - interval '10 minutes'
group by 1, 2
order by 1, 2
