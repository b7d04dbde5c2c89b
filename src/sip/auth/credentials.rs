//! A user and a secret of ours, for challenges of others.

use std::borrow::Cow;
use std::fmt;

use super::Ha1;

/// A user and a secret for challenges of others.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User as the other side knows it.
    pub user: String,
    secret: Secret,
}

#[derive(Clone, PartialEq, Eq)]
enum Secret {
    /// For any realm.
    Password(String),
    /// For the realm it was made with.
    Ha1(Ha1),
}

impl Credentials {
    /// With a password, good for any realm.
    pub fn new(user: &str, password: &str) -> Self {
        Self {
            user: user.to_owned(),
            secret: Secret::Password(password.to_owned()),
        }
    }

    /// With an HA1, good for its own realm and algorithms only.
    pub fn with_ha1(user: &str, ha1: Ha1) -> Self {
        Self {
            user: user.to_owned(),
            secret: Secret::Ha1(ha1),
        }
    }

    pub(super) fn ha1(&self, realm: &str) -> Cow<'_, Ha1> {
        match &self.secret {
            Secret::Password(password) => {
                Cow::Owned(Ha1::from_password(&self.user, realm, password))
            }
            Secret::Ha1(ha1) => Cow::Borrowed(ha1),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}
