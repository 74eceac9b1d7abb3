//! Integration tests: a real PostgreSQL, a real server, the generated clients.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

mod access;
mod access_process;
mod audit;
mod bench;
mod bloat;
mod canary;
mod cancel;
mod certificates;
mod chaos;
mod connections;
mod express;
mod garbled;
mod hints;
mod history;
mod hostile;
mod http2_abuse;
mod lateness;
mod leader;
mod lease;
mod limits;
mod list;
mod logs;
mod marks;
mod metrics;
mod migrations;
mod neighbours;
mod pipelining;
mod pooler;
mod process;
mod queues;
mod rates;
mod rebalancing;
mod retention;
mod retry;
mod roles;
mod rolling;
mod schedule_guards;
mod schedules;
mod sealed_tokens;
mod sentry;
mod sizes;
mod sql_statements;
mod statistics;
mod stopping;
mod submit;
mod tenancy;
mod tls;
mod tls_readme;
mod tokens;
mod traces;
mod wall;
mod watch;
