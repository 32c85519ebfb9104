-- name: sleep
select pg_sleep(5)

-- name: slow_rows
select pg_sleep(0.05) from generate_series(1, 100)

-- name: count
select count(*) from orders
