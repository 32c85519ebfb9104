-- Blank a patient in our tables: psql -v organisation=… -v patient=… -f erase-a-patient.sql
\set ON_ERROR_STOP on
begin;

-- The projection's state: what identifies the person goes, the sums stay.
update orders
set state = jsonb_set(state, '{patient}', jsonb_build_object('patient_id', patient_id, 'first_name', '', 'last_name', ''))
where organisation_id = :'organisation' and patient_id = :'patient' and state ? 'patient';

-- Notes of calls: bodies as they were sent.
update xero_intent_element
set detail = detail - 'body'
where settled
  and (
      patient_id = :'patient'
      or order_id in (select order_id from orders where organisation_id = :'organisation' and patient_id = :'patient')
  );

-- What Xero was last seen to hold.
update xero_link
set detail = detail - 'name'
where organisation_id = :'organisation' and kind = 'contact' and local_id = :'patient';

-- The bytes of events that could not be used.
update dead_letter
set value = null, headers = '[]'
where order_id in (select order_id from orders where organisation_id = :'organisation' and patient_id = :'patient');

-- Who was billed stands in Xero's words now and then.
update sync_log
set xero_message = null
where order_id in (select order_id from orders where organisation_id = :'organisation' and patient_id = :'patient')
  and xero_message is not null;

insert into audit (organisation_id, actor, action, detail)
values (:'organisation', current_user, 'patient_erased', jsonb_build_object('patient_id', :'patient'));
commit;
