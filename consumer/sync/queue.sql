-- name: books
-- Every clinic with something due, found by skipping through the partial index (a clinic costs one look-up, an order
-- none), then grouped by the tenant that its settings name. Orders that no call can be made for (no settings, disabled,
-- no tenant) are handled under the organisation's own name, "-:id".
with recursive due_clinic as (
    (
        select organisation_id, clinic_id from orders
        where due_at is not null
        order by organisation_id, clinic_id limit 1
    )
    union all
    select n.organisation_id, n.clinic_id
    from due_clinic d
    cross join lateral (
        select o.organisation_id, o.clinic_id from orders o
        where o.due_at is not null and (o.organisation_id, o.clinic_id) > (d.organisation_id, d.clinic_id)
        order by o.organisation_id, o.clinic_id limit 1
    ) n
),
next_due as (
    select d.organisation_id, d.clinic_id, p.priority, n.due_at
    from due_clinic d
    cross join (values (0), (1), (2)) p (priority)
    cross join lateral (
        select o.due_at from orders o
        where o.organisation_id = d.organisation_id and o.clinic_id = d.clinic_id
          and o.priority = p.priority and o.due_at is not null
        order by o.due_at limit 1
    ) n
),
by_book as (
    select
        coalesce(case when s.synchronisation_enabled then s.tenant_id end, '-:' || n.organisation_id) as book,
        n.organisation_id,
        array_agg(distinct n.clinic_id) as clinic_ids,
        min(n.due_at) as due_at,
        min(n.due_at) filter (where n.priority = 0) as urgent_at
    from next_due n
    left join clinic_settings s using (organisation_id, clinic_id)
    group by 1, 2
    union all
    select i.tenant_id, i.organisation_id, '{}', min(coalesce(i.look_up_at, i.opened_at)), null
    from xero_intent i
    -- Where Xero lets nobody in, nothing can be looked up: the intents wait for the connection.
    join xero_tenant t on t.organisation_id = i.organisation_id and t.tenant_id = i.tenant_id
    where i.state = 'open'
      and not exists (
          select from xero_access a
          where a.organisation_id = i.organisation_id and a.tenant_id in ('', i.tenant_id) and a.scope = ''
            and (a.retry_at is null or a.retry_at > clock_timestamp())
      )
    group by 1, 2
),
ready as (
    select
        b.book,
        b.organisation_id,
        array_remove(array_agg(distinct c.clinic_id), null) as clinic_ids,
        greatest(
            min(b.due_at),
            coalesce(max(g.frozen_until), '-infinity'),
            case
                when max(l.rest_window) = 'day' and bool_or(b.urgent_at <= now()) then '-infinity'
                else coalesce(max(l.rest_until), '-infinity')
            end
        ) as ready_at
    from by_book b
    left join lateral unnest(b.clinic_ids) c (clinic_id) on true
    left join xero_budget g on g.tenant_id = b.book
    left join xero_lease l on l.tenant_id = b.book
    group by 1, 2
)
select
    r.book,
    r.organisation_id,
    r.clinic_ids,
    extract(epoch from greatest(r.ready_at - clock_timestamp(), interval '0'))::float8 as wait_seconds
from ready r
left join xero_lease l on l.tenant_id = r.book
-- One moment for all rows, so that those that are ready are equal, and who was served least recently goes first.
order by greatest(r.ready_at, statement_timestamp()), coalesce(l.served_at, '-infinity')
limit %(limit)s

-- name: due_count
select count(*)
from (
    select 1 from unnest(%(clinic_ids)s::text[]) c (clinic_id)
    join orders o on o.organisation_id = %(organisation_id)s and o.clinic_id = c.clinic_id and o.due_at <= now()
    limit %(limit)s
) due

-- name: has_urgent
select exists (
    select from unnest(%(clinic_ids)s::text[]) c (clinic_id)
    join orders o on o.organisation_id = %(organisation_id)s and o.clinic_id = c.clinic_id
    where o.priority = 0 and o.due_at <= now()
)

