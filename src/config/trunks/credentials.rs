//! `user`, `password` and `realm`: who we are to the carrier, what proves it, and to whom.

use std::path::Path;

use crate::config::environment::Environment;
use crate::config::notes::Notes;
use crate::config::secret::{self, Secret};
use crate::config::section::Section;
use crate::sip::auth::Credentials;
use crate::trunk::profile::RegisterMode;

/// Whose challenges the password answers: as written, else as `usual`; whoever asks first if that
/// is empty.
pub(super) fn realms(section: &Section<'_>, usual: &[String]) -> Vec<String> {
    match section.texts("realm") {
        Some(realms) => realms.into_iter().map(|realm| realm.value).collect(),
        None => usual.to_vec(),
    }
}

/// Reads the user, and the credentials when there is a password.
pub(super) fn read(
    trunk: &Section<'_>,
    register: RegisterMode,
    realms: &[String],
    (directory, environment): (&Path, &Environment),
    notes: &Notes,
) -> (Option<String>, Option<Credentials>) {
    let user = trunk.text("user").map(|user| user.value);
    let Some(user) = user else {
        if let Some(password) = trunk.text("password") {
            let message = "a password without `user`";
            notes.error(
                &password.place,
                message,
                "add user = \"...\" as the carrier gave it",
            );
        }
        return (None, None);
    };
    // The line itself may be the proof: then a user alone is whole.
    if register == RegisterMode::Open && !trunk.has("password") {
        return (Some(user), None);
    }
    let Some(password) = secret::read(trunk, "password", directory, environment, notes) else {
        return (Some(user), None);
    };
    let credentials = match &password.value {
        Secret::Password(password) => Some(Credentials::new(&user, password)),
        Secret::Ha1(ha1) => Some(Credentials::with_ha1(&user, ha1.clone())),
        Secret::Demo => {
            let message = "only the phones of the demo office have the password \"demo\"";
            notes.error(
                &password.place,
                message,
                "write \"env:NAME\" or \"file:PATH\"",
            );
            None
        }
    };
    let credentials = credentials.map(|credentials| credentials.in_realms(realms.to_vec()));
    (Some(user), credentials)
}
