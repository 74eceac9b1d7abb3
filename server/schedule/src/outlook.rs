//! What a plan will do: whether it fires at all, and how often.

use jiff::Timestamp;

use crate::{
    fires::Fire,
    local::{BEGIN, first_second, second_after, timestamp},
    plan::Plan,
};

/// How many fires [`Plan::first_wanted`] looks at before it says that all are excluded.
pub const LOOK_AT: u32 = 10_000;

/// Whether a plan ever fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// The first fire that is not excluded.
    Found(Fire),
    /// There is none, and why.
    Never(String),
    /// The next `looked_at` fires are all excluded; there may or may not be others after them.
    AllExcluded { looked_at: u32 },
}

/// How often a plan fires in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Fires that are not excluded.
    pub wanted: u32,
    pub excluded: u32,
    /// Whether the limit was reached before the end, so that there are more.
    pub is_more: bool,
}

impl Plan {
    /// Looks for the first fire after `after` that is not excluded.
    ///
    /// A spec for which this does not find one should be refused. Looks at up to [`LOOK_AT`] fires.
    pub fn first_wanted(&self, after: Timestamp) -> Search {
        let mut looked_at = 0;
        for fire in self.fires(after) {
            if !fire.excluded {
                return Search::Found(fire);
            }
            looked_at += 1;
            if looked_at == LOOK_AT {
                return Search::AllExcluded { looked_at };
            }
        }
        match looked_at {
            0 => Search::Never(self.why_never(after)),
            _ => Search::Never(match looked_at {
                1 => "the only time that is left is excluded".into(),
                _ => format!("the {looked_at} times that are left are all excluded"),
            }),
        }
    }

    /// Counts the fires with a nominal time in `from..to`, until there are `limit`; that many steps are
    /// the cost.
    pub fn count(&self, from: Timestamp, to: Timestamp, limit: u32) -> Count {
        let mut count = Count::default();
        for fire in self.fires_from(first_second(from)).take_while(|fire| fire.nominal < to) {
            if count.wanted + count.excluded == limit {
                count.is_more = true;
                break;
            }
            if fire.excluded { count.excluded += 1 } else { count.wanted += 1 }
        }
        count
    }

    /// Why nothing comes after `after`.
    fn why_never(&self, after: Timestamp) -> String {
        let from = self.inner().start.max(second_after(after));
        if let Some(next) = self.inner().next_without_end(from) {
            let (next, end) = (timestamp(next.second), timestamp(self.inner().end));
            format!("the next time, {next}, is not before the end, {end}")
        } else if self.inner().next_without_end(BEGIN).is_some() {
            format!("all times are before {}", timestamp(from))
        } else {
            "no date from 1970 to 2199 matches".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cron::month_steps,
        spec::{GapPolicy, RepeatPolicy, Spec, Trigger},
    };

    #[test]
    fn the_work_is_bounded_for_specs_that_hardly_fire() {
        for (expression, gap) in [
            ("0 0 30 2 *", GapPolicy::RunAfter),
            ("0 0 0 * * * 1970", GapPolicy::RunAfter),
            // The second Sunday of March, when that hour is always skipped.
            ("30 2 8-14 3 */7", GapPolicy::Skip),
            ("0-59 2 8-14 3 */7", GapPolicy::Skip),
            ("30 2 29 2 */7", GapPolicy::Shift),
        ] {
            let spec = Spec {
                zone: "America/New_York".into(),
                gap: Some(gap),
                repeat: Some(RepeatPolicy::Last),
                ..Spec::new(vec![Trigger::cron(expression); Spec::MAX_TRIGGERS])
            };
            let plan = Plan::compile(&spec, "seed").unwrap();
            let (taken, _) = month_steps::of(|| plan.first_wanted(timestamp(1_800_000_000)));
            // A few times the months from then to 2200, for each trigger.
            assert!(taken < 20 * 3 * 12 * 173, "{expression}: {taken} months");
        }
    }
}
