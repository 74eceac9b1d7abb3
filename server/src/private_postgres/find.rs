//! Finding PostgreSQL's server programs, or having them installed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Error;

/// Oldest version that will do.
const OLDEST: u32 = 14;

/// Where the programs are.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    /// For people: `15.18`.
    pub(super) version: String,
    pub(super) major: u32,
}

/// Finds the newest usable programs; installs them if there are none and that is allowed.
pub(super) fn binaries(given: Option<&Path>, install: bool) -> Result<Binaries, Error> {
    let configured = env::var_os("BELLRINGER_PG_BINDIR").map(PathBuf::from);
    if let Some(dir) = given.or(configured.as_deref()) {
        return look(dir).ok_or_else(|| {
            let dir = dir.display();
            Error::NoBinaries(format!(
                "{dir} has no initdb and postgres of version {OLDEST} or newer"
            ))
        });
    }
    if let Some(found) = search() {
        return Ok(found);
    }
    if install
        && install_postgres()
        && let Some(found) = search()
    {
        return Ok(found);
    }
    let line = match env::consts::OS {
        "macos" => "brew install postgresql@18",
        _ => "apt-get install -y postgresql    (or your system's package of the server)",
    };
    Err(Error::NoBinaries(format!(
        "no PostgreSQL server programs of version {OLDEST} or newer were found on PATH, by \
         pg_config, or in the usual folders.\nInstall them:  {line}\nor name their folder with \
         --pg-bin, or use a server of yours with --database-url"
    )))
}

fn search() -> Option<Binaries> {
    let mut dirs: Vec<PathBuf> = Vec::new();
    if let Some(dir) = output(Command::new("pg_config").arg("--bindir")) {
        dirs.push(dir.into());
    }
    dirs.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    for (parent, inner) in [
        ("/usr/lib/postgresql", "bin"),
        ("/usr", "bin"),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
        ("/home/linuxbrew/.linuxbrew/opt", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "bin"),
        ("/Library/PostgreSQL", "bin"),
        ("/opt/local/lib", "bin"),
    ] {
        let children = std::fs::read_dir(parent).into_iter().flatten().flatten();
        dirs.extend(
            children
                .filter(|child| {
                    let name = child.file_name();
                    let name = name.to_string_lossy();
                    parent.contains("postgres")
                        || parent.contains("Postgre")
                        || name.contains("postgres")
                        || name.contains("pgsql")
                })
                .map(|child| child.path().join(inner)),
        );
    }
    // Never what happens to be in the current folder.
    dirs.retain(|dir| dir.is_absolute());
    dirs.iter().filter_map(|dir| look(dir)).max_by_key(|found| found.major)
}

/// The programs in a folder, if they are there and run.
fn look(dir: &Path) -> Option<Binaries> {
    let dir = std::path::absolute(dir).ok()?;
    let has = |name: &str| dir.join(name).is_file();
    if !has("initdb") || !has("postgres") {
        return None;
    }
    // A link points to where the libraries and share files are found.
    let real = std::fs::canonicalize(dir.join("postgres")).ok()?;
    let dir = match real.parent() {
        Some(parent) if parent.join("initdb").is_file() => parent.to_owned(),
        _ => dir,
    };
    let text = output(Command::new(dir.join("postgres")).arg("--version"))?;
    let version =
        text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    let major = version[..digits].parse().ok()?;
    (major >= OLDEST).then(|| Binaries { dir, version: version.to_owned(), major })
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Has the system's package manager install the server; whether that worked.
#[expect(clippy::print_stderr, reason = "says what it does before it takes a minute to do it")]
fn install_postgres() -> bool {
    let run = |program: &str, arguments: &[&str]| {
        eprintln!("no PostgreSQL found; running: {program} {}", arguments.join(" "));
        let mut command = Command::new(program);
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        // What it prints is not an answer of ours.
        command.stdout(std::io::stderr());
        command.status().is_ok_and(|status| status.success())
    };
    let is_root = rustix::process::geteuid().is_root();
    if is_root && Path::new("/usr/bin/apt-get").exists() {
        // Debian's package would start a cluster of its own on port 5432.
        let settings = Path::new("/etc/postgresql-common/createcluster.conf");
        if !settings.exists() {
            std::fs::create_dir_all("/etc/postgresql-common").ok();
            std::fs::write(settings, "create_main_cluster = false\n").ok();
        }
        let package = ["install", "-y", "--no-install-recommends", "postgresql"];
        return run("apt-get", &package)
            || (run("apt-get", &["update"]) && run("apt-get", &package));
    }
    let has_brew = output(Command::new("brew").arg("--prefix")).is_some();
    !is_root && has_brew && run("brew", &["install", "postgresql@18"])
}
