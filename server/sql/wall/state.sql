-- wall/state: what the role of the server is, beside the second wall: whether policies do not concern it anywhere,
-- whether they do not concern it here, and whether it has the tenant's rights without taking the role.
select current_user::text as name,
       r.rolsuper or r.rolbypassrls as is_above,
       coalesce((select pg_has_role(c.relowner, 'usage') from pg_class c where c.oid = to_regclass('task')), false)
           as is_owner,
       t.oid is not null as has_tenant,
       coalesce(pg_has_role(t.oid, 'usage'), false) as is_tenant,
       exists (select from pg_policies p where p.schemaname = current_schema() and p.policyname = 'wall') as is_built
from pg_roles r
left join pg_roles t on t.rolname = 'bellringer_tenant'
where r.rolname = current_user
