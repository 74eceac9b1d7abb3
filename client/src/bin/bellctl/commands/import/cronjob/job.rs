//! The Job that a CronJob makes, as a task: its payload is the manifest of a Job.

use bellringer_api::v1::{RetryPolicy, TaskSpec};
use prost_types::Duration;
use serde_json::{Map, Value, json};

use super::{super::plan::Level, yaml::Node};
use crate::payload;

/// Tries after the first one, where a Job does not say.
const BACKOFF_LIMIT: u64 = 6;
/// Waits of Kubernetes between tries, in seconds: they double up to the limit.
const BACKOFF: (i64, i64) = (10, 600);

/// A task, and what is to be known about it: under which path of the CronJob, how much it matters,
/// and what it is.
#[derive(Debug)]
pub(super) struct Translated {
    pub(super) task: TaskSpec,
    pub(super) notes: Vec<(Vec<&'static str>, Level, String)>,
}

/// Fields by which a Job manages its tries in a way of its own.
const OWN_RETRIES: [&str; 4] =
    ["backoffLimitPerIndex", "podFailurePolicy", "successPolicy", "maxFailedIndexes"];

/// Makes the task of a CronJob.
///
/// # Errors
/// There is no template, or the manifest cannot be sent.
pub(super) fn task(cronjob: &Node, name: &str) -> Result<Translated, String> {
    const SPEC: [&str; 3] = ["spec", "jobTemplate", "spec"];
    let job = cronjob.at(&SPEC).ok_or("it has no spec.jobTemplate.spec")?;
    let pods = ["parallelism", "completions"].map(|field| job.number(&[field]).unwrap_or(1));
    let manages = pods != [1, 1] || OWN_RETRIES.iter().any(|field| job.at(&[field]).is_some());
    let mut manifest = manifest(cronjob, job, name);
    let mut notes = vec![(
        SPEC.to_vec(),
        Level::Differs,
        "the payload is the manifest of a Job; nothing runs it until a worker of this kind does, for \
         example with kubectl: see `bellctl import k8s-cronjob --help`"
            .to_owned(),
    )];
    let mut note = |field: &'static str, level, text: String| {
        let mut path = SPEC.to_vec();
        path.push(field);
        notes.push((path, level, text));
    };
    let tries = job.number(&["backoffLimit"]).unwrap_or(BACKOFF_LIMIT);
    let attempts = if manages {
        note(
            "backoffLimit",
            Level::Differs,
            "several pods, or rules of its own for failures: Kubernetes goes on trying within the one \
             Job, and the task has one attempt"
                .to_owned(),
        );
        1
    } else {
        if let Some(spec) = manifest["spec"].as_object_mut() {
            spec.insert("backoffLimit".to_owned(), json!(0));
        }
        let attempts = tries.saturating_add(1);
        note(
            "backoffLimit",
            Level::Differs,
            format!(
                "backoffLimit {tries} becomes {attempts} attempts, each of them a Job of its own with \
                 backoffLimit 0"
            ),
        );
        u32::try_from(attempts).unwrap_or(u32::MAX).min(1000)
    };
    let total = job.number(&["activeDeadlineSeconds"]);
    if total.is_some() {
        note(
            "activeDeadlineSeconds",
            Level::Differs,
            "activeDeadlineSeconds becomes the total timeout, over all attempts; it counts from the \
             fire, the wait for a worker included, and stays in the manifest"
                .to_owned(),
        );
    }
    let pod = job.number(&["template", "spec", "activeDeadlineSeconds"]);
    if pod.is_some() && !manages {
        note(
            "template",
            Level::Differs,
            "activeDeadlineSeconds of the pod becomes the attempt timeout too".to_owned(),
        );
    }
    if job.at(&["ttlSecondsAfterFinished"]).is_none() {
        note(
            "ttlSecondsAfterFinished",
            Level::Differs,
            "finished Jobs are not removed, for no CronJob owns them: set ttlSecondsAfterFinished"
                .to_owned(),
        );
    }
    let payload = payload::from_json(&manifest)?;
    let retry = RetryPolicy {
        max_attempts: attempts,
        initial_backoff: Some(seconds(BACKOFF.0)),
        max_backoff: Some(seconds(BACKOFF.1)),
        no_jitter: true,
        ..RetryPolicy::default()
    };
    let task = TaskSpec {
        payload: Some(payload),
        retry: Some(retry),
        attempt_timeout: pod.filter(|_| !manages).map(limit),
        total_timeout: total.map(limit),
        ..TaskSpec::default()
    };
    Ok(Translated { task, notes })
}

