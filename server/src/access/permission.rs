//! The table of permissions: which role may call which method. A method that is not in it is denied
//! to everybody, and fails a test.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::domain::Role;
use crate::domain::Role::{NsAdmin, Operator, SchedulerEditor, Submitter, Viewer, Worker};

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Everybody, without a credential.
    Public,
    /// Everybody, without a credential, if `auth.reflection` says so; else nobody.
    Reflection,
    /// Everybody with a credential.
    Authenticated,
    /// Whoever has one of `roles` in the namespace of the request. Those with one of `payloads` are
    /// shown payloads and results.
    Namespace {
        /// Who may call it.
        roles: &'static [Role],
        /// Who of them is shown payloads and results.
        payloads: &'static [Role],
    },
    /// Operators: it is about the service as a whole.
    Service,
}

/// A method and who may call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// `package.Service/Method`.
    pub method: &'static str,
    /// Who.
    pub rule: Rule,
}

impl Permission {
    /// The permission of a method; `None`: nobody may call it.
    pub fn of(method: &str) -> Option<&'static Self> {
        static BY_METHOD: LazyLock<HashMap<&str, &Permission>> =
            LazyLock::new(|| TABLE.iter().map(|entry| (entry.method, entry)).collect());
        BY_METHOD.get(method).copied()
    }

    /// Whether a role may call it, where the role holds.
    pub fn allows(&self, role: Role) -> bool {
        match self.rule {
            Rule::Public | Rule::Reflection | Rule::Authenticated => true,
            Rule::Namespace { roles, .. } => roles.contains(&role),
            Rule::Service => role == Operator,
        }
    }

    /// Whether what it changes is written down in the audit log.
    pub fn is_audited(&self) -> bool {
        AUDITED.contains(&self.method)
    }

    /// Whether a role is shown payloads and results by it.
    pub fn shows_payloads(&self, role: Role) -> bool {
        matches!(self.rule, Rule::Namespace { payloads, .. } if payloads.contains(&role))
    }
}

/// Methods whose changes are written down in the audit log, in the transaction of the change.
pub const AUDITED: &[&str] = &[
    "bellringer.v1.TaskService/Cancel",
    "bellringer.v1.QueueService/Pause",
    "bellringer.v1.QueueService/Resume",
    "bellringer.v1.QueueService/Purge",
    "bellringer.v1.QueueService/SetRetention",
    "bellringer.v1.ScheduleService/Schedule",
    "bellringer.v1.ScheduleService/Update",
    "bellringer.v1.ScheduleService/Pause",
    "bellringer.v1.ScheduleService/Resume",
    "bellringer.v1.ScheduleService/Delete",
    "bellringer.v1.ScheduleService/Trigger",
    "bellringer.v1.ScheduleService/Backfill",
    "bellringer.v1.AdminService/AdvanceClock",
    "bellringer.v1.AccessService/CreateApiKey",
    "bellringer.v1.AccessService/RevokeApiKey",
];

/// Those who see tasks.
const READERS: &[Role] = &[Viewer, Submitter, SchedulerEditor, NsAdmin, Operator];
/// Those who look after tasks.
const SUBMITTERS: &[Role] = &[Submitter, NsAdmin, Operator];
/// Those who run tasks.
const WORKERS: &[Role] = &[Worker, NsAdmin, Operator];
/// Those who look after schedules.
const EDITORS: &[Role] = &[SchedulerEditor, NsAdmin, Operator];
/// Those who look after a namespace.
const ADMINS: &[Role] = &[NsAdmin, Operator];

const fn namespace(
    method: &'static str,
    roles: &'static [Role],
    payloads: &'static [Role],
) -> Permission {
    Permission { method, rule: Rule::Namespace { roles, payloads } }
}

const fn other(method: &'static str, rule: Rule) -> Permission {
    Permission { method, rule }
}

