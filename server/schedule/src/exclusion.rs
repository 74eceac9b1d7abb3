//! What is left out.

use crate::{elapsed::Elapsed, local::Local, wall::Pattern};

/// A spec's exclusions, compiled; those that are quickly judged come first.
#[derive(Debug, Default)]
pub(crate) struct Exclusions(pub(crate) Vec<Compiled>);

#[derive(Debug)]
pub(crate) enum Compiled {
    /// From the first to before the second.
    Locals(Local, Local),
    /// From the first second to before the second.
    Seconds(i64, i64),
    Elapsed(Elapsed),
    Pattern(Pattern),
}

impl Exclusions {
    pub(crate) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a fire at `second`, meant for `local`, is excluded.
    pub(crate) fn cover(&self, second: i64, local: Local) -> bool {
        self.0.iter().any(|exclusion| match exclusion {
            Compiled::Locals(from, to) => (*from..*to).contains(&local),
            Compiled::Seconds(from, to) => (*from..*to).contains(&second),
            Compiled::Elapsed(elapsed) => elapsed.first_at_or_after(second) == Some(second),
            Compiled::Pattern(pattern) => pattern.matches(local),
        })
    }
}
