-- name: problem
select exists (select from problem where organisation_id = %(organisation_id)s and id = %(problem_id)s)
