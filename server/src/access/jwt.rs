//! JSON Web Tokens (RFC 7519), signed by an issuer that is trusted: checked here, with ring for the signatures.
//! No library is used for the rest: those that there are bring another provider of TLS or a crate for RSA with a
//! known weakness, and what is left to do is less than what they allow and has to be forbidden.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::signature;
use serde_json::{Map, Value};

use super::principal::Identity;
use crate::domain::{ClaimRule, Grant};

/// Longest token.
const LONGEST: usize = 16 << 10;
/// Longest id of a key, and longest subject, in bytes.
const NAME: usize = 255;
/// The end of the year 9999: no later time is a time.
const END_OF_TIME: i64 = 253_402_300_799;

/// How a token may be signed: with a key that only its issuer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, of 2,048 bits or more.
    Rs256,
}

impl Algorithm {
    /// Those that are allowed. `none`, and what is signed with a shared secret, are not.
    const ALL: [(&'static str, Self); 3] =
        [("EdDSA", Self::EdDsa), ("ES256", Self::Es256), ("RS256", Self::Rs256)];

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(word, _)| *word == name).map(|(_, algorithm)| algorithm)
    }
}

/// A public key of the issuer.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// Finds it.
    pub id: Option<String>,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    Ed25519(Vec<u8>),
    P256(Vec<u8>),
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl Key {
    /// Reads a key of a set (RFC 7517, 7518, 8037); `None`: it is not for checking such signatures.
    pub(super) fn read(key: &Value) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        if key.get("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let material = match (text("kty")?, text("crv")) {
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x").filter(|x| x.len() == 32)?),
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                if x.len() != 32 || y.len() != 32 {
                    return None;
                }
                Material::P256([&[4], x.as_slice(), y.as_slice()].concat())
            }
            ("RSA", _) => Material::Rsa { n: bytes("n")?, e: bytes("e")? },
            _ => return None,
        };
        let key = Self { id: text("kid").map(ToOwned::to_owned), material };
        let said = text("alg").map(Algorithm::parse);
        said.is_none_or(|said| said == Some(key.algorithm())).then_some(key)
    }

    /// How it signs. The key says so, never the token.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Ed25519(_) => Algorithm::EdDsa,
            Material::P256(_) => Algorithm::Es256,
            Material::Rsa { .. } => Algorithm::Rs256,
        }
    }

    fn has_signed(&self, message: &[u8], by: &[u8]) -> bool {
        use signature::UnparsedPublicKey;
        match &self.material {
            Material::Ed25519(key) => {
                UnparsedPublicKey::new(&signature::ED25519, key).verify(message, by).is_ok()
            }
            Material::P256(key) => UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, key)
                .verify(message, by)
                .is_ok(),
            Material::Rsa { n, e } => signature::RsaPublicKeyComponents { n, e }
                .verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, by)
                .is_ok(),
        }
    }
}

/// What a token has to say to be taken.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Its issuer.
    pub issuer: String,
    /// One of its audiences.
    pub audience: String,
    /// By how much clocks may differ.
    pub leeway: Duration,
    /// What its claims mean here.
    pub rules: Vec<ClaimRule>,
}

/// A token that was taken apart, and not checked yet.
#[derive(Debug)]
pub(super) struct Token<'a> {
    /// How it says that it is signed.
    pub algorithm: Algorithm,
    /// The key that it says it is signed with.
    pub key: Option<String>,
    signed: &'a [u8],
    signature: Vec<u8>,
    claims: &'a str,
}

/// Takes a token apart; `None`: it is not one that could be taken.
pub(super) fn parse(text: &str) -> Option<Token<'_>> {
    if text.len() > LONGEST {
        return None;
    }
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    if claims.contains('.') {
        return None;
    }
    let header = object(header)?;
    // Extensions that must be understood, and are not; a payload that is not base64.
    if header.contains_key("crit") || header.contains_key("b64") || header.contains_key("zip") {
        return None;
    }
    let algorithm = Algorithm::parse(header.get("alg")?.as_str()?)?;
    let key = match header.get("kid") {
        None => None,
        Some(Value::String(id)) if is_name(id) => Some(id.clone()),
        Some(_) => return None,
    };
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    Some(Token { algorithm, key, signed: signed.as_bytes(), signature, claims })
}

