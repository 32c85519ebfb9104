-- Which event had which sequence, so that a sequence that comes again with another event is told from a repeat: marks of
-- the event ids, in the form of consumer/orders/seen.py. '' = a former version wrote the row: only its newest event is
-- known, by event_id.
alter table orders add column seen bytea not null default '';

-- Of a conflict (another event had this sequence before), which event it is: a person decides which of the two counts.
alter table dead_letter add column sequence bigint;
alter table dead_letter add column event_id text;
alter table dead_letter drop constraint dead_letter_state_check;
alter table dead_letter add constraint dead_letter_state_check
    check (state in ('open', 'replayed', 'dropped', 'taken', 'kept'));
-- Looked at whenever an order is about to be pushed; empty but for what waits for somebody.
create index dead_letter_conflict on dead_letter (order_id) where state = 'open' and reason = 'conflict';
grant select (sequence, event_id) on dead_letter to hearlink_console;

-- What somebody decided in such conflicts: these events don't count, however often they come, in a rebuild neither.
create table overruled_event (
    order_id text not null,
    sequence bigint not null,
    event_id text not null,
    actor text not null,
    overruled_at timestamptz not null default now(),
    primary key (order_id, sequence, event_id)
);
