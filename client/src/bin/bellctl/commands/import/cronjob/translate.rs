//! CronJobs as schedules.

use bellringer_api::v1::ScheduleSpec;

use super::{
    super::plan::{Level, Names, Note, Plan, Planned},
    behaviour::{Notes, policies, times},
    job,
    yaml::{Node, documents},
};

/// What becomes of the CronJobs.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    pub(super) kind: &'a str,
    pub(super) queue: &'a str,
    pub(super) prefix: &'a str,
}

/// Plans a schedule for every CronJob of a file.
///
/// # Errors
/// Where the text is no YAML.
pub(super) fn translate(text: &str, settings: &Settings<'_>) -> Result<Plan, String> {
    let mut plan = Plan::default();
    let mut names = Names::default();
    for document in documents(text)? {
        object(&document, settings, &mut names, &mut plan);
    }
    Ok(plan)
}

fn object(node: &Node, settings: &Settings<'_>, names: &mut Names, plan: &mut Plan) {
    let kind = node.text(&["kind"]).unwrap_or_default();
    let version = node.text(&["apiVersion"]).unwrap_or_default();
    let refuse = |plan: &mut Plan, why: String| {
        plan.notes.push(Note::new(node.line, Level::NotImported, why));
    };
    match (kind, version) {
        ("List" | "CronJobList", _) => {
            for item in node.at(&["items"]).map(Node::items).unwrap_or_default() {
                // Items of a list that names them once say nothing themselves.
                if kind == "CronJobList" && item.at(&["kind"]).is_none() {
                    cronjob(item, settings, names, plan);
                } else {
                    object(item, settings, names, plan);
                }
            }
        }
        ("CronJob", "batch/v1" | "batch/v1beta1") => cronjob(node, settings, names, plan),
        ("CronJob", version) => {
            refuse(plan, format!("a CronJob of {version:?}; batch/v1 can be imported"));
        }
        ("", _) => refuse(plan, "an object without a kind".to_owned()),
        (kind, _) => refuse(plan, format!("a {kind}; only CronJobs can be imported")),
    }
}

fn cronjob(node: &Node, settings: &Settings<'_>, names: &mut Names, plan: &mut Plan) {
    match planned(node, settings, names) {
        Ok(planned) => plan.schedules.push(planned),
        Err(why) => {
            let name = node.text(&["metadata", "name"]).unwrap_or("without a name");
            let text = format!("the CronJob {name}: {why}");
            plan.notes.push(Note::new(node.line, Level::NotImported, text));
        }
    }
}

fn planned(node: &Node, settings: &Settings<'_>, names: &mut Names) -> Result<Planned, String> {
    let own_name = node.text(&["metadata", "name"]).ok_or("it has no metadata.name")?;
    let mut notes = Notes { node, notes: Vec::new() };
    let times = times(node, &mut notes)?;
    let policies = policies(node, &mut notes);
    let job::Translated { mut task, notes: more } = job::task(node, own_name)?;
    for (path, level, text) in more {
        notes.add(&path, level, text);
    }
    limits_and_rest(node, &mut notes);
    let mut labels = vec![("imported-from".to_owned(), "k8s-cronjob".to_owned())];
    let mut wish = format!("{}{own_name}", settings.prefix);
    if let Some(namespace) = node.text(&["metadata", "namespace"]) {
        labels.push(("k8s-namespace".to_owned(), namespace.to_owned()));
        if namespace != "default" {
            wish = format!("{}{namespace}/{own_name}", settings.prefix);
        }
    }
    settings.kind.clone_into(&mut task.kind);
    settings.queue.clone_into(&mut task.queue);
    task.labels = labels.iter().cloned().collect();
    let suspended = node.is_true(&["spec", "suspend"]);
    if suspended {
        notes.add(&["spec", "suspend"], Level::Translated, "suspended: the schedule is paused");
    }
    let spec = ScheduleSpec {
        times: Some(times),
        task: Some(task),
        policies: Some(policies),
        labels: labels.into_iter().collect(),
        ..ScheduleSpec::default()
    };
    Ok(Planned {
        line: node.line,
        name: names.take(&wish),
        spec,
        paused: suspended.then(|| "suspended in Kubernetes".to_owned()),
        notes: notes.notes,
    })
}

