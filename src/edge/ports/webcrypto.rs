//! WebCrypto, behind [`Signatures`]. Imported keys are kept, because importing one costs several
//! verifications.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;
use web_sys::{Crypto, CryptoKey, SubtleCrypto};
use worker::js_sys::{self, Array, Object, Reflect, Uint8Array};
use worker::wasm_bindgen::{self, JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use worker::wasm_bindgen_futures::JsFuture;

use crate::domain::assertion::PrivateKey;
use crate::domain::tokens::algorithm::{Algorithm, Curve, Family, Hash};
use crate::domain::tokens::public_key::{KeyId, PublicKey};
use crate::edge::runtime::tickets::{self, Tickets};
use crate::error::Fault;
use crate::ports::{LocalFuture, Signatures};

const KEPT_KEYS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(499);

thread_local! {
    // No borrow outlives an `.await`.
    static KEYS: RefCell<LruCache<(Algorithm, KeyId), Rc<Imported>>> =
        RefCell::new(LruCache::new(KEPT_KEYS));
    static SIGNING: RefCell<Option<(String, CryptoKey)>> = const { RefCell::new(None) };
}

pub(in crate::edge) struct WebCrypto;

/// A key, and how WebCrypto is to verify with it.
struct Imported {
    subtle: SubtleCrypto,
    key: CryptoKey,
    verifying: Object,
}

impl Signatures for WebCrypto {
    fn verify<'a>(
        &'a self,
        algorithm: Algorithm,
        key: &'a PublicKey,
        signature: &'a [u8],
        message: &'a [u8],
    ) -> LocalFuture<'a, Result<bool, Fault>> {
        Box::pin(async move {
            let kept = imported(algorithm, key).await?;
            let Imported { subtle, key, verifying } = &*kept;
            let begin = |ticket, done: &JsValue| {
                verify(subtle, verifying, key, signature, message, ticket, done)
            };
            tickets::ask(&CHECKS, begin).map_err(fault)?.await
        })
    }

    fn accepts<'a>(
        &'a self,
        algorithm: Algorithm,
        key: &'a PublicKey,
    ) -> LocalFuture<'a, Result<(), Fault>> {
        Box::pin(async move { imported(algorithm, key).await.map(drop) })
    }

    fn sign<'a>(
        &'a self,
        key: &'a PrivateKey,
        message: &'a [u8],
    ) -> LocalFuture<'a, Result<Vec<u8>, Fault>> {
        Box::pin(async move {
            let (subtle, key) = (subtle()?, signing_key(key).await?);
            let how =
                object(&[name("ECDSA"), ("hash", JsValue::from_str(hash_name(Hash::Sha256)))])?;
            let promise = subtle
                .sign_with_object_and_js_u8_array(&how, &key, &Uint8Array::from(message))
                .map_err(fault)?;
            let signature = JsFuture::from(promise).await.map_err(fault)?;
            Ok(Uint8Array::new(&signature).to_vec())
        })
    }
}

/// The key of this deployment that signs assertions. It is imported once.
async fn signing_key(key: &PrivateKey) -> Result<CryptoKey, Fault> {
    let kept = SIGNING.with_borrow(|kept| {
        kept.as_ref().filter(|(id, _)| id == key.id()).map(|(_, imported)| imported.clone())
    });
    if let Some(kept) = kept {
        return Ok(kept);
    }
    let members = key.members().map(|(name, value)| (name, JsValue::from_str(value)));
    let importing =
        object(&[name("ECDSA"), ("namedCurve", JsValue::from_str(Curve::P256.name()))])?;
    let usages = Array::of1(&JsValue::from_str("sign"));
    let promise = subtle()?
        .import_key_with_object("jwk", &object(&members)?, &importing, false, &usages)
        .map_err(fault)?;
    let imported: CryptoKey = JsFuture::from(promise).await.map_err(fault)?.unchecked_into();
    SIGNING.set(Some((key.id().to_owned(), imported.clone())));
    Ok(imported)
}

