//! A failure is told when it happens. The test runner keeps it until all tests have ended, a quarter of
//! an hour later; a run that is cut off, or whose end nobody kept, would never tell it.

use std::io::Write as _;
use std::panic;
use std::sync::Once;
use std::thread;

/// From now on the first lines of a panic go to the standard error of the process, past what the runner
/// captures, and then on to the runner.
pub(crate) fn tell_at_once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let runner = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let thread = thread::current();
            let message = panic.payload_as_str().unwrap_or_default();
            let beginning: String = message.chars().take(MOST).collect();
            let place = panic.location().map(ToString::to_string);
            let place = place.unwrap_or_default();
            let name = thread.name().unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "{name}: {place}: {beginning}");
            runner(panic);
        }));
    });
}

/// Characters of a message: a record that is wrong is told with all of it.
const MOST: usize = 400;
