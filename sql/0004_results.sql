-- What happened: the sync log, the problems that group failures, and the outbox that the relay publishes.

create table problem (
    id bigint generated always as identity primary key,
    organisation_id text not null,
    tenant_id text,
    -- The code, and the thing it is about (an account code, a lock date, an order): one open row for each pair.
    code text not null,
    subject text not null default '',
    class text not null
        check (class in ('transient', 'waiting', 'connection', 'settings', 'xero', 'hearlink', 'defect')),
    message text not null,
    fix text not null,
    xero_message text,
    opened_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    closed_at timestamptz
);
create unique index problem_open on problem (organisation_id, coalesce(tenant_id, ''), code, subject)
    where closed_at is null;

create table sync_log (
    id bigint generated always as identity primary key,
    occurred_at timestamptz not null default clock_timestamp(),
    organisation_id text not null,
    clinic_id text not null,
    order_id text not null,
    tenant_id text,
    operation text not null check (operation in (
        'contact_create', 'contact_rename', 'invoice_create', 'invoice_update', 'invoice_authorise',
        'credit_note_create', 'credit_note_allocate', 'credit_note_void', 'payment_create', 'payment_delete',
        'order_sync')),
    outcome text not null check (outcome in ('succeeded', 'failed', 'skipped')),
    problem text,
    problem_class text,
    message text not null,
    fix text,
    xero_message text,
    xero_id text,
    local_id text,
    invoice_number text,
    trigger text not null check (trigger in ('auto', 'manual', 'retry')),
    actor text,
    attempt integer not null,
    revision bigint,
    event_id text,
    intent_id bigint,
    problem_id bigint,
    warnings jsonb not null default '[]'
);
create index sync_log_newest on sync_log (organisation_id, id desc);
create index sync_log_order on sync_log (order_id, id desc);
create index sync_log_clinic on sync_log (organisation_id, clinic_id, id desc);
create index sync_log_failed on sync_log (organisation_id, id desc) where outcome = 'failed';
create index sync_log_problem on sync_log (problem_id, id desc) where problem_id is not null;
create index sync_log_invoice on sync_log (invoice_number, id desc) where invoice_number is not null;
create index sync_log_occurred on sync_log (organisation_id, occurred_at desc);

create table outbox (
    id bigint generated always as identity primary key,
    created_at timestamptz not null default clock_timestamp(),
    topic text not null check (topic in ('sync_log', 'retry', 'dead_letter')),
    key bytea,
    value bytea,
    headers jsonb not null default '[]',
    -- What the broker refuses for good (a message too large) is kept aside, so that it blocks nothing.
    set_aside_at timestamptz,
    set_aside_reason text
);
create index outbox_waiting on outbox (id) where set_aside_at is null;
create index outbox_set_aside on outbox (id) where set_aside_at is not null;
