//! Field masks of updates: the fields that are named are taken over from one spec into another.

use bellringer_api::v1 as pb;

use crate::domain::{Checker, Violations};

macro_rules! take {
    ($into:expr, $from:expr, $path:expr, [$($field:ident),* $(,)?]) => {
        match $path {
            $(stringify!($field) => { $into.$field = $from.$field.clone(); true })*
            _ => false,
        }
    };
}

/// Takes over the fields of `new` that `paths` name; fields that are named and not given go back to
/// their default.
pub(crate) fn apply(
    mut old: pb::ScheduleSpec,
    new: &pb::ScheduleSpec,
    paths: &[String],
) -> Result<pb::ScheduleSpec, Violations> {
    let mut check = Checker::default();
    if paths.is_empty() {
        check.refuse("update_mask", "is required: name at least one field of the spec");
    }
    for path in paths {
        if !take_path(&mut old, new, path) {
            let why =
                format!("\"{path}\" is no field of ScheduleSpec, or more than two levels deep");
            check.refuse("update_mask", why);
        }
    }
    check.finish()?;
    Ok(old)
}

fn take_path(old: &mut pb::ScheduleSpec, new: &pb::ScheduleSpec, path: &str) -> bool {
    match path.split_once('.') {
        None => take!(old, new, path, [times, task, start_within, policies, labels, description]),
        Some(("times", field)) => {
            let (old, new) = (old.times.get_or_insert_default(), new.times.clone());
            let new = new.unwrap_or_default();
            take!(old, new, field, [triggers, exclusions, zone, start, end, jitter, gap, repeat])
        }
        Some(("task", field)) => {
            let (old, new) = (old.task.get_or_insert_default(), new.task.clone());
            let new = new.unwrap_or_default();
            take!(
                old,
                new,
                field,
                [
                    queue,
                    kind,
                    version,
                    payload,
                    labels,
                    priority,
                    run_at,
                    delay,
                    expire_at,
                    attempt_timeout,
                    total_timeout,
                    retry,
                    unique_key,
                    unique_conflict,
                    traceparent
                ]
            )
        }
        Some(("policies", field)) => {
            let (old, new) = (old.policies.get_or_insert_default(), new.policies.clone());
            let new = new.unwrap_or_default();
            take!(
                old,
                new,
                field,
                [
                    misfire,
                    misfire_grace,
                    catch_up_window,
                    catch_up_limit,
                    overlap,
                    max_running,
                    max_fires,
                    pause_after_failures,
                    on_failure,
                    on_recovery
                ]
            )
        }
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_fields_are_taken_and_others_stay() {
        let old = pb::ScheduleSpec {
            description: "old".to_owned(),
            times: Some(pb::ScheduleTimes { zone: "A".to_owned(), gap: 2, ..Default::default() }),
            ..Default::default()
        };
        let new = pb::ScheduleSpec {
            description: "new".to_owned(),
            times: Some(pb::ScheduleTimes { zone: "B".to_owned(), ..Default::default() }),
            ..Default::default()
        };
        let paths = ["times.zone".to_owned()];
        let changed = apply(old.clone(), &new, &paths).unwrap();
        assert_eq!(changed.description, "old");
        assert_eq!(changed.times.as_ref().unwrap().zone, "B");
        assert_eq!(changed.times.unwrap().gap, 2);
        for wrong in ["zone", "times.zone.x", "", "spec.times"] {
            assert!(apply(old.clone(), &new, &[wrong.to_owned()]).is_err(), "{wrong}");
        }
        assert!(apply(old, &new, &[]).is_err());
    }
}