/// What has no place here.
fn limits_and_rest(node: &Node, notes: &mut Notes<'_>) {
    const KNOWN: [&str; 8] = [
        "schedule",
        "timeZone",
        "startingDeadlineSeconds",
        "concurrencyPolicy",
        "suspend",
        "jobTemplate",
        "successfulJobsHistoryLimit",
        "failedJobsHistoryLimit",
    ];
    for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        if node.at(&["spec", field]).is_some() {
            let text = format!(
                "{field}: finished tasks are kept for a time, not by their number: `bellctl queues \
                 retention`"
            );
            notes.add(&["spec", field], Level::NotImported, text);
        }
    }
    for (field, _) in node.at(&["spec"]).map(Node::entries).unwrap_or_default() {
        if !KNOWN.contains(&field.as_str()) {
            let text = format!("spec.{field} is not known");
            notes.add(&["spec", field], Level::NotImported, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use bellringer_api::v1::{GapPolicy, OverlapPolicy, RepeatPolicy, trigger::Trigger as When};

    use super::*;

    const SETTINGS: Settings<'_> = Settings { kind: "k8s-job", queue: "", prefix: "" };

    fn cronjob_yaml(metadata: &str, spec: &str) -> String {
        format!(
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: report{metadata}}}\nspec:\n  \
             jobTemplate: {{spec: {{template: {{spec: {{containers: []}}}}}}}}\n  {spec}\n"
        )
    }

    fn one(metadata: &str, spec: &str) -> Planned {
        let text = cronjob_yaml(metadata, &spec.replace('\n', "\n  "));
        let mut plan = translate(&text, &SETTINGS).unwrap();
        assert_eq!(plan.notes, []);
        plan.schedules.remove(0)
    }

    fn told(planned: &Planned, text: &str) -> bool {
        planned.notes.iter().any(|note| note.text.contains(text))
    }

    #[test]
    fn a_cronjob_becomes_a_schedule_with_its_meaning() {
        let planned = one(
            ", namespace: ops",
            "schedule: \"30 2 * * *\"\ntimeZone: Europe/Berlin\nconcurrencyPolicy: Forbid\n\
             startingDeadlineSeconds: 30\nsuspend: true",
        );
        assert_eq!((planned.name.as_str(), planned.line), ("ops/report", 1));
        let times = planned.spec.times.as_ref().unwrap();
        assert_eq!((times.gap(), times.repeat()), (GapPolicy::Skip, RepeatPolicy::Both));
        assert_eq!(times.zone, "Europe/Berlin");
        let policies = planned.spec.policies.as_ref().unwrap();
        assert_eq!(policies.overlap(), OverlapPolicy::Skip);
        assert_eq!(policies.catch_up_window.unwrap().seconds, 30);
        assert_eq!(policies.misfire_grace.unwrap().seconds, 30, "not later than the deadline");
        assert!(planned.paused.is_some());
        assert_eq!(planned.spec.labels["k8s-namespace"], "ops");
        assert_eq!(planned.spec.task.as_ref().unwrap().kind, "k8s-job");
    }

    #[test]
    fn defaults_of_kubernetes_are_said_aloud() {
        let planned = one("", "schedule: \"0 * * * *\"");
        let policies = planned.spec.policies.as_ref().unwrap();
        assert_eq!(policies.overlap(), OverlapPolicy::Allow);
        assert_eq!(policies.catch_up_window.unwrap().seconds, 31_536_000);
        assert_eq!(policies.misfire_grace.unwrap().seconds, 60);
        assert_eq!(planned.spec.times.as_ref().unwrap().zone, "UTC");
        assert!(told(&planned, "zone of its controller") && planned.paused.is_none());
        let replacing = one("", "schedule: \"0 * * * *\"\nconcurrencyPolicy: Replace");
        assert_eq!(replacing.spec.policies.unwrap().overlap(), OverlapPolicy::CancelRunning);
    }

    #[test]
    fn every_counts_from_when_the_cronjob_was_made() {
        let anchor =
            |planned: &Planned| match &planned.spec.times.as_ref().unwrap().triggers[0].trigger {
                Some(When::Interval(interval)) => interval.anchor.map(|anchor| anchor.seconds),
                other => panic!("{other:?}"),
            };
        let known =
            one(", creationTimestamp: \"2026-05-01T10:00:00Z\"", "schedule: \"@every 1h30m\"");
        assert_eq!(anchor(&known), Some(1_777_629_600));
        let unknown = one("", "schedule: \"@every 1h30m\"");
        assert_eq!(anchor(&unknown), None);
        assert!(told(&unknown, "counts from 1970"));
        assert_eq!(
            unknown.spec.times.as_ref().unwrap().gap,
            0,
            "elapsed time knows no clock change"
        );
    }

    #[test]
    fn notes_have_the_lines_of_what_they_are_about() {
        let planned = one("", "schedule: \"0 0 */2 * MON\"\nfailedJobsHistoryLimit: 3\nfuture: 1");
        let line = |text: &str| {
            planned.notes.iter().find(|note| note.text.contains(text)).map(|note| note.line)
        };
        assert_eq!(line("either day"), Some(6));
        assert_eq!(line("failedJobsHistoryLimit"), Some(7));
        assert_eq!(line("spec.future"), Some(8));
        assert_eq!(line("zone of its controller"), Some(5), "the line of spec");
    }

    #[test]
    fn lists_and_several_documents_are_walked_through() {
        let item = "{apiVersion: batch/v1, kind: CronJob, metadata: {name: NAME}, spec: {schedule: \
                    \"@daily\", jobTemplate: {spec: {template: {}}}}}";
        let list = format!(
            "apiVersion: v1\nkind: List\nitems:\n- {}\n- {}\n---\nkind: ConfigMap\n---\n{}\n",
            item.replace("NAME", "a"),
            item.replace("NAME", "b"),
            item.replace("NAME", "a"),
        );
        let plan = translate(&list, &SETTINGS).unwrap();
        let names: Vec<_> = plan.schedules.iter().map(|planned| planned.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "a-2"]);
        assert_eq!(plan.schedules[1].line, 5);
        assert_eq!((plan.notes.len(), plan.notes[0].line), (1, 7));
        assert!(plan.notes[0].text.contains("ConfigMap"));
    }

    #[test]
    fn what_cannot_be_imported_is_told() {
        for (text, why) in [
            (cronjob_yaml("", "suspend: true"), "no spec.schedule"),
            (cronjob_yaml("", "schedule: \"* * *\""), "3 fields"),
            ("apiVersion: batch/v2alpha1\nkind: CronJob\n".to_owned(), "batch/v2alpha1"),
            ("apiVersion: batch/v1\nkind: CronJob\n".to_owned(), "metadata.name"),
            ("just: text\n".to_owned(), "without a kind"),
        ] {
            let plan = translate(&text, &SETTINGS).unwrap();
            assert!(plan.schedules.is_empty(), "{text}");
            assert!(plan.notes[0].text.contains(why), "{:?}", plan.notes);
        }
        assert!(translate("a: [", &SETTINGS).is_err());
    }
}
