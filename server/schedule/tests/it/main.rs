//! Fires of whole specs, by the public interface.

#![allow(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod corner_cases;
mod make;
mod model;
mod properties;
mod specs;
