//! What is known about leadership, for the rest of the program.

use jiff::Timestamp;

/// What a replica does about schedules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Role {
    /// Not known yet: there is no session.
    #[default]
    Starting,
    /// Would lead if the leader were gone.
    Standby,
    /// Leads.
    Leader {
        /// Number of the term.
        epoch: i64,
        /// When it began.
        since: Timestamp,
    },
    /// Cannot lead.
    Refused {
        /// Why.
        reason: String,
    },
}

/// What is known here about leadership. The counters begin with the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// What this replica does.
    pub role: Role,
    /// Terms that this replica has held.
    pub terms: u64,
    /// Of those, the ones that it has lost without resigning.
    pub lost: u64,
}
