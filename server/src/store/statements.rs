//! The statements, as the files under `sql/` hold them.

macro_rules! statements {
    ($($name:ident = $path:literal;)*) => {
        $(pub(super) const $name: &str = include_str!(concat!("../../sql/", $path, ".sql"));)*

        /// Every statement with the name of its file, for the tests that prepare and explain them.
        pub const ALL: &[(&str, &str)] = &[$(($path, $name)),*];
    };
}

statements! {
    ACCESS_CREATE_KEY = "access/create_key";
    ACCESS_KEYS = "access/keys";
    ACCESS_KEYS_USED = "access/keys_used";
    ACCESS_LIST_KEYS = "access/list_keys";
    ACCESS_REVOKE_KEY = "access/revoke_key";
    HISTORY_CLEAN = "history/clean";
    HISTORY_CLOSE = "history/close";
    HISTORY_COUNT = "history/count";
    HISTORY_DELETE = "history/delete";
    HISTORY_DELETE_BRIEF = "history/delete_brief";
    HISTORY_EXAMINED = "history/examined";
    HISTORY_KEEP = "history/keep";
    HISTORY_LIST = "history/list";
    HISTORY_MAKE = "history/make";
    HISTORY_REPLACE = "history/replace";
    HISTORY_SWEEP = "history/sweep";
    HISTORY_TICK = "history/tick";
    HISTORY_TURN = "history/turn";
    LANES_ADD = "lanes/add";
    LANES_LIST = "lanes/list";
    LANES_NAMESPACE = "lanes/namespace";
    LANES_NAMESPACES = "lanes/namespaces";
    OBSERVE_AUDIT = "observe/audit";
    OBSERVE_DEPTHS = "observe/depths";
    QUEUES_LIST = "queues/list";
    QUEUES_PAUSE = "queues/pause";
    QUEUES_PURGE = "queues/purge";
    QUEUES_RESUME = "queues/resume";
    QUEUES_SET_RETENTION = "queues/set_retention";
    QUEUES_WAITING = "queues/waiting";
    SCHEDULES_BY_HAND = "schedules/by_hand";
    SCHEDULES_CAME = "schedules/came";
    SCHEDULES_CLUSTER = "schedules/cluster";
    SCHEDULES_CROWDED = "schedules/crowded";
    SCHEDULES_DELETE = "schedules/delete";
    SCHEDULES_DUE = "schedules/due";
    SCHEDULES_FIRE = "schedules/fire";
    SCHEDULES_FIRES = "schedules/fires";
    SCHEDULES_GET = "schedules/get";
    SCHEDULES_HEALTH = "schedules/health";
    SCHEDULES_HELD = "schedules/held";
    SCHEDULES_LIST = "schedules/list";
    SCHEDULES_NEXT_DUE = "schedules/next_due";
    SCHEDULES_PAUSE = "schedules/pause";
    SCHEDULES_PRUNE = "schedules/prune";
    SCHEDULES_PUT = "schedules/put";
    SCHEDULES_RECORDED = "schedules/recorded";
    SCHEDULES_RELEASE = "schedules/release";
    SCHEDULES_REPLICAS = "schedules/replicas";
    SCHEDULES_RESUME = "schedules/resume";
    SCHEDULES_RUNS = "schedules/runs";
    SCHEDULES_SET_CLOCK = "schedules/set_clock";
    SCHEDULES_SETTLE = "schedules/settle";
    SCHEDULES_UNFINISHED = "schedules/unfinished";
    SESSIONS_BEAT = "sessions/beat";
    SESSIONS_CLOSE = "sessions/close";
    SESSIONS_FIND = "sessions/find";
    SESSIONS_LEASES = "sessions/leases";
    SESSIONS_OPEN = "sessions/open";
    SESSIONS_RESUME = "sessions/resume";
    TASKS_ATTEMPTS = "tasks/attempts";
    TASKS_CANCEL = "tasks/cancel";
    TASKS_CLAIM = "tasks/claim";
    TASKS_CLAIM_OLDEST = "tasks/claim_oldest";
    TASKS_COMPLETE = "tasks/complete";
    TASKS_COMPLETE_AND_CLAIM = "tasks/complete_and_claim";
    TASKS_ENDED = "tasks/ended";
    TASKS_GET = "tasks/get";
    TASKS_KEYS_CLAIM = "tasks/keys_claim";
    TASKS_KEYS_DROP = "tasks/keys_drop";
    TASKS_KEYS_POINT = "tasks/keys_point";
    TASKS_KEYS_READ = "tasks/keys_read";
    TASKS_LATE = "tasks/late";
    TASKS_LIST = "tasks/list";
    TASKS_LIST_UNFINISHED = "tasks/list_unfinished";
    TASKS_REPLACE = "tasks/replace";
    TASKS_REPORT_PROGRESS = "tasks/report_progress";
    TASKS_SETTLE = "tasks/settle";
    TASKS_SUBMIT = "tasks/submit";
    TASKS_TRIED = "tasks/tried";
    TASKS_UNIQUE_CLAIM = "tasks/unique_claim";
    TASKS_UNIQUE_HOLDER = "tasks/unique_holder";
    TASKS_UNIQUE_POINT = "tasks/unique_point";
    UPKEEP_BLOAT = "upkeep/bloat";
    UPKEEP_CANCELLED = "upkeep/cancelled";
    UPKEEP_END_SESSIONS = "upkeep/end_sessions";
    UPKEEP_IS_BUSY = "upkeep/is_busy";
    UPKEEP_NEXT_DUE = "upkeep/next_due";
    UPKEEP_ORPHANS = "upkeep/orphans";
    UPKEEP_OVERDUE_RUNNING = "upkeep/overdue_running";
    UPKEEP_OVERDUE_WAITING = "upkeep/overdue_waiting";
    UPKEEP_PING = "upkeep/ping";
    UPKEEP_PROMOTE = "upkeep/promote";
    UPKEEP_REPLICA_BEAT = "upkeep/replica_beat";
    UPKEEP_REPLICA_LEAVE = "upkeep/replica_leave";
    WATCH_HORIZON = "watch/horizon";
    WATCH_JOURNAL = "watch/journal";
    WATCH_NOTIFY = "watch/notify";
    WATCH_REVISIONS = "watch/revisions";
}
