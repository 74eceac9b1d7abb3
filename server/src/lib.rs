//! The Bellringer server.
//!
//! Floors, from the ground up; each imports only what is on it or below it:
//!
//! 1. [`domain`] (pure rules), [`leader`] (who leads), [`act`], [`deadline`], [`clock`], [`config`], [`batch`],
//!    [`supervise`], [`grace`], [`panics`], [`log`], [`metrics`], [`telemetry`], [`edge`], [`places`], [`rates`], [`seal`],
//!    [`private_postgres`]: know nothing of tasks' storage, or of what is called
//! 2. [`store`]: the only place with SQL
//! 3. [`engine`]: what moves: submitting, dispatching, completing, watching, upkeep; [`access`]: who
//!    calls, and what they may do
//! 4. [`rpc`]: gRPC in and out
//! 5. [`app`]: puts the parts together; [`cli`], [`dev`] and `main` start it; [`keys`] makes the first API key
//!
//! Start reading in `ARCHITECTURE.md` beside this crate.

pub mod access;
pub mod act;
pub mod app;
pub mod batch;
pub mod cli;
pub mod clock;
pub mod config;
pub mod deadline;
pub mod dev;
pub mod domain;
pub mod edge;
pub mod engine;
pub mod grace;
pub mod keys;
pub mod leader;
pub mod log;
pub mod metrics;
pub mod panics;
pub mod places;
pub mod private_postgres;
pub mod rates;
pub mod rpc;
pub mod seal;
pub mod store;
pub mod supervise;
pub mod telemetry;
