//! Arithmetic on what was measured. What is unknown is `None`, and never taken for zero.

/// The middle one; of an even number, the mean of the two in the middle. `None` if one is unknown.
pub(super) fn median(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let mut values = values.into_iter().collect::<Option<Vec<f64>>>()?;
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let upper = *values.get(half)?;
    let lower = if values.len().is_multiple_of(2) { *values.get(half - 1)? } else { upper };
    Some(f64::midpoint(lower, upper))
}

/// The value below which `part` of the sorted microseconds lie, in milliseconds.
pub(super) fn percentile(sorted: &[u32], part: f64) -> Option<f64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into what fits into memory"
    )]
    let index = ((sorted.len() as f64 * part).ceil() as usize).max(1) - 1;
    sorted.get(index).map(|micros| f64::from(*micros) / 1_000.0)
}

/// How times are spread, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread {
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) max: Option<f64>,
}

impl Spread {
    /// Of microseconds in any order.
    pub(super) fn of(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        let at = |part| percentile(&micros, part);
        Self { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }

    /// The medians of several.
    pub(super) fn median(all: &[Self]) -> Self {
        let of = |part: fn(&Self) -> Option<f64>| median(all.iter().map(part));
        Self { p50: of(|s| s.p50), p99: of(|s| s.p99), max: of(|s| s.max) }
    }
}

/// A part of a whole; `None` also if the whole is nothing.
pub(super) fn ratio(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    let whole = whole.filter(|whole| *whole > 0.0)?;
    Some(part? / whole)
}

/// `tasks` in `count` parts that differ by one at most.
pub(super) fn shares(tasks: u32, count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(move |n| tasks / count + u32::from(n < tasks % count))
}

/// For people: four digits that count.
pub(super) fn shown(number: Option<f64>) -> String {
    let Some(number) = number else { return "-".to_owned() };
    let digits = match number.abs() {
        _ if number == 0.0 => 0,
        0.0..0.1 => 4,
        0.1..1.0 => 3,
        1.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{number:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<u32> = (1..=100).map(|n| n * 1_000).collect();
        assert_eq!(percentile(&sorted, 0.5), Some(50.0));
        assert_eq!(percentile(&sorted, 0.99), Some(99.0));
        assert_eq!(percentile(&sorted, 1.0), Some(100.0));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn the_median_is_the_middle_and_the_unknown_is_not_zero() {
        assert_eq!(median([Some(1.0), Some(100.0), Some(10.0)]), Some(10.0));
        assert_eq!(median([Some(4.0), Some(2.0)]), Some(3.0));
        assert_eq!(median([Some(4.0), None]), None);
        assert_eq!(median([]), None);
    }

    #[test]
    fn medians_of_spreads_are_taken_part_by_part() {
        let spread = |p50, p99| Spread { p50: Some(p50), p99: Some(p99), max: None };
        let median = Spread::median(&[spread(1.0, 9.0), spread(2.0, 7.0), spread(3.0, 8.0)]);
        assert_eq!((median.p50, median.p99, median.max), (Some(2.0), Some(8.0), None));
        assert_eq!(Spread::of(vec![3_000, 1_000, 2_000]).p50, Some(2.0));
    }

    #[test]
    fn a_ratio_of_nothing_is_unknown() {
        assert_eq!(ratio(Some(1.0), Some(4.0)), Some(0.25));
        assert_eq!(ratio(Some(1.0), Some(0.0)), None);
        assert_eq!(ratio(None, Some(1.0)), None);
    }

    #[test]
    fn shares_are_even_and_leave_nothing_out() {
        assert_eq!(shares(10, 4).collect::<Vec<_>>(), [3, 3, 2, 2]);
        assert_eq!(shares(3, 256).sum::<u32>(), 3);
    }

    #[test]
    fn numbers_are_shown_with_the_digits_that_count() {
        let text = [70_531.2, 12.34, 1.234, 0.1234, 0.00123, 0.0].map(|n| shown(Some(n)));
        assert_eq!(text, ["70531", "12.3", "1.23", "0.123", "0.0012", "0"]);
        assert_eq!(shown(None), "-");
    }
}
