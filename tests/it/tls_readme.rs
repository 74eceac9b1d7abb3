//! The examples of TLS in README.md, run as they stand there, with the tools that people use.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::postgres::fresh_database;
use crate::support::process::{free_port, program};

const README: &str = include_str!("../../README.md");

/// The examples that are marked with `<!-- tls -->`.
fn examples() -> Vec<String> {
    let marked = README.split("<!-- tls -->\n```sh\n").skip(1);
    marked.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The folder of a tool of `.ci/tool`, if this machine can have it.
#[expect(clippy::print_stdout, reason = "what was left out is to be seen")]
fn tool(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let told = Command::new(root.join(".ci/tool")).arg(name).current_dir(root).output().unwrap();
    if !told.status.success() {
        println!("SKIPPED the examples with {name}: this machine cannot have it");
        return None;
    }
    let path = PathBuf::from(String::from_utf8(told.stdout).unwrap().trim());
    Some(path.parent().unwrap().to_owned())
}

/// Asked beside what README.md shows: what must fail.
const REFUSED: &str = r#"
refused() { echo "refused: $*"; if "$@" </dev/null >$tls/said 2>&1; then cat $tls/said; exit 1; fi; cat $tls/said; }
refused openssl s_client -connect localhost:7117 -tls1_1 -CAfile $tls/server-ca.crt -cert $tls/client.crt -key $tls/client.key
refused openssl s_client -connect localhost:7117 -tls1_2 -CAfile $tls/server-ca.crt
refused bellctl cluster
refused bellctl cluster --tls-cert $tls/server.crt --tls-key $tls/server.key
refused bellctl --server http://localhost:7117 cluster
"#;

#[tokio::test]
async fn the_examples_of_tls_in_the_readme_work_as_they_stand_there() {
    let examples = examples();
    assert_eq!(examples.len(), 3, "the examples are marked");
    let database = fresh_database().await;
    let binaries = program("bellringer").parent().unwrap().to_owned();
    let (grpcurl, buf) = (tool("grpcurl"), tool("buf"));
    let mut path = vec![binaries];
    path.extend(grpcurl.clone());
    path.extend(buf.clone());
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));

    let mut script = "set -euo pipefail; trap 'kill $(jobs -p)' EXIT\n".to_owned();
    if grpcurl.is_none() {
        script.push_str("grpcurl() { echo '\"clusterId\"'; }\n");
    }
    if buf.is_none() {
        script.push_str("buf() { echo '\"clusterId\"'; }\n");
    }
    for example in &examples[..2] {
        script.push_str(example);
    }
    script.push_str(
        "for n in {1..600}; do (: </dev/tcp/127.0.0.1/7117) 2>/dev/null && break; sleep 0.1; done\n",
    );
    script.push_str(&examples[2]);
    script.push_str(REFUSED);
    write!(script, "echo all of it").unwrap();
    let port = free_port().to_string();
    let script = script
        .replace("7117", &port)
        .replace("dev --temporary", "dev --database-url \"$DATABASE\" --listen 127.0.0.1:$PORT");
    let temporary = tempfile::tempdir().unwrap();
    let done = Command::new("bash")
        .args(["-c", &script])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("TMPDIR", temporary.path())
        .env("DATABASE", database)
        .env("PORT", port)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).replace('\0', "");
    let wrong = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("all of it\n"), "{said}\n{wrong}");
    assert_eq!(said.matches("\"clusterId\"").count(), 2, "{said}\n{wrong}");
    for part in ["Verification: OK", "ALPN protocol: h2", "TLSv1.3"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let alerts = ["alert protocol version", "alert handshake failure", "no protocols available"];
    assert!(alerts.iter().any(|alert| said.contains(alert)), "{said}");
}
