//! Checking times, and telling what they will be.

use bellringer_schedule::{Plan, Search};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Schedules, unreadable};
use crate::domain::schedule::accounting::just_before;
use crate::domain::schedule::{Fire, ScheduleId, Times, checked};
use crate::domain::{Checker, Namespace, ScheduleName, Violations};
use crate::engine::Error;

/// Future times.
#[derive(Debug, Clone)]
pub struct Preview {
    /// In order.
    pub fires: Vec<Fire>,
    /// The times in words.
    pub summary: String,
    /// Their zone.
    pub zone: String,
}

impl Schedules {
    /// Future times: of a saved schedule, or of times that were not saved.
    ///
    /// # Errors
    /// If there is no such schedule, or the times are wrong in themselves.
    pub async fn preview(
        &self,
        namespace: &Namespace,
        name: Option<&ScheduleName>,
        times: Option<&Times>,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        limit: usize,
    ) -> Result<Preview, Error> {
        let saved = match (name, times) {
            (Some(name), Some(_)) => self.find(namespace, name).await?,
            (Some(name), None) => Some(self.get(namespace, name).await?),
            (None, _) => None,
        };
        let id = saved.as_ref().map_or(ScheduleId(Uuid::nil()), |saved| saved.id);
        let now = self.store.clock().now();
        let plan = match (times, &saved) {
            (Some(times), _) => compile(times, id, "times", now)?,
            (None, Some(saved)) => saved.plan().map_err(unreadable)?,
            (None, None) => {
                return Err(Violations::one("name", "is required, or times").into());
            }
        };
        let from = from.map_or(now, just_before);
        let fires = plan
            .fires(from)
            .take_while(|fire| to.is_none_or(|to| fire.nominal < to))
            .take(limit)
            .map(|fire| Fire::ahead(&fire))
            .collect();
        Ok(Preview { fires, summary: plan.describe(), zone: plan.zone_name().to_owned() })
    }
}

/// Compiles times that a caller gave, and refuses those that never come.
pub(super) fn compile(
    times: &Times,
    id: ScheduleId,
    field: &str,
    now: Timestamp,
) -> Result<Plan, Violations> {
    let plan = checked(times, id, field)?;
    let mut check = Checker::below(field);
    match plan.first_wanted(now) {
        Search::Found(_) => {}
        Search::Never(why) => check.refuse("triggers", format!("never fires: {why}")),
        Search::AllExcluded { looked_at } => {
            check.refuse("exclusions", format!("exclude all of the next {looked_at} times"));
        }
    }
    check.finish()?;
    Ok(plan)
}
