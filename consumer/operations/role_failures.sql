-- name: note
insert into role_failure (owner, role, code, detail) values (%(owner)s, %(role)s, %(code)s, %(detail)s)

-- name: forget
delete from role_failure where failed_at < now() - interval '30 days'
