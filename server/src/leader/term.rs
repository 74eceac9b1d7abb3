//! A term of this replica, from its begin to its end: renewals and the duty side by side, so that
//! neither waits for the other but on the socket.

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::boottime::BootTime;
use super::elector::{Held, Step};
use super::error::LeadError;
use super::lead::Lead;
use super::session::Session;
use super::skew::SkewGuard;
use super::status::Role;
use super::{AGAIN, Duty, RESIGN, Replica};
use crate::clock::{Clock as _, SystemClock};

impl<D: Duty> Replica<D> {
    /// A whole term: opens it, renews it and does its duty until it ends.
    pub(super) async fn term(&self, session: &Session, holder: Uuid, stop: &CancellationToken) {
        match session.open_term(holder, &self.settings.replica).await {
            Ok(epoch) => self.elector().term_opened(epoch),
            Err(error) => return self.fail(&error),
        }
        let Some(held) = self.elector().may_fire(BootTime::now()) else { return };
        let epoch = held.epoch;
        self.status.send_modify(|status| {
            status.role = Role::Leader { epoch, since: SystemClock.now() };
            status.terms += 1;
        });
        tracing::info!(epoch, "leads: fires schedules");
        let is_stopped = tokio::select! {
            () = self.renew(session) => false,
            () = self.work(session, &held) => false,
            () = session.closed() => false,
            () = stop.cancelled() => true,
        };
        if is_stopped {
            match timeout(RESIGN, session.resign(&held)).await {
                Ok(Ok(())) => tracing::info!(epoch, "resigned"),
                _ => tracing::warn!(epoch, "could not resign; the lock ends with the session"),
            }
        } else {
            self.status.send_modify(|status| status.lost += 1);
            tracing::warn!(epoch, "leads no more");
        }
        self.elector().failed();
    }

    /// Renews the term until it cannot.
    async fn renew(&self, session: &Session) {
        let mut skew = SkewGuard::default();
        loop {
            let started = BootTime::now();
            let step = self.elector().step(started);
            match step {
                Step::Wait(until) => sleep(until.since(started)).await,
                Step::Renew => {
                    let Some(held) = self.elector().may_fire(started) else { return };
                    match session.renew(&held).await {
                        Ok((is_mine, at)) => {
                            let now = BootTime::now();
                            if let Some(jump) = skew.observe(started, now, at) {
                                tracing::error!(%jump, "the database's clock has jumped");
                                self.elector().hold(now);
                            }
                            self.elector().renewed(started, is_mine);
                            if !is_mine {
                                return;
                            }
                        }
                        // Slow once is not the end: trust runs out by itself.
                        Err(LeadError::Refused(error)) => {
                            tracing::warn!(%error, "a renewal was refused");
                            sleep(AGAIN).await;
                        }
                        Err(error) => return self.fail(&error),
                    }
                }
                _ => return,
            }
        }
    }

    /// Does the duty until the term ends.
    async fn work(&self, session: &Session, held: &Held) {
        let lead = Lead { session, elector: &self.elector, epoch: held.epoch, holder: held.holder };
        loop {
            let now = BootTime::now();
            let hold = self.elector().held_until(now);
            if let Some(until) = hold {
                sleep(until.since(now)).await;
            }
            let wait = match self.duty.run(&lead).await {
                Ok(wait) => wait,
                Err(LeadError::OnHold) => continue,
                Err(LeadError::Refused(error)) => {
                    let detail = error.as_db_error().map(ToString::to_string);
                    tracing::warn!(%error, detail, "failed to fire schedules; trying again");
                    Some(AGAIN)
                }
                Err(error) => return self.fail(&error),
            };
            let waited = async {
                match wait {
                    Some(wait) => sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = waited => {}
                () = self.wake.notified() => {}
            }
        }
    }
}
