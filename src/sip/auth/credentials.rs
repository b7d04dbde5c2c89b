//! A user and a secret of ours, for challenges of others.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::Ha1;

/// A user and a secret for challenges of others.
///
/// They are for one realm: those named, or else the first that turned out to know the secret, which
/// all clones remember. Whoever stands behind the carrier and asks in a realm of his own is not
/// answered: an answer is what a password is guessed from.
#[derive(Clone)]
pub struct Credentials {
    /// User as the other side knows it.
    pub user: String,
    secret: Secret,
    /// The realms named; none: the first proven.
    realms: Arc<[String]>,
    proven: Arc<OnceLock<String>>,
}

#[derive(Clone, PartialEq, Eq)]
enum Secret {
    /// For any realm.
    Password(String),
    /// For the realm it was made with.
    Ha1(Ha1),
}

impl Credentials {
    /// With a password.
    pub fn new(user: &str, password: &str) -> Self {
        Self::with(user, Secret::Password(password.to_owned()))
    }

    /// With an HA1, good for its own realm and algorithms only.
    pub fn with_ha1(user: &str, ha1: Ha1) -> Self {
        Self::with(user, Secret::Ha1(ha1))
    }

    fn with(user: &str, secret: Secret) -> Self {
        Self {
            user: user.to_owned(),
            secret,
            realms: Arc::default(),
            proven: Arc::default(),
        }
    }

    /// The same for these realms and no others; none: for the first that is proven.
    pub fn in_realms(self, realms: Vec<String>) -> Self {
        Self {
            realms: realms.into(),
            ..self
        }
    }

    /// Takes over which realm older credentials have proven, when they are the same.
    pub fn remember(&self, older: &Self) {
        if self == older
            && let Some(realm) = older.proven.get()
        {
            self.prove(realm);
        }
    }

    /// The realm is whose the secret is: a request with our answer to it was accepted.
    pub(super) fn prove(&self, realm: &str) {
        if self.realms.is_empty() && self.proven.set(realm.to_owned()).is_ok() {
            tracing::debug!(realm, "realm of the credentials is known");
        }
    }

    /// Whether it is settled whom they are for.
    pub(super) fn is_settled(&self) -> bool {
        !self.realms.is_empty() || self.proven.get().is_some()
    }

    /// Whether they are for this realm, as far as is known.
    pub(super) fn fit(&self, realm: &str) -> bool {
        match self.proven.get() {
            Some(proven) if self.realms.is_empty() => proven == realm,
            _ => self.realms.is_empty() || self.realms.iter().any(|one| one == realm),
        }
    }

    /// The secret's form in a realm; `None` when it is not for that realm.
    pub(super) fn ha1(&self, realm: &str) -> Option<Cow<'_, Ha1>> {
        self.fit(realm).then(|| match &self.secret {
            Secret::Password(password) => {
                Cow::Owned(Ha1::from_password(&self.user, realm, password))
            }
            Secret::Ha1(ha1) => Cow::Borrowed(ha1),
        })
    }
}

impl PartialEq for Credentials {
    /// Whether both were given alike; what they have met since does not count.
    fn eq(&self, other: &Self) -> bool {
        self.user == other.user && self.secret == other.secret && self.realms == other.realms
    }
}

impl Eq for Credentials {}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}
