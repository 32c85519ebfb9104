-- name: load
select *
from clinic_settings
where organisation_id = %(organisation_id)s
  and (%(clinic_ids)s::text[] is null or clinic_id = any(%(clinic_ids)s))
order by clinic_id;