impl Token<'_> {
    /// Whose token it is, if `key` has signed it and it says what is expected; `None`: it is not to be taken.
    pub(super) fn check(&self, key: &Key, expected: &Expected, now: Timestamp) -> Option<Identity> {
        if key.algorithm() != self.algorithm || !key.has_signed(self.signed, &self.signature) {
            return None;
        }
        let claims = object(self.claims)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss")? != expected.issuer {
            return None;
        }
        let is_for_us = match claims.get("aud")? {
            Value::String(audience) => *audience == expected.audience,
            Value::Array(all) => all.iter().any(|audience| *audience == *expected.audience),
            _ => false,
        };
        let leeway = i64::try_from(expected.leeway.as_secs()).ok()?;
        let end = time(claims.get("exp")?)?.checked_add(leeway)?;
        let second = now.as_second();
        let is_past = |name: &str| match claims.get(name) {
            None => Some(true),
            Some(value) => Some(time(value)? <= second.checked_add(leeway)?),
        };
        if !is_for_us || second >= end || !is_past("nbf")? || !is_past("iat")? {
            return None;
        }
        let subject = text("sub").filter(|subject| is_name(subject))?;
        let grants: Vec<Grant> =
            expected.rules.iter().flat_map(|rule| rule.grants(&claims)).collect();
        Some(Identity {
            name: format!("jwt:{subject}"),
            grants,
            expires_at: Some(Timestamp::from_second(end.min(END_OF_TIME)).ok()?),
            revoked: tokio_util::sync::CancellationToken::new(),
        })
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Seconds since 1970; parts of a second are left out.
fn time(value: &Value) -> Option<i64> {
    let seconds = match value.as_i64() {
        Some(seconds) => seconds,
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
        None => value.as_f64().filter(|s| (0.0..=253_402_300_799.0).contains(s))? as i64,
    };
    (0..=END_OF_TIME).contains(&seconds).then_some(seconds)
}

