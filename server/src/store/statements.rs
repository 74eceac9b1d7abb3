//! The statements, as the files under `sql/` hold them.

macro_rules! statements {
    ($($name:ident = $path:literal;)*) => {
        $(pub(super) const $name: &str = include_str!(concat!("../../sql/", $path, ".sql"));)*

        /// Every statement with the name of its file, for the tests that prepare and explain them.
        pub const ALL: &[(&str, &str)] = &[$(($path, $name)),*];
    };
}

statements! {
    ACCESS_AUDIT = "access/audit";
    ACCESS_CREATE_KEY = "access/create_key";
    ACCESS_KEYS = "access/keys";
    ACCESS_KEYS_USED = "access/keys_used";
    ACCESS_LIST_AUDIT = "access/list_audit";
    ACCESS_LIST_KEYS = "access/list_keys";
    ACCESS_PRUNE_AUDIT = "access/prune_audit";
    ACCESS_REVOKE_KEY = "access/revoke_key";
    CLUSTER_GET = "cluster/get";
    CLUSTER_REPLICAS = "cluster/replicas";
    CLUSTER_SET_CLOCK = "cluster/set_clock";
    CLUSTER_TOKEN_KEY = "cluster/token_key";
    HISTORY_CLEAN = "history/clean";
    HISTORY_CLOSE = "history/close";
    HISTORY_COUNT = "history/count";
    HISTORY_DELETE = "history/delete";
    HISTORY_DELETE_BRIEF = "history/delete_brief";
    HISTORY_EXAMINED = "history/examined";
    HISTORY_KEEP = "history/keep";
    HISTORY_LIST = "history/list";
    HISTORY_LOCK = "history/lock";
    HISTORY_MAKE = "history/make";
    HISTORY_NOW = "history/now";
    HISTORY_REPLACE = "history/replace";
    HISTORY_SWEEP = "history/sweep";
    HISTORY_TICK = "history/tick";
    HISTORY_TURN = "history/turn";
    HISTORY_UNLOCK = "history/unlock";
    LANES_ADD = "lanes/add";
    LANES_LIST = "lanes/list";
    LANES_NAMESPACE = "lanes/namespace";
    LANES_NAMESPACES = "lanes/namespaces";
    OBSERVE_AUDIT = "observe/audit";
    OBSERVE_DEPTHS = "observe/depths";
    QUEUES_ALIGN = "queues/align";
    QUEUES_LIST = "queues/list";
    QUEUES_PAUSE = "queues/pause";
    QUEUES_PURGE = "queues/purge";
    QUEUES_RESUME = "queues/resume";
    QUEUES_SET_RETENTION = "queues/set_retention";
    QUEUES_WAITING = "queues/waiting";
    SCHEDULES_BY_HAND = "schedules/by_hand";
    SCHEDULES_CAME = "schedules/came";
    SCHEDULES_COUNT = "schedules/count";
    SCHEDULES_CROWDED = "schedules/crowded";
    SCHEDULES_DELETE = "schedules/delete";
    SCHEDULES_DUE = "schedules/due";
    SCHEDULES_FIRE = "schedules/fire";
    SCHEDULES_FIRES = "schedules/fires";
    SCHEDULES_GET = "schedules/get";
    SCHEDULES_HEALTH = "schedules/health";
    SCHEDULES_HELD = "schedules/held";
    SCHEDULES_LIST = "schedules/list";
    SCHEDULES_LOOK = "schedules/look";
    SCHEDULES_NEXT_DUE = "schedules/next_due";
    SCHEDULES_PAUSE = "schedules/pause";
    SCHEDULES_PRUNE = "schedules/prune";
    SCHEDULES_PUT = "schedules/put";
    SCHEDULES_RECORDED = "schedules/recorded";
    SCHEDULES_RELEASE = "schedules/release";
    SCHEDULES_RESUME = "schedules/resume";
    SCHEDULES_RUNS = "schedules/runs";
    SCHEDULES_SETTLE = "schedules/settle";
    SCHEDULES_UNFINISHED = "schedules/unfinished";
    SESSIONS_BEAT = "sessions/beat";
    SESSIONS_CLOSE = "sessions/close";
    SESSIONS_FIND = "sessions/find";
    SESSIONS_LEASES = "sessions/leases";
    SESSIONS_OPEN = "sessions/open";
    SESSIONS_RESUME = "sessions/resume";
    STATISTICS_ADD = "statistics/add";
    STATISTICS_ENDED = "statistics/ended";
    STATISTICS_FORGET = "statistics/forget";
    STATISTICS_KEPT = "statistics/kept";
    STATISTICS_MARK = "statistics/mark";
    STATISTICS_SCHEDULES = "statistics/schedules";
    STATISTICS_SETTINGS = "statistics/settings";
    STATISTICS_TURN = "statistics/turn";
    TASKS_ATTEMPTS = "tasks/attempts";
    TASKS_CANCEL = "tasks/cancel";
    TASKS_CLAIM = "tasks/claim";
    TASKS_CLAIM_OLDEST = "tasks/claim_oldest";
    TASKS_COMPLETE = "tasks/complete";
    TASKS_COMPLETE_AND_CLAIM = "tasks/complete_and_claim";
    TASKS_COMPLETE_ONE = "tasks/complete_one";
    TASKS_ENDED = "tasks/ended";
    TASKS_GET = "tasks/get";
    TASKS_KEYS_CLAIM = "tasks/keys_claim";
    TASKS_KEYS_DROP = "tasks/keys_drop";
    TASKS_KEYS_POINT = "tasks/keys_point";
    TASKS_KEYS_READ = "tasks/keys_read";
    TASKS_LATE = "tasks/late";
    TASKS_LIST = "tasks/list";
    TASKS_LIST_LABELLED = "tasks/list_labelled";
    TASKS_LIST_UNFINISHED = "tasks/list_unfinished";
    TASKS_REPLACE = "tasks/replace";
    TASKS_REPORT_PROGRESS = "tasks/report_progress";
    TASKS_SETTLE = "tasks/settle";
    TASKS_SUBMIT = "tasks/submit";
    TASKS_SUBMIT_ONE = "tasks/submit_one";
    TASKS_TRIED = "tasks/tried";
    TASKS_UNIQUE_CLAIM = "tasks/unique_claim";
    TASKS_UNIQUE_HOLDER = "tasks/unique_holder";
    TASKS_UNIQUE_POINT = "tasks/unique_point";
    TRACES_ENDED = "traces/ended";
    UPKEEP_BLOAT = "upkeep/bloat";
    UPKEEP_CANCELLED = "upkeep/cancelled";
    UPKEEP_END_SESSIONS = "upkeep/end_sessions";
    UPKEEP_IS_BUSY = "upkeep/is_busy";
    UPKEEP_LOOK = "upkeep/look";
    UPKEEP_NEXT_DUE = "upkeep/next_due";
    UPKEEP_ORPHANS = "upkeep/orphans";
    UPKEEP_OVERDUE_RUNNING = "upkeep/overdue_running";
    UPKEEP_OVERDUE_WAITING = "upkeep/overdue_waiting";
    UPKEEP_PING = "upkeep/ping";
    UPKEEP_PROMOTE = "upkeep/promote";
    UPKEEP_REPLICA_BEAT = "upkeep/replica_beat";
    UPKEEP_REPLICA_LEAVE = "upkeep/replica_leave";
    WALL_BUILD = "wall/build";
    WALL_STATE = "wall/state";
    WATCH_HORIZON = "watch/horizon";
    WATCH_JOURNAL = "watch/journal";
    WATCH_KEPT = "watch/kept";
    WATCH_NOTIFY = "watch/notify";
    WATCH_REVISIONS = "watch/revisions";
    WATCH_SIZES = "watch/sizes";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    /// How often each file sends a statement by itself. `mod.rs`: by `in_transaction` and `rows`, which measure what
    /// they are given, and three times before anything is served. `audit.rs` measures what it is given,
    /// `statistics.rs` what it reads row by row. `pooler.rs` and `wall.rs` look at the database before anything is
    /// served; `wall.rs` also sends what begins a transaction and what ends it. `listener.rs` asks its connection whether
    /// it lives.
    const SENDERS: [(&str, usize); 6] = [
        ("audit.rs", 1),
        ("listener.rs", 1),
        ("mod.rs", 5),
        ("pooler.rs", 1),
        ("statistics.rs", 1),
        ("wall.rs", 5),
    ];

    #[test]
    fn every_statement_is_sent_from_where_it_is_measured() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
        let mut found = BTreeMap::new();
        for file in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let text = fs::read_to_string(file.path()).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let sent = [".fetch(", ".fetch_all(", ".fetch_one(", ".fetch_optional(", ".execute("];
            let times: usize = sent.iter().map(|way| code.matches(way).count()).sum();
            if times > 0 {
                found.insert(file.file_name().into_string().unwrap(), times);
            }
        }
        let known = SENDERS.map(|(file, times)| (file.to_owned(), times));
        let why = "send it by `Store::rows` or `Store::in_transaction`, which measure it";
        assert_eq!(found, BTreeMap::from(known), "{why}");
    }
}
