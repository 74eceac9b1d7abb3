//! What tests stand on: a database of their own, a server in this process, and short names for
//! what they do with it.

pub(crate) mod access;
pub(crate) mod collector;
pub(crate) mod guards;
pub(crate) mod ingest;
pub(crate) mod make;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod relay;
pub(crate) mod replicas;
pub(crate) mod server;
pub(crate) mod service;
pub(crate) mod tls;
pub(crate) mod watched;
pub(crate) mod worker;

pub(crate) use access::Caller;
pub(crate) use server::{Replica, TestServer, reason};
pub(crate) use worker::Worker;
