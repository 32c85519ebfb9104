-- Blank a patient in our tables: psql -v organisation=… -v patient=… -f erase-a-patient.sql
\set ON_ERROR_STOP on
begin;

create temporary table erased_order on commit drop as
select order_id from orders where organisation_id = :'organisation' and patient_id = :'patient';

-- The projection's state: what identifies the person goes, the sums stay.
update orders
set state = jsonb_set(state, '{patient}', jsonb_build_object('patient_id', patient_id, 'first_name', '', 'last_name', ''))
where organisation_id = :'organisation' and patient_id = :'patient' and state ? 'patient';

-- Notes of calls that are settled: bodies as they were sent, the names that later plans would have needed, and the
-- hashes by which a guess could be proved. Of calls still open the body is needed for the look-up: see the end.
create temporary table erased_call on commit drop as
select distinct e.intent_id
from xero_intent_element e
join xero_intent i on i.id = e.intent_id
where i.organisation_id = :'organisation'
  and e.settled
  and (e.patient_id = :'patient' or e.order_id in (select order_id from erased_order));

update xero_intent_element
set detail = (detail - 'body' - 'name' - 'full_name' - 'refused_name' - 'details')
    #- '{detail,name}' #- '{detail,full_name}' #- '{detail,refused_name}' #- '{detail,details}'
where settled
  and intent_id in (select intent_id from erased_call)
  and (patient_id = :'patient' or order_id in (select order_id from erased_order));

update xero_intent
set body_hash = ''
where state = 'settled' and id in (select intent_id from erased_call);

-- What Xero was last seen to hold.
update xero_link
set detail = detail - 'name' - 'full_name' - 'refused_name' - 'details'
where organisation_id = :'organisation' and kind = 'contact' and local_id = :'patient';

-- The bytes of events that could not be used, and of messages that Kafka refused.
-- Those of no order that we know are found by the patient's id in them: as Avro writes it, with its length before it
-- (twice the length, in one byte or two), or as JSON does.
create temporary table erased_mark on commit drop as
select
    case
        when octet_length(id) < 64 then decode(lpad(to_hex(octet_length(id) * 2), 2, '0'), 'hex')
        else decode(
            lpad(to_hex(octet_length(id) * 2 % 128 + 128), 2, '0') || lpad(to_hex(octet_length(id) * 2 / 128), 2, '0'),
            'hex'
        )
    end || id as avro,
    '"'::bytea || id || '"'::bytea as json
from (select convert_to(:'patient', 'UTF8') as id) patient;

update dead_letter
set value = null, headers = '[]'
where order_id in (select order_id from erased_order)
   or (
       coalesce(organisation_id, :'organisation') = :'organisation'
       and exists (select from erased_mark m where position(m.avro in value) > 0 or position(m.json in value) > 0)
   );

delete from outbox
where set_aside_at is not null
  and (
      key in (select convert_to(order_id, 'UTF8') from erased_order)
      or exists (select from erased_mark m where position(m.avro in value) > 0 or position(m.json in value) > 0)
  );

-- Who was billed stands in Xero's words now and then, and those in ours where there is no better explanation.
create temporary table erased_problem on commit drop as
select distinct problem_id as id
from sync_log
where problem_id is not null and order_id in (select order_id from erased_order);

update problem
set xero_message = null,
    message = case when code = 'not_in_catalogue' then 'Xero refused this.' else message end
where organisation_id = :'organisation'
  and id in (select id from erased_problem)
  and (xero_message is not null or code = 'not_in_catalogue');

update sync_log
set xero_message = null,
    message = case when problem = 'not_in_catalogue' then 'Xero refused this.' else message end
where order_id in (select order_id from erased_order)
  and (xero_message is not null or problem = 'not_in_catalogue');

-- Why people settled their orders, in words of their own: there and where it was written down.
update settlement
set reason = 'erased'
where order_id in (select order_id from erased_order);

update sync_log
set message = 'Settled, or taken back, by ' || coalesce(actor, 'somebody') || ', for a reason that was erased.'
where order_id in (select order_id from erased_order)
  and problem in ('settled', 'settled_change_not_sent', 'unsettled');

update audit
set detail = detail || '{"reason": "erased"}'
where detail ->> 'order_id' in (select order_id from erased_order)
  and action in ('settle', 'unsettle')
  and detail ? 'reason';

insert into audit (organisation_id, actor, action, detail)
values (:'organisation', current_user, 'patient_erased', jsonb_build_object('patient_id', :'patient'));

-- Calls whose outcome is not known yet: should there be any, run this again when they are settled, minutes later.
select e.intent_id as still_open
from xero_intent_element e
join xero_intent i on i.id = e.intent_id
where i.organisation_id = :'organisation'
  and not e.settled
  and (e.patient_id = :'patient' or e.order_id in (select order_id from erased_order))
order by 1;
commit;
