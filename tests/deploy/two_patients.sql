-- Two patients of one name, in every place where a name may stand.
insert into orders (
    order_id, organisation_id, clinic_id, patient_id, invoice_number, total, sequence, revision, event_id, occurred_at,
    state
)
select
    'order-' || n, 'org-1', 'c', 'patient-' || n, 'WH' || n, 40, 1, 1, 'e', now(),
    jsonb_build_object(
        'patient', jsonb_build_object('patient_id', 'patient-' || n, 'first_name', 'Q', 'last_name', 'Quill')
    )
from generate_series(1, 2) n;

insert into xero_intent (
    id, tenant_id, organisation_id, lease_epoch, stage, method, path, idempotency_key, body_hash, state
)
overriding system value
select n, 't', 'org-1', 1, 's', 'PUT', '/', n::text, 'h', 'settled' from generate_series(1, 2) n;

insert into xero_intent_element (
    intent_id, position, operation, kind, order_id, local_id, patient_id, detail, settled
)
select n, 0, 'contact_create', 'contact', '', 'patient-' || n, 'patient-' || n, '{"body": {"Name": "Quill"}}', true
from generate_series(1, 2) n;

insert into xero_link (tenant_id, kind, order_id, local_id, organisation_id, status, content_hash, detail)
select 't', 'contact', '', 'patient-' || n, 'org-1', 'active', 'h', '{"name": "Quill"}' from generate_series(1, 2) n;

insert into dead_letter (topic, partition, "offset", value, headers, order_id, reason, detail)
select 't', 0, n, 'Quill', '["Quill"]', 'order-' || n, 'impossible', 'd' from generate_series(1, 2) n;

insert into sync_log (
    organisation_id, clinic_id, order_id, operation, outcome, message, xero_message, trigger, attempt
)
select 'org-1', 'c', 'order-' || n, 'invoice_create', 'failed', 'm', 'Quill is archived', 'auto', 1
from generate_series(1, 2) n;