/// All methods.
pub const TABLE: &[Permission] = &[
    namespace("bellringer.v1.TaskService/Submit", SUBMITTERS, &[]),
    namespace("bellringer.v1.TaskService/SubmitBatch", SUBMITTERS, &[]),
    namespace("bellringer.v1.TaskService/Get", READERS, SUBMITTERS),
    namespace("bellringer.v1.TaskService/List", READERS, SUBMITTERS),
    namespace("bellringer.v1.TaskService/Cancel", SUBMITTERS, &[]),
    namespace("bellringer.v1.TaskService/Retry", SUBMITTERS, &[]),
    namespace("bellringer.v1.TaskService/Watch", READERS, SUBMITTERS),
    namespace("bellringer.v1.TaskService/Wait", READERS, SUBMITTERS),
    namespace("bellringer.v1.WorkerService/Work", WORKERS, WORKERS),
    namespace("bellringer.v1.WorkerService/Lease", WORKERS, WORKERS),
    namespace("bellringer.v1.WorkerService/Heartbeat", WORKERS, &[]),
    namespace("bellringer.v1.WorkerService/Complete", WORKERS, &[]),
    namespace("bellringer.v1.WorkerService/Fail", WORKERS, &[]),
    namespace("bellringer.v1.WorkerService/Release", WORKERS, &[]),
    namespace("bellringer.v1.QueueService/List", READERS, &[]),
    namespace("bellringer.v1.QueueService/Get", READERS, &[]),
    namespace("bellringer.v1.QueueService/Pause", ADMINS, &[]),
    namespace("bellringer.v1.QueueService/Resume", ADMINS, &[]),
    namespace("bellringer.v1.QueueService/Purge", ADMINS, &[]),
    namespace("bellringer.v1.QueueService/SetRetention", ADMINS, &[]),
    namespace("bellringer.v1.ScheduleService/Schedule", EDITORS, EDITORS),
    namespace("bellringer.v1.ScheduleService/Get", READERS, EDITORS),
    namespace("bellringer.v1.ScheduleService/List", READERS, EDITORS),
    namespace("bellringer.v1.ScheduleService/Update", EDITORS, EDITORS),
    namespace("bellringer.v1.ScheduleService/Pause", EDITORS, EDITORS),
    namespace("bellringer.v1.ScheduleService/Resume", EDITORS, EDITORS),
    namespace("bellringer.v1.ScheduleService/Delete", EDITORS, &[]),
    namespace("bellringer.v1.ScheduleService/Trigger", EDITORS, &[]),
    namespace("bellringer.v1.ScheduleService/Backfill", EDITORS, &[]),
    namespace("bellringer.v1.ScheduleService/Preview", READERS, &[]),
    namespace("bellringer.v1.ScheduleService/ListFires", READERS, &[]),
    namespace("bellringer.v1.StatsService/Query", READERS, &[]),
    namespace("bellringer.v1.StatsService/CountUnfinished", READERS, &[]),
    other("bellringer.v1.AdminService/GetCluster", Rule::Service),
    other("bellringer.v1.AdminService/AdvanceClock", Rule::Service),
    other("bellringer.v1.AccessService/WhoAmI", Rule::Authenticated),
    namespace("bellringer.v1.AccessService/CreateApiKey", ADMINS, &[]),
    namespace("bellringer.v1.AccessService/ListApiKeys", ADMINS, &[]),
    namespace("bellringer.v1.AccessService/RevokeApiKey", ADMINS, &[]),
    namespace("bellringer.v1.AccessService/ListAuditEvents", ADMINS, &[]),
    other("grpc.health.v1.Health/Check", Rule::Public),
    other("grpc.health.v1.Health/Watch", Rule::Public),
    other("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Rule::Reflection),
    other("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Rule::Reflection),
];

/// The table for people, in Markdown: a row a method, a column a role.
pub fn table() -> String {
    let mut text = String::from("| method |");
    for role in Role::ALL {
        let _ = write!(text, " {} |", role.word());
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(Role::ALL.len()));
    for entry in TABLE {
        let _ = write!(text, "\n| {} |", entry.method.trim_start_matches("bellringer.v1."));
        for role in Role::ALL {
            let cell = match entry.rule {
                Rule::Public => "public",
                Rule::Reflection => "setting",
                _ if entry.shows_payloads(role) => "yes, payloads",
                _ if entry.allows(role) => "yes",
                _ => "",
            };
            let _ = write!(text, " {cell} |");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_method_stands_in_the_table_twice_and_payloads_are_shown_to_callers_only() {
        for (index, entry) in TABLE.iter().enumerate() {
            assert!(TABLE[..index].iter().all(|other| other.method != entry.method), "{entry:?}");
            assert_eq!(Permission::of(entry.method), Some(entry));
            for role in Role::ALL.into_iter().filter(|role| entry.shows_payloads(*role)) {
                assert!(entry.allows(role), "{entry:?}");
            }
        }
        assert_eq!(Permission::of("bellringer.v1.TaskService/Steal"), None);
    }
}
