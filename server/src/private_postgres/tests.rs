use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::Connection as _;

use super::process::{server_of, wait_for};
use super::*;

const SOON: Duration = Duration::from_secs(15);
/// Tells [`starter`] where to keep its data and to write what it started.
const STARTER_FOLDER: &str = "BELLRINGER_TEST_STARTER_FOLDER";

fn start(folder: &Path) -> Result<PrivatePostgres, Error> {
    PrivatePostgres::start(&Options::throwaway(Data::Kept(folder.to_owned())))
}

/// A folder that the server's user can pass, whoever runs the tests.
fn passable() -> tempfile::TempDir {
    folder_of_mode(0o755)
}

fn folder_of_mode(mode: u32) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
    folder
}

fn databases(url: &str) -> Vec<String> {
    column(url, "select datname::text from pg_database")
}

fn column(url: &str, query: &'static str) -> Vec<String> {
    let values = async {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::query_scalar(query).fetch_all(&mut connection).await.unwrap()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(values)
}

#[test]
fn a_temporary_server_starts_and_leaves_nothing_behind() {
    let server = PrivatePostgres::start(&Options::throwaway(Data::Temporary)).unwrap();
    let folder = server.data_dir().to_owned();
    let pid = server.pid();
    assert!(folder.join("PG_VERSION").exists());
    assert_eq!(server_of(&folder), Some(pid));
    for url in [server.url("bellringer"), server.loopback_url()] {
        assert!(databases(&url).iter().any(|name| name == "bellringer"), "{url}");
    }
    server.stop();
    assert!(!folder.parent().unwrap().exists());
    assert!(!process::is_alive(pid));
}

#[test]
fn a_setting_that_is_given_counts_instead_of_ours() {
    let mut options = Options::throwaway(Data::Temporary);
    options.settings = vec!["max_connections=17".to_owned()];
    let server = PrivatePostgres::start(&options).unwrap();
    assert_eq!(column(&server.url("bellringer"), "show max_connections"), ["17"]);
    server.stop();
    options.settings = vec!["no_such_thing=1".to_owned()];
    let text = PrivatePostgres::start(&options).unwrap_err().to_string();
    assert!(text.contains("no_such_thing"), "{text}");
}

#[test]
fn kept_data_is_found_again_and_not_shared() {
    let parent = passable();
    let folder = parent.path().join("data");
    let first = start(&folder).unwrap();
    let text = start(&folder).unwrap_err().to_string();
    let pid = format!("process {}", std::process::id());
    for part in [pid.as_str(), "--data-dir", "--temporary"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    first.stop();
    start(&folder).unwrap().stop();
}

#[test]
fn a_server_without_its_starter_is_stopped_at_the_next_start() {
    let parent = passable();
    let folder = parent.path().join("data");
    let first = start(&folder).unwrap();
    // As if our process had ended, and nothing had told the server.
    first.place.abandon();
    let second = start(&folder).unwrap();
    assert_ne!(first.pid(), second.pid());
    assert_eq!(server_of(second.data_dir()), Some(second.pid()));
    assert!(wait_for(SOON, || !process::is_alive(first.pid())));
}

#[test]
fn any_path_to_the_data_will_do() {
    let parent = passable();
    fs::create_dir(parent.path().join("a")).unwrap();
    let odd = parent.path().join("a/../50% of me & you?");
    let server = start(&odd).unwrap();
    databases(&server.url("bellringer"));
    assert!(matches!(start(&odd), Err(Error::InUse { .. })));
    server.stop();
    for unfit in ["long".repeat(30), "a, \"b\"".to_owned()] {
        let server = start(&parent.path().join(unfit)).unwrap();
        databases(&server.url("bellringer"));
    }
}

#[test]
fn a_folder_of_others_is_left_alone() {
    let parent = passable();
    let file = parent.path().join("letter");
    fs::write(&file, "dear").unwrap();
    let before = fs::metadata(parent.path()).unwrap();
    assert!(matches!(start(parent.path()), Err(Error::Foreign(_))));
    let after = fs::metadata(parent.path()).unwrap();
    assert_eq!(before.permissions(), after.permissions());
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
}

#[test]
fn an_empty_disk_will_do() {
    let disk = passable();
    fs::create_dir(disk.path().join("lost+found")).unwrap();
    start(disk.path()).unwrap().stop();
}

#[test]
fn root_is_told_which_folder_is_closed_to_the_server() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let closed = folder_of_mode(0o700);
    let text = start(&closed.path().join("data")).unwrap_err().to_string();
    assert!(text.contains(&format!("{} is closed", closed.path().display())), "{text}");
}

#[test]
fn of_many_that_start_at_once_one_gets_the_data() {
    let parent = passable();
    let folder = parent.path().join("data");
    let started = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| start(&folder))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for error in started.iter().filter_map(|one| one.as_ref().err()) {
        assert!(matches!(error, Error::InUse { .. }), "{error}");
    }
    assert_eq!(started.iter().filter(|one| one.is_ok()).count(), 1);
}

