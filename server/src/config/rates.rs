//! How often callers may call.

use std::fmt;
use std::num::NonZeroU32;

use serde::Deserialize;

use crate::rates::Rate;

/// Rates of calls, on each replica.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Rates {
    pub limit: RateLimit,
    pub per_caller: u32,
    pub per_caller_burst: u32,
    pub per_namespace: u32,
    pub per_namespace_burst: u32,
    pub per_source: u32,
    pub per_source_burst: u32,
}

/// When calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateLimit {
    /// If callers are asked who they are.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl Rates {
    /// Adds what is wrong to `problems`.
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        for (key, rate, burst) in [
            ("per_caller", self.per_caller, self.per_caller_burst),
            ("per_namespace", self.per_namespace, self.per_namespace_burst),
            ("per_source", self.per_source, self.per_source_burst),
        ] {
            for (key, value) in [(key.to_owned(), rate), (format!("{key}_burst"), burst)] {
                if !(1..=1_000_000).contains(&value) {
                    problems.push(format!("rates.{key}: must be 1 to 1000000, is {value}"));
                }
            }
            if burst < rate {
                problems.push(format!("rates.{key}_burst: must not be less than rates.{key}"));
            }
        }
    }

    /// The rates of a caller, of a namespace, and of an address.
    pub fn all(&self) -> [Rate; 3] {
        let number = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        [
            (self.per_caller, self.per_caller_burst),
            (self.per_namespace, self.per_namespace_burst),
            (self.per_source, self.per_source_burst),
        ]
        .map(|(rate, burst)| Rate { per_second: number(rate), burst: number(burst) })
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = match self.limit {
            RateLimit::Auto => "auto",
            RateLimit::On => "on",
            RateLimit::Off => "off",
        };
        writeln!(f, "\n[rates]")?;
        writeln!(f, "limit = {limit:?}")?;
        writeln!(f, "per_caller = {}", self.per_caller)?;
        writeln!(f, "per_caller_burst = {}", self.per_caller_burst)?;
        writeln!(f, "per_namespace = {}", self.per_namespace)?;
        writeln!(f, "per_namespace_burst = {}", self.per_namespace_burst)?;
        writeln!(f, "per_source = {}", self.per_source)?;
        writeln!(f, "per_source_burst = {}", self.per_source_burst)
    }
}
