//! Checks what the user wrote, and finds everything that is wrong with it.

use std::time::Duration;

use jiff::{
    Timestamp,
    civil::{Date, Time},
};

use crate::{
    calendar::Calendar,
    cron::Cron,
    elapsed::Elapsed,
    entry::Entry,
    exclusion::{Compiled, Exclusions},
    invalid::{Invalid, Problems},
    local::{BEGIN, DAY, END, Local, first_second, timestamp},
    plan::Inner,
    spec::{CalendarUnit, Exclusion, Spec, Trigger},
    wall::{Pattern, Wall},
    zone::Zone,
};

/// What a trigger names: instants, or times on the clock on the wall.
enum Times {
    Elapsed(Elapsed),
    Pattern(Pattern),
}

pub(crate) fn compile(spec: &Spec, seed: &str) -> Result<Inner, Vec<Invalid>> {
    let mut compiler = Compiler { spec, seed, problems: Problems::default() };
    let zone = Zone::load(&spec.zone);
    let zone = compiler.problems.take("zone", zone);
    let entries = compiler.entries();
    let exclusions = compiler.exclusions();
    compiler.check_bounds();
    let jitter_millis = compiler.jitter_millis();

    compiler.problems.into_result()?;
    Ok(Inner {
        entries,
        exclusions,
        zone: zone.expect("an unknown zone is a problem"),
        start: spec.start.map_or(BEGIN, first_second),
        end: spec.end.map_or(END, first_second),
        jitter_millis,
        seed: seed.into(),
        spec: spec.clone(),
    })
}

struct Compiler<'a> {
    spec: &'a Spec,
    seed: &'a str,
    problems: Problems,
}