/// What Kubernetes would make of the template.
fn manifest(cronjob: &Node, job: &Node, name: &str) -> Value {
    let mut metadata = Map::new();
    metadata.insert("generateName".to_owned(), json!(format!("{name}-")));
    if let Some(namespace) = cronjob.text(&["metadata", "namespace"]) {
        metadata.insert("namespace".to_owned(), json!(namespace));
    }
    for field in ["labels", "annotations"] {
        if let Some(found) = cronjob.at(&["spec", "jobTemplate", "metadata", field]) {
            metadata.insert(field.to_owned(), found.to_json());
        }
    }
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": job.to_json()})
}

fn seconds(seconds: i64) -> Duration {
    Duration { seconds, nanos: 0 }
}

fn limit(length: u64) -> Duration {
    seconds(i64::try_from(length).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{super::yaml::documents, *};

    fn translate(job: &str) -> Translated {
        let indented = job.replace('\n', "\n      ");
        let text = format!(
            "metadata: {{name: report, namespace: ops}}\nspec:\n  jobTemplate:\n    metadata: \
             {{labels: {{app: report}}, creationTimestamp: null}}\n    spec:\n      {indented}\n"
        );
        task(&documents(&text).unwrap()[0], "report").unwrap()
    }

    fn manifest_of(translated: &Translated) -> Value {
        let payload = translated.task.payload.as_ref().unwrap();
        serde_json::from_slice(&payload::to_bytes(payload).unwrap()).unwrap()
    }

    fn told(translated: &Translated, text: &str) -> bool {
        translated.notes.iter().any(|(_, _, note)| note.contains(text))
    }

    #[test]
    fn the_payload_is_a_job_that_kubernetes_takes() {
        let plain = translate("template: {spec: {containers: [{name: c, image: i}]}}");
        let manifest = manifest_of(&plain);
        assert_eq!(
            (&manifest["kind"], &manifest["apiVersion"]),
            (&json!("Job"), &json!("batch/v1"))
        );
        assert_eq!(
            manifest["metadata"],
            json!({"generateName": "report-", "namespace": "ops", "labels": {"app": "report"}})
        );
        assert_eq!(manifest["spec"]["template"]["spec"]["containers"][0]["image"], "i");
        assert!(told(&plain, "ttlSecondsAfterFinished") && told(&plain, "nothing runs it"));
    }

    #[test]
    fn tries_are_counted_in_one_place() {
        let default = translate("template: {}");
        assert_eq!(default.task.retry.as_ref().unwrap().max_attempts, 7);
        assert_eq!(manifest_of(&default)["spec"]["backoffLimit"], 0);
        let none = translate("backoffLimit: 0\ntemplate: {}");
        assert_eq!(none.task.retry.as_ref().unwrap().max_attempts, 1);
        for own in ["parallelism: 3", "completions: 5", "podFailurePolicy: {rules: []}"] {
            let several = translate(&format!("{own}\nbackoffLimit: 4\ntemplate: {{}}"));
            assert_eq!(several.task.retry.as_ref().unwrap().max_attempts, 1, "{own}");
            assert_eq!(manifest_of(&several)["spec"]["backoffLimit"], 4, "{own}");
            assert!(told(&several, "within the one"), "{own}");
        }
    }

    #[test]
    fn deadlines_become_timeouts_of_what_they_limit() {
        let both = translate(
            "activeDeadlineSeconds: 600\nttlSecondsAfterFinished: 60\ntemplate: {spec: \
             {activeDeadlineSeconds: 90}}",
        );
        assert_eq!(both.task.total_timeout.unwrap().seconds, 600);
        assert_eq!(both.task.attempt_timeout.unwrap().seconds, 90);
        assert_eq!(manifest_of(&both)["spec"]["activeDeadlineSeconds"], 600);
        assert!(!told(&both, "not removed"));
        let several = translate("parallelism: 2\ntemplate: {spec: {activeDeadlineSeconds: 90}}");
        assert_eq!(several.task.attempt_timeout, None, "one attempt is several pods");
    }
}
