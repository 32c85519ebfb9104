-- Orders of which Xero may hold more than our links say, because something of theirs was found there that we had not
-- known of: they are compared with Xero before anything else is sent for them, however long that has to wait.
alter table orders add column unreconciled boolean not null default false;

-- A retry request of long ago could set a time that no client can read; such requests are refused by now.
update orders
set due_at = now()
where due_at is not null
  and (due_at < timestamptz '1970-01-01 00:00:00+00' or due_at > timestamptz '9999-12-31 00:00:00+00');
