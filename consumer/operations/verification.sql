-- name: begin
-- What is compared lies side by side in a page: it is joined as a whole. A plan that goes row by row, chosen because a
-- page was thought to be small, would take the square of its time.
set local enable_nestloop = off;
set local jit = off;
-- A page fits.
set local work_mem = '64MB';
-- Each statement is of a page, but for one that counts all links.
set local statement_timeout = '30min'

-- name: count
select count(*) from orders

-- name: settled
select count(*) from order_settlement where stands

-- name: page_end
-- The last order of a page; none where fewer are left.
select order_id from orders where order_id > %(after)s order by order_id offset %(orders)s - 1 limit 1

-- name: page
-- Totals (of orders that are in step: pushed as they are, held by nothing, and with an invoice that stands) and findings
-- of the orders and links in (after, last]. What is wanted and what is linked meet in one join.
with page as materialized (
    select
        order_id, organisation_id, tenant_id, invoice_id, missing, revision, synced_revision,
        state -> 'payments' as payments, state -> 'credit_notes' as credit_notes,
        revision = synced_revision and hold is null and problem_id is null and tenant_id is not null
            and state -> 'closed' = 'null' and state -> 'invoice' <> 'null'
            and not (state -> 'invoice' ->> 'deleted')::boolean as is_in_step
    from orders
    where order_id > %(after)s and (%(last)s::text is null or order_id <= %(last)s)
),
linked as materialized (
    -- Contacts have no order: a patient that was merged into another has none, and the contact stays in Xero.
    select
        l.order_id, l.tenant_id, l.kind, l.local_id, l.status, p.organisation_id, p.order_id is null as is_orphan,
        coalesce(p.is_in_step and p.tenant_id = l.tenant_id, false) as is_in_step,
        case l.kind when 'payment' then (l.detail ->> 'amount')::numeric end as amount
    from xero_link l
    left join page p on p.order_id = l.order_id
    where l.order_id > %(after)s and (%(last)s::text is null or l.order_id <= %(last)s) and l.order_id <> ''
),
-- What people did away with in Xero stays away: such orders are counted, and not judged.
gone as (select distinct order_id from linked where status = 'gone' and is_in_step),
wanted as (
    select organisation_id, order_id, tenant_id, 'invoice' as kind, invoice_id as local_id, null::numeric as amount
    from page
    where is_in_step
    union all
    select organisation_id, order_id, tenant_id, 'payment', payment.id, payment.amount
    from page
    cross join lateral (
        select e.key as id, round((e.value -> 'value' ->> 'amount')::numeric, 2) as amount
        from jsonb_each(payments) e
        where not (e.value ->> 'deleted')::boolean
        offset 0
    ) payment
    where is_in_step and payment.amount > 0
    union all
    -- A note of nothing needs no allocation, and may have one: its amount is 0.
    select organisation_id, order_id, tenant_id, note.kind, note.id, note.amount
    from page
    cross join lateral (
        select kind, e.key as id, round((e.value -> 'value' ->> 'total')::numeric, 2) as amount
        from jsonb_each(credit_notes) e cross join unnest('{credit_note,allocation}'::text[]) as kind
        where not (e.value ->> 'deleted')::boolean
    ) note
    where is_in_step
),
pair as materialized (
    select
        order_id, tenant_id, kind, local_id,
        coalesce(w.organisation_id, l.organisation_id) as organisation_id,
        w.kind is not null as is_wanted, w.amount as wanted_amount,
        l.kind is not null as is_linked, l.amount as linked_amount, l.status, l.is_orphan, l.is_in_step,
        coalesce(l.status not in ('removed', 'gone'), false) as stands,
        order_id in (select gone.order_id from gone) as is_gone
    from wanted w
    full join linked l using (order_id, tenant_id, kind, local_id)
),
finding as (
    select
        case
            when is_orphan then 'orphan'
            when not is_wanted then 'linked_too_much'
            when not stands then 'not_linked'
            else 'amount_differs'
        end as code,
        order_id,
        case
            when is_wanted and stands
                then local_id || ': ' || wanted_amount || ' in HearLink, ' || linked_amount || ' linked'
            else kind || ' ' || local_id
        end as detail
    from pair
    where not is_gone
      and case
          when is_orphan then stands
          when not is_wanted then stands and is_in_step and kind in ('payment', 'credit_note', 'allocation')
          when not stands then kind <> 'allocation' or wanted_amount > 0
          else kind = 'payment' and linked_amount <> wanted_amount
      end
    union all
    select 'events_missing', order_id, 'sequence ' || missing::text from page where missing <> '{}'
    union all
    select 'synced_beyond', order_id, 'revision ' || revision || ', synced ' || synced_revision
    from page
    where synced_revision > revision
)
select code, order_id, detail from finding
union all
select
    'totals', organisation_id,
    jsonb_build_object(
        'orders', count(*) filter (where is_wanted and kind = 'invoice'),
        'invoices_linked', count(*) filter (where is_wanted and is_linked and kind = 'invoice'),
        'payments', count(*) filter (where is_wanted and kind = 'payment'),
        'payments_linked', count(*) filter (where is_in_step and status <> 'removed' and kind = 'payment'),
        'payment_amount', coalesce(sum(wanted_amount) filter (where kind = 'payment'), 0)::text,
        'linked_amount',
        coalesce(sum(linked_amount) filter (where is_in_step and status <> 'removed' and kind = 'payment'), 0)::text,
        'credit_notes', count(*) filter (where is_wanted and kind = 'credit_note'),
        'credit_notes_linked', count(*) filter (where is_in_step and status <> 'removed' and kind = 'credit_note')
    )::text