-- name: claim
-- The attempt is counted here, before anything is tried. One that never came to an end is not counted again but goes on;
-- an order with which that happens again and again travels alone, so that the others get through without it.
with picked as (
    select o.order_id, o.unended_claims, row_number() over (order by o.priority, o.due_at, o.order_id) as place
    from unnest(%(clinic_ids)s::text[]) c (clinic_id)
    cross join lateral (
        select i.order_id, i.priority, i.due_at, i.unended_claims from orders i
        where i.organisation_id = %(organisation_id)s and i.clinic_id = c.clinic_id and i.due_at <= now()
        order by i.priority, i.due_at
        limit %(limit)s
    ) o
    order by place
    limit %(limit)s
),
chosen as (
    select p.order_id
    from picked p
    where case
        when (select f.unended_claims from picked f where f.place = 1) >= %(alone_from)s then p.place = 1
        else p.unended_claims < %(alone_from)s
    end
),
claimed as (
    update orders o
    set attempts = o.attempts + case when o.unended_claims = 0 or o.attempts = 0 then 1 else 0 end,
        unended_claims = o.unended_claims + 1
    from (select order_id from orders join chosen using (order_id) order by order_id for update of orders) p
    where o.order_id = p.order_id
    returning o.*
),
-- Whoever asks for an order in doubt has it looked up now, where look-ups failed before.
hastened as (
    update xero_intent i set look_up_at = clock_timestamp()
    where i.state = 'open' and i.look_up_at > clock_timestamp() and i.outcome like 'look-up failed: %%'
      and exists (
          select from xero_intent_element e
          join claimed c on c.requested_revision is not null
              and (e.order_id = c.order_id or (e.kind = 'contact' and e.local_id = c.patient_id))
          where e.intent_id = i.id and not e.settled
      )
)
select
    c.order_id, c.organisation_id, c.clinic_id, c.patient_id, c.revision, c.synced_revision, c.requested_revision, c.state::text,
    c.trigger, left(c.actor, 500) as actor, c.attempts, c.unended_claims - 1 as crashes, c.problem_id,
    (select p.code from problem p where p.id = c.problem_id) as problem_code, c.hold, c.due_at, c.event_id, c.trace_parent, c.invoice_number, c.priority,
    extract(epoch from c.pending_since)::float8 as pending_since,
    -- Not from pending_since alone: a backlog that was just read may be old, and has failed nothing yet.
    extract(epoch from now() - greatest(c.pending_since, c.projected_at))::float8 as pending_seconds,
    -- As last seen on any of their orders. This one's own row as it was claimed: where the claim waited for the
    -- projection, the others' rows are older than it.
    (
        select seen.patient
        from (
            (
                select n.state -> 'patient' as patient, n.occurred_at from orders n
                where n.organisation_id = c.organisation_id and n.patient_id = c.patient_id and n.order_id <> c.order_id
                order by n.occurred_at desc limit 1
            )
            union all
            select c.state -> 'patient', c.occurred_at
        ) seen
        order by seen.occurred_at desc limit 1
    )::text as patient,
    exists (
        select from unsettled u
        where u.order_id = c.order_id
           or (u.kind = 'contact' and u.local_id = c.patient_id and u.tenant_id = %(tenant_id)s)
    ) as in_doubt,
    -- HearLink's clock may be ahead of ours by a little.
    c.unreconciled or exists (
        select from setback s
        where s.reason <> 'first'
          and (c.pushed_at is null or c.pushed_at < s.noticed_at)
          and c.occurred_at < s.noticed_at + interval '10 minutes'
    ) as unreconciled,
    conflict.sequences as conflict_sequences, conflict.letters as conflict_letters,
    -- Against this row as it was claimed, as above.
    (
        select jsonb_build_object(
            'order_id', s.order_id, 'settled_as', s.settled_as, 'reason', s.reason, 'actor', s.actor,
            'settled_at', s.settled_at, 'problem', s.problem, 'changed', s.content <> settled_content(c.state),
            'told', s.told
        )
        from settlement s
        where s.order_id = c.order_id
    )::text as settlement
from claimed c
cross join lateral (
    select
        coalesce(array_agg(distinct d.sequence), '{}') as sequences,
        coalesce(array_agg(d.id order by d.id), '{}') as letters
    from dead_letter d
    where d.order_id = c.order_id and d.state = 'open' and d.reason = 'conflict'
) conflict
order by c.priority, c.due_at

-- name: tenant_facts
select
    coalesce(bool_or(t.tenant_id = %(tenant_id)s), false) as known,
    coalesce(bool_or(c.state = 'connected') and not bool_or(t.tenant_id = %(tenant_id)s), false) as unknown,
    max(t.base_currency) filter (where t.tenant_id = %(tenant_id)s) as base_currency,
    (array_agg(t.tax_rates) filter (where t.tenant_id = %(tenant_id)s))[1] as tax_rates,
    coalesce(jsonb_object_agg(t.tenant_id, t.name), '{}') as tenant_names
from xero_connection c
join xero_tenant t using (organisation_id)
where c.organisation_id = %(organisation_id)s

