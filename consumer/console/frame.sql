-- name: frame
select
    (
        -- Those that the Problems page counts: also what an open problem holds while something else keeps it.
        select count(*) from orders
        where organisation_id = console_organisation() and problem_id is not null
    ) as failed,
    (select count(*) from orders where organisation_id = console_organisation() and hold = 'connection') as waiting,
    (select count(*) from orders where organisation_id = console_organisation() and hold = 'settled') as settled,
    array(
        select t.name from xero_tenant t
        where t.organisation_id = console_organisation() and not t.connected
          and t.tenant_id in (
              select tenant_id from organisation where organisation_id = console_organisation()
              union
              select tenant_id from clinic_override where organisation_id = console_organisation()
          )
        order by t.name
    ) as lost_tenants,
    c.state,
    c.disconnected_at,
    c.disconnected_reason as reason
from (select 1) as one
left join xero_connection c on c.organisation_id = console_organisation()

-- name: named_tenants
select tenant_id from organisation where organisation_id = console_organisation() and tenant_id is not null
union
select tenant_id from clinic_override where organisation_id = console_organisation() and tenant_id is not null
