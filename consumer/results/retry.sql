-- name: ring
with request as (
    select *
    from unnest(
        %(order_ids)b::text[], %(manual)b::boolean[], %(attempts)b::bigint[], %(revisions)b::bigint[],
        %(not_before)b::timestamptz[], %(actors)b::text[]
    ) with ordinality as request (order_id, manual, attempt, revision, not_before, actor, position)
),
-- Locked by key order, as the projection writes: two that ring for the same orders can't block each other for ever.
locked as (
    select
        order_id, organisation_id, clinic_id, patient_id, revision, synced_revision, hold, problem_id, attempts
    from orders
    where order_id in (select order_id from request)
    order by order_id
    for no key update
),
-- Held in doubt, and something is: nothing may be left of it for the order, once its patient is another.
standing as (
    select
        locked.*,
        locked.hold is not distinct from 'in_doubt' and exists (
            select from unsettled u
            where u.order_id = locked.order_id
               or (u.kind = 'contact' and u.local_id = locked.patient_id and u.tenant_id = (
                   select s.tenant_id from clinic_settings s
                   where s.organisation_id = locked.organisation_id and s.clinic_id = locked.clinic_id
               ))
        ) as in_doubt
    from locked
),
effect as (
    select
        standing.order_id,
        bool_or(request.manual) as manual,
        (array_agg(request.actor order by request.position desc) filter (where request.manual))[1] as actor,
        -- Whatever it says, no sooner than now and no later than the service itself ever waits, with room to spare. One
        -- that is older than the order's last attempt, or than its last change, must not cut the present wait short.
        min(least(greatest(request.not_before, now()), now() + interval '7 days')) filter (
            where not request.manual
              and request.attempt >= standing.attempts
              and coalesce(request.revision >= standing.revision, true)
              and (standing.revision > standing.synced_revision or standing.hold is not null)
              -- Nobody tries again what a person settled.
              and standing.hold is distinct from 'settled'
              and not standing.in_doubt
        ) as due_at,
        standing.in_doubt,
        standing.problem_id is not null or coalesce(standing.hold, '') in ('problem', 'retry', 'connection') as had_failed
    from standing
    join request using (order_id)
    group by standing.order_id, standing.hold, standing.problem_id, standing.in_doubt
),
rung as (
    update orders
    set
        due_at = case
            when effect.manual and not effect.in_doubt then now()
            when effect.due_at is not null then least(coalesce(orders.due_at, 'infinity'), effect.due_at)
            else orders.due_at
        end,
        hold = case when effect.manual and not effect.in_doubt then null else orders.hold end,
        priority = case when effect.manual then 0 else orders.priority end,
        trigger = case
            when not effect.manual then orders.trigger
            when effect.had_failed then 'retry'
            else 'manual'
        end,
        requested_revision = case when effect.manual then orders.revision else orders.requested_revision end,
        actor = case when effect.manual then effect.actor else orders.actor end
    from effect
    where orders.order_id = effect.order_id
      and (effect.manual or effect.due_at < coalesce(orders.due_at, 'infinity'))
    returning orders.order_id
)
select
    asked.order_id,
    locked.order_id is not null as known,
    rung.order_id is not null as changed
from (select distinct order_id from request) asked
left join locked using (order_id)
left join rung using (order_id)
order by asked.order_id
