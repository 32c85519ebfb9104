-- name: months
select sync_log_add_month(now() - make_interval(months => ago)) from generate_series(1, %(months)s) ago

-- name: organisation
with made as (insert into organisation (organisation_id) values ('org-1') returning organisation_id)
insert into clinic (organisation_id, clinic_id) select organisation_id, 'clinic-' || n from made, generate_series(1, 40) n

-- name: rows
-- Four rows an order, as most orders have; a twentieth failed; each problem is a rare one.
insert into sync_log (
    occurred_at, organisation_id, clinic_id, order_id, tenant_id, operation, outcome, problem, problem_class, message,
    xero_id, invoice_number, trigger, attempt, revision
)
select
    now() - (%(rows)s - n) * (make_interval(months => %(months)s) / %(rows)s),
    'org-1',
    'clinic-' || 1 + n / 4 %% 40,
    'order-' || n / 4,
    'tenant-1',
    (array['invoice_create', 'invoice_update', 'payment_create', 'payment_delete'])[1 + n %% 4],
    case when n %% 20 = 0 then 'failed' when n %% 50 = 1 then 'skipped' else 'succeeded' end,
    case when n %% 2000 = 0 then 'period_locked' when n %% 20 = 0 then 'account_archived' end,
    case when n %% 2000 = 0 then 'xero' when n %% 20 = 0 then 'settings' end,
    'Invoice WH' || lpad((n / 4)::text, 7, '0') || ' was created in Xero as authorised.',
    '00000000-0000-4000-8000-' || lpad(n::text, 12, '0'),
    'WH' || lpad((n / 4)::text, 7, '0'),
    'auto',
    1,
    1
from generate_series(1, %(rows)s) n
