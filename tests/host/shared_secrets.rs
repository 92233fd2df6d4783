//! Secrets of HS algorithms: bytes as a JWK. A public key is refused as a secret in each of its
//! forms.

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use postern::domain::secret::Secret;
use postern::domain::tokens::algorithm::Algorithm;
use postern::domain::tokens::keys::Keys;
use postern::domain::tokens::public_key_recognition::recognize_public_key;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::key_registration::{register, try_register};
use crate::support::signatures::Issuer;
use crate::support::{World, forge, json_of};

const SIGNERS: [Algorithm; 5] =
    [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa];

fn hex(bytes: &[u8], separator: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(separator)
}

/// A DER value.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a length").to_be_bytes();
    let length = match length {
        [0, low @ ..=127] => vec![low],
        [0, low] => vec![0x81, low],
        [high, low] => vec![0x82, high, low],
    };
    [&[tag], length.as_slice(), content].concat()
}

/// The parts of a certificate by which it is recognized: what is signed, the algorithm, a
/// signature.
fn certificate(spki: &[u8]) -> Vec<u8> {
    let algorithm = der(0x30, &der(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
    let signed = der(
        0x30,
        &[der(0xa0, &der(2, &[2])), der(2, &[1]), algorithm.clone(), spki.to_vec()].concat(),
    );
    der(0x30, &[signed, algorithm, der(3, &[0, 1, 2, 3])].concat())
}

/// The key of an RSA issuer as PKCS #1, which is the bit string of its SPKI.
fn pkcs1(spki: &[u8]) -> Vec<u8> {
    let at =
        spki.windows(5).position(|window| window == [0x30, 0x82, 1, 0x0a, 2]).expect("the numbers");
    spki[at..].to_vec()
}

fn pem(label: &str, bytes: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", Base64::encode_string(bytes))
}

/// The key in OpenSSH's wire format (RFC 4253, 6.6), with the name of its type.
fn ssh(issuer: &Issuer) -> (String, Vec<u8>) {
    let string = |bytes: &[u8]| {
        [&u32::try_from(bytes.len()).expect("a length").to_be_bytes()[..], bytes].concat()
    };
    let jwk = issuer.jwk(&json!({}));
    let number = |name: &str| {
        let bytes = Base64UrlUnpadded::decode_vec(jwk[name].as_str().expect("a number"))
            .expect("base64url");
        if bytes[0] >= 0x80 { [vec![0], bytes].concat() } else { bytes }
    };
    let ec = |curve: &str, bytes: usize| {
        let spki = issuer.spki();
        let point = [&[4], &spki[spki.len() - 2 * bytes..]].concat();
        let name = format!("ecdsa-sha2-{curve}");
        (name.clone(), [string(name.as_bytes()), string(curve.as_bytes()), string(&point)].concat())
    };
    match issuer {
        Issuer::Rsa(_) => (
            "ssh-rsa".to_owned(),
            [string(b"ssh-rsa"), string(&number("e")), string(&number("n"))].concat(),
        ),
        Issuer::P256(_) => ec("nistp256", 32),
        Issuer::P384(_) => ec("nistp384", 48),
        Issuer::P521(_) => ec("nistp521", 66),
        Issuer::Ed25519(_) => {
            ("ssh-ed25519".to_owned(), [string(b"ssh-ed25519"), string(&number("x"))].concat())
        }
    }
}

/// The public key as bytes: SPKI, a certificate, and the bare forms of its kind.
fn binaries(issuer: &Issuer, certificate: Vec<u8>) -> Vec<Vec<u8>> {
    let spki = issuer.spki();
    let mut all = vec![spki.clone(), certificate];
    if matches!(issuer, Issuer::Rsa(_)) {
        all.push(pkcs1(&spki));
    }
    if let Issuer::P256(_) | Issuer::P384(_) | Issuer::P521(_) = issuer {
        let jwk = issuer.jwk(&json!({}));
        let x = jwk["x"].as_str().expect("x");
        let coordinates =
            Base64UrlUnpadded::decode_vec(x).expect("base64url").len().next_multiple_of(2);
        all.push([&[4], &spki[spki.len() - 2 * coordinates..]].concat());
    }
    all
}

/// The public key in each form in which people exchange it.
fn dresses(issuer: &Issuer) -> Vec<String> {
    let (spki, jwk) = (issuer.spki(), issuer.jwk(&json!({ "kid": "1" })));
    let certificate = certificate(&spki);
    let (name, blob) = ssh(issuer);
    let blob = Base64::encode_string(&blob);
    let number = |name: &str| jwk[name].as_str().unwrap_or("AQAB").to_owned();
    let mut all = vec![
        jwk.to_string(),
        json!([jwk]).to_string(),
        json!({ "keys": [jwk] }).to_string(),
        json!({ "keys": [] }).to_string(),
        json!({ "jwks": { "keys": [jwk] } }).to_string(),
        json!(jwk.to_string()).to_string(),
        jwk.to_string().replacen('{', r#"{"kty":"oct","#, 1),
        jwk.to_string().replace("\"kty\"", r#""\u006bty""#),
        jwk.to_string().trim_end_matches('}').to_owned(),
        format!("{name} {blob}"),
        format!("{name} {blob} alice@example.org"),
        format!("command=\"/bin/true\",no-pty {name} {blob} alice"),
        format!("issuer.example,192.0.2.1 {name} {blob}"),
        format!("# the key\n{name} {blob}\n"),
        format!("sk-ssh-ed25519@openssh.com {blob}"),
        format!("sk-ecdsa-sha2-nistp256@openssh.com {blob}"),
        format!("ssh-dss {blob}"),
        format!("{name}-cert-v01@openssh.com {blob}"),
        blob.clone(),
        format!(
            "---- BEGIN SSH2 PUBLIC KEY ----\nComment: \"alice\"\n{blob}\n\
             ---- END SSH2 PUBLIC KEY ----"
        ),
        format!("PuTTY-User-Key-File-3: {name}\nEncryption: none\nPublic-Lines: 1\n{blob}\n"),
        format!(
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{blob}\n-----END PGP PUBLIC KEY BLOCK-----"
        ),
        format!(
            "<RSAKeyValue><Modulus>{}</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>",
            number("n")
        ),
        format!(
            "<ds:KeyValue><dsig11:ECKeyValue>{}</dsig11:ECKeyValue></ds:KeyValue>",
            number("x")
        ),
        format!("<ds:X509Certificate>{}</ds:X509Certificate>", Base64::encode_string(&certificate)),
        format!("{}\n-----END PUBLIC KEY-----", Base64::encode_string(&spki)),
    ];
    for label in [
        "PUBLIC KEY",
        "RSA PUBLIC KEY",
        "EC PUBLIC KEY",
        "CERTIFICATE",
        "CERTIFICATE REQUEST",
        "X509 CRL",
        "PRIVATE KEY",
        "ANY",
    ] {
        all.push(pem(label, &spki));
        all.push(format!("Bag Attributes\n    friendlyName: x\n{}", pem(label, &certificate)));
    }
    for bytes in binaries(issuer, certificate) {
        let base64 = Base64::encode_string(&bytes);
        let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        all.extend([
            lines.join("\n"),
            lines.join("\r\n"),
            Base64UrlUnpadded::encode_string(&bytes),
            base64,
        ]);
        all.extend([
            hex(&bytes, ""),
            hex(&bytes, ":"),
            hex(&bytes, " ").to_uppercase(),
            format!("0x{}", hex(&bytes, "")),
        ]);
        let json = json!({ "kty": "oct", "k": Base64UrlUnpadded::encode_string(&bytes) });
        all.push(json.to_string());
    }
    // Files as environment variables and secret managers hold them.
    for file in [
        issuer.pem(),
        jwk.to_string(),
        json!({ "keys": [jwk] }).to_string(),
        format!("{name} {blob} alice"),
    ] {
        let base64 = Base64::encode_string(file.as_bytes());
        all.push(Base64::encode_string(base64.as_bytes()));
        all.extend([
            Base64UrlUnpadded::encode_string(file.as_bytes()),
            base64,
            hex(file.as_bytes(), ""),
        ]);
    }
    let oct =
        json!({ "kty": "oct", "k": Base64UrlUnpadded::encode_string(issuer.pem().as_bytes()) });
    all.push(oct.to_string());
    all
}

/// Adds what copying may leave around a key.
fn wrapped(text: &str, wrap: usize) -> String {
    match wrap {
        0 => text.to_owned(),
        1 => format!(" \t\n{text}\r\n "),
        2 => format!("\u{feff}{text}"),
        3 => format!("\"{text}\""),
        4 => format!("'{text}'\n"),
        5 => text.replace('\n', "\\n"),
        6 => format!("\"{}\"", text.replace('\n', "\\r\\n")),
        7 => format!("\u{a0}\u{feff}`{text}`\u{200b}"),
        _ => json!(text).to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_public_key_is_refused_as_a_shared_secret_in_every_dress(
        signer in 0..SIGNERS.len(), wrap in 0..9_usize, hs in 0..3_usize,
    ) {
        let algorithm = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512][hs];
        for dress in dresses(&Issuer::of(SIGNERS[signer])) {
            // A JWK for bytes is read as JSON, so nothing may be around it.
            let is_jwk = dress.starts_with(r#"{"kty":"oct","k""#);
            let secret = Secret::new(if is_jwk { dress } else { wrapped(&dress, wrap) });
            let text = secret.expose_text().expect("a text");
            let error = Keys::parse(algorithm, &secret)
                .map_or_else(|error| error, |_| panic!("taken: {text}"));
            prop_assert!(error.contains("which is no shared secret"), "{}: {}", text, error);
            prop_assert!(matches!(Keys::stored(algorithm, Some(&secret)), Keys::None));
        }
    }

    #[test]
    fn random_secrets_are_no_public_keys(
        bytes in proptest::collection::vec(any::<u8>(), 1..100), text in "[ -~]{1,64}",
    ) {
        let (as_hex, as_base64) = (hex(&bytes, ""), Base64::encode_string(&bytes));
        for secret in [bytes, text.into_bytes(), as_hex.into(), as_base64.into()] {
            prop_assert_eq!(recognize_public_key(&secret), None, "{:?}", secret);
        }
    }
}

#[test]
fn passwords_that_mention_keys_are_secrets() {
    for secret in [
        "my ssh-rsa password",
        "-----",
        "begin public key",
        "{}",
        "[1,2]",
        "untrusted",
        "age1 wine",
        "keys",
        "RSA",
    ] {
        assert_eq!(recognize_public_key(secret.as_bytes()), None, "{secret}");
    }
    let keys = [
        "untrusted comment: minisign public key 1\n\
         RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
        "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
        "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudp9ysqsq3qkgl",
    ];
    for key in keys {
        assert!(recognize_public_key(key.as_bytes()).is_some(), "{key}");
    }
}

fn oct(more: &Value) -> String {
    let mut jwk = json!({ "kty": "oct", "k": Base64UrlUnpadded::encode_string(&[0xff; 32]) });
    for (name, value) in more.as_object().into_iter().flatten() {
        jwk[name] = value.clone();
    }
    jwk.to_string()
}

#[test]
fn a_shared_secret_of_bytes_is_registered_as_a_jwk() {
    let world = World::new();
    let isolate = world.isolate();
    for more in [
        json!({}),
        json!({ "use": "sig", "key_ops": ["sign", "verify"], "alg": "HS256", "kid": "1" }),
    ] {
        let secret = oct(&more);
        register(&isolate, Algorithm::Hs256, &secret);
        let claims = Value::Object(isolate.claims("alice")).to_string();
        assert_eq!(
            isolate.verify(&forge(r#"{"alg":"HS256"}"#, &claims, &[0xff; 32])),
            (200, "alice".to_owned())
        );
        assert_eq!(
            isolate.verify(&forge(r#"{"alg":"HS256"}"#, &claims, secret.as_bytes())).1,
            "bad_signature"
        );
        let body =
            json!({ "name": "ERP", "privateKey": secret, "payload": { "username": "alice" } });
        let signed =
            isolate.administer("POST", "/plugin/datafor-modeler/api/token/generate", &body);
        let token = json_of(&signed)["token"].as_str().unwrap_or_default().to_owned();
        assert_eq!(isolate.verify(&token), (200, "alice".to_owned()), "{}", signed.body);
        let list =
            isolate.administer("GET", "/plugin/datafor-modeler/api/token/list", &Value::Null);
        assert_eq!(json_of(&list)["data"][0]["secret"], secret, "as it was registered");
    }
}

#[test]
fn a_jwk_of_a_secret_that_does_not_fit_is_refused() {
    let world = World::new();
    let isolate = world.isolate();
    let cases = [
        (json!({ "use": "enc" }), "\"use\""),
        (json!({ "key_ops": ["sign"] }), "\"key_ops\""),
        (json!({ "key_ops": "verify" }), "\"key_ops\""),
        (json!({ "alg": "HS512" }), "must be a key for HS256: its \"alg\" is HS512"),
        (json!({ "alg": "A256GCM" }), "\"alg\""),
        (json!({ "k": "" }), "must not be blank"),
        (json!({ "k": "ICA" }), "must not be blank"),
        (json!({ "k": "AQ==" }), "base64url as \"k\""),
        (json!({ "k": 7 }), "a text as \"k\""),
        (json!({ "k": null }), "a text as \"k\""),
    ];
    for (more, why) in cases {
        let (status, message) = try_register(&isolate, Algorithm::Hs256, &oct(&more));
        assert!(
            status == 400 && message.starts_with("secret ") && message.contains(why),
            "{more}: {message}"
        );
    }
}

#[test]
fn the_length_of_a_secret_is_that_of_its_bytes() {
    let world = World::new();
    let isolate = world.isolate_with(&[("MIN_SECRET_BYTES", Some("33"))]);
    let (status, message) = try_register(&isolate, Algorithm::Hs256, &oct(&json!({})));
    assert!(status == 400 && message.contains("at least 33 bytes"), "{message}");
    let isolate = world.isolate_with(&[("MIN_SECRET_BYTES", Some("32"))]);
    assert_eq!(try_register(&isolate, Algorithm::Hs256, &oct(&json!({}))).1, "success");
    // The text has 63 bytes, but the secret has 32, which are too few for HS384.
    let body = json!({
        "name": "ERP", "secret": oct(&json!({})), "expire": 60,
        "fieldmap": { "username": "u", "name": "n", "email": "e" },
        "algorithm": "HS384", "enable": "1", "inituser": "1", "initroles": [],
    });
    let response = isolate.administer("POST", "/plugin/datafor-modeler/api/token/update", &body);
    assert!(
        response.status == 200 && response.body.contains("secret is shorter than 48 bytes"),
        "{}",
        response.body
    );
}
