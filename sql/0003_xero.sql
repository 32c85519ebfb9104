-- Xero: connections and tokens, calls and budgets, leases, what was sent and what Xero holds.

create table xero_connection (
    organisation_id text primary key,
    state text not null check (state in ('connected', 'disconnected')),
    -- Fernet tokens (TOKEN_ENCRYPTION_KEYS); never plain.
    access_token bytea,
    refresh_token bytea,
    access_expires_at timestamptz,
    refreshed_at timestamptz,
    scopes text,
    connected_at timestamptz,
    connected_by text,
    disconnected_at timestamptz,
    disconnected_reason text,
    -- Grows with each change of tokens or state: a worker that failed with older tokens looks again first.
    generation bigint not null default 1
);

create table xero_tenant (
    organisation_id text not null references xero_connection on delete cascade,
    tenant_id text not null,
    connection_id text not null,
    name text not null,
    tenant_type text not null,
    -- False = Xero no longer lists it for this connection.
    connected boolean not null default true,
    base_currency text,
    country_code text,
    short_code text,
    accounts jsonb,
    tax_rates jsonb,
    described_at timestamptz,
    updated_at timestamptz not null default now(),
    primary key (organisation_id, tenant_id)
);

-- One call in flight a tenant: the lease. Its epoch fences every result that a worker writes.
create table xero_lease (
    tenant_id text primary key,
    owner text,
    -- A session-level advisory lock of the owner: gone = the owner's process or connection is gone.
    owner_lock bigint,
    epoch bigint not null default 0,
    expires_at timestamptz not null default '-infinity',
    served_at timestamptz not null default '-infinity',
    -- Our own count forbids calls until then: nobody need look before. A spent day still has its reserve for people.
    rest_until timestamptz not null default '-infinity',
    rest_window text
);

-- The rolling count of calls, per tenant. A call weighs until 60 s after its answer, so that no window on
-- Xero's clock, however late a call arrives there, sees more than the limit.
create table xero_call (
    id bigint generated always as identity primary key,
    tenant_id text not null,
    granted_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz
);
create index xero_call_recent on xero_call (tenant_id, granted_at);

create table xero_budget (
    tenant_id text primary key,
    frozen_until timestamptz not null default '-infinity',
    frozen_reason text,
    -- How many calls of ours fit into a minute and a day by Xero's last answer (what it says is left, and what we
    -- count as used); null = unknown. They only ever lower the configured limits, and age with observed_at.
    minute_allowance integer,
    day_allowance integer,
    observed_at timestamptz,
    -- 429s in a row without a Retry-After: the back-off grows with them.
    refusals integer not null default 0
);

create table xero_intent (
    id bigint generated always as identity primary key,
    tenant_id text not null,
    organisation_id text not null,
    lease_epoch bigint not null,
    stage text not null,
    method text not null,
    path text not null,
    idempotency_key text not null unique,
    body_hash text not null,
    state text not null default 'open' check (state in ('open', 'settled')),
    outcome text,
    opened_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz,
    -- Not looked up before: Xero may still be at work on it.
    look_up_at timestamptz,
    settled_at timestamptz
);
create index xero_intent_open on xero_intent (tenant_id) where state = 'open';

create table xero_intent_element (
    intent_id bigint not null references xero_intent on delete cascade,
    position integer not null,
    operation text not null,
    kind text not null,
    -- '' for a contact, which belongs to a patient and no order.
    order_id text not null,
    local_id text not null,
    patient_id text,
    revision bigint,
    detail jsonb not null default '{}',
    settled boolean not null default false,
    primary key (intent_id, position)
);
create index xero_intent_element_order on xero_intent_element (order_id) where not settled;

-- What Xero was last seen to hold of ours. Kept for ever, also over a disconnect.
create table xero_link (
    tenant_id text not null,
    kind text not null check (kind in ('contact', 'invoice', 'credit_note', 'allocation', 'payment')),
    -- '' for a contact.
    order_id text not null,
    local_id text not null,
    organisation_id text not null,
    xero_id text,
    -- draft, authorised, paid, voided, deleted, active, archived, allocated, removed ... in Xero's words, lower case.
    status text not null,
    content_hash text not null,
    -- What was sent, as far as later plans need it (name, number, amount, line item ids ...). No address, e-mail or phone.
    detail jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, kind, order_id, local_id)
);
create index xero_link_order on xero_link (order_id) where order_id <> '';
create index xero_link_xero_id on xero_link (tenant_id, xero_id);
