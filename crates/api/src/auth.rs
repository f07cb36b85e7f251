//! Who may ask, and for which tenant.
//!
//! [`Auth`] holds the keys; [`AuthLayer`] stands before a router or a gRPC service, takes the key
//! from the header and puts the [`Tenant`] into the request. Without keys everybody may, and
//! `X-Scope-OrgID` says which tenant. Keys are kept and compared as SHA-256 only.

mod layer;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, header};
use model::Tenant;
use sha2::{Digest as _, Sha256};

pub use layer::{AuthLayer, AuthService};

/// The header of tenants, as Loki, Mimir and Tempo have it.
pub const TENANT_HEADER: &str = "x-scope-orgid";

/// The keys; none means that everybody may.
#[derive(Debug, Clone, Default)]
pub struct Auth {
    keys: Arc<[Key]>,
}

/// A key, as its hash.
#[derive(Clone)]
pub struct Key {
    sha256: [u8; 32],
    tenant: Tenant,
}

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Keys are configured and the request has none.
    #[error("an API key is needed: send it as 'Authorization: Bearer KEY'")]
    Missing,
    /// The key is not one of them.
    #[error("the API key is not valid")]
    Wrong,
    /// The tenant's name is not one.
    #[error("the header X-Scope-OrgID is no valid tenant")]
    Tenant,
}

/// A text in the configuration that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Too short to be one.
    #[error("key has {0} characters, at least 8 are needed")]
    Short(usize),
    /// A hash that is not one.
    #[error("key hash is not 64 hexadecimal digits")]
    Hash,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl Key {
    /// A key as the configuration has it: in the clear, or `sha256:` and its hash in hexadecimal.
    pub fn parse(text: &str, tenant: Tenant) -> Result<Key, InvalidKey> {
        if let Some(digits) = text.strip_prefix("sha256:") {
            return Ok(Key { sha256: hash_from_hex(digits).ok_or(InvalidKey::Hash)?, tenant });
        }
        match text.len() {
            short @ 0..8 => Err(InvalidKey::Short(short)),
            _ => Ok(Key { sha256: Sha256::digest(text).into(), tenant }),
        }
    }
}

impl Auth {
    /// With these keys.
    #[must_use]
    pub fn new(keys: Vec<Key>) -> Auth {
        Auth { keys: keys.into() }
    }

    /// Whether a key is needed.
    #[must_use]
    pub fn required(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whose request it is.
    pub fn tenant(&self, headers: &HeaderMap) -> Result<Tenant, Refusal> {
        if !self.required() {
            return match headers.get(TENANT_HEADER) {
                None => Ok(Tenant::default_tenant()),
                Some(name) => {
                    let name = name.to_str().map_err(|_| Refusal::Tenant)?;
                    Tenant::parse(name).map_err(|_| Refusal::Tenant)
                }
            };
        }
        let given = given_key(headers).ok_or(Refusal::Missing)?;
        let sha256: [u8; 32] = Sha256::digest(&given).into();
        // Every key is looked at, and every byte of it: the time tells nothing.
        let mut tenant = None;
        for key in self.keys.iter() {
            if same(&key.sha256, &sha256) {
                tenant = Some(&key.tenant);
            }
        }
        tenant.cloned().ok_or(Refusal::Wrong)
    }
}

fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    std::hint::black_box(a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a ^ b))) == 0
}

/// The key out of `Authorization: Bearer`, the password of `Basic`, or `X-API-Key`.
fn given_key(headers: &HeaderMap) -> Option<Vec<u8>> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes().to_vec());
    }
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.as_bytes().to_vec());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = BASE64.decode(rest).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        return Some(pair[colon + 1..].to_vec());
    }
    None
}

fn hash_from_hex(digits: &str) -> Option<[u8; 32]> {
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth() -> Auth {
        let tenant = |name| Tenant::parse(name).expect("a tenant");
        // The hash is that of `another-key-entirely`.
        let hash = Sha256::digest("another-key-entirely");
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Auth::new(vec![
            Key::parse("correct-horse", tenant("a")).expect("a key"),
            Key::parse(&format!("sha256:{hash}"), tenant("b")).expect("a hash"),
        ])
    }

    fn check(auth: &Auth, headers: &[(&'static str, &str)]) -> String {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (http::HeaderName::from_static(name), value.parse().expect("a value"))
            })
            .collect();
        match auth.tenant(&headers) {
            Ok(tenant) => tenant.to_string(),
            Err(refusal) => format!("{refusal:?}"),
        }
    }

    #[test]
    fn the_key_says_whose_request_it_is() {
        let auth = auth();
        let basic = format!("Basic {}", BASE64.encode("anyone:correct-horse"));
        assert_eq!(check(&auth, &[("authorization", "Bearer correct-horse")]), "a");
        assert_eq!(check(&auth, &[("authorization", "bearer  another-key-entirely")]), "b");
        assert_eq!(check(&auth, &[("authorization", &basic), ("x-scope-orgid", "x")]), "a");
        assert_eq!(check(&auth, &[("x-api-key", "correct-horse")]), "a");
        assert_eq!(check(&auth, &[("authorization", "Bearer wrong")]), "Wrong");
        assert_eq!(check(&auth, &[("x-scope-orgid", "a")]), "Missing");
        assert_eq!(check(&auth, &[("authorization", "Digest x")]), "Missing");
    }

    #[test]
    fn without_keys_the_header_says_it() {
        let auth = Auth::default();
        assert_eq!(check(&auth, &[]), "default");
        assert_eq!(check(&auth, &[("x-scope-orgid", "team-a")]), "team-a");
        assert_eq!(check(&auth, &[("x-scope-orgid", "a/b")]), "Tenant");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let tenant = Tenant::default_tenant;
        assert_eq!(Key::parse("short", tenant()).err(), Some(InvalidKey::Short(5)));
        assert_eq!(Key::parse("sha256:xyz", tenant()).err(), Some(InvalidKey::Hash));
        assert!(!format!("{:?}", auth()).contains("correct"));
    }
}
