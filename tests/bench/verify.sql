-- name: orders
-- Orders in step, with two payments and a credit note each, as the projection writes them; one in a thousand has a gap.
insert into orders (
    order_id, organisation_id, clinic_id, patient_id, invoice_id, invoice_number, total, sequence, missing, revision,
    synced_revision, event_id, occurred_at, state, tenant_id
)
select
    'order-' || n, 'org-' || n %% 20, 'clinic-' || n %% 60, 'patient-' || n, 'invoice-' || n, 'WH-' || n, 1000, 5,
    case when n %% 1000 = 0 then '{[2,4)}'::int8multirange else '{}' end,
    5, 5, 'event-' || n, now(),
    jsonb_build_object(
        'closed', null,
        'patient', jsonb_build_object('patient_id', 'patient-' || n, 'first_name', 'F', 'last_name', 'L'),
        'invoice', jsonb_build_object(
            'deleted', false,
            'value', jsonb_build_object('invoice_id', 'invoice-' || n, 'number', 'WH-' || n, 'total', '1000.0000', 'lines', (
                select jsonb_agg(jsonb_build_object(
                    'line_id', 'line-' || n || '-' || l, 'description', 'Receiver in the ear, left, with charger',
                    'quantity', '1.0000', 'unit_price', '250.0000', 'category', 'hearing_aids', 'tax_amount', '0.0000'
                )) from generate_series(1, 4) l
            ))
        ),
        'payments', jsonb_build_object(
            'pay-a-' || n, jsonb_build_object('deleted', false, 'value', jsonb_build_object(
                'payment_id', 'pay-a-' || n, 'amount', '400.0000', 'method', 'card', 'paid_on', '2026-01-31'
            )),
            'pay-b-' || n, jsonb_build_object('deleted', false, 'value', jsonb_build_object(
                'payment_id', 'pay-b-' || n, 'amount', '500.0000', 'method', 'cash', 'paid_on', '2026-02-01'
            ))
        ),
        'credit_notes', jsonb_build_object(
            'note-' || n, jsonb_build_object('deleted', false, 'value', jsonb_build_object(
                'credit_note_id', 'note-' || n, 'number', 'CN-' || n, 'total', '100.0000'
            ))
        )
    ),
    'tenant-' || n %% 20
from generate_series(1, %(orders)s) n

-- name: links
insert into xero_link (tenant_id, kind, order_id, local_id, organisation_id, xero_id, status, content_hash, detail)
select
    'tenant-' || n %% 20, kind, 'order-' || n, local_id || n, 'org-' || n %% 20, md5(kind || local_id || n)::uuid::text,
    'authorised', md5(n::text), case when amount is null then '{}' else jsonb_build_object('amount', amount) end
from generate_series(1, %(orders)s) n
cross join (values
    ('invoice', 'invoice-', null), ('payment', 'pay-a-', '400.00'), ('payment', 'pay-b-', '500.00'),
    ('credit_note', 'note-', null), ('allocation', 'note-', null)
) part (kind, local_id, amount)
