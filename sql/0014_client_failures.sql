-- A process can also end because Kafka's client can't go on.
alter table role_failure drop constraint role_failure_code_check;
alter table role_failure add constraint role_failure_code_check
    check (code in ('brake', 'offset_lost', 'ownership', 'client', 'defect'));
