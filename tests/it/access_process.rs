//! Authentication as people set it up: with the real programs.

use std::process::{Command, Output, Stdio};

use crate::support::postgres::fresh_database;
use crate::support::process::{address, free_port, program, serve};

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[tokio::test]
async fn the_first_key_is_made_by_way_of_the_database_and_makes_the_others() {
    let database = fresh_database().await;
    let port = free_port();
    let made = run(Command::new(program("bellringer")).args([
        "keys",
        "create",
        "--name",
        "first",
        "--database-url",
        &database,
    ]));
    assert!(made.status.success(), "{}", text(&made.stderr));
    let key = text(&made.stdout);
    let _server = serve(&database, port, &[("BELLRINGER__AUTH__MECHANISMS", "keys")]).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{key}\n")).unwrap();

    let bellctl = |arguments: &[&str]| {
        let mut command = Command::new(program("bellctl"));
        command.args(["--server", &address(port)]).args(arguments);
        command
    };
    let without = run(&mut bellctl(&["whoami"]));
    assert!(!without.status.success());
    assert!(text(&without.stderr).contains("--api-key-file"), "{}", text(&without.stderr));
    let file = file.path().to_str().unwrap();
    let me = run(&mut bellctl(&["whoami", "--api-key-file", file]));
    assert!(text(&me.stdout).contains("operator in every namespace"), "{}", text(&me.stderr));

    let create = ["keys", "create", "ci", "--role", "submitter", "-n", "acme"];
    let made = run(bellctl(&create).env("BELLRINGER_API_KEY", &key));
    let second = text(&made.stdout);
    assert!(second.starts_with("brk_"), "{}", text(&made.stderr));
    let submit = ["submit", "work", "-n", "acme"];
    let submitted = run(bellctl(&submit).env("BELLRINGER_API_KEY", &second));
    assert!(submitted.status.success(), "{}", text(&submitted.stderr));
    let elsewhere = run(bellctl(&["submit", "work"]).env("BELLRINGER_API_KEY", &second));
    assert!(text(&elsewhere.stderr).contains("permission denied"), "{}", text(&elsewhere.stderr));
    let listed = run(bellctl(&["keys", "list", "-n", "acme"]).env("BELLRINGER_API_KEY", &key));
    assert!(text(&listed.stdout).contains("ci") && !text(&listed.stdout).contains(&second));
}

#[tokio::test]
async fn g_23_the_server_does_not_start_open_to_the_network_unless_it_is_told_to() {
    let database = fresh_database().await;
    let serve = |arguments: &[&str]| {
        let mut command = Command::new(program("bellringer"));
        command.args(["serve", "--database-url", &database, "--listen", "0.0.0.0:0"]);
        command.args(arguments);
        command
    };
    let refused = run(&mut serve(&[]));
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("auth.mechanisms"), "{}", text(&refused.stderr));

    let mut open = serve(&["--insecure"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    let stderr = std::io::BufReader::new(open.stderr.take().unwrap());
    for line in std::io::BufRead::lines(stderr) {
        told.push_str(&line.unwrap());
        if told.contains("serving") {
            break;
        }
    }
    open.kill().unwrap();
    open.wait().unwrap();
    assert!(told.contains("nobody is asked who they are"), "{told}");
}

#[tokio::test]
async fn the_table_of_permissions_can_be_printed() {
    let printed = run(Command::new(program("bellringer")).arg("permissions"));
    let printed = text(&printed.stdout);
    assert!(printed.contains("| TaskService/Submit |  | yes |"), "{printed}");
    assert!(printed.contains("| grpc.health.v1.Health/Check | public |"), "{printed}");
}
