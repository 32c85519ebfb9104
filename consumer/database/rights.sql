-- name: roles
-- What must be there before the first table is: the console's role, which whoever runs the migrations may change to.
select what, statement, needed_by
from (
    select
        1 as step, 'the role hearlink_console' as what, 'create role hearlink_console nologin' as statement,
        'console' as needed_by
    where not exists (select from pg_roles where rolname = 'hearlink_console')
    union all
    select
        2, format('%s as a member of hearlink_console', quote_ident(current_user)),
        format('grant hearlink_console to %I', current_user), 'console'
    where not coalesce(
        (
            -- Since Postgres 16 a member may be one that can't change to the role, as whoever made it is.
            select pg_has_role(
                current_user, oid, case when current_setting('server_version_num')::int < 160000 then 'member' else 'set' end
            )
            from pg_roles where rolname = 'hearlink_console'
        ),
        false
    )
) missing
order by step

-- name: may_create_roles
select rolsuper or rolcreaterole from pg_roles where rolname = current_user

-- name: owners
-- Tables, views and functions of ours that belong to somebody else: we could not change them, and where rows are
-- guarded we would see none. What came with an extension is nobody's business here.
with ours as (
    select
        c.oid, 'pg_class'::regclass as catalogue, c.relowner as owner,
        case c.relkind when 'v' then 'view' else 'table' end || ' ' || quote_ident(c.relname) as name
    from pg_class c
    where c.relnamespace = (select relnamespace from pg_class where oid = to_regclass('schema_migration'))
      and c.relkind in ('r', 'p', 'v')
    union all
    select p.oid, 'pg_proc'::regclass, p.proowner, 'function ' || p.oid::regprocedure::text
    from pg_proc p
    where p.pronamespace = (select relnamespace from pg_class where oid = to_regclass('schema_migration'))
)
select
    format('the %s, which belongs to %s, for %s', name, pg_get_userbyid(owner), current_user) as what,
    format('alter %s owner to %I', name, current_user) as statement,
    'service' as needed_by
from ours
where not pg_has_role(current_user, owner, 'usage')
  and not exists (
      select from pg_depend d where d.classid = ours.catalogue and d.objid = ours.oid and d.deptype = 'e'
  )
order by name

-- name: missing
-- What the console's role lacks, by name, each with the statement that mends it. The one list of what it may do;
-- migrations give the same, and a test compares the two.
with role as (
    select (select oid from pg_roles where rolname = 'hearlink_console') as id
),
allowed (objects, privileges, columns) as (
    values
        (
            '{clinic,sync_log,problem,xero_tenant,xero_link,xero_intent,xero_intent_element,xero_refusal,'
            'clinic_settings,unsettled,xero_access,settlement,order_settlement}'::text[],
            '{select}'::text[], null::text[]
        ),
        ('{organisation}', '{select,insert,update}', null),
        ('{clinic_override}', '{select,insert,update,delete}', null),
        ('{audit}', '{select,insert}', null),
        ('{orders}', '{select}', null),
        ('{orders}', '{update}', '{due_at,hold,trigger}'),
        ('{outbox}', '{insert}', null),
        -- Not the tokens.
        (
            '{xero_connection}', '{select}',
            '{organisation_id,state,access_expires_at,refreshed_at,scopes,connected_at,connected_by,disconnected_at,'
            'disconnected_reason,generation}'
        ),
        -- Not the messages.
        (
            '{dead_letter}', '{select}',
            '{id,topic,partition,offset,organisation_id,order_id,reason,detail,state,state_reason,state_actor,state_at,'
            'dead_at,sequence,event_id}'
        )
),
wanted as (
    select object, to_regclass(quote_ident(object)) as id, privilege, columns
    from allowed cross join unnest(objects) as object cross join unnest(privileges) as privilege
),
guarded (object, command, visible, allowed) as (
    select object, '*', 'organisation_id = console_organisation()', ''
    from unnest(
        '{clinic,organisation,clinic_override,orders,sync_log,problem,audit,xero_connection,xero_tenant,xero_link,'
        'xero_intent,xero_refusal,dead_letter,settlement}'::text[]
    ) as object
    union all
    select
        'xero_intent_element', '*',
        'exists (select from xero_intent where xero_intent.id = xero_intent_element.intent_id)', ''
    union all
    -- Messages leave, and are never read back.
    select 'outbox', 'a', '', 'topic = ''retry''::text'
),
policy as (
    select g.*, p.oid as id, to_regclass(quote_ident(g.object)) as table_id
    from guarded g
    left join pg_policy p on p.polrelid = to_regclass(quote_ident(g.object))
        and p.polname = 'console'
        and p.polcmd::text = g.command
        and p.polpermissive
        and p.polroles = array[(select id from role)]
        -- Postgres writes parentheses, spaces and capitals of its own.
        and regexp_replace(lower(coalesce(pg_get_expr(p.polqual, p.polrelid), '')), '[\s()]', '', 'g')
            = regexp_replace(lower(g.visible), '[\s()]', '', 'g')
        and regexp_replace(lower(coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '')), '[\s()]', '', 'g')
            = regexp_replace(lower(g.allowed), '[\s()]', '', 'g')
),
missing (step, what, statement) as (
    select
        1, format('usage of the schema %I for hearlink_console', current_schema()),
        format('grant usage on schema %I to hearlink_console', current_schema())
    from role
    where not coalesce(has_schema_privilege(role.id, current_schema(), 'usage'), false)
    union all
    select
        2, format('%s on %s for hearlink_console', privilege, object),
        format('grant %s on %I to hearlink_console', privilege, object)
    from wanted, role
    where columns is null and not coalesce(has_table_privilege(role.id, wanted.id, privilege), false)
    union all
    select
        2, format('%s on %s (%s) for hearlink_console', privilege, object, string_agg(name, ', ' order by name)),
        format(
            'grant %s (%s) on %I to hearlink_console', privilege, string_agg(quote_ident(name), ', ' order by name), object
        )
    from wanted cross join role cross join unnest(columns) as name
    left join pg_attribute a on a.attrelid = wanted.id and a.attname = name and not a.attisdropped
    where not coalesce(has_column_privilege(role.id, wanted.id, a.attnum, privilege), false)
    group by privilege, object
    union all
    -- Without it every organisation's rows are shown to every other.
    select
        3, format('row-level security of %s', object), format('alter table %I enable row level security', object)
    from guarded
    where not coalesce(
        (select relrowsecurity from pg_class where oid = to_regclass(quote_ident(object))), false
    )
    union all
    -- By the rights of whoever asks: a view shows what its owner may see, unless it is told otherwise.
    select
        3, format('the option security_invoker of the view %s', object),
        format('alter view %I set (security_invoker = true)', object)
    from unnest('{clinic_settings,unsettled,xero_access,order_settlement}'::text[]) as object
    where not coalesce(
        (select 'security_invoker=true' = any(reloptions) from pg_class where oid = to_regclass(quote_ident(object))), false
    )
    union all
    select
        4, format('the policy console on %s', object),
        format('drop policy if exists console on %I; create policy console on %I', object, object)
        || case command when 'a' then ' for insert' else '' end || ' to hearlink_console'
        || case visible when '' then '' else format(' using (%s)', visible) end
        || case allowed when '' then '' else format(' with check (%s)', allowed) end
    from policy
    where id is null
)
select what, statement, 'console' as needed_by from missing order by step, what