#[test]
fn a_folder_that_others_make_ours_just_now_is_in_use_and_not_foreign() {
    let parent = passable();
    let owner = Owner::choose();
    for round in 0..300 {
        let folder = parent.path().join(round.to_string());
        fs::create_dir(&folder).unwrap();
        let begin = std::sync::Barrier::new(4);
        let take = || {
            begin.wait();
            let taken = place::kept_home(&folder, owner);
            // Let go after everybody has tried.
            begin.wait();
            taken.map(|_| ())
        };
        std::thread::scope(|scope| {
            for taken in [(); 4].map(|()| scope.spawn(take)) {
                let taken = taken.join().unwrap();
                assert!(matches!(taken, Ok(()) | Err(Error::InUse { .. })), "{taken:?}");
            }
        });
    }
}

#[test]
fn a_process_that_is_not_a_server_is_never_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let write = |text: String| fs::write(data.join("postmaster.pid"), text).unwrap();
    // This test runs, but is no postgres.
    write(format!("{}\n{}\n", std::process::id(), data.display()));
    assert_eq!(server_of(data), None);
    for text in ["", "x\ny"] {
        write(text.to_owned());
        assert_eq!(server_of(data), None, "{text:?}");
    }
    // Groups of processes, one of them everybody.
    for pid in [0, -1, -2] {
        write(format!("{pid}\n{}\n", data.display()));
        assert_eq!(server_of(data), None);
        assert!(!process::is_alive(pid));
    }
}

#[test]
fn a_folder_without_programs_is_named() {
    let empty = tempfile::tempdir().unwrap();
    let mut options = Options::throwaway(Data::Temporary);
    options.bin_dir = Some(empty.path().to_owned());
    let text = PrivatePostgres::start(&options).unwrap_err().to_string();
    assert!(text.contains(&*empty.path().to_string_lossy()), "{text}");
}

/// Not a test: what [`Starter`] runs in a process of its own.
#[test]
#[ignore = "run by other tests"]
fn starter() {
    let Some(folder) = std::env::var_os(STARTER_FOLDER).map(PathBuf::from) else { return };
    let kept = folder.join("kept");
    let data = if kept.exists() { Data::Kept(kept) } else { Data::Temporary };
    // From a thread that ends: the server must not end with it.
    let server =
        std::thread::spawn(move || PrivatePostgres::start(&Options::throwaway(data)).unwrap());
    let server = server.join().unwrap();
    let unfinished = folder.join("unfinished");
    fs::write(&unfinished, server.data_dir().display().to_string()).unwrap();
    fs::rename(&unfinished, folder.join("started")).unwrap();
    wait_for(Duration::from_secs(120), || false);
}

/// A process that has started a server.
struct Starter(Child);

impl Starter {
    /// Answers with the data folder, too.
    fn run(folder: &Path) -> (Self, PathBuf) {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "private_postgres::tests::starter"])
            .env(STARTER_FOLDER, folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let starter = Self(child);
        let file = folder.join("started");
        assert!(wait_for(Duration::from_secs(60), || file.exists()));
        let data = fs::read_to_string(file).unwrap().into();
        (starter, data)
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn kill_9_leaves_no_server_and_its_data_is_used_again() {
    let parent = passable();
    let folder = parent.path().join("kept");
    fs::create_dir(&folder).unwrap();
    let (starter, data) = Starter::run(parent.path());
    assert!(!wait_for(Duration::from_millis(500), || server_of(&data).is_none()));
    let text = start(&folder).unwrap_err().to_string();
    assert!(text.contains(&format!("process {}:", starter.0.id())), "{text}");
    starter.kill();
    if cfg!(target_os = "linux") {
        assert!(wait_for(SOON, || server_of(&data).is_none()), "the server was left behind");
    }
    let server = start(&folder).unwrap();
    assert_eq!(server.data_dir(), data);
    databases(&server.url("bellringer"));
}

#[test]
fn what_kill_9_left_of_a_temporary_server_is_swept() {
    let parent = passable();
    let (starter, data) = Starter::run(parent.path());
    let home = data.parent().unwrap();
    sweep::sweep(Owner::choose());
    assert!(home.exists(), "it is in use");
    starter.kill();
    sweep::sweep(Owner::choose());
    assert!(!home.exists());
    assert_eq!(server_of(&data), None);
}
