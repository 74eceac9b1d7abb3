-- upkeep/replica_leave: says that this replica stops. $1 id.
delete from replica where id = $1