fn is_name(text: &str) -> bool {
    (1..=NAME).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    const NOW: i64 = 2_000_000_000;

    struct Issuer {
        pair: Ed25519KeyPair,
        key: Key,
    }

    impl Issuer {
        fn new() -> Self {
            let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
            let pair = Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap();
            let x = URL_SAFE_NO_PAD.encode(pair.public_key());
            let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "one", "x": x, "use": "sig"});
            Self { pair, key: Key::read(&key).unwrap() }
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let signed = format!("{}.{}", part(header), part(claims));
            let signature = self.pair.sign(signed.as_bytes());
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
        }

        fn take(&self, text: &str) -> Option<Identity> {
            let expected = Expected {
                issuer: "https://id.example.org".to_owned(),
                audience: "bellringer".to_owned(),
                leeway: Duration::from_secs(30),
                rules: vec![ClaimRule::parse("tenant=* -> submitter@{}").unwrap()],
            };
            let now = Timestamp::from_second(NOW).unwrap();
            parse(text)?.check(&self.key, &expected, now)
        }
    }

    fn header() -> Value {
        json!({"alg": "EdDSA", "kid": "one", "typ": "JWT"})
    }

    fn claims() -> Value {
        json!({
            "iss": "https://id.example.org",
            "aud": ["other", "bellringer"],
            "sub": "ada",
            "exp": NOW + 300,
            "nbf": NOW - 1,
            "iat": NOW - 1,
            "tenant": "acme",
        })
    }

    fn with(mut whole: Value, name: &str, value: Value) -> Value {
        match value {
            Value::Null => {
                whole.as_object_mut().unwrap().remove(name);
            }
            value => whole[name] = value,
        }
        whole
    }

    #[test]
    fn a_good_token_is_taken_and_ends_with_its_time() {
        let issuer = Issuer::new();
        let ada = issuer.take(&issuer.sign(&header(), &claims())).unwrap();
        assert_eq!(ada.name, "jwt:ada");
        assert_eq!(ada.grants, [Grant::parse("submitter@acme").unwrap()]);
        assert_eq!(ada.expires_at, Timestamp::from_second(NOW + 330).ok());
        for (name, value) in [
            ("aud", json!("bellringer")),
            ("nbf", json!(NOW + 30)),
            ("exp", json!(NOW - 29)),
            ("exp", json!(NOW as f64 + 0.5)),
            ("nbf", Value::Null),
            ("iat", Value::Null),
        ] {
            let token = issuer.sign(&header(), &with(claims(), name, value.clone()));
            assert!(issuer.take(&token).is_some(), "{name} {value}");
        }
    }

    #[test]
    fn bad_tokens_are_not_taken() {
        let issuer = Issuer::new();
        let good = issuer.sign(&header(), &claims());
        let mut bad: Vec<(String, String)> = Vec::new();
        for (name, value) in [
            ("alg", json!("none")),
            ("alg", json!("None")),
            ("alg", json!("HS256")),
            ("alg", json!("HS512")),
            ("alg", json!("ES256")),
            ("alg", json!("RS256")),
            ("alg", json!("eddsa")),
            ("alg", json!(["EdDSA"])),
            ("alg", Value::Null),
            ("crit", json!(["exp"])),
            ("crit", json!([])),
            ("b64", json!(false)),
            ("zip", json!("DEF")),
            ("kid", json!("")),
            ("kid", json!(7)),
            ("kid", json!("a\u{0}b")),
            ("kid", json!("x".repeat(256))),
        ] {
            let token = issuer.sign(&with(header(), name, value.clone()), &claims());
            bad.push((format!("header {name}: {value}"), token));
        }
        for (name, value) in [
            ("iss", Value::Null),
            ("iss", json!("https://id.example.org/")),
            ("iss", json!(["https://id.example.org"])),
            ("aud", Value::Null),
            ("aud", json!("other")),
            ("aud", json!([])),
            ("aud", json!({"bellringer": true})),
            ("exp", Value::Null),
            ("exp", json!(NOW - 30)),
            ("exp", json!("2000000300")),
            ("exp", json!(i64::MAX)),
            ("exp", json!(u64::MAX)),
            ("exp", json!(1e300)),
            ("exp", json!(-1)),
            ("nbf", json!(NOW + 31)),
            ("nbf", json!("now")),
            ("iat", json!(NOW + 31)),
            ("sub", Value::Null),
            ("sub", json!("")),
            ("sub", json!("a\nb")),
            ("sub", json!("x".repeat(256))),
        ] {
            let token = issuer.sign(&header(), &with(claims(), name, value.clone()));
            bad.push((format!("claim {name}: {value}"), token));
        }
        let stranger = Issuer::new();
        bad.push(("another's signature".to_owned(), stranger.sign(&header(), &claims())));
        let parts: Vec<&str> = good.split('.').collect();
        let other = URL_SAFE_NO_PAD.encode(with(claims(), "tenant", json!("rival")).to_string());
        let long = "x".repeat(20_000);
        for (what, token) in [
            ("no signature", format!("{}.{}.", parts[0], parts[1])),
            ("two parts", format!("{}.{}", parts[0], parts[1])),
            ("four parts", format!("{good}.{}", parts[2])),
            ("changed claims", format!("{}.{other}.{}", parts[0], parts[2])),
            ("padding", format!("{good}=")),
            ("white space", format!("{good} ")),
            ("too long", issuer.sign(&header(), &with(claims(), "note", json!(long)))),
            ("claims that are a list", issuer.sign(&header(), &json!([1]))),
            ("nothing", String::new()),
            ("dots", "..".to_owned()),
            ("a megabyte", "a.".repeat(500_000)),
        ] {
            bad.push((what.to_owned(), token));
        }
        assert!(issuer.take(&good).is_some());
        for (what, token) in bad {
            assert!(issuer.take(&token).is_none(), "{what}");
        }
    }

    #[test]
    fn a_key_says_how_it_signs_and_a_token_cannot_say_otherwise() {
        let random = SystemRandom::new();
        let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
        let key = |alg: &str| json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": alg});
        let read = Key::read(&key("ES256")).unwrap();
        let signature = pair.sign(&random, b"message").unwrap();
        assert!(read.has_signed(b"message", signature.as_ref()));
        assert!(!read.has_signed(b"massage", signature.as_ref()));
        for wrong in [
            key("RS256"),
            key("HS256"),
            json!({"kty": "oct", "k": "c2VjcmV0"}),
            json!({"kty": "EC", "crv": "P-384", "x": x, "y": y}),
            json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "enc"}),
            json!({"kty": "EC", "crv": "P-256", "x": x}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"}),
        ] {
            assert!(Key::read(&wrong).is_none(), "{wrong}");
        }
    }

    /// The example of RFC 7515, appendix A.2.
    #[test]
    fn the_example_of_the_standard_for_rsa_is_checked_as_it_says() {
        let key = json!({"kty": "RSA", "e": "AQAB", "n":
            "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"});
        let key = Key::read(&key).unwrap();
        assert_eq!(key.algorithm(), Algorithm::Rs256);
        let signed = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(key.has_signed(signed.as_bytes(), &signature));
        assert!(!key.has_signed(&signed.as_bytes()[1..], &signature));
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_sent_breaks_the_parser(text in ".{0,200}") {
            assert!(Issuer::new().take(&text).is_none());
        }
    }
}
