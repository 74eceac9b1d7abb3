//! When schedules fire.
//!
//! A [`Spec`] is what the user wrote. [`Plan::compile`] checks it and makes a [`Plan`], which answers
//! when the schedule fires. Everything here is arithmetic: no clock, no chance, no I/O, and the time
//! zones are compiled in ([`tzdata_version`]), so that a plan gives the same fires on every machine
//! that runs the same build.
//!
//! # Words
//!
//! - A *nominal* time is when a schedule means to fire: a whole second in 1970..2200. A fire is *due*
//!   at its nominal time plus jitter.
//! - A *gap* is the local time that is skipped when clocks go forward, or when a country moves over
//!   the date line. Local time is *repeated* when clocks go back; the two times are the first and the
//!   last *pass*.
//! - An entry of a schedule is *wild* if it runs again and again within the day: a cron expression
//!   with `*` (or `H/n`) at the start of its second, minute or hour field. All other cron entries and
//!   all calendar entries are *fixed*. Intervals and single instants are neither: they are elapsed
//!   time and do not see the changes of a zone.
//!
//! # When clocks change
//!
//! | | gap | repeated time |
//! |---|---|---|
//! | fixed, by default | once, at the first instant after the gap | in the first pass |
//! | wild, by default | not made up for | in both passes |
//! | [`GapPolicy`], [`RepeatPolicy`] | as they say, for every entry | as they say, for every entry |
//!
//! This is what Vixie cron does, without its limit of three hours. [`Rule`] says of each fire which of
//! these made it. Dates and weekdays are judged by the local time that the entry names, also in a gap:
//! what is meant for Saturday 23:30 fires after a gap even if the gap ends on Sunday.
//!
//! # Merging and exclusions
//!
//! Entries that name the same instant make one fire, with the first of their rules in the order of
//! [`Rule`]. Excluded fires are delivered, marked with [`Fire::excluded`]. An exclusion by dates, by a
//! cron expression or by a calendar covers a fire by the local time that its entry names, whatever the
//! policies; an exclusion by a range, an interval or an instant covers it by its nominal time. A
//! merged fire is excluded if each of the times that made it is.

#![forbid(unsafe_code)]

mod calendar;
mod compile;
mod cron;
mod describe;
mod elapsed;
mod entry;
mod exclusion;
mod fires;
mod invalid;
mod local;
mod outlook;
mod plan;
mod rule;
mod spec;
mod stable_hash;
mod wall;
mod zone;

pub use crate::{
    fires::{Fire, Fires},
    invalid::Invalid,
    outlook::{Count, LOOK_AT, Search},
    plan::Plan,
    rule::Rule,
    spec::{CalendarUnit, Dialect, Exclusion, GapPolicy, RepeatPolicy, Spec, Trigger},
    zone::{time_zone, tzdata_version, zone_name, zone_names},
};
