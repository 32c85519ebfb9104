-- What ended a process: it is gone before anybody can ask it, so it leaves word here.
create table role_failure (
    id bigint generated always as identity primary key,
    failed_at timestamptz not null default clock_timestamp(),
    owner text not null,
    role text not null,
    code text not null check (code in ('brake', 'offset_lost', 'ownership', 'defect')),
    detail text not null
);
create index role_failure_newest on role_failure (failed_at);
