-- What HearLink's events say: one row an order, written by the projection alone (first block of columns), and
-- how far Xero has followed, written by the sync alone (second block). The two meet in revision > synced_revision.

create table clinic (
    organisation_id text not null,
    clinic_id text not null,
    first_seen_at timestamptz not null default now(),
    primary key (organisation_id, clinic_id)
);

create table orders (
    order_id text primary key,
    organisation_id text not null,
    clinic_id text not null,
    patient_id text not null,
    invoice_id text,
    invoice_number text,
    issued_on date,
    currency text,
    total numeric(18, 4),
    -- The highest sequence seen, and the ones below it that never came (a jump): empty for a healthy order.
    sequence bigint not null,
    missing int8multirange not null default '{}',
    revision bigint not null,
    event_id text not null,
    occurred_at timestamptz not null,
    trace_parent text,
    state jsonb not null,
    projected_at timestamptz not null default now(),

    synced_revision bigint not null default 0,
    -- When the sync looks at the order next: null = not by itself (nothing to do, or held: see hold).
    due_at timestamptz,
    -- Why due_at is in the future or null: manual, disabled, settings, connection, limit, retry, in_doubt, problem.
    hold text,
    -- 0 a person waits for it, 1 a change, 2 a retry.
    priority smallint not null default 1,
    trigger text not null default 'auto' check (trigger in ('auto', 'manual', 'retry')),
    -- The request that must be answered even where nothing is pushed by itself: SyncRequested or an operator's.
    requested_revision bigint,
    actor text,
    attempts integer not null default 0,
    -- When the oldest change that Xero has not followed yet happened: the start of the latency that counts.
    pending_since timestamptz,
    pushed_at timestamptz,
    -- Each push moves it three seconds ahead, up to twelve: an order is due six seconds before it, so that the first
    -- changes go at once, and one that changes without end goes every three seconds with all its changes.
    calm_at timestamptz,
    problem_id bigint,
    -- The tenant of the last push, to notice that a clinic's tenant changed.
    tenant_id text
-- A document of a few kilobytes stays in its row, uncompressed: it is read and written as a whole, again and again.
) with (fillfactor = 85, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05);

create index orders_due on orders (organisation_id, clinic_id, priority, due_at) where due_at is not null;
create index orders_hold on orders (organisation_id, clinic_id, hold) where hold is not null;
create index orders_problem on orders (problem_id) where problem_id is not null;
create index orders_patient on orders (organisation_id, patient_id);
create index orders_issued on orders (organisation_id, issued_on);
create index orders_number on orders (organisation_id, invoice_number);

-- Where each partition's projection stands. The truth; Kafka's own commits only mirror it for lag tools.
create table partition_offset (
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    epoch bigint not null,
    owner text not null,
    topic_id text,
    claimed_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (topic, partition)
);

create table dead_letter (
    id bigint generated always as identity primary key,
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    message_timestamp timestamptz,
    key bytea,
    value bytea,
    headers jsonb not null default '[]',
    organisation_id text,
    order_id text,
    reason text not null,
    detail text not null,
    state text not null default 'open' check (state in ('open', 'replayed', 'dropped')),
    state_reason text,
    state_actor text,
    state_at timestamptz,
    dead_at timestamptz not null default now(),
    unique (topic, partition, "offset")
);
create index dead_letter_open on dead_letter (id) where state = 'open';
