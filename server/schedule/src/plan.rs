//! A spec, checked and compiled.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    compile::compile,
    describe,
    entry::{Entry, Moment, Setting, earliest},
    exclusion::Exclusions,
    fires::{Fire, Fires},
    invalid::Invalid,
    local::second_after,
    spec::Spec,
    zone::Zone,
};

/// A spec, checked and compiled: it knows when the schedule fires.
///
/// Cheap to clone. Everything it says depends on the spec, the seed and [`crate::tzdata_version`]
/// alone.
#[derive(Clone, Debug)]
pub struct Plan(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) entries: Vec<Entry>,
    pub(crate) exclusions: Exclusions,
    pub(crate) zone: Arc<Zone>,
    /// First second of the horizon that may be a nominal time.
    pub(crate) start: i64,
    /// End of the nominal times, exclusive.
    pub(crate) end: i64,
    pub(crate) jitter_millis: u64,
    pub(crate) seed: Box<str>,
    pub(crate) spec: Spec,
}

impl Plan {
    /// Checks a spec and compiles it.
    ///
    /// `seed` names the schedule: it decides what `H` in cron expressions and what jitter is, and must
    /// therefore not change in the schedule's life.
    ///
    /// # Errors
    /// Everything that is wrong with the spec; never an empty list. A spec that is in order but never
    /// fires is not an error here: see [`Plan::first_wanted`].
    pub fn compile(spec: &Spec, seed: &str) -> Result<Self, Vec<Invalid>> {
        compile(spec, seed).map(|inner| Self(Arc::new(inner)))
    }

    /// The first fire with a nominal time after `after`; none if it never fires again.
    ///
    /// Fires that are excluded are found as well.
    pub fn next(&self, after: Timestamp) -> Option<Fire> {
        self.fires(after).next()
    }

    /// All fires with a nominal time after `after`, in order.
    pub fn fires(&self, after: Timestamp) -> Fires<'_> {
        self.fires_from(second_after(after))
    }

    /// All fires with a nominal time at or after a second of the horizon.
    pub(crate) fn fires_from(&self, second: i64) -> Fires<'_> {
        Fires::new(&self.0, second)
    }

    /// The spec that this was compiled from.
    pub fn spec(&self) -> &Spec {
        &self.0.spec
    }

    /// The zone's name in its usual spelling.
    pub fn zone_name(&self) -> &'static str {
        self.0.zone.name
    }

    /// What the schedule does, in English, for people: `at 02:30 every day in Europe/Berlin`.
    pub fn describe(&self) -> String {
        describe::spec(&self.0.spec, self.zone_name())
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    /// The first time of an entry at or after `from`, before the plan's end.
    pub(crate) fn first_of(&self, entry: &Entry, from: i64) -> Option<Moment> {
        entry.first_at_or_after(from, self.setting()).filter(|moment| moment.second < self.end)
    }

    /// The first time of all entries at or after `from`, as if the plan had no end.
    pub(crate) fn next_without_end(&self, from: i64) -> Option<Moment> {
        let first = |entry: &Entry| entry.first_at_or_after(from, self.setting());
        earliest(self.entries.iter().map(first))
    }

    fn setting(&self) -> Setting<'_> {
        Setting { zone: &self.zone, exclusions: &self.exclusions }
    }
}
