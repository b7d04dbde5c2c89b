//! What the service manager is told (sd_notify(3)); without one, nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;

/// The service manager that started us, if any.
#[derive(Clone, Debug, Default)]
pub struct Service {
    present: bool,
    watchdog: Option<Duration>,
}

impl Service {
    /// Looks for `NOTIFY_SOCKET` and `WATCHDOG_USEC` in the environment.
    pub fn from_env() -> Self {
        let mut micros = 0;
        let wanted = sd_notify::watchdog_enabled(false, &mut micros) && micros > 0;
        Self {
            present: std::env::var_os("NOTIFY_SOCKET").is_some(),
            watchdog: wanted.then(|| Duration::from_micros(micros)),
        }
    }

    /// How often [`Service::alive`] must be called: half the time the manager waits.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|whole| whole / 2)
    }

    /// Start-up or reload is complete; `status` is shown by `systemctl status`.
    pub fn ready(&self, status: &str) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// A reload began; [`Service::ready`] ends it, also when the old configuration stays.
    pub fn reloading(&self) {
        let mut states = vec![NotifyState::Reloading];
        // Required by systemd 253 and newer, ignored by older ones.
        states.extend(NotifyState::monotonic_usec_now());
        self.tell(&states);
    }

    /// The drain began; `longest` is how much time it may still take.
    pub fn stopping(&self, status: &str, longest: Duration) {
        let micros = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
        self.tell(&[
            NotifyState::Stopping,
            NotifyState::Status(status),
            NotifyState::ExtendTimeoutUsec(micros),
        ]);
    }

    /// One line on what the switch is doing.
    pub fn status(&self, status: &str) {
        self.tell(&[NotifyState::Status(status)]);
    }

    /// The switch is alive; call it only when its shards and workers have shown that they are.
    pub fn alive(&self) {
        if self.watchdog.is_some() {
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if !self.present {
            return;
        }
        if let Err(error) = sd_notify::notify(false, states) {
            tracing::warn!(%error, "service manager unreachable");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_service_manager_nothing_happens() {
        let service = Service::default();
        service.ready("serving");
        service.alive();
        assert_eq!(service.watchdog_interval(), None);
    }

    #[test]
    fn the_watchdog_is_fed_twice_in_its_time() {
        let service = Service {
            watchdog: Some(Duration::from_secs(10)),
            ..Service::default()
        };
        assert_eq!(service.watchdog_interval(), Some(Duration::from_secs(5)));
    }
}
