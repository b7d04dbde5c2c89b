//! Scenarios: the real `tsunagu` binary on loopback, judged by tools that are not ours.
//!
//! SIPp plays the carrier (INVITEs, RTP from capture files, RFC 4733 digits), baresip is the
//! agent's phone, linphone the other kind of phone, and a tap on the loopback interface hears what each of them is sent.
//! How the pieces fit, how to run one scenario and where its traces are: `scenarios/README.md`.

#[path = "scenarios/address.rs"]
mod address;
#[path = "scenarios/api.rs"]
mod api;
#[path = "scenarios/attacker.rs"]
mod attacker;
#[path = "scenarios/capture_file.rs"]
mod capture_file;
#[path = "scenarios/crowd.rs"]
mod crowd;
#[path = "scenarios/failure.rs"]
mod failure;
#[path = "scenarios/linphone.rs"]
mod linphone;
#[path = "scenarios/names.rs"]
mod names;
#[path = "scenarios/office.rs"]
mod office;
#[path = "scenarios/phone.rs"]
mod phone;
#[path = "scenarios/python.rs"]
mod python;
#[path = "scenarios/quiet.rs"]
mod quiet;
#[path = "scenarios/record.rs"]
mod record;
#[path = "scenarios/sipp.rs"]
mod sipp;
#[path = "scenarios/sound.rs"]
mod sound;
#[path = "scenarios/tap.rs"]
mod tap;
#[path = "scenarios/twiml.rs"]
mod twiml;
#[path = "scenarios/wait.rs"]
mod wait;

#[path = "scenarios/judges.rs"]
mod judges;

#[path = "scenarios/abandon.rs"]
mod abandon;
#[path = "scenarios/agents.rs"]
mod agents;
#[path = "scenarios/application.rs"]
mod application;
#[path = "scenarios/attacks.rs"]
mod attacks;
#[path = "scenarios/carrier_ways.rs"]
mod carrier_ways;
#[path = "scenarios/carriers.rs"]
mod carriers;
#[path = "scenarios/centre.rs"]
mod centre;
#[path = "scenarios/clock.rs"]
mod clock;
#[path = "scenarios/configuration.rs"]
mod configuration;
#[path = "scenarios/desk.rs"]
mod desk;
#[path = "scenarios/dialogs/mod.rs"]
mod dialogs;
#[path = "scenarios/flows.rs"]
mod flows;
#[path = "scenarios/identity.rs"]
mod identity;
#[path = "scenarios/keys.rs"]
mod keys;
#[path = "scenarios/load.rs"]
mod load;
#[path = "scenarios/location.rs"]
mod location;
#[path = "scenarios/mail.rs"]
mod mail;
#[path = "scenarios/offers.rs"]
mod offers;
#[path = "scenarios/outbound.rs"]
mod outbound;
#[path = "scenarios/own_phone.rs"]
mod own_phone;
#[path = "scenarios/phones.rs"]
mod phones;
#[path = "scenarios/ports.rs"]
mod ports;
#[path = "scenarios/recording.rs"]
mod recording;
#[path = "scenarios/redirect.rs"]
mod redirect;
#[path = "scenarios/seam.rs"]
mod seam;
#[path = "scenarios/secure.rs"]
mod secure;
#[path = "scenarios/seeing.rs"]
mod seeing;
#[path = "scenarios/services.rs"]
mod services;
#[path = "scenarios/sipp_centre.rs"]
mod sipp_centre;
#[path = "scenarios/story.rs"]
mod story;
#[path = "scenarios/tasks.rs"]
mod tasks;
#[path = "scenarios/torture.rs"]
mod torture;
#[path = "scenarios/transfers.rs"]
mod transfers;
#[path = "scenarios/wide.rs"]
mod wide;
