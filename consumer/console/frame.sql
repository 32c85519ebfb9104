-- name: frame
select
    (
        select count(*) from orders
        where organisation_id = console_organisation() and hold = 'problem' and due_at is null
    ) as failed,
    (select count(*) from orders where organisation_id = console_organisation() and hold = 'connection') as waiting,
    c.state,
    c.disconnected_at,
    c.disconnected_reason as reason
from (select 1) as one
left join xero_connection c on c.organisation_id = console_organisation()
