//! Certificates of clients as proof of who calls.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bellringer_api::FILE_DESCRIPTOR_SET;
use bellringer_api::v1 as pb;
use bellringer_client::Credentials;
use bellringer_server::access::Permission;
use bellringer_server::app::App;
use bellringer_server::clock::{Clock as _, SystemClock};
use bellringer_server::domain::Role;
use prost_reflect::{DescriptorPool, Value};
use rcgen::{ExtendedKeyUsagePurpose, SanType, date_time_ymd};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tonic::Status;
use tonic::service::interceptor::InterceptedService;
use tonic_types::StatusExt as _;

use crate::hostile::{base, call};
use crate::support::access::{add_key, end_of};
use crate::support::make::task;
use crate::support::postgres::fresh_database;
use crate::support::server::config;
use crate::support::tls::{Authority, Certified, Secret, connect};
use crate::support::{Caller, reason};

const MAILER: &str = "spiffe://example.org/mailer";

/// A server that takes certificates, and who signs them.
struct Secured {
    servers: Authority,
    clients: Authority,
    url: String,
    app: App,
    _files: Secret,
}

impl Secured {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let (own, ca) = (servers.server(), clients.pem());
        let files = Secret::new(&[("tls.crt", &own.cert), ("tls.key", &own.key), ("ca.crt", &ca)]);
        let (cert, key, ca) = (files.path("tls.crt"), files.path("tls.key"), files.path("ca.crt"));
        let mut all = vec![
            ("tls__cert_file", cert.as_str()),
            ("tls__key_file", key.as_str()),
            ("tls__client_ca_file", ca.as_str()),
            ("tls__client_certificates", "optional"),
            ("auth__mechanisms", "keys,certificates"),
            ("auth__certificate_uris", "spiffe://example.org/"),
            (
                "auth__certificate_rules",
                "mailer -> worker@acme/mail; mailer -> submitter@acme; role/viewer -> viewer@acme; \
                 role/submitter -> submitter@acme; role/worker -> worker@acme; \
                 role/scheduler-editor -> scheduler-editor@acme; role/ns-admin -> ns-admin@acme; \
                 role/operator -> operator; ns/*/web -> submitter@{}",
            ),
            // Tests call faster than strangers may.
            ("rates__limit", "off"),
        ];
        all.extend(settings);
        let url = fresh_database().await;
        let app = App::start(&config(&url, &all)).await.unwrap();
        Self { servers, clients, url, app, _files: files }
    }

    fn address(&self) -> SocketAddr {
        self.app.local_addr()
    }

    /// A certificate with these URIs.
    fn certificate(&self, uris: &[&str]) -> Certified {
        self.lasting(uris, i64::from(u32::MAX))
    }

    /// The same, to a second since 1970.
    fn lasting(&self, uris: &[&str], until: i64) -> Certified {
        self.clients.sign(vec!["mailer.example".to_owned()], |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            let uris = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap()));
            params.subject_alt_names.extend(uris);
            params.not_after =
                date_time_ymd(1970, 1, 1) + Duration::from_secs(until.unsigned_abs());
        })
    }

    /// Somebody with a certificate, a bearer token, both, or none.
    async fn caller(&self, identity: Option<&Certified>, token: Option<&str>) -> Caller {
        let channel = connect(self.address(), &self.servers, identity).await.unwrap();
        Caller(InterceptedService::new(channel, Credentials::bearer(token).unwrap()))
    }
}

async fn submit(caller: &Caller, namespace: &str) -> Result<(), Status> {
    let namespace = namespace.to_owned();
    let request = pb::SubmitRequest { namespace, task: Some(task()), ..Default::default() };
    caller.tasks().submit(request).await.map(drop)
}

async fn who_am_i(caller: &Caller) -> Result<(String, BTreeSet<i32>), Status> {
    let me = caller.access().who_am_i(pb::WhoAmIRequest {}).await?.into_inner();
    Ok((me.principal, me.grants.into_iter().map(|grant| grant.role).collect()))
}

#[tokio::test]
async fn a_certificate_lets_in_where_the_rules_for_its_uri_say() {
    let server = Secured::start(&[]).await;
    let mailer = server.caller(Some(&server.certificate(&[MAILER])), None).await;
    let roles = BTreeSet::from([pb::Role::Worker.into(), pb::Role::Submitter.into()]);
    assert_eq!(who_am_i(&mailer).await.unwrap(), (format!("cert:{MAILER}"), roles));
    submit(&mailer, "acme").await.unwrap();
    assert_eq!(reason(&submit(&mailer, "rival").await.unwrap_err()), "PERMISSION_DENIED");
    for (queue, expected) in [("mail", None), ("reports", Some("PERMISSION_DENIED"))] {
        let lease = pb::LeaseRequest {
            namespace: "acme".to_owned(),
            queues: vec![queue.to_owned()],
            ..Default::default()
        };
        let refused = mailer.workers().lease(lease).await.err();
        assert_eq!(refused.as_ref().map(reason).as_deref(), expected, "{queue}");
    }
    let web = server.certificate(&["spiffe://example.org/ns/shop/web"]);
    let web = server.caller(Some(&web), None).await;
    submit(&web, "shop").await.unwrap();
    assert_eq!(reason(&submit(&web, "acme").await.unwrap_err()), "PERMISSION_DENIED");
    // Known, and allowed nothing.
    let other = server.certificate(&["spiffe://example.org/other"]);
    let other = server.caller(Some(&other), None).await;
    let nothing = ("cert:spiffe://example.org/other".to_owned(), BTreeSet::new());
    assert_eq!(who_am_i(&other).await.unwrap(), nothing);
    assert_eq!(reason(&submit(&other, "acme").await.unwrap_err()), "PERMISSION_DENIED");
}

