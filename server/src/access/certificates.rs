//! Certificates of clients as proof of who calls. That they are good was found out when the connection
//! began; here is what their URI means.

use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::principal::Identity;
use crate::domain::{Grant, UriPrefix, UriRule};
use crate::edge::{ClientCertificate, Unreadable};

/// Most often that the log says why a certificate is not taken: whoever has one could fill it.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Which certificates are taken, and what they mean here.
#[derive(Debug, Clone)]
pub struct Certified {
    /// How their URI begins.
    pub uris: UriPrefix,
    /// What the rest of it means.
    pub rules: Vec<UriRule>,
}

/// Why a certificate is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Unfit {
    #[error("it cannot be read")]
    Unreadable,
    #[error("it names no URI")]
    NoUri,
    #[error("it names more than one URI")]
    SeveralUris,
    #[error(
        "its URI does not begin as auth.certificate_uris says, or has parts that are not plain"
    )]
    ForeignUri,
    #[error("it has expired since the connection began")]
    Expired,
}

/// Reads who calls from certificates.
#[derive(Debug)]
pub(super) struct Certificates {
    certified: Certified,
    told: Mutex<Option<Instant>>,
}

impl Certificates {
    pub(super) fn new(certified: Certified) -> Self {
        Self { certified, told: Mutex::default() }
    }

    /// Whose certificate it is; `None`: it is not taken, and the log says why. Callers are not told.
    pub(super) fn authenticate(
        &self,
        certificate: &Result<ClientCertificate, Unreadable>,
        now: Timestamp,
    ) -> Option<Identity> {
        match self.certified.identity(certificate, now) {
            Ok(identity) => Some(identity),
            Err(why) => {
                if self.may_tell() {
                    let uris = certificate.as_ref().map_or(&[][..], |read| &read.uris);
                    tracing::info!(%why, ?uris, "a client's certificate is not taken");
                }
                None
            }
        }
    }

    fn may_tell(&self) -> bool {
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let may = told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if may {
            *told = Some(Instant::now());
        }
        may
    }
}

impl Certified {
    fn identity(
        &self,
        certificate: &Result<ClientCertificate, Unreadable>,
        now: Timestamp,
    ) -> Result<Identity, Unfit> {
        let certificate = certificate.as_ref().map_err(|Unreadable| Unfit::Unreadable)?;
        if certificate.expires_at <= now {
            return Err(Unfit::Expired);
        }
        // Which of several counts would be a guess.
        let uri = match certificate.uris.as_slice() {
            [] => return Err(Unfit::NoUri),
            [uri] => uri,
            _ => return Err(Unfit::SeveralUris),
        };
        let path = self.uris.path(uri).ok_or(Unfit::ForeignUri)?;
        let grants: Vec<Grant> = self.rules.iter().filter_map(|rule| rule.grant(&path)).collect();
        Ok(Identity {
            name: format!("cert:{uri}"),
            grants,
            expires_at: Some(certificate.expires_at),
            revoked: CancellationToken::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 2_000_000_000;

    fn take(uris: &[&str], lives: i64) -> Result<Identity, Unfit> {
        let certified = Certified {
            uris: UriPrefix::parse("spiffe://example.org/").unwrap(),
            rules: ["mailer -> worker@shop/mail", "ns/*/web -> submitter@{}", "mailer -> viewer@*"]
                .map(|rule| UriRule::parse(rule).unwrap())
                .to_vec(),
        };
        let at = |second| Timestamp::from_second(second).unwrap();
        let uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        let certificate = ClientCertificate { uris, expires_at: at(NOW + lives) };
        certified.identity(&Ok(certificate), at(NOW))
    }

    #[test]
    fn a_good_certificate_is_somebody_with_every_grant_of_its_rules_until_it_expires() {
        let mailer = take(&["spiffe://example.org/mailer"], 60).unwrap();
        assert_eq!(mailer.name, "cert:spiffe://example.org/mailer");
        let grants: Vec<String> = mailer.grants.iter().map(ToString::to_string).collect();
        assert_eq!(grants, ["worker@shop/mail", "viewer@*"]);
        assert_eq!(mailer.expires_at, Timestamp::from_second(NOW + 60).ok());
        // Somebody, and yet allowed nothing.
        assert!(take(&["spiffe://example.org/ns/shop/db"], 60).unwrap().grants.is_empty());
    }

    #[test]
    fn a_certificate_that_is_not_ours_or_not_clear_is_nobodys() {
        let mailer = "spiffe://example.org/mailer";
        for (uris, lives, why) in [
            (&[][..], 60, Unfit::NoUri),
            (&[mailer, mailer], 60, Unfit::SeveralUris),
            (&[mailer, "https://example.org/"], 60, Unfit::SeveralUris),
            (&["spiffe://example.com/mailer"], 60, Unfit::ForeignUri),
            (&["spiffe://example.org/../mailer"], 60, Unfit::ForeignUri),
            (&[""], 60, Unfit::ForeignUri),
            (&[mailer], 0, Unfit::Expired),
            (&[mailer], -1, Unfit::Expired),
        ] {
            assert_eq!(take(uris, lives).unwrap_err(), why, "{uris:?}");
        }
    }
}
