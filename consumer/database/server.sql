-- name: lock
-- For as long as the session lasts, and with the number of the server process that the session is in.
select pg_advisory_lock(%(space)s, %(key)s), pg_backend_pid()

-- name: process
select pg_backend_pid()

-- name: unlock
select pg_advisory_unlock(%(space)s, %(key)s)

-- name: is_locked
select exists (
    select
    from pg_locks
    where locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())
      and classid = %(space)s::oid
      and objid = %(key)s::oid
)

-- name: read_only
select pg_is_in_recovery(), current_setting('transaction_read_only')::bool