-- name: finish
-- One row an order, whatever became of it. An event that came meanwhile has moved revision and due_at, and whoever
-- rang meanwhile has moved due_at: they stay, and so does the request. Nobody waits for a look-up that is over. What
-- somebody settled meanwhile stays settled; where the claim was too early to see it, the order is looked at once more.
update orders o
set synced_revision = case when r.synced then greatest(o.synced_revision, r.revision) else o.synced_revision end,
    due_at = case
        when r.called_again and o.hold = 'settled' then o.due_at
        when r.called_again or r.unseen_settlement then coalesce(o.due_at, now())
        when r.wait_seconds is null then null
        else now() + r.wait_seconds * interval '1 second'
    end,
    hold = case
        when r.called_again and o.hold = 'settled' then o.hold
        when r.called_again or r.unseen_settlement then null
        else r.hold
    end,
    priority = case
        -- Something was taken out of Xero for a change that is still to be made there: it goes first.
        when r.unfinished then 0
        when r.called_again then o.priority
        when r.hold = 'retry' then 2
        -- Nobody waits for it any more.
        when r.answered then 1
        else o.priority
    end,
    trigger = case
        when r.called_again then o.trigger
        when r.hold is null then 'auto'
        when r.hold = 'retry' then 'retry'
        else o.trigger
    end,
    attempts = case
        when r.synced then 0
        when r.free_attempt then greatest(o.attempts - 1, 0)
        else o.attempts
    end,
    unended_claims = 0,
    unreconciled = r.unreconciled,
    requested_revision = case
        when r.answered and not r.called_again then null else o.requested_revision
    end,
    pending_since = case
        when r.synced and o.revision = r.revision then null
        when r.synced then o.occurred_at
        else o.pending_since
    end,
    pushed_at = case when r.called then clock_timestamp() else o.pushed_at end,
    calm_at = case
        when r.called then least(
            greatest(clock_timestamp(), o.calm_at) + interval '3 seconds', clock_timestamp() + interval '12 seconds'
        )
        else o.calm_at
    end,
    problem_id = case when not r.settled then r.problem_id end,
    tenant_id = coalesce(r.tenant_id, o.tenant_id)
from (
    select
        e.*,
        s.settled,
        s.settled and coalesce(e.hold, '') not in ('settled', 'in_doubt') as unseen_settlement,
        n.revision > e.revision
        or n.due_at is distinct from e.due_at
        or (e.hold is not distinct from 'in_doubt' and not exists (
            select from unsettled u
            where u.order_id = n.order_id
               or (u.kind = 'contact' and u.local_id = n.patient_id and u.tenant_id = e.tenant_id)
        )) as called_again
    from unnest(
        %(order_ids)s::text[], %(revisions)s::int8[], %(due_at)s::timestamptz[], %(synced)s::bool[],
        %(wait_seconds)s::float8[], %(holds)s::text[], %(free_attempts)s::bool[], %(answered)s::bool[],
        %(called)s::bool[], %(problem_ids)s::int8[], %(tenant_ids)s::text[], %(unreconciled)s::bool[],
        %(unfinished)s::bool[]
    ) as e (
        order_id, revision, due_at, synced, wait_seconds, hold, free_attempt, answered, called, problem_id, tenant_id,
        unreconciled, unfinished
    )
    join orders n using (order_id)
    cross join lateral (
        select exists (select from order_settlement s where s.order_id = n.order_id and s.stands) as settled
    ) s
) r
where o.order_id = r.order_id

-- name: settle
-- Somebody closes the order's failure: nothing of it is due, and nothing is missing. One in doubt is looked up in Xero
-- first, and ends as settled then.
update orders
set due_at = case when hold = 'in_doubt' then due_at end,
    hold = case when hold = 'in_doubt' then hold else 'settled' end,
    problem_id = null,
    attempts = 0,
    priority = 1,
    trigger = 'auto',
    requested_revision = null,
    pending_since = null
where order_id = %(order_id)s

-- name: unsettle
-- It goes as any other order from now on.
update orders
set due_at = case when hold = 'in_doubt' then due_at else now() end,
    hold = case when hold = 'in_doubt' then hold end,
    trigger = 'retry',
    pending_since = case when revision > synced_revision then coalesce(pending_since, occurred_at) else pending_since end
where order_id = %(order_id)s

-- name: lock
select from orders where order_id = any(%(order_ids)s::text[]) order by order_id for update

-- name: wake_connection
-- After a connect: what waited for it goes by itself where the clinic is in auto mode, a request is unanswered or a
-- change of what Xero holds was left halfway.
with waiting as (
    select o.order_id
    from orders o
    join clinic_settings s using (organisation_id, clinic_id)
    left join problem p on p.id = o.problem_id
    where o.organisation_id = %(organisation_id)s
      and (o.hold = 'connection' or (o.hold = 'problem' and p.class = 'connection'))
      and s.synchronisation_enabled
      and (s.mode = 'auto' or o.requested_revision is not null or o.priority = 0)
    order by o.order_id
    for update of o
)
update orders o
set due_at = now(), hold = null, trigger = case when o.requested_revision is null then 'retry' else o.trigger end
from waiting w
where o.order_id = w.order_id

