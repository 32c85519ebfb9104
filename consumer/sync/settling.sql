-- name: lock
select from orders where order_id = %(order_id)s for update

-- name: standing
-- After the lock: whoever had the order in hand has written how it stands.
select
    o.order_id, o.organisation_id, o.clinic_id, o.patient_id, o.invoice_number, o.revision, o.event_id,
    coalesce(o.tenant_id, (
        select s.tenant_id from clinic_settings s
        where s.organisation_id = o.organisation_id and s.clinic_id = o.clinic_id
    )) as tenant_id,
    o.state::text as state,
    o.hold is null and o.due_at is null and o.revision <= o.synced_revision as in_step,
    o.problem_id,
    (select p.code from problem p where p.id = o.problem_id) as problem_code,
    (select p.message from problem p where p.id = o.problem_id) as problem_message
from orders o
where o.order_id = %(order_id)s and (%(organisation_id)s::text is null or o.organisation_id = %(organisation_id)s)

-- name: save
insert into settlement (order_id, organisation_id, settled_as, reason, actor, settled_at, problem, content)
select
    o.order_id, o.organisation_id, %(settled_as)s, %(reason)s, %(actor)s, clock_timestamp(), %(problem)s,
    settled_content(o.state)
from orders o
where o.order_id = %(order_id)s
on conflict (order_id) do update
set organisation_id = excluded.organisation_id,
    settled_as = excluded.settled_as,
    reason = excluded.reason,
    actor = excluded.actor,
    settled_at = excluded.settled_at,
    -- Who thinks again about the way settles the same failure.
    problem = coalesce(excluded.problem, settlement.problem),
    content = excluded.content,
    told = false

-- name: load
select order_id, settled_as, reason, actor, settled_at, problem, changed, told
from order_settlement
where order_id = %(order_id)s

-- name: list
select order_id, organisation_id, clinic_id, invoice_number, settled_as, reason, actor, settled_at, problem
from order_settlement
where stands and (%(organisation_id)s::text is null or organisation_id = %(organisation_id)s)
order by settled_at desc, order_id
limit %(limit)s

-- name: delete
delete from settlement where order_id = %(order_id)s

-- name: end
delete from settlement s
using order_settlement o
where s.order_id = any(%(order_ids)s::text[]) and o.order_id = s.order_id and not o.stands

-- name: note_told
update settlement set told = true where order_id = any(%(order_ids)s::text[])

-- name: audit
insert into audit (organisation_id, actor, action, detail)
values (%(organisation_id)s, %(actor)s, %(action)s, %(detail)s::jsonb)
