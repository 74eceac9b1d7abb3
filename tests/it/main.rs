//! Integration tests: a real PostgreSQL, a real server, the generated clients.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

mod cancel;
mod hostile;
mod leader;
mod leadership;
mod lease;
mod list;
mod process;
mod queues;
mod retention;
mod retry;
mod schedule_guards;
mod schedules;
mod sql_statements;
mod submit;
mod watch;
