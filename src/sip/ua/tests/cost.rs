//! What a call costs; run by hand: `cargo test --release cost -- --ignored --nocapture`.

use rustix::time::{ClockId, clock_gettime};

use super::*;
use crate::sip::Message;
use crate::sip::ua::{Body, Event, Output};

/// One side of a back-to-back call: seven messages through each of two agents.
#[test]
#[ignore = "measures, proves nothing"]
fn a_call_between_two_agents() {
    const CALLS: usize = 20_000;
    let world = World::new(1);
    let (flow_a, flow_b) = (world.flow(A), world.flow(B));
    let invite = world.call(A);
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    let (offer, answer) = (Body::sdp(sdp), Body::sdp(sdp));
    let mut agents = world.agents;
    let mut now = world.now;
    let start = cpu_us();
    let mut messages = 0;
    for _ in 0..CALLS {
        let mut invite = invite.clone();
        invite.body = Some(offer.clone());
        let ours = agents[A].invite(now, invite).unwrap();
        let mut is_over = false;
        while !is_over {
            for side in [A, B] {
                while let Some(output) = agents[side].poll_output() {
                    match output {
                        Output::Transmit { bytes, .. } => {
                            messages += 1;
                            let flow = [flow_b, flow_a][side];
                            let message = Message::parse(bytes).unwrap();
                            agents[1 - side].handle_message(now, flow, message);
                        }
                        Output::Event(Event::Incoming { session, .. }) => {
                            agents[side].ring(now, session, 180, &[], None);
                            agents[side].accept(now, session, &[], Some(answer.clone()));
                        }
                        Output::Event(Event::Acknowledged { .. }) => {
                            agents[A].bye(now, ours, &[]);
                        }
                        Output::Event(Event::Ended { .. }) if side == A => is_over = true,
                        Output::Event(_) => {}
                    }
                }
            }
        }
        now = now + std::time::Duration::from_millis(2);
        for agent in &mut agents {
            agent.handle_timeout(now);
        }
    }
    let spent = cpu_us() - start;
    println!(
        "{:.1} us a call, both sides; {} messages a call; {} transactions held",
        spent / CALLS as f64,
        messages / CALLS,
        agents[A].transaction_count() + agents[B].transaction_count(),
    );
}

/// CPU time of this thread: others may use the machine too.
fn cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}
