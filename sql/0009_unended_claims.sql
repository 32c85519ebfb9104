-- How often in a row a worker claimed an order and never came to an end with it: it was killed, or lost the tenant.
-- Kept apart from attempts, which are answers of Xero's that could not be used: a machine that dies is not Xero's fault.
alter table orders add column unended_claims integer not null default 0;