#[tokio::test]
async fn g_23_a_certificate_without_one_clear_uri_of_ours_is_nobodys() {
    let server = Secured::start(&[]).await;
    let elsewhere = "spiffe://example.com/mailer";
    let mut told = BTreeSet::new();
    for uris in [
        &[][..],
        &[elsewhere],
        &[MAILER, elsewhere],
        &[MAILER, MAILER],
        &["spiffe://example.org/x/../mailer"],
        &["spiffe://example.org/mail%65r"],
        &["spiffe://example.org//mailer"],
        &["spiffe://example.org/"],
        &["spiffe://example.org.example.com/mailer"],
    ] {
        let caller = server.caller(Some(&server.certificate(uris)), None).await;
        let status = submit(&caller, "acme").await.unwrap_err();
        assert_eq!(reason(&status), "UNAUTHENTICATED", "{uris:?}");
        told.insert(format!("{:?} {:?}", status.message(), status.details()));
    }
    let nobody = server.caller(None, None).await;
    let status = submit(&nobody, "acme").await.unwrap_err();
    told.insert(format!("{:?} {:?}", status.message(), status.details()));
    assert_eq!(told.len(), 1, "all are told the same: {told:#?}");
}

/// What TLS tells whoever comes with such a certificate. It is 1.2 that tells before anything else is said.
async fn alert(server: &Secured, Certified { cert, key }: &Certified) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.servers.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let name = "localhost".try_into().unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let address = server.address();
    let shaken = tokio::task::spawn_blocking(move || {
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        connection.complete_io(&mut socket).map(drop)
    });
    let told = shaken.await.unwrap().map_or_else(|error| error.to_string(), |()| "OK".to_owned());
    told.replace("received fatal alert: ", "")
}

#[tokio::test]
async fn g_23_certificates_that_are_out_of_date_of_others_or_for_others_are_told_so_by_tls() {
    let server = Secured::start(&[]).await;
    let uri = || SanType::URI(MAILER.try_into().unwrap());
    let with = |authority: &Authority, usages: &[ExtendedKeyUsagePurpose], year: i32| {
        authority.sign(Vec::new(), |params| {
            params.extended_key_usages = usages.to_vec();
            params.subject_alt_names.push(uri());
            params.not_after = date_time_ymd(year, 1, 1);
        })
    };
    let (client, server_only) =
        ([ExtendedKeyUsagePurpose::ClientAuth], [ExtendedKeyUsagePurpose::ServerAuth]);
    let (others, of_the_same_name) = (Authority::new("others"), Authority::new("clients"));
    let expected = [
        ("good", with(&server.clients, &client, 2100), "OK"),
        ("expired", with(&server.clients, &client, 2020), "CertificateExpired"),
        ("of another authority", with(&others, &client, 2100), "UnknownCA"),
        ("of one that calls itself ours", with(&of_the_same_name, &client, 2100), "DecryptError"),
        ("of the server's authority", with(&server.servers, &client, 2100), "UnknownCA"),
        ("of no use", with(&server.clients, &[], 2100), "UnsupportedCertificate"),
        ("for servers", with(&server.clients, &server_only, 2100), "UnsupportedCertificate"),
    ];
    let mut told = Vec::new();
    for (what, certificate, _) in &expected {
        told.push((*what, alert(&server, certificate).await));
    }
    let expected: Vec<_> =
        expected.iter().map(|(what, _, told)| (*what, (*told).to_owned())).collect();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_wrong_key_is_not_made_good_by_a_certificate_and_a_good_one_counts_before_it() {
    let server = Secured::start(&[]).await;
    let mailer = server.certificate(&[MAILER]);
    let viewer = add_key(&server.url, "acme", &["viewer"], &[]).await;
    let wrong = "brk_0000000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for token in [wrong, "ey.ey.ey", "nonsense"] {
        let caller = server.caller(Some(&mailer), Some(token)).await;
        assert_eq!(reason(&submit(&caller, "acme").await.unwrap_err()), "UNAUTHENTICATED");
    }
    let caller = server.caller(Some(&mailer), Some(&viewer.text)).await;
    let me = who_am_i(&caller).await.unwrap();
    assert_eq!(me, (format!("key:{}", viewer.id), BTreeSet::from([pb::Role::Viewer.into()])));
    assert_eq!(reason(&submit(&caller, "acme").await.unwrap_err()), "PERMISSION_DENIED");
}

