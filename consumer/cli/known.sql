-- name: organisation
select exists (select from organisation where organisation_id = %(organisation_id)s)
    or exists (select from clinic where organisation_id = %(organisation_id)s)
    or exists (select from xero_connection where organisation_id = %(organisation_id)s)

-- name: clinic
-- Clinics are known from the first event of one of their orders on, or by their settings.
select exists (
    select from clinic
    where clinic_id = %(clinic_id)s
      and (%(organisation_id)s::text is null or organisation_id = %(organisation_id)s::text)
    union all
    select from clinic_override
    where clinic_id = %(clinic_id)s
      and (%(organisation_id)s::text is null or organisation_id = %(organisation_id)s::text)
)
