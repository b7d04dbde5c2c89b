//! What is heard: RTP, codecs, jitter buffer, mixer, workers, ports, recorder taps.
