-- name: insert
insert into sync_log (
    organisation_id, clinic_id, order_id, tenant_id, operation, outcome, problem, problem_class, message, fix,
    xero_message, xero_id, local_id, invoice_number, trigger, actor, attempt, revision, event_id, intent_id,
    problem_id, warnings
)
select
    organisation_id, clinic_id, order_id, tenant_id, operation, outcome, problem, problem_class, message, fix,
    xero_message, xero_id, local_id, invoice_number, trigger, actor, attempt, revision, event_id, intent_id,
    problem_id, warnings
from rows from (
    jsonb_to_recordset(%(entries)s::jsonb) as (
        organisation_id text, clinic_id text, order_id text, tenant_id text, operation text, outcome text,
        problem text, problem_class text, message text, fix text, xero_message text, xero_id text, local_id text,
        invoice_number text, trigger text, actor text, attempt integer, revision bigint, event_id text,
        intent_id bigint, problem_id bigint, warnings jsonb
    )
) with ordinality as entry (
    organisation_id, clinic_id, order_id, tenant_id, operation, outcome, problem, problem_class, message, fix,
    xero_message, xero_id, local_id, invoice_number, trigger, actor, attempt, revision, event_id, intent_id,
    problem_id, warnings, position
)
order by position
returning id, occurred_at

-- name: told_skips
select skip.position
from unnest(%(order_ids)b::text[], %(operations)b::text[], %(problems)b::text[], %(local_ids)b::text[])
    with ordinality as skip (order_id, operation, problem, local_id, position)
where exists (
    select from sync_log told
    where told.order_id = skip.order_id
      and told.outcome = 'skipped'
      and told.operation = skip.operation
      and told.problem is not distinct from skip.problem
      and told.local_id is not distinct from skip.local_id
      and not exists (
          select from sync_log later
          where later.order_id = told.order_id
            and later.id > told.id
            and later.outcome = 'succeeded'
            -- Of a contact that was renamed, all else stays as it was told.
            and later.operation <> 'contact_rename'
            and later.local_id is not distinct from told.local_id
      )
)