-- name: wake_settings
-- After a change of settings: what failed for their sake is looked at again where the clinic is in auto mode, and so is
-- what waited for the connection of a tenant that the clinic has no more, or that came back while it was switched off.
with waiting as (
    select o.order_id
    from orders o
    join clinic_settings s using (organisation_id, clinic_id)
    left join problem p on p.id = o.problem_id
    where o.organisation_id = %(organisation_id)s
      and s.synchronisation_enabled
      and (
          (s.mode = 'auto' and p.class = 'settings' and o.hold in ('problem', 'disabled'))
          or p.code = 'left_unfinished'
          or (
              o.hold = 'connection'
              and (s.mode = 'auto' or o.requested_revision is not null or o.priority = 0)
              and exists (
                  select from xero_tenant t
                  where t.organisation_id = o.organisation_id and t.tenant_id = s.tenant_id
                    and not exists (
                        select from xero_access a
                        where a.organisation_id = t.organisation_id and a.tenant_id in ('', t.tenant_id) and a.scope = ''
                    )
              )
          )
      )
    order by o.order_id
    for update of o
)
update orders o
set due_at = now(), hold = null, trigger = 'retry'
from waiting w
where o.order_id = w.order_id

-- name: access_changed
-- Whether something that was refused is let through by now, or worth another try.
select exists (select from xero_refusal where lifted_at is not null or retry_at <= clock_timestamp())

-- name: wake_lifted
-- What waited for something that Xero refused and lets us do again. Its row has done its duty then.
with lifted as (
    delete from xero_refusal where lifted_at is not null returning organisation_id, tenant_id, scope, code
),
waiting as (
    select o.order_id
    from lifted l
    join problem p on p.organisation_id = l.organisation_id and p.code = l.code and p.subject = l.scope
        and p.closed_at is null and (l.tenant_id = '' or p.tenant_id = l.tenant_id)
    join orders o on o.problem_id = p.id and o.hold = 'connection'
    join clinic_settings s on s.organisation_id = o.organisation_id and s.clinic_id = o.clinic_id
    where s.synchronisation_enabled and (s.mode = 'auto' or o.requested_revision is not null or o.priority = 0)
    order by o.order_id
    for update of o
),
hastened as (
    update xero_intent i set look_up_at = clock_timestamp()
    from lifted l
    where i.state = 'open' and i.organisation_id = l.organisation_id and i.outcome like 'look-up failed: %%'
)
update orders o
set due_at = now(), hold = null, trigger = case when o.requested_revision is null then 'retry' else o.trigger end
from waiting w
where o.order_id = w.order_id

-- name: let_one_try
-- Where it is time for another try of something that Xero refuses, one of the orders that wait for it goes and finds out.
-- It stays held until it has; no other is let go while it is on its way.
with held as (
    select p.organisation_id, r.tenant_id, r.scope, p.id as problem_id
    from xero_refusal r
    join problem p on p.organisation_id = r.organisation_id and p.code = r.code and p.subject = r.scope
        and p.closed_at is null and (r.tenant_id = '' or p.tenant_id = r.tenant_id)
    where r.lifted_at is null and r.retry_at <= clock_timestamp()
),
chosen as (
    select distinct on (h.organisation_id, h.tenant_id, h.scope) o.order_id
    from held h
    join orders o on o.problem_id = h.problem_id and o.hold = 'connection' and o.due_at is null
    join clinic_settings s on s.organisation_id = o.organisation_id and s.clinic_id = o.clinic_id
    where s.synchronisation_enabled and (s.mode = 'auto' or o.requested_revision is not null or o.priority = 0)
      and not exists (
          select from held other
          join orders on_its_way on on_its_way.problem_id = other.problem_id and on_its_way.due_at is not null
          where (other.organisation_id, other.tenant_id, other.scope) = (h.organisation_id, h.tenant_id, h.scope)
      )
    order by h.organisation_id, h.tenant_id, h.scope, o.priority, o.order_id
)
update orders o set due_at = now()
from (select order_id from orders join chosen using (order_id) order by order_id for update of orders) c
where o.order_id = c.order_id

-- name: hasten_look_ups
-- Of calls whose look-up failed for want of access.
update xero_intent set look_up_at = clock_timestamp()
where organisation_id = %(organisation_id)s and state = 'open' and outcome like 'look-up failed: %%'

-- name: notify
select pg_notify('hearlink_due', '')

-- name: now
select now()
