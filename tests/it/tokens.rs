//! JSON Web Tokens, from an issuer in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bellringer_api::v1 as pb;
use bellringer_server::clock::{Clock as _, SystemClock};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::access::end_of;
use crate::support::make::task;
use crate::support::{Caller, TestServer, reason};

/// Somebody who signs.
struct Issuer(Ed25519KeyPair);

impl Issuer {
    fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn keys(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x}]}).to_string()
    }

    fn token(&self, lives: i64, more: &Value) -> String {
        let mut claims = json!({
            "iss": "https://id.example.org",
            "aud": "bellringer",
            "sub": "ada",
            "exp": SystemClock.now().as_second() + lives,
        });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let header = json!({"alg": "EdDSA", "kid": "k"});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

/// A server that takes tokens, with its keys from one place.
async fn server(place: (&'static str, String)) -> TestServer {
    TestServer::start_with(&[
        ("BELLRINGER__AUTH__MECHANISMS", "keys,jwt"),
        ("BELLRINGER__AUTH__JWT_ISSUER", "https://id.example.org"),
        ("BELLRINGER__AUTH__JWT_AUDIENCE", "bellringer"),
        ("BELLRINGER__AUTH__JWT_LEEWAY", "0s"),
        // Tests call faster than strangers may.
        ("rates__limit", "off"),
        ("BELLRINGER__AUTH__JWT_RULES", "tenant=* -> submitter@{}; groups=ops -> operator"),
        (place.0, &*place.1.leak()),
    ])
    .await
}

async fn submit(caller: &Caller, namespace: &str) -> Result<(), tonic::Status> {
    let request = pb::SubmitRequest {
        namespace: namespace.to_owned(),
        task: Some(task()),
        ..Default::default()
    };
    caller.tasks().submit(request).await.map(drop)
}

#[tokio::test]
async fn g_19_a_token_lets_in_where_its_claims_say_until_it_expires_and_so_do_streams() {
    let issuer = Issuer::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), issuer.keys()).unwrap();
    let place = file.path().to_str().unwrap().to_owned();
    let server = server(("BELLRINGER__AUTH__JWT_KEYS_FILE", place)).await;

    let short = issuer.token(4, &json!({"tenant": "acme"}));
    let ada = Caller::new(&server.replica, Some(&short));
    submit(&ada, "acme").await.unwrap();
    assert_eq!(reason(&submit(&ada, "rival").await.unwrap_err()), "PERMISSION_DENIED");
    let me = ada.access().who_am_i(pb::WhoAmIRequest {}).await.unwrap().into_inner();
    assert_eq!(me.principal, "jwt:ada");
    let watch = pb::WatchTasksRequest {
        namespace: "acme".to_owned(),
        filter: Some(pb::TaskFilter::default()),
        ..Default::default()
    };
    let mut events = ada.tasks().watch(watch).await.unwrap().into_inner();

    let ended = end_of(&mut events).await;
    assert_eq!(reason(&ended), "UNAUTHENTICATED");
    assert_eq!(reason(&submit(&ada, "acme").await.unwrap_err()), "UNAUTHENTICATED");

    let operator = issuer.token(60, &json!({"groups": ["dev", "ops"]}));
    submit(&Caller::new(&server.replica, Some(&operator)), "rival").await.unwrap();
    let nobody = issuer.token(60, &json!({"groups": ["dev"]}));
    let denied = submit(&Caller::new(&server.replica, Some(&nobody)), "acme").await.unwrap_err();
    assert_eq!(reason(&denied), "PERMISSION_DENIED");
    let forged = Issuer::new().token(60, &json!({"groups": ["ops"]}));
    let refused = submit(&Caller::new(&server.replica, Some(&forged)), "acme").await.unwrap_err();
    assert_eq!(reason(&refused), "UNAUTHENTICATED");
    // Keys of the service go on beside tokens.
    submit(&server.caller("acme", &["submitter"]).await, "acme").await.unwrap();
}

#[tokio::test]
async fn keys_are_fetched_once_however_many_tokens_name_others() {
    let issuer = Issuer::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let fetched = Arc::new(AtomicUsize::new(0));
    let mut serving = JoinSet::new();
    let (body, count) = (issuer.keys(), fetched.clone());
    serving.spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let mut request = [0; 1024];
            let _ = socket.read(&mut request).await.unwrap();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    let url = format!("http://{address}/keys");
    let server = server(("BELLRINGER__AUTH__JWT_KEYS_URL", url)).await;

    let token = issuer.token(60, &json!({"tenant": "acme"}));
    submit(&Caller::new(&server.replica, Some(&token)), "acme").await.unwrap();
    let (_, rest) = token.split_once('.').unwrap();
    for n in 0..100 {
        let header = json!({"alg": "EdDSA", "kid": format!("../{n}' or 1=1 --")}).to_string();
        let odd = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
        let status = submit(&Caller::new(&server.replica, Some(&odd)), "acme").await.unwrap_err();
        assert_eq!(reason(&status), "UNAUTHENTICATED");
    }
    assert_eq!(fetched.load(Ordering::Relaxed), 1);
}
