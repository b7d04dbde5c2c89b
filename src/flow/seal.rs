//! What a caller pressed, encrypted for one who has the private key: RSA-OAEP with SHA-256 and an
//! empty label (RFC 8017 §7.1). docs/flows.md tells how it is opened with openssl.

use std::fmt;

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A public key that secrets are encrypted with. Serialised as base64 of its SubjectPublicKeyInfo.
#[derive(Clone, PartialEq, Eq)]
pub struct SealingKey(Vec<u8>);

/// Smallest key in bytes: 2048 bits.
const SMALLEST: usize = 256;

impl SealingKey {
    /// Reads a key in PEM (`BEGIN PUBLIC KEY`). The error says what is wrong with it.
    pub fn from_pem(text: &str) -> Result<Self, String> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes())
            .map_err(|_| "no public key in PEM (BEGIN PUBLIC KEY)".to_owned())?;
        Self::from_der(der.to_vec())
    }

    fn from_der(der: Vec<u8>) -> Result<Self, String> {
        let key = PublicEncryptingKey::from_der(&der)
            .map_err(|_| "no RSA key of 2048 to 8192 bits".to_owned())?;
        match key.key_size_bytes() < SMALLEST {
            true => Err("an RSA key of less than 2048 bits".to_owned()),
            false => Ok(Self(der)),
        }
    }

    /// Which key it is: the first 16 hex digits of the SHA-256 of its SubjectPublicKeyInfo.
    pub fn id(&self) -> String {
        hex::encode(&Sha256::digest(&self.0)[..8])
    }

    /// `rsa-oaep-256:KEY:BASE64`; `None` when the system gives no randomness.
    pub(super) fn seal(&self, secret: &str) -> Option<String> {
        let key = PublicEncryptingKey::from_der(&self.0).ok()?;
        let key = OaepPublicEncryptingKey::new(key).ok()?;
        let mut sealed = vec![0; key.ciphertext_size()];
        let sealed = key
            .encrypt(
                &OAEP_SHA256_MGF1SHA256,
                secret.as_bytes(),
                &mut sealed,
                None,
            )
            .ok()?;
        Some(format!(
            "rsa-oaep-256:{}:{}",
            self.id(),
            STANDARD.encode(sealed)
        ))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id())
    }
}

impl Serialize for SealingKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for SealingKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(deserializer)?;
        let der = STANDARD.decode(text).map_err(D::Error::custom)?;
        Self::from_der(der).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
    use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};

    #[test]
    fn what_is_sealed_is_opened_by_the_private_key_alone() {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).expect("a key");
        let public: PublicKeyX509Der<'_> = private.public_key().as_der().expect("its public key");
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(public.as_ref())
        );
        let key = SealingKey::from_pem(&pem).expect("a key");
        let stored = serde_json::to_string(&key).expect("stored");
        assert_eq!(
            serde_json::from_str::<SealingKey>(&stored).expect("read"),
            key
        );

        let sealed = key.seal("4111111111111111").expect("sealed");
        assert_ne!(key.seal("4111111111111111"), Some(sealed.clone()));
        let parts: Vec<&str> = sealed.split(':').collect();
        assert_eq!(parts[..2], ["rsa-oaep-256", &key.id()]);
        let private = OaepPrivateDecryptingKey::new(private).expect("for OAEP");
        let mut opened = vec![0; private.min_output_size()];
        let sealed = STANDARD.decode(parts[2]).expect("base64");
        let opened = private.decrypt(&OAEP_SHA256_MGF1SHA256, &sealed, &mut opened, None);
        assert_eq!(opened.expect("opened"), b"4111111111111111");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "key",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        ] {
            assert!(SealingKey::from_pem(text).is_err(), "{text}");
        }
    }
}
