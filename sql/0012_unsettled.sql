-- What was sent to Xero and has no known outcome yet. An order is in doubt while one of its own elements is among them,
-- or the contact of its patient in the tenant that it goes to.
create view unsettled with (security_invoker = true) as
select e.order_id, e.kind, e.local_id, i.tenant_id, i.organisation_id
from xero_intent_element e
join xero_intent i on i.id = e.intent_id
where not e.settled;

-- By the rights of whoever asks, so that the console sees its own organisation's alone.
grant select on unsettled to hearlink_console;
