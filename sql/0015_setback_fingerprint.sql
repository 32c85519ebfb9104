-- A dump that was restored, a database that was copied: its server may be on the very timeline that we know. What tells
-- it from the one that we wrote is which database it is: the server's own number, and those of the database and of the
-- table orders, which nothing of ours ever makes anew.
-- '' = not noted: by a former version, or because the row tells of something else.
alter table setback add column fingerprint text not null default '';

-- database = the rows of another database; group = Kafka knows of commits that Postgres lost; restored = a person says so.
alter table setback drop constraint setback_reason_check;
alter table setback add constraint setback_reason_check
    check (reason in ('first', 'timeline', 'offsets', 'database', 'group', 'restored'));
