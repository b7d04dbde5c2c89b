//! Two user agents, a link that loses and reorders, a clock that is turned: all of SIP's awkward
//! moments, again and again, without a socket or a sleep.

mod calls;
mod cancel;
mod chaos;
mod checkpoints;
mod failover;
mod faults;
mod forks;
mod infos;
mod outside;
mod refers;
mod reliably;
mod renewals;
mod reoffers;
mod size;
mod sockets;
mod world;

use world::{A, B, World};