#[wasm_bindgen(module = "/src/edge/runtime/crossing.mjs")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn verify(
        subtle: &SubtleCrypto,
        how: &Object,
        key: &CryptoKey,
        signature: &[u8],
        message: &[u8],
        ticket: u32,
        done: &JsValue,
    ) -> Result<(), JsValue>;
}

thread_local! {
    /// The checks of signatures that are under way.
    static CHECKS: Tickets<Result<bool, Fault>> =
        Tickets::new(Closure::<dyn Fn(u32, JsValue)>::new(is_done).into_js_value());
}

#[expect(clippy::needless_pass_by_value, reason = "what JavaScript calls takes values")]
fn is_done(ticket: u32, answer: JsValue) {
    let said = answer.as_bool().ok_or_else(|| {
        Fault::new(format!("WebCrypto: {}", answer.as_string().unwrap_or_default()))
    });
    tickets::tell(&CHECKS, ticket, said);
}

async fn imported(algorithm: Algorithm, key: &PublicKey) -> Result<Rc<Imported>, Fault> {
    let id = (algorithm, *key.id());
    if let Some(kept) = KEYS.with_borrow_mut(|keys| keys.get(&id).cloned()) {
        return Ok(kept);
    }
    let subtle = subtle()?;
    let Parameters { importing, verifying } = parameters(algorithm)?;
    let spki = Uint8Array::from(key.spki());
    let usages = Array::of1(&JsValue::from_str("verify"));
    let promise =
        subtle.import_key_with_object("spki", &spki, &importing, false, &usages).map_err(fault)?;
    let key: CryptoKey = JsFuture::from(promise).await.map_err(fault)?.unchecked_into();
    let imported = Rc::new(Imported { subtle, key, verifying });
    KEYS.with_borrow_mut(|keys| keys.put(id, Rc::clone(&imported)));
    Ok(imported)
}

struct Parameters {
    importing: Object,
    verifying: Object,
}

fn parameters(algorithm: Algorithm) -> Result<Parameters, Fault> {
    let both = |importing: &[(&str, JsValue)], verifying: &[(&str, JsValue)]| {
        Ok(Parameters { importing: object(importing)?, verifying: object(verifying)? })
    };
    let hash = |hash: Hash| ("hash", JsValue::from_str(hash_name(hash)));
    match algorithm.family() {
        Family::Hmac(_) | Family::Introspection => {
            Err(Fault::new("the algorithm has no public key"))
        }
        Family::RsaPkcs1(of) => {
            both(&[name("RSASSA-PKCS1-v1_5"), hash(of)], &[name("RSASSA-PKCS1-v1_5")])
        }
        Family::RsaPss(of) => both(
            &[name("RSA-PSS"), hash(of)],
            &[name("RSA-PSS"), ("saltLength", JsValue::from(salt_bytes(of)))],
        ),
        Family::Ecdsa(curve) => both(
            &[name("ECDSA"), ("namedCurve", curve.name().into())],
            &[name("ECDSA"), hash(curve.hash())],
        ),
        Family::Ed25519 => both(&[name("Ed25519")], &[name("Ed25519")]),
    }
}

fn hash_name(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha256 => "SHA-256",
        Hash::Sha384 => "SHA-384",
        Hash::Sha512 => "SHA-512",
    }
}

/// The salt is as long as the hash (RFC 7518, 3.5).
fn salt_bytes(hash: Hash) -> u32 {
    u32::try_from(hash.bytes()).unwrap_or_default()
}

fn name(text: &'static str) -> (&'static str, JsValue) {
    ("name", JsValue::from_str(text))
}

fn object(members: &[(&str, JsValue)]) -> Result<Object, Fault> {
    let object = Object::new();
    for (name, value) in members {
        Reflect::set(&object, &JsValue::from_str(name), value).map_err(fault)?;
    }
    Ok(object)
}

fn subtle() -> Result<SubtleCrypto, Fault> {
    let crypto = Reflect::get(&js_sys::global(), &JsValue::from_str("crypto")).map_err(fault)?;
    Ok(crypto.unchecked_into::<Crypto>().subtle())
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn fault(error: JsValue) -> Fault {
    let text = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    Fault::new(format!("WebCrypto: {}", text.unwrap_or_else(|| format!("{error:?}"))))
}
