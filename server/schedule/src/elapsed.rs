//! Times that no clock on the wall has a say in: intervals and single instants.

use crate::local::END;

/// Seconds of the horizon.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Elapsed {
    /// All seconds `s` with `s mod every = remainder`.
    Interval {
        every: i64,
        remainder: i64,
    },
    Once(i64),
}

impl Elapsed {
    /// The times `base + k * every` for every whole `k`.
    pub(crate) fn interval(every: i64, base: i64) -> Self {
        Self::Interval { every, remainder: base.rem_euclid(every) }
    }

    /// The first time at or after `from`, before the end of the horizon.
    pub(crate) fn first_at_or_after(self, from: i64) -> Option<i64> {
        let second = match self {
            Self::Interval { every, remainder } => from + (remainder - from).rem_euclid(every),
            Self::Once(at) => at,
        };
        (from..END).contains(&second).then_some(second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_goes_through_its_base_in_both_directions() {
        let interval = Elapsed::interval(40, 100);
        let next = |from| interval.first_at_or_after(from);
        assert_eq!(
            [next(0), next(20), next(21), next(100), next(101)],
            [20, 20, 60, 100, 140].map(Some)
        );
        assert_eq!(next(END - 1), None);
    }

    #[test]
    fn an_instant_is_there_once() {
        assert_eq!(Elapsed::Once(7).first_at_or_after(7), Some(7));
        assert_eq!(Elapsed::Once(7).first_at_or_after(8), None);
    }
}
