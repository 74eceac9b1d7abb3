//! The keys of the issuer of tokens: read from a file or over HTTPS, kept, and read again when there may be new
//! ones. Bounded in size and in how often; when they cannot be read for an hour, no token is taken any more.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Refusal;
use super::fetch;
use super::jwt::{self, Expected, Key};
use super::principal::Identity;
use crate::clock::{Clock as _, SystemClock};

/// Largest set of keys, in bytes.
pub(super) const LARGEST: usize = 256 << 10;
/// Most keys of it.
const KEYS: usize = 64;
/// How often the set is read.
const EVERY: Duration = Duration::from_secs(300);
/// Shortest time between two readings, however many tokens name keys that are not known.
const APART: Duration = Duration::from_secs(60);
/// How long a set is used that could not be read anew.
const STALE: Duration = Duration::from_secs(3_600);
/// Longest reading.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the set is.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// An address, `https://…`; `http://…` on this machine only.
    Url(String),
}

/// Takes tokens of one issuer.
#[derive(Debug)]
pub struct Tokens {
    source: Source,
    expected: Expected,
    keys: RwLock<Set>,
    /// Notified when a token names a key that is not known.
    wanted: Notify,
}

#[derive(Debug)]
struct Set {
    keys: Arc<[Key]>,
    read: Option<Instant>,
}

impl Tokens {
    /// Reads the keys. A file must be there and have some; an address is asked until it answers, and until then
    /// no token is taken.
    pub(super) async fn start(source: Source, expected: Expected) -> anyhow::Result<Self> {
        let first = Set { keys: Arc::new([]), read: None };
        let tokens = Self { source, expected, keys: RwLock::new(first), wanted: Notify::new() };
        match (&tokens.source, tokens.read().await) {
            (_, Ok(())) => {}
            (Source::File(file), Err(error)) => {
                return Err(error.context(format!("auth.jwt_keys_file: {}", file.display())));
            }
            (Source::Url(url), Err(error)) => {
                let error = format!("{error:#}");
                tracing::warn!(url, error, "auth.jwt_keys_url: no token is taken until it answers");
            }
        }
        Ok(tokens)
    }

    /// Whose token it is.
    pub(super) fn authenticate(&self, text: &str) -> Result<Arc<Identity>, Refusal> {
        let token = jwt::parse(text).ok_or(Refusal::Unauthenticated)?;
        let keys = self.current();
        let fits = |key: &&Key| key.algorithm() == token.algorithm;
        let key = match &token.key {
            Some(id) => keys.iter().filter(fits).find(|key| key.id.as_ref() == Some(id)),
            // Without a name it has to be clear which is meant.
            None => {
                let mut fitting = keys.iter().filter(fits);
                fitting.next().filter(|_| fitting.next().is_none())
            }
        };
        let Some(key) = key else {
            self.wanted.notify_one();
            return Err(Refusal::Unauthenticated);
        };
        let identity = token.check(key, &self.expected, SystemClock.now());
        identity.map(Arc::new).ok_or(Refusal::Unauthenticated)
    }

    /// Reads the keys again and again, until stopped.
    pub(super) async fn follow(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(APART) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wanted.notified() => {}
                () = sleep(EVERY.saturating_sub(APART)) => {}
            }
            if let Err(error) = self.read().await {
                let error = format!("{error:#}");
                tracing::warn!(
                    error,
                    "the keys of tokens cannot be read; those known are used for an hour"
                );
            }
        }
    }

    /// The keys, unless they are too old to be trusted.
    fn current(&self) -> Arc<[Key]> {
        let set = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        match set.read {
            Some(read) if read.elapsed() <= EVERY.saturating_add(STALE) => set.keys.clone(),
            _ => Arc::new([]),
        }
    }

    async fn read(&self) -> anyhow::Result<()> {
        let reading = async {
            match &self.source {
                Source::File(file) => {
                    let size = tokio::fs::metadata(file).await?.len();
                    anyhow::ensure!(size <= LARGEST as u64, "is larger than {LARGEST} bytes");
                    Ok(tokio::fs::read(file).await?)
                }
                Source::Url(url) => fetch::get(url, LARGEST).await,
            }
        };
        let bytes = timeout(PATIENCE, reading).await.context("no answer within 10 s")??;
        let keys = read_set(&bytes)?;
        let mut set = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        *set = Set { keys: keys.into(), read: Some(Instant::now()) };
        Ok(())
    }
}

/// Reads a set of keys (RFC 7517): those that can check a signature that is allowed.
fn read_set(bytes: &[u8]) -> anyhow::Result<Vec<Key>> {
    let set: Value = serde_json::from_slice(bytes).context("is not JSON")?;
    let keys = set.get("keys").and_then(Value::as_array).context("has no \"keys\"")?;
    anyhow::ensure!(keys.len() <= KEYS, "has more than {KEYS} keys");
    let keys: Vec<Key> = keys.iter().filter_map(Key::read).collect();
    anyhow::ensure!(!keys.is_empty(), "has no key for EdDSA, ES256 or RS256");
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ring::rand::SystemRandom;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    /// A set with one key, and a token that it signed.
    fn issued() -> (String, String) {
        let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one", "x": x}]});
        let exp = SystemClock.now().as_second() + 86_400;
        let claims = json!({"iss": "issuer", "aud": "bellringer", "sub": "ada", "exp": exp});
        let header = json!({"alg": "EdDSA", "kid": "one"});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()).as_ref());
        (set.to_string(), format!("{signed}.{signature}"))
    }

    #[tokio::test(start_paused = true)]
    async fn g_23_keys_that_cannot_be_read_anew_are_used_for_an_hour_and_then_no_token_is_taken() {
        let (set, token) = issued();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &set).unwrap();
        let expected = Expected {
            issuer: "issuer".to_owned(),
            audience: "bellringer".to_owned(),
            leeway: Duration::ZERO,
            rules: Vec::new(),
        };
        let source = Source::File(file.path().to_owned());
        let tokens = Arc::new(Tokens::start(source, expected).await.unwrap());
        let begun = Instant::now();
        let stop = CancellationToken::new();
        let mut following = tokio::task::JoinSet::new();
        following.spawn({
            let (tokens, stop) = (tokens.clone(), stop.clone());
            async move { tokens.follow(stop).await }
        });
        let is_taken = || tokens.authenticate(&token).is_ok();
        assert!(is_taken());

        // While it can be read it is good for ever.
        sleep(3 * STALE).await;
        assert!(is_taken());
        let last_read = tokens.keys.read().unwrap().read.unwrap();
        assert!(last_read > begun + 2 * STALE);
        for broken in ["", "{}", r#"{"keys": []}"#, "not JSON"] {
            std::fs::write(file.path(), broken).unwrap();
            assert!(tokens.read().await.is_err(), "{broken}");
        }

        let second = Duration::from_secs(1);
        tokio::time::sleep_until(last_read + EVERY + STALE - second).await;
        assert!(is_taken(), "the hour is not over");
        sleep(2 * second).await;
        assert!(!is_taken(), "the hour is over");
        sleep(STALE).await;
        assert!(!is_taken());

        // Who is refused has the keys looked for, and they are there again.
        std::fs::write(file.path(), &set).unwrap();
        assert!(!is_taken());
        sleep(APART + second).await;
        assert!(is_taken());
        stop.cancel();
        following.join_all().await;
    }
}
