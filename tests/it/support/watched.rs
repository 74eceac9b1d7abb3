//! Everything that servers under test write into their logs, send as traces and tell Prometheus, is looked through
//! for secrets and for contents of tasks. The first one that is found ends the run: there is no test to fail for
//! a server that serves many, or none any more. It is not shown, only where it was found.
//!
//! Secrets are known by their form, by [`MARK`], which is in every payload and error of [`super::make`], or because
//! a test named them with [`secret`].

use std::collections::HashSet;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, Once, OnceLock};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, registry};

/// Stands in what nobody but its owner may see.
pub(crate) const MARK: &str = "canary";
/// What servers in this process write, if they were told to write much.
const WATCHED: &str =
    "info,bellringer_server=debug,bellringer_client=debug,sqlx=warn,h2=warn,hyper=warn";
/// Shortest word that counts as a secret: shorter ones could stand there by chance.
const SHORTEST: usize = 16;

static SECRETS: OnceLock<Mutex<HashSet<String>>> = OnceLock::new();
static LINES: AtomicU64 = AtomicU64::new(0);

/// Watches the servers of this process. What they warn of is shown with a test that fails.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let shown = fmt::layer().with_test_writer().with_filter(EnvFilter::new("warn,sqlx=off"));
        let watched = fmt::layer().with_ansi(false).with_writer(|| Watched);
        let watched = watched.with_filter(EnvFilter::new(WATCHED));
        let subscriber = registry().with(shown).with(watched);
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

/// Takes events, each in one piece.
struct Watched;

impl io::Write for Watched {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        look_through("a server in this process", &String::from_utf8_lossy(event));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Watches a process, and shows what it writes with a test that fails; closed when all was read.
#[expect(clippy::print_stderr, reason = "what is printed so is kept for the test")]
pub(crate) fn follow(what: String, from: impl Read + Send + 'static) -> Receiver<()> {
    let (open, closed) = channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(from);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line);
            look_through(&what, &text);
            eprint!("{text}");
            line.clear();
        }
        drop(open);
    });
    closed
}

/// Names a secret: a word of letters, digits, `-` and `_`.
pub(crate) fn secret(word: &str) {
    assert!(word.len() >= SHORTEST && words(word).eq([word]), "not a word that can be found");
    SECRETS.get_or_init(Mutex::default).lock().unwrap().insert(word.to_owned());
}

/// Looks through text that was written where others than its owner can read it.
pub(crate) fn look_through(place: &str, text: &str) {
    for line in text.lines() {
        LINES.fetch_add(1, Relaxed);
        if let Some(found) = find(line) {
            let before = &line[..found.at];
            // Past the test that this thread may belong to, which would swallow it.
            let told = format!("\n{place} told {}: {before}[…]\n", found.what);
            io::stderr().write_all(told.as_bytes()).ok();
            super::process::end_all();
            std::process::exit(101);
        }
    }
}

/// Keeps how much was looked through, for whoever wants to know after a run.
pub(crate) fn tally() {
    let lines = LINES.load(Relaxed);
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("watched");
    std::fs::write(path, format!("{lines} lines were looked through, without a secret\n")).ok();
}

/// A secret in a line, and where it begins.
#[derive(Debug, PartialEq)]
struct Found {
    what: &'static str,
    at: usize,
}

/// The first secret in a line.
fn find(line: &str) -> Option<Found> {
    let found = [
        ("an API key", api_key(line)),
        ("a token", web_token(line)),
        ("a password", password(line)),
        ("a private key", line.find("PRIVATE KEY-----")),
        ("what only its owner may see", line.to_ascii_lowercase().find(MARK)),
        ("a secret that a test named", named(line)),
    ];
    let found = found.into_iter().filter_map(|(what, at)| Some(Found { what, at: at? }));
    found.min_by_key(|found| found.at)
}

fn is_of_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '-' | '_')
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|char| !is_of_word(char))
}

/// The word that text begins with.
fn word(text: &str) -> &str {
    words(text).next().unwrap_or_default()
}

/// `brk_<id>_<secret>`; the id alone is none.
fn api_key(line: &str) -> Option<usize> {
    let mut begins = line.match_indices("brk_");
    let is_key =
        |rest: &str| word(rest).split_once('_').is_some_and(|(_, secret)| secret.len() >= 8);
    begins.find(|(at, begin)| is_key(&line[at + begin.len()..])).map(|(at, _)| at)
}

/// `<header>.<claims>.<signature>`, where the header is JSON as base64.
fn web_token(line: &str) -> Option<usize> {
    let is_token = |text: &str| {
        let header = word(text);
        let claims = text[header.len()..].strip_prefix('.').map(word);
        header.len() >= 8 && claims.is_some_and(|claims| claims.len() >= 8)
    };
    line.match_indices("eyJ").map(|(at, _)| at).find(|at| is_token(&line[*at..]))
}

/// `scheme://user:password@host`.
fn password(line: &str) -> Option<usize> {
    line.match_indices("://").find_map(|(at, begin)| {
        let begin = at + begin.len();
        let rest = &line[begin..];
        let authority = &rest[..rest.find(['/', ' ', '"']).unwrap_or(rest.len())];
        let (user, password) = authority.rsplit_once('@')?.0.split_once(':')?;
        (!password.is_empty() && password != "[redacted]").then(|| begin + user.len() + 1)
    })
}

fn named(line: &str) -> Option<usize> {
    let secrets = SECRETS.get()?.lock().unwrap();
    let found = words(line).find(|word| word.len() >= SHORTEST && secrets.contains(*word))?;
    line.find(found)
}

#[test]
fn whatever_is_secret_is_found_in_a_line() {
    let key = bellringer_server::access::NewKey::random().text;
    secret("0c9c8b0e-0000-4000-8000-session-token");
    let secrets = [
        ("an API key", key.as_str()),
        ("an API key", "brk_0123456789abcdef_short-secret"),
        ("a token", "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2ln"),
        ("a password", "hunter2@localhost:5432/bellringer"),
        ("a private key", "PRIVATE KEY-----"),
        ("what only its owner may see", "CaNaRy"),
        ("a secret that a test named", "0c9c8b0e-0000-4000-8000-session-token"),
    ];
    for (what, text) in secrets {
        for (before, after) in
            [("ERROR bellringer_server::rpc: it was ", ""), ("{\"key\":\"", "\",\"other\":1}")]
        {
            let before = if what == "a password" {
                format!("{before}postgres://user:")
            } else {
                before.to_owned()
            };
            let at = before.len();
            assert_eq!(find(&format!("{before}{text}{after}")), Some(Found { what, at }), "{text}");
        }
    }
    let harmless = [
        "INFO bellringer_server::app: serving address=127.0.0.1:7233 key=brk_0123456789abcdef",
        "url=postgres://user:[redacted]@localhost/bellringer other=postgres://user@localhost:5432/x",
        "GET http://127.0.0.1:9000/metrics from=me@example.org",
        "id=0c9c8b0e-0000-4000-8000-000000000000 text=eyJ",
    ];
    for line in harmless {
        assert_eq!(find(line), None, "{line}");
    }
}
