-- name: set
select
    set_config('idle_in_transaction_session_timeout', %(idle_in_transaction)s, false),
    set_config('statement_timeout', %(statement)s, false),
    set_config('lock_timeout', %(lock)s, false),
    set_config('timezone', %(time_zone)s, false)
