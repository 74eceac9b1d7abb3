//! `bellctl import k8s-cronjob`.

mod behaviour;
mod job;
mod schedule;
mod translate;
mod yaml;

use std::path::PathBuf;

use clap::Args;

use super::{Destination, carry_out::carry_out};
use crate::{app::App, commands::input, exit::Exit, failure::Failure};

/// Make a schedule of every CronJob of Kubernetes in a YAML file
#[derive(Debug, Args)]
#[command(after_help = "\
Takes several documents and Lists, as `kubectl get -o yaml` writes them. Each task has the manifest of
a Job as its payload. A worker may run it with a script such as this one, run-job.sh:

  job=$(kubectl create -o name -f -) || exit 1
  trap 'kubectl delete --wait=false \"$job\"; exit 143' TERM
  state='{.status.conditions[?(@.status==\"True\")].type}'
  while :; do
    case \"$(kubectl get \"$job\" -o \"jsonpath=$state\")\" in
      *Complete*) kubectl logs \"$job\"; exit 0 ;;
      *Failed*) kubectl logs \"$job\" >&2; exit 1 ;;
    esac
    sleep 5 & wait $!
  done

  bellctl worker --exec 'k8s-job=sh run-job.sh' --concurrency 20

Example:
  kubectl get cronjobs -A -o yaml | bellctl import k8s-cronjob - --dry-run
  bellctl import k8s-cronjob cronjobs.yaml --queue cluster-1")]
pub(super) struct CronJob {
    /// The manifests; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Kind of the tasks
    #[arg(long, value_name = "KIND", default_value = "k8s-job")]
    kind: String,
    #[command(flatten)]
    destination: Destination,
}

impl CronJob {
    pub(super) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let text = input::read(&self.file)?;
        let name = self.file.display();
        let text =
            String::from_utf8(text).map_err(|_| Failure::usage(format!("{name} is not UTF-8")))?;
        let settings = translate::Settings {
            kind: &self.kind,
            queue: &self.destination.queue,
            prefix: &self.destination.prefix,
        };
        let plan = translate::translate(&text, &settings).map_err(|why| {
            Failure::usage(format!("{name} is no YAML: {why}"))
                .next("of a template of Helm give what `helm template` writes")
        })?;
        let next = "suspend the CronJobs in Kubernetes, and run a worker: see \
                    bellctl import k8s-cronjob --help";
        carry_out(app, plan, &self.destination, next).await
    }
}