impl Compiler<'_> {
    fn entries(&mut self) -> Vec<Entry> {
        let triggers = &self.spec.triggers;
        if triggers.is_empty() || triggers.len() > Spec::MAX_TRIGGERS {
            let (number, most) = (triggers.len(), Spec::MAX_TRIGGERS);
            self.problems.add("triggers", format!("has {number} entries; allowed are 1 to {most}"));
            return Vec::new();
        }
        let mut entries = Vec::new();
        for (index, trigger) in triggers.iter().enumerate() {
            entries.extend(self.times(trigger, &format!("triggers[{index}]")).map(|times| {
                match times {
                    Times::Elapsed(elapsed) => Entry::Elapsed(elapsed),
                    Times::Pattern(pattern) => {
                        Entry::Wall(Wall::new(pattern, self.spec.gap, self.spec.repeat))
                    }
                }
            }));
        }
        entries
    }

    fn exclusions(&mut self) -> Exclusions {
        let exclusions = &self.spec.exclusions;
        if exclusions.len() > Spec::MAX_EXCLUSIONS {
            let (number, most) = (exclusions.len(), Spec::MAX_EXCLUSIONS);
            self.problems
                .add("exclusions", format!("has {number} entries; allowed are 0 to {most}"));
            return Exclusions::default();
        }
        let mut compiled = Vec::new();
        for (index, exclusion) in exclusions.iter().enumerate() {
            compiled.extend(self.exclusion(exclusion, &format!("exclusions[{index}]")));
        }
        compiled.sort_by_key(|exclusion| matches!(exclusion, Compiled::Pattern(_)));
        Exclusions(compiled)
    }

    fn exclusion(&mut self, exclusion: &Exclusion, path: &str) -> Option<Compiled> {
        match exclusion {
            Exclusion::Dates { from, to } => {
                if from > to {
                    let problem = format!("{to} is before from, {from}");
                    self.problems.add(format!("{path}.dates.to"), problem);
                    return None;
                }
                let (from, to) = (near_horizon(*from), near_horizon(*to));
                Some(Compiled::Locals(Local::new(from, 0), Local(Local::new(to, 0).0 + DAY)))
            }
            Exclusion::Range { from, to } => {
                if from >= to {
                    let problem = format!("{to} is not after from, {from}");
                    self.problems.add(format!("{path}.range.to"), problem);
                    return None;
                }
                Some(Compiled::Seconds(first_second(*from), first_second(*to)))
            }
            Exclusion::Trigger(trigger) => {
                let times = self.times(trigger, &format!("{path}.trigger"))?;
                Some(match times {
                    Times::Elapsed(elapsed) => Compiled::Elapsed(elapsed),
                    Times::Pattern(pattern) => Compiled::Pattern(pattern),
                })
            }
        }
    }

    fn times(&mut self, trigger: &Trigger, path: &str) -> Option<Times> {
        match trigger {
            Trigger::Cron { expression, dialect } => {
                let cron = Cron::parse(expression, *dialect, self.seed);
                let cron = self.problems.take(format!("{path}.cron.expression"), cron)?;
                Some(Times::Pattern(Pattern::Cron(Box::new(cron))))
            }
            Trigger::Interval { every, anchor, phase } => {
                self.interval(*every, *anchor, *phase, path).map(Times::Elapsed)
            }
            Trigger::Once { at } => {
                let at = self.problems.take(format!("{path}.once.at"), whole_second(*at))?;
                Some(Times::Elapsed(Elapsed::Once(at)))
            }
            Trigger::Calendar { every, unit, start, at } => {
                self.calendar(*every, *unit, *start, *at, path).map(Times::Pattern)
            }
        }
    }

    fn interval(
        &mut self,
        every: Duration,
        anchor: Option<Timestamp>,
        phase: Duration,
        path: &str,
    ) -> Option<Elapsed> {
        let least = Duration::from_secs(1);
        let every = whole_seconds(every, least, Trigger::MAX_INTERVAL, "1 s to 10 years (87600 h)");
        let every = self.problems.take(format!("{path}.interval.every"), every);
        let anchor = match anchor {
            Some(anchor) => {
                let anchor = whole_second(anchor);
                self.problems.take(format!("{path}.interval.anchor"), anchor)
            }
            None => Some(self.spec.start.map_or(BEGIN, first_second)),
        };
        // The longest allowed phase depends on `every`, so it is looked at last.
        let (every, anchor) = every.zip(anchor)?;
        let longest = Duration::from_secs(every.unsigned_abs() - 1);
        let phase = whole_seconds(phase, Duration::ZERO, longest, "0 s to less than every");
        let phase = self.problems.take(format!("{path}.interval.phase"), phase)?;
        Some(Elapsed::interval(every, anchor + phase))
    }

    fn calendar(
        &mut self,
        every: u32,
        unit: CalendarUnit,
        start: Date,
        at: Time,
        path: &str,
    ) -> Option<Pattern> {
        let most = Trigger::MAX_CALENDAR_EVERY;
        let is_every_allowed = (1..=most).contains(&every);
        if !is_every_allowed {
            let problem = format!("is {every}; allowed are 1 to {most}");
            self.problems.add(format!("{path}.calendar.every"), problem);
        }
        let is_start_allowed = (1970..=2199).contains(&start.year());
        if !is_start_allowed {
            let problem = format!("is {start}; allowed are 1970-01-01 to 2199-12-31");
            self.problems.add(format!("{path}.calendar.start"), problem);
        }
        let is_at_allowed = at.subsec_nanosecond() == 0;
        if !is_at_allowed {
            let problem = format!("is {at}; allowed are whole seconds");
            self.problems.add(format!("{path}.calendar.at"), problem);
        }

        let second_of_day = [at.hour(), at.minute(), at.second()]
            .into_iter()
            .fold(0, |sum, part| sum * 60 + u32::from(part.unsigned_abs()));
        (is_every_allowed && is_start_allowed && is_at_allowed)
            .then(|| Pattern::Calendar(Calendar::new(every, unit, start, second_of_day)))
    }

    fn check_bounds(&mut self) {
        let (start, end) = (self.spec.start, self.spec.end);
        for (field, at) in [("start", start), ("end", end)] {
            if let Some(problem) = at.and_then(|at| outside(at, timestamp(END))) {
                self.problems.add(field, problem);
            }
        }
        if let (Some(start), Some(end)) = (start, end)
            && start >= end
        {
            self.problems.add("end", format!("{end} is not after start, {start}"));
        }
    }

    fn jitter_millis(&mut self) -> u64 {
        let jitter = self.spec.jitter;
        let millis = u64::try_from(jitter.as_millis()).unwrap_or(u64::MAX);
        if jitter > Spec::MAX_JITTER || jitter != Duration::from_millis(millis) {
            let problem = format!("is {jitter:?}; allowed are whole milliseconds, 0 s to 24 h");
            self.problems.add("jitter", problem);
        }
        millis
    }
}

/// The second of an instant that must be a nominal time.
fn whole_second(at: Timestamp) -> Result<i64, String> {
    if let Some(problem) = outside(at, timestamp(END - 1)) {
        return Err(problem);
    }
    if at.subsec_nanosecond() != 0 {
        return Err(format!("is {at}; allowed are whole seconds"));
    }
    Ok(at.as_second())
}

/// What is wrong with an instant that is not in the horizon.
fn outside(at: Timestamp, last: Timestamp) -> Option<String> {
    let first = timestamp(BEGIN);
    (at < first || at > last).then(|| format!("is {at}; allowed are {first} to {last}"))
}

fn whole_seconds(
    duration: Duration,
    least: Duration,
    greatest: Duration,
    allowed: &str,
) -> Result<i64, String> {
    let is_allowed = (least..=greatest).contains(&duration) && duration.subsec_nanos() == 0;
    i64::try_from(duration.as_secs())
        .ok()
        .filter(|_| is_allowed)
        .ok_or_else(|| format!("is {duration:?}; allowed are whole seconds, {allowed}"))
}

/// A date beyond the horizon excludes as much as the nearest one just outside of it.
fn near_horizon(date: Date) -> Date {
    date.clamp(Date::constant(1969, 1, 1), Date::constant(2200, 12, 31))
}
