//! Scenarios: the real `tsunagu` binary on loopback, judged by tools that are not ours.
//!
//! SIPp plays the carrier (INVITEs, RTP from capture files, RFC 4733 digits), baresip is the
//! agent's phone, and a tap on the loopback interface hears what each of them is sent.
//! How the pieces fit, how to run one scenario and where its traces are: `scenarios/README.md`.

#[path = "scenarios/address.rs"]
mod address;
#[path = "scenarios/capture_file.rs"]
mod capture_file;
#[path = "scenarios/phone.rs"]
mod phone;
#[path = "scenarios/quiet.rs"]
mod quiet;
#[path = "scenarios/sipp.rs"]
mod sipp;
#[path = "scenarios/sound.rs"]
mod sound;
#[path = "scenarios/tap.rs"]
mod tap;
#[path = "scenarios/wait.rs"]
mod wait;

#[path = "scenarios/judges.rs"]
mod judges;
