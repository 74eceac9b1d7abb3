//! Who acts: goes with a call like a trace context does, so that whatever the call changes can be written down
//! together with the change, and no function on the way has to pass it on, or can forget to.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

use std::sync::{Arc, OnceLock};

tokio::task_local! {
    static ACT: Arc<Act>;
}

/// A call that is written down in the audit log.
#[derive(Debug, Default)]
pub struct Act {
    /// Who calls, as [`Principal`](crate::access::Principal) tells its name; empty: nobody was let in.
    pub principal: String,
    /// The address that the call came from; empty: not known.
    pub source: String,
    /// `package.Service/Method`.
    pub method: String,
    /// The namespace that it is about; unset: none was read yet, or it is about the service.
    pub namespace: OnceLock<String>,
}

impl Act {
    /// The namespace; empty: none.
    pub fn namespace(&self) -> &str {
        self.namespace.get().map_or("", String::as_str)
    }
}

/// Does `work` as a part of an act: what it changes is written down with it.
pub async fn of<T>(act: Arc<Act>, work: impl Future<Output = T>) -> T {
    ACT.scope(act, work).await
}

/// The act that this is a part of; `None` for what the service does by itself.
pub fn current() -> Option<Arc<Act>> {
    ACT.try_with(Arc::clone).ok()
}