#[tokio::test]
async fn g_23_where_both_are_required_neither_alone_gets_in_and_only_what_both_allow_is_allowed() {
    let server = Secured::start(&[("auth__require", "both")]).await;
    let mailer = server.certificate(&[MAILER]);
    let stranger = server.certificate(&["spiffe://example.com/mailer"]);
    let admin = add_key(&server.url, "acme", &["ns-admin", "submitter"], &[]).await;
    let rival = add_key(&server.url, "rival", &["submitter"], &[]).await;
    let wrong = "brk_0000000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (certificate, token, expected) in [
        (None, None, "UNAUTHENTICATED"),
        (None, Some(admin.text.as_str()), "UNAUTHENTICATED"),
        (Some(&mailer), None, "UNAUTHENTICATED"),
        (Some(&mailer), Some(wrong), "UNAUTHENTICATED"),
        (Some(&stranger), Some(admin.text.as_str()), "UNAUTHENTICATED"),
        (Some(&stranger), None, "UNAUTHENTICATED"),
        (Some(&mailer), Some(rival.text.as_str()), "PERMISSION_DENIED"),
        (Some(&mailer), Some(admin.text.as_str()), "OK"),
    ] {
        let caller = server.caller(certificate, token).await;
        let told = submit(&caller, "acme").await.err();
        let told = told.as_ref().map_or_else(|| "OK".to_owned(), reason);
        let (with, token) = (certificate.is_some(), token.map(|token| &token[..9]));
        assert_eq!(told, expected, "certificate: {with}, {token:?}");
    }
    let both = server.caller(Some(&mailer), Some(&admin.text)).await;
    let (name, _) = who_am_i(&both).await.unwrap();
    assert_eq!(name, format!("cert:{MAILER}+key:{}", admin.id));
    // The key alone would allow it.
    let list = pb::ListApiKeysRequest { namespace: "acme".to_owned(), ..Default::default() };
    let denied = both.access().list_api_keys(list).await.unwrap_err();
    assert_eq!(reason(&denied), "PERMISSION_DENIED");
    // The certificate's queues hold for the key as well.
    let lease = pb::LeaseRequest {
        namespace: "acme".to_owned(),
        queues: vec!["reports".to_owned()],
        ..Default::default()
    };
    assert_eq!(reason(&both.workers().lease(lease).await.unwrap_err()), "PERMISSION_DENIED");
}

#[tokio::test]
async fn g_19_with_its_certificate_a_connection_expires_and_so_do_its_streams() {
    let server = Secured::start(&[]).await;
    let end = SystemClock.now().as_second() + 4;
    let short = server.lasting(&["spiffe://example.org/role/viewer"], end);
    let viewer = server.caller(Some(&short), None).await;
    let watch = pb::WatchTasksRequest {
        namespace: "acme".to_owned(),
        filter: Some(pb::TaskFilter::default()),
        ..Default::default()
    };
    let mut events = viewer.tasks().watch(watch).await.unwrap().into_inner();
    let ended = end_of(&mut events).await;
    assert_eq!(reason(&ended), "UNAUTHENTICATED");
    assert!(SystemClock.now().as_second() >= end, "it ended early");
    // The connection is as it was.
    assert_eq!(reason(&who_am_i(&viewer).await.unwrap_err()), "UNAUTHENTICATED");
}

#[tokio::test]
async fn g_18_by_certificate_every_role_may_call_what_the_table_says_and_nothing_else() {
    let server = Secured::start(&[]).await;
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let services = pool.services().filter(|service| service.package_name() == "bellringer.v1");
    let methods: Vec<_> =
        services.flat_map(|service| service.methods().collect::<Vec<_>>()).collect();
    let mut wrong = Vec::new();
    for role in Role::ALL {
        let uri = format!("spiffe://example.org/role/{}", role.word());
        let caller = server.caller(Some(&server.certificate(&[&uri])), None).await;
        for method in &methods {
            let path = format!("{}/{}", method.parent_service().full_name(), method.name());
            let mut request = base(method, &[]);
            if method.input().get_field_by_name("namespace").is_some() {
                request.set_field_by_name("namespace", Value::String("acme".to_owned()));
            }
            let answer = call(&caller.0, method, vec![request]).await;
            let info = answer.err().and_then(|status| status.get_details_error_info());
            let told = info.map(|info| info.reason).unwrap_or_default();
            assert_ne!(told, "UNAUTHENTICATED", "{path}");
            // A stream names its namespace in its first message, and this one has none.
            let may_tell = !method.is_client_streaming();
            let is_allowed = Permission::of(&path).unwrap().allows(role);
            if is_allowed == (told == "PERMISSION_DENIED") && (may_tell || !is_allowed) {
                wrong.push(format!("{role:?} {path}: {told}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
