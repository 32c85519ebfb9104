-- The last message before the stored offset, and under which leader it was written. A log that was cut off and filled
-- again has another record there, of a later leader; so whoever goes on reads that message again first. It holds for the
-- next_offset beside it alone (last_for): whoever writes another one by hand need not know of it.
alter table partition_offset add column last_offset bigint;
alter table partition_offset add column last_leader_epoch integer;
alter table partition_offset add column last_for bigint;
