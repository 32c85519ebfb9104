-- name: note_timeline
insert into setback (timeline, reason)
select server.timeline, case when exists (select from setback) then 'timeline' else 'first' end
from (select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline) server
where not exists (select from setback where setback.timeline = server.timeline)
returning reason

-- name: note_offsets
insert into setback (timeline, reason) values ('', 'offsets')
