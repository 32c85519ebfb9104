-- What people settled: orders that the service leaves alone, because somebody said so. One row an order, while it stands;
-- the sync log and the audit keep the story.
create table settlement (
    order_id text primary key,
    organisation_id text not null,
    settled_as text not null check (settled_as in ('done-in-xero', 'do-not-send', 'until-it-changes')),
    reason text not null check (length(reason) between 1 and 500),
    actor text not null,
    settled_at timestamptz not null default now(),
    -- The code of what the order failed for then; null = for nothing.
    problem text,
    -- What HearLink said of the order then: any other content is a change.
    content text not null,
    -- Whether the log says already that a change is not sent.
    told boolean not null default false
);
create index settlement_of_organisation on settlement (organisation_id, settled_at desc);

-- What stands in an order but for its patient, whose data comes with every event and goes when a patient is erased, and
-- for the fold's own notes, which a rebuild may write anew. Each saving and each deletion has its own sequence in there,
-- so that every change makes another content; a request to sync makes none. Damaged states have one as well.
create function settled_content(state jsonb) returns text language sql immutable parallel safe as $$
    select md5(jsonb_build_array(
        case jsonb_typeof(state -> 'invoice')
            when 'object' then (state -> 'invoice') - '{saved,deletions}'::text[] else state -> 'invoice'
        end,
        (
            select jsonb_object_agg(
                entry.key, case jsonb_typeof(entry.value) when 'object' then entry.value - '{saved}'::text[] else entry.value end
            )
            from jsonb_each(case jsonb_typeof(state -> 'payments') when 'object' then state -> 'payments' end) entry
        ),
        (
            select jsonb_object_agg(
                entry.key, case jsonb_typeof(entry.value) when 'object' then entry.value - '{saved}'::text[] else entry.value end
            )
            from jsonb_each(case jsonb_typeof(state -> 'credit_notes') when 'object' then state -> 'credit_notes' end) entry
        ),
        state -> 'closed'
    )::text)
$$;

-- Which of them stand: a change in HearLink ends all but those that are not to be sent.
create view order_settlement with (security_invoker = true) as
select
    s.order_id, s.organisation_id, o.clinic_id, o.invoice_number, s.settled_as, s.reason, s.actor, s.settled_at,
    s.problem, s.told, c.changed, s.settled_as = 'do-not-send' or not c.changed as stands
from settlement s
join orders o using (order_id)
cross join lateral (select s.content <> settled_content(o.state) as changed) c;

-- The console shows its own organisation's. Settling is done as the service, like connecting.
alter table settlement enable row level security;
create policy console on settlement to hearlink_console using (organisation_id = console_organisation());
grant select on settlement, order_settlement to hearlink_console;
