//! What is wrong with a spec.

/// One thing that is wrong with a spec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Invalid {
    /// Path of the field, such as `triggers[0].cron.expression`.
    pub field: String,
    /// What was read and what is allowed instead.
    pub problem: String,
}

/// Collects everything that is wrong, so that the user hears it at once.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Invalid>);

impl Problems {
    pub(crate) fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.0.push(Invalid { field: field.into(), problem: problem.into() });
    }

    /// The value, or nothing after having noted what is wrong with `field`.
    pub(crate) fn take<T>(
        &mut self,
        field: impl Into<String>,
        result: Result<T, String>,
    ) -> Option<T> {
        result.map_err(|problem| self.add(field, problem)).ok()
    }

    /// Nothing, if nothing is wrong.
    pub(crate) fn into_result(self) -> Result<(), Vec<Invalid>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}
