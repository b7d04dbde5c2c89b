//! `user` and `password`: what a trunk's challenges are answered with.

use std::path::Path;

use crate::config::environment::Environment;
use crate::config::secret::{self, Secret};
use crate::config::section::{Notes, Section};
use crate::sip::auth::Credentials;

/// Reads one trunk's credentials.
pub(super) fn read(
    trunk: &Section<'_>,
    directory: &Path,
    environment: &Environment,
    notes: &Notes,
) -> Option<Credentials> {
    let user = trunk.text("user");
    let Some(user) = user else {
        if let Some(password) = trunk.text("password") {
            let message = "a password without `user`";
            notes.error(
                &password.place,
                message,
                "add user = \"...\" as the carrier gave it",
            );
        }
        return None;
    };
    let password = secret::read(trunk, "password", directory, environment, notes)?;
    match &password.value {
        Secret::Password(password) => Some(Credentials::new(&user.value, password)),
        Secret::Ha1(ha1) => Some(Credentials::with_ha1(&user.value, ha1.clone())),
        Secret::Demo => {
            let message = "only the phones of the demo office have the password \"demo\"";
            notes.error(
                &password.place,
                message,
                "write \"env:NAME\" or \"file:PATH\"",
            );
            None
        }
    }
}
