//! Simulation: the whole switch, its carrier and its phones in one thread on one virtual clock.
//!
//! SIP goes over a seeded link, RTP over a network in memory, the router over a journal in memory.
//! A run repeats exactly: what fails once fails always. Nothing here waits for the time of day.

#[path = "simulation/ear.rs"]
mod ear;
#[path = "simulation/fate.rs"]
mod fate;
#[path = "simulation/judge.rs"]
mod judge;
#[path = "simulation/link.rs"]
mod link;
#[path = "simulation/office.rs"]
mod office;
#[path = "simulation/pages.rs"]
mod pages;
#[path = "simulation/peer.rs"]
mod peer;
#[path = "simulation/script.rs"]
mod script;
#[path = "simulation/switch.rs"]
mod switch;
#[path = "simulation/voice.rs"]
mod voice;
#[path = "simulation/world.rs"]
mod world;

#[path = "simulation/abandon.rs"]
mod abandon;
#[path = "simulation/addressed.rs"]
mod addressed;
#[path = "simulation/agents.rs"]
mod agents;
#[path = "simulation/application.rs"]
mod application;
#[path = "simulation/beside.rs"]
mod beside;
#[path = "simulation/checkpoint.rs"]
mod checkpoint;
#[path = "simulation/closing.rs"]
mod closing;
#[path = "simulation/codecs.rs"]
mod codecs;
#[path = "simulation/conferring.rs"]
mod conferring;
#[path = "simulation/contacts.rs"]
mod contacts;
#[path = "simulation/desk.rs"]
mod desk;
#[path = "simulation/dial.rs"]
mod dial;
#[path = "simulation/dial_in.rs"]
mod dial_in;
#[path = "simulation/dialling.rs"]
mod dialling;
#[path = "simulation/enqueued.rs"]
mod enqueued;
#[path = "simulation/fuzz.rs"]
mod fuzz;
#[path = "simulation/guard.rs"]
mod guard;
#[path = "simulation/hold.rs"]
mod hold;
#[path = "simulation/inquiry.rs"]
mod inquiry;
#[path = "simulation/joined.rs"]
mod joined;
#[path = "simulation/keys.rs"]
mod keys;
#[path = "simulation/lines.rs"]
mod lines;
#[path = "simulation/lookup_stories.rs"]
mod lookup_stories;
#[path = "simulation/loss.rs"]
mod loss;
#[path = "simulation/placed.rs"]
mod placed;
#[path = "simulation/quality.rs"]
mod quality;
#[path = "simulation/recording.rs"]
mod recording;
#[path = "simulation/referred.rs"]
mod referred;
#[path = "simulation/reload.rs"]
mod reload;
#[path = "simulation/reserved.rs"]
mod reserved;
#[path = "simulation/secret.rs"]
mod secret;
#[path = "simulation/secure.rs"]
mod secure;
#[path = "simulation/shards.rs"]
mod shards;
#[path = "simulation/storm.rs"]
mod storm;
#[path = "simulation/story.rs"]
mod story;
#[path = "simulation/supervise.rs"]
mod supervise;
#[path = "simulation/transfer.rs"]
mod transfer;
#[path = "simulation/treatment.rs"]
mod treatment;
#[path = "simulation/trunks.rs"]
mod trunks;
#[path = "simulation/voicemail.rs"]
mod voicemail;
#[path = "simulation/wandering.rs"]
mod wandering;
