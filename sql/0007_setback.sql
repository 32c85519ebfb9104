-- When Postgres was found to stand behind where we had left it: a failover or a restore that lost transactions of ours.
-- What Xero was given in those is on no record, so whoever sends for orders from before looks there first.
create table setback (
    id bigint generated always as identity primary key,
    noticed_at timestamptz not null default clock_timestamp(),
    -- Of the server: a new one with each promotion of a replica and each restore.
    timeline text not null,
    -- first = how we found the server at the beginning; timeline = another one since; offsets = partitions stood behind.
    reason text not null check (reason in ('first', 'timeline', 'offsets'))
);
