-- Looking up what became of a call fails as well. Counted, so that the next try waits longer the more of them failed.
alter table xero_intent add column look_ups_failed integer not null default 0;

-- Whether its order was told that this can not be looked up yet: once is enough.
alter table xero_intent_element add column doubt_told boolean not null default false;
