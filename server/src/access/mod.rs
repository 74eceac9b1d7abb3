//! Who calls, and what they may do: credentials in, a [`Principal`] out. Knows neither gRPC nor what
//! tasks are; what a call is allowed is decided at the edge, by the [table](permission).
//!
//! Credentials go by real time, always, also where the clock of the service was moved.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

mod certificates;
mod fetch;
mod jwks;
mod jwt;
mod key;
mod keys;
pub mod permission;
mod principal;
mod refused;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use certificates::Certificates;
pub use certificates::Certified;
pub use jwks::{Source, Tokens};
pub use jwt::Expected;
pub use key::NewKey;
pub use keys::Keys;
pub use permission::{Permission, Rule};
pub use principal::{Identity, Principal, Queues};
pub use refused::Refused;

use crate::clock::{Clock as _, SystemClock};
use crate::config::Mechanism;
use crate::edge::{ClientCertificate, Unreadable};
use crate::store::Store;
use crate::supervise::Stage;

/// How callers prove who they are.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The ways that are open; none: nobody is asked.
    pub mechanisms: Vec<Mechanism>,
    /// With [`Mechanism::Jwt`]: where the keys of tokens are, and what tokens have to say.
    pub tokens: Option<(Source, Expected)>,
    /// With [`Mechanism::Certificates`]: which are taken, and what they mean.
    pub certified: Option<Certified>,
    /// Whether each call has to be proved twice, by a certificate and by a key or token.
    pub both: bool,
    /// Whether everybody may ask for the interface by reflection.
    pub reflection: bool,
    /// How long events of the audit log are kept.
    pub audit_kept: Duration,
}

/// Why a call is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no credential that is taken. Callers are not told why.
    Unauthenticated,
    /// It cannot be found out now.
    Unavailable,
}

/// Finds out who calls.
#[derive(Debug)]
pub struct Access {
    settings: Settings,
    keys: Arc<Keys>,
    tokens: Option<Arc<Tokens>>,
    certificates: Option<Certificates>,
    anyone: Principal,
    refused: Refused,
}

impl Access {
    /// Starts following what changes. `keys_changed` is to be notified when keys were changed.
    ///
    /// # Errors
    /// If the keys of tokens cannot be read from their file.
    pub async fn start(
        store: Store,
        settings: Settings,
        keys_changed: Arc<Notify>,
        loops: &mut Stage,
    ) -> anyhow::Result<Arc<Self>> {
        let tokens = match settings.tokens.clone() {
            None => None,
            Some((source, expected)) => {
                let tokens = Arc::new(Tokens::start(source, expected).await?);
                let (following, stop) = (tokens.clone(), loops.token());
                loops.spawn("tokens", async move {
                    following.follow(stop).await;
                    Ok(())
                });
                Some(tokens)
            }
        };
        let (refused, log) = refused::channel(store.clone(), settings.audit_kept);
        let stop = loops.token();
        loops.spawn("audit", async move {
            log.run(stop).await;
            Ok(())
        });
        let keys = Arc::new(Keys::new(store, keys_changed));
        if settings.mechanisms.contains(&Mechanism::Keys) {
            let (following, stop) = (keys.clone(), loops.token());
            loops.spawn("keys", async move {
                following.follow(stop).await;
                Ok(())
            });
        }
        let certificates = settings.certified.clone().map(Certificates::new);
        let anyone = Principal::anyone();
        Ok(Arc::new(Self { settings, keys, tokens, certificates, anyone, refused }))
    }

    /// Where refused calls are written down.
    pub fn refused(&self) -> &Refused {
        &self.refused
    }

    /// Whether everybody may ask for the interface by reflection.
    pub fn has_reflection(&self) -> bool {
        self.settings.reflection
    }

    /// Who calls, by the values of the header `authorization` and the certificate of the connection. A bearer's
    /// credential counts before the certificate, unless both have to be there; one that is wrong is never made
    /// good by the other.
    ///
    /// # Errors
    /// If no credential is taken, or one that was given is wrong.
    pub async fn authenticate(
        &self,
        authorization: &[&[u8]],
        certificate: Option<&Result<ClientCertificate, Unreadable>>,
    ) -> Result<Principal, Refusal> {
        if self.settings.mechanisms.is_empty() {
            return Ok(self.anyone.clone());
        }
        let bearer = match authorization {
            [] => None,
            [value] => Some(bearer(value).ok_or(Refusal::Unauthenticated)?),
            // Which of them counts would be a guess.
            _ => return Err(Refusal::Unauthenticated),
        };
        let mut proved = Vec::new();
        // First, since it costs no look at the database.
        if self.settings.both || bearer.is_none() {
            let certificate = self.certificates.as_ref().zip(certificate);
            let identity =
                certificate.and_then(|(known, shown)| known.authenticate(shown, SystemClock.now()));
            proved.push(Arc::new(identity.ok_or(Refusal::Unauthenticated)?));
        }
        if self.settings.both || bearer.is_some() {
            proved.push(self.bearer(bearer.ok_or(Refusal::Unauthenticated)?).await?);
        }
        Ok(Principal::new(proved))
    }

    /// Whose key or token this is.
    async fn bearer(&self, text: &str) -> Result<Arc<Identity>, Refusal> {
        if text.starts_with(key::PREFIX) && self.has(Mechanism::Keys) {
            return self.keys.authenticate(text).await;
        }
        self.tokens.as_ref().ok_or(Refusal::Unauthenticated)?.authenticate(text)
    }

    fn has(&self, mechanism: Mechanism) -> bool {
        self.settings.mechanisms.contains(&mechanism)
    }
}

/// The token of `Bearer TOKEN`.
fn bearer(value: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearer_tokens_are_read() {
        assert_eq!(bearer(b"Bearer abc"), Some("abc"));
        assert_eq!(bearer(b"bearer  abc "), Some("abc"));
        for wrong in [&b""[..], b"Bearer", b"Basic abc", b"abc", b"Bearer\tabc", b"Bearer \xff"] {
            assert_eq!(bearer(wrong), None);
        }
    }
}
