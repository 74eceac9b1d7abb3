//! What keeps a time from firing twice, to be switched off piece by piece.

use std::fs;
use std::path::{Path, PathBuf};

use bellringer_server::{leader, store};
use sqlx::PgConnection;

/// Which guards stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guards {
    /// The advisory lock. Without it whoever wants to lead does, and goes on when another one begins.
    pub(crate) lock: bool,
    /// The row of the term, in the firing statement.
    pub(crate) term: bool,
    /// The schedule's version, state and cursor, in the firing statement.
    pub(crate) cursor: bool,
    /// The ledger's primary key.
    pub(crate) key: bool,
}

impl Guards {
    pub(crate) const ALL: Self = Self { lock: true, term: true, cursor: true, key: true };

    /// The firing statement, without the guards that are switched off.
    pub(crate) fn fire(self) -> String {
        let mut text = text("schedules/fire");
        if !self.term {
            text.switch_off("l.epoch = $2 and l.holder = $3", "($2::int8, $3::uuid) is not null");
            // The schedule's row is not waited for either: as if it were another database.
            text.switch_off("    for share\n", "");
        }
        if !self.cursor {
            text.switch_off("s.next_fire_at is not distinct from g.cursor", "g.cursor is not null");
            text.switch_off("for update of s skip locked", "for no key update of s");
        }
        text.0
    }

    /// Drops the key, if it is switched off.
    pub(crate) async fn prepare(self, database: &mut PgConnection) {
        if !self.key {
            let drop = "alter table fire drop constraint fire_pkey";
            sqlx::query(drop).execute(database).await.unwrap();
        }
    }

    /// Writes the leader's statements that differ for a server with test seams; the folder.
    pub(crate) fn write(self, folder: &Path) -> PathBuf {
        let folder = folder.join("statements");
        let mut files = vec![("schedules/fire", self.fire())];
        if !self.lock {
            let mut lock = text("leader/try_lock");
            lock.switch_off(
                "pg_try_advisory_lock($1::int4, $2::int4)",
                "($1::int4, $2::int4) is not null",
            );
            files.push(("leader/try_lock", lock.0));
            let mut renew = text("leader/renew");
            renew.switch_off("where k.locktype", "where true or k.locktype");
            renew.switch_off("l.epoch = $4 and l.holder = $5", "($4::int8, $5::uuid) is not null");
            files.push(("leader/renew", renew.0));
        }
        for (name, text) in files {
            let file = folder.join(name).with_extension("sql");
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        folder
    }
}

struct Text(String);

impl Text {
    fn switch_off(&mut self, guard: &str, instead: &str) {
        assert!(self.0.contains(guard), "the statement has no guard {guard:?}");
        self.0 = self.0.replace(guard, instead);
    }
}

fn text(name: &str) -> Text {
    let mut all = store::statements::ALL.iter().chain(leader::STATEMENTS);
    Text(all.find(|(found, _)| *found == name).unwrap().1.to_owned())
}
