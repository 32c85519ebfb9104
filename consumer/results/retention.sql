-- name: add_months
-- The present month, and so many after it.
select partition
from generate_series(0, %(months_ahead)s) ahead
cross join lateral sync_log_add_month(%(now)s::timestamptz + make_interval(months => ahead)) partition
where partition is not null

-- name: drop_months
-- What ended so many months ago or earlier.
select sync_log_drop_before(%(now)s::timestamptz - make_interval(months => %(months)s))
