//! An issuer of JWTs.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::KeyPair;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::auth_support::Known;
use crate::support::Server;

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "polarway";

/// A key of the issuer's.
pub(crate) struct SigningKey {
    pub(crate) id: String,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl SigningKey {
    /// A key for ES256.
    pub(crate) fn new(id: &str) -> Self {
        let key = EncodingKey::from_ec_der(&KeyPair::generate().unwrap().serialize_der());
        Self { id: id.to_owned(), algorithm: Algorithm::ES256, key }
    }

    /// A key for EdDSA.
    pub(crate) fn of_edwards(id: &str) -> Self {
        // PKCS #8 of version 1: the seed behind 16 bytes, without the public key that version 2 has.
        let made = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_der();
        let head = BASE64URL_NOPAD.decode(b"MC4CAQAwBQYDK2VwBCIEIA").unwrap();
        let key = EncodingKey::from_ed_der(&[&head[..], &made[16..48]].concat());
        Self { id: id.to_owned(), algorithm: Algorithm::EdDSA, key }
    }

    /// Its public part.
    pub(crate) fn public(&self) -> Jwk {
        let mut public = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        public.common.key_id = Some(self.id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        public
    }

    /// A token with these claims instead of those of a valid one.
    pub(crate) fn token(&self, claims: Value) -> Known {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(self.algorithm) };
        self.token_with(&header, claims)
    }

    pub(crate) fn token_with(&self, header: &Header, claims: Value) -> Known {
        known(encode(header, &with_defaults(claims), &self.key).unwrap())
    }
}

/// A JWT as a [`Known`] token, without an entry in a file.
pub(crate) fn known(token: String) -> Known {
    Known { token, entry: String::new() }
}

/// The claims of a valid token, with these changed; null removes one.
pub(crate) fn with_defaults(claims: Value) -> Value {
    let mut all = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": seconds_from_now(600), "role": "reader",
    });
    let fields = all.as_object_mut().unwrap();
    fields.extend(claims.as_object().unwrap().clone());
    fields.retain(|_, value| !value.is_null());
    all
}

/// Seconds since 1970.
pub(crate) fn seconds_from_now(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    now.as_secs() as i64 + seconds
}

fn set(keys: &[&SigningKey]) -> String {
    serde_json::to_string(&JwkSet { keys: keys.iter().map(|key| key.public()).collect() }).unwrap()
}

/// A server that accepts the issuer's tokens, with keys from this file or URL.
pub(crate) fn server(keys: &str, variables: &[(&str, &str)], flags: &[&str]) -> Server {
    let of_jwt = ["--jwt-issuer", ISSUER, "--jwt-audience", AUDIENCE, "--jwt-keys", keys];
    Server::start_with_variables(variables, &[&of_jwt, flags].concat())
}

/// The file of the issuer's keys.
pub(crate) struct KeyFile(TempDir);

impl KeyFile {
    pub(crate) fn of(keys: &[&SigningKey]) -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        file.set(keys);
        file
    }

    pub(crate) fn set(&self, keys: &[&SigningKey]) {
        std::fs::write(self.0.path().join("new"), set(keys)).unwrap();
        std::fs::rename(self.0.path().join("new"), self.path()).unwrap();
    }

    pub(crate) fn path(&self) -> String {
        self.0.path().join("keys.json").to_str().unwrap().to_owned()
    }
}

/// An HTTP server with the issuer's keys; it ends with the test.
pub(crate) struct KeyServer {
    address: SocketAddr,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl KeyServer {
    pub(crate) fn of(keys: &[&SigningKey]) -> Self {
        let server = Self::answering("");
        server.set(keys);
        server
    }

    /// One that gives this answer.
    pub(crate) fn answering(answer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, asked) = (Arc::new(Mutex::new(answer.to_owned())), Arc::<AtomicUsize>::default());
        let (to_give, counted) = (Arc::clone(&answer), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut request = Vec::new();
                let mut part = [0; 1024];
                while !request.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut part) {
                        Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
                        _ => break,
                    }
                }
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = to_give.lock().unwrap().clone();
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { address, answer, asked }
    }

    pub(crate) fn set(&self, keys: &[&SigningKey]) {
        let body = set(keys);
        *self.answer.lock().unwrap() = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    /// The number of requests to it.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
