-- name: ensure
insert into xero_lease (tenant_id) values (%(book)s) on conflict do nothing

-- name: acquire
-- Free, or its time is over, or its owner is gone: a process that died drops its advisory lock with its connection.
update xero_lease
set owner = %(owner)s,
    owner_lock = %(owner_lock)s,
    epoch = epoch + 1,
    expires_at = clock_timestamp() + %(lease_seconds)s * interval '1 second',
    served_at = clock_timestamp()
where tenant_id = %(book)s
  and (
      owner is null
      or expires_at <= clock_timestamp()
      or not exists (
          select from pg_locks l
          where l.locktype = 'advisory'
            and l.database = (select d.oid from pg_database d where d.datname = current_database())
            and l.classid = %(lock_space)s
            and l.objid = xero_lease.owner_lock
            and l.granted
      )
  )
returning epoch

-- name: renew
update xero_lease
set expires_at = clock_timestamp() + %(lease_seconds)s * interval '1 second'
where tenant_id = %(book)s and epoch = %(epoch)s and owner = %(owner)s
returning true

-- name: fence
-- Locks the lease until the transaction ends, so that nobody takes it over while results are written.
select true from xero_lease
where tenant_id = %(book)s and epoch = %(epoch)s and owner = %(owner)s
for update

-- name: release
update xero_lease
set owner = null, owner_lock = null, expires_at = '-infinity', served_at = clock_timestamp()
where tenant_id = %(book)s and epoch = %(epoch)s and owner = %(owner)s

-- name: rest
update xero_lease
set rest_until = clock_timestamp() + %(seconds)s * interval '1 second', rest_window = %(window)s
where tenant_id = %(book)s and epoch = %(epoch)s and owner = %(owner)s

-- name: hold_presence
select pg_try_advisory_lock(%(lock_space)s, %(owner_lock)s)
