//! Schedules as JSON.

use bellringer_api::v1::{Schedule, SchedulePolicies, ScheduleTimes};
use serde_json::{Map, Value, json};

use super::{
    json::{duration, labels, task_spec, text, timestamp},
    schedule::state_word,
    trigger,
};

/// A schedule with the stable names of its fields; without counts that were not `counted`.
pub(crate) fn json(schedule: &Schedule, counted: bool) -> Value {
    let spec = schedule.spec.clone().unwrap_or_default();
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("id", json!(schedule.id));
    put("namespace", json!(schedule.namespace));
    put("name", json!(schedule.name));
    put("state", json!(state_word(schedule.state())));
    put("version", json!(schedule.version));
    put("etag", json!(schedule.etag));
    put("summary", json!(schedule.summary));
    put("created_at", timestamp(schedule.created_at.as_ref()));
    put("updated_at", timestamp(schedule.updated_at.as_ref()));
    put("next_fire_at", timestamp(schedule.next_fire_at.as_ref()));
    put("last_fire_at", timestamp(schedule.last_fire_at.as_ref()));
    put("last_task_id", text(&schedule.last_task_id));
    put("fires", json!(schedule.fires));
    put("running", json!(counted.then_some(schedule.running)));
    put("held_back", json!(counted.then_some(schedule.held_back)));
    put("failures_in_a_row", json!(schedule.failures_in_a_row));
    put("paused_at", timestamp(schedule.paused_at.as_ref()));
    put("paused_until", timestamp(schedule.paused_until.as_ref()));
    put("pause_note", text(&schedule.pause_note));
    put("times", spec.times.as_ref().map_or(Value::Null, times));
    put("task", spec.task.as_ref().map_or(Value::Null, task_spec));
    put("start_within", duration(spec.start_within.as_ref()));
    put("policies", spec.policies.as_ref().map_or(Value::Null, policies));
    put("labels", labels(&spec.labels));
    put("description", text(&spec.description));
    Value::Object(object)
}

/// The times of a schedule.
pub(crate) fn times(times: &ScheduleTimes) -> Value {
    json!({
        "triggers": times.triggers.iter().map(trigger::json).collect::<Vec<_>>(),
        "exclusions": times.exclusions.iter().map(trigger::exclusion_json).collect::<Vec<_>>(),
        "zone": text(&times.zone),
        "start": timestamp(times.start.as_ref()),
        "end": timestamp(times.end.as_ref()),
        "jitter": duration(times.jitter.as_ref()),
        "gap": word(times.gap().as_str_name(), "GAP_POLICY_"),
        "repeat": word(times.repeat().as_str_name(), "REPEAT_POLICY_"),
    })
}

/// The policies of a schedule.
pub(crate) fn policies(policies: &SchedulePolicies) -> Value {
    json!({
        "misfire": word(policies.misfire().as_str_name(), "MISFIRE_POLICY_"),
        "misfire_grace": duration(policies.misfire_grace.as_ref()),
        "catch_up_window": duration(policies.catch_up_window.as_ref()),
        "catch_up_limit": policies.catch_up_limit,
        "overlap": word(policies.overlap().as_str_name(), "OVERLAP_POLICY_"),
        "max_running": policies.max_running,
        "max_fires": Some(policies.max_fires).filter(|fires| *fires > 0),
        "pause_after_failures": Some(policies.pause_after_failures).filter(|count| *count > 0),
        "on_failure": policies.on_failure.as_ref().map(task_spec),
        "on_recovery": policies.on_recovery.as_ref().map(task_spec),
    })
}

/// The name of an enum's value in lower case; null for the unspecified one.
pub(super) fn word(name: &str, prefix: &str) -> Option<String> {
    let name = name.strip_prefix(prefix).unwrap_or(name);
    (name != "UNSPECIFIED").then(|| name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{super::schedule::tests::example, *};

    #[test]
    fn json_has_the_names_that_reset_takes() {
        let value = json(&example(), true);
        assert_eq!(value["state"], "paused");
        assert_eq!(value["times"]["triggers"][0]["cron"]["expression"], "30 2 * * *");
        assert_eq!(value["times"]["end"], Value::Null);
        assert_eq!(value["policies"]["overlap"], "cancel_running");
        assert_eq!(value["policies"]["on_failure"], Value::Null);
        assert_eq!(value["task"]["kind"], "report");
        assert_eq!(
            (&value["running"], &value["next_fire_at"]),
            (&json!(0), &json!("2026-05-02T00:30:00Z"))
        );
        assert_eq!(json(&example(), false)["running"], Value::Null, "a list does not count");
    }
}
