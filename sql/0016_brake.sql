-- Where too many bad messages stopped the projection. As long as one of them is bad, it stops there again: a process that
-- is started anew must not let them through in portions that are each too small for the brake.
create table brake_stop (
    id bigint generated always as identity primary key,
    topic text not null,
    -- A topic that is created anew has other messages at the same offsets; null = the brokers did not tell it.
    topic_id text,
    partition integer not null,
    first_offset bigint not null,
    last_offset bigint not null check (last_offset >= first_offset),
    -- What the service said: the causes, and how to go on. No patient's data.
    detail text not null,
    stopped_at timestamptz not null default clock_timestamp(),
    unique (topic, partition, first_offset, last_offset)
);

-- Where a person let them through: what is bad there goes to the dead letters, and the brake does not count it.
create table brake_release (
    id bigint generated always as identity primary key,
    topic text not null,
    topic_id text,
    partition integer not null,
    first_offset bigint not null,
    last_offset bigint not null check (last_offset >= first_offset),
    reason text not null,
    actor text not null,
    released_at timestamptz not null default clock_timestamp()
);
create index brake_release_place on brake_release (topic, partition, last_offset);

-- When it was noted that a call is to be looked up; look_up_at is from when on. null = before this column was there.
alter table xero_intent add column look_up_noted_at timestamptz;
