-- name: timeline
select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)

-- name: system
select system_identifier::text from pg_control_system()

-- name: note_server
-- A row for each server and each database that we find ourselves on. What no row tells yet, as after an upgrade, is put
-- down as what we began with. From a database without an order nothing was ever pushed: a copy of it has lost nothing.
with server as (
    select
        %(timeline)s::text as timeline,
        concat_ws('/', %(system)s::text, found.oid, 'orders'::regclass::oid) as fingerprint
    from pg_database found
    where found.datname = current_database()
),
judged as (
    select
        server.*,
        not exists (select from setback s where s.fingerprint = server.fingerprint) as other_database,
        server.timeline <> '' and not exists (select from setback s where s.timeline = server.timeline)
            as other_timeline
    from server
)
insert into setback (timeline, fingerprint, reason)
select
    timeline,
    fingerprint,
    case
        when other_database and exists (select from setback where fingerprint <> '') and exists (select from orders)
            then 'database'
        when other_timeline and exists (select from setback where timeline <> '') then 'timeline'
        else 'first'
    end
from judged
where other_database or other_timeline
returning reason

-- name: note
insert into setback (timeline, reason) values ('', %(reason)s)