from pair
where is_wanted or is_in_step
group by organisation_id

-- name: whole
-- What no page shows.
with twice as (
    select tenant_id, xero_id from xero_link where xero_id is not null group by 1, 2 having count(*) > 1
)
select 'linked_twice' as code, max(l.order_id) as order_id, l.kind || ' ' || l.xero_id as detail
from xero_link l
join twice using (tenant_id, xero_id)
where l.kind <> 'allocation' and l.status not in ('removed', 'gone')
group by l.tenant_id, l.kind, l.xero_id
having count(*) > 1
union all
select 'open_intent', e.order_id, i.stage || ' since ' || to_char(i.opened_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
from xero_intent i
join xero_intent_element e on e.intent_id = i.id and not e.settled
where i.state = 'open' and i.opened_at < now() - interval '10 minutes'

-- name: make_list
create temporary table hearlink_list (order_id text not null, sequence bigint not null)

-- name: fill_list
copy pg_temp.hearlink_list (order_id, sequence) from stdin

-- name: index_list
create index on pg_temp.hearlink_list (order_id);
analyze pg_temp.hearlink_list

-- name: patience
-- The list comes as fast as whoever writes it: a copy that waits for its next line is no slow statement.
set statement_timeout = 0

-- name: compare_page
-- HearLink's list beside the orders in (after, last]: counts, then what is lacking here.
with listed as materialized (
    select order_id, max(sequence) as sequence
    from pg_temp.hearlink_list
    where order_id > %(after)s and (%(last)s::text is null or order_id <= %(last)s)
    group by 1
),
here as materialized (
    select order_id, sequence
    from orders
    where order_id > %(after)s and (%(last)s::text is null or order_id <= %(last)s)
),
pair as materialized (
    select
        order_id, listed.sequence as theirs, here.sequence as ours,
        case
            when listed.sequence is null then 'unlisted'
            when here.sequence is null then 'not_arrived'
            when here.sequence < listed.sequence then 'behind'
            when here.sequence > listed.sequence then 'ahead'
            else 'equal'
        end as standing
    from listed full join here using (order_id)
),
letter as (select order_id, count(*) as letters from dead_letter where state = 'open' and order_id is not null group by 1)
select standing as code, null as order_id, count(*)::text as detail from pair group by 1
union all
select
    standing, order_id,
    coalesce('sequence ' || ours || ' here, ', '') || theirs || ' at HearLink'
    || coalesce('; ' || letters || ' among the dead letters', '')
from pair left join letter using (order_id)
where standing in ('not_arrived', 'behind')
