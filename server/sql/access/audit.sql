-- access/audit: writes down what was done, or was not. One array element an event: $1 principals, $2 sources,
-- $3 namespaces, $4 methods, $5 objects, $6 decisions.
insert into audit_event (principal, source, namespace, method, object, decision)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int2[])
