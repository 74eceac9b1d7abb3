//! Integration tests: a real PostgreSQL, a real server, the generated clients.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

mod access;
mod access_process;
mod audit;
mod bench;
mod bloat;
mod cancel;
mod chaos;
mod express;
mod history;
mod hostile;
mod lateness;
mod leader;
mod lease;
mod list;
mod logs;
mod marks;
mod metrics;
mod migrations;
mod pipelining;
mod pooler;
mod process;
mod queues;
mod retention;
mod retry;
mod roles;
mod rolling;
mod schedule_guards;
mod schedules;
mod sql_statements;
mod statistics;
mod stopping;
mod submit;
mod tenancy;
mod tokens;
mod traces;
mod watch;
