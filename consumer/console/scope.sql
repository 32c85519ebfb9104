-- name: role
set local role hearlink_console

-- name: organisation
select set_config('hearlink.organisation', %(organisation_id)s, true)

-- name: known
select organisation_id from organisation
union
select organisation_id from clinic
union
select organisation_id from xero_connection
order by 1
