-- name: take_turn
-- What stands in the way of a call. Of what is worth another try, one call alone gets the turn: for a minute nobody else
-- does, and its outcome says for how long after that.
with turn as (
    update xero_refusal
    set retry_at = clock_timestamp() + interval '1 minute'
    where organisation_id = %(organisation_id)s and tenant_id in ('', %(tenant_id)s) and scope = any(%(scopes)s)
      and lifted_at is null and retry_at <= clock_timestamp()
    returning tenant_id, scope
)
select code, scope, xero_message
from xero_refusal r
where organisation_id = %(organisation_id)s and tenant_id in ('', %(tenant_id)s) and scope = any(%(scopes)s)
  and lifted_at is null
  and not exists (select from turn t where t.tenant_id = r.tenant_id and t.scope = r.scope)
order by retry_at nulls first
limit 1

-- name: note
-- By tokens that are still those of the connection: who connected meanwhile has others, and they may be let in.
insert into xero_refusal as r (organisation_id, tenant_id, scope, code, xero_message, retry_at)
select
    organisation_id, %(tenant_id)s, %(scope)s, %(code)s, %(xero_message)s,
    clock_timestamp() + make_interval(secs => %(retry_seconds)s)
from xero_connection
where organisation_id = %(organisation_id)s and state = 'connected'
  and connected_at is not distinct from %(connected_at)s
on conflict (organisation_id, tenant_id, scope) do update
set code = excluded.code,
    xero_message = excluded.xero_message,
    refusals = case when r.lifted_at is null and r.code = excluded.code then r.refusals + 1 else 1 end,
    since = case when r.lifted_at is null and r.code = excluded.code then r.since else excluded.since end,
    retry_at = excluded.retry_at,
    lifted_at = null
returning refusals

-- name: put_off
update xero_refusal set retry_at = clock_timestamp() + make_interval(secs => %(retry_seconds)s)
where organisation_id = %(organisation_id)s and tenant_id = %(tenant_id)s and scope = %(scope)s and lifted_at is null

-- name: lift
update xero_refusal set lifted_at = clock_timestamp()
where organisation_id = %(organisation_id)s and tenant_id in ('', %(tenant_id)s) and scope = any(%(scopes)s)
  and lifted_at is null
returning code, scope

-- name: try_app_again
-- The app's credentials are those of all organisations: what works for one is worth a try for the others.
update xero_refusal set retry_at = clock_timestamp()
where code = 'app_refused' and lifted_at is null and retry_at > clock_timestamp()

-- name: forget
delete from xero_refusal where organisation_id = %(organisation_id)s

-- name: access
select organisation_id, tenant_id, scope, code, reason, xero_message, since, retry_at,
    retry_at is null or retry_at > clock_timestamp() as stands
from xero_access
where %(organisation_id)s::text is null or organisation_id = %(organisation_id)s
order by organisation_id, tenant_id, scope
