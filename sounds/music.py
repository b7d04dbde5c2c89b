"""Synthesises the hold music: sixteen seconds that end where they begin.

Every note is added into a circular buffer, so that what rings on at the end rings on at the
beginning too. Nothing above 3.3 kHz, for the telephone carries no more.
"""

import array
import math
import random
import sys
import wave

RATE = 8000
BEAT = RATE // 2  # 120 a minute
LENGTH = 32 * BEAT  # eight bars of four

# A bar each: bass note, chord (MIDI numbers).
BARS = [
    (41, [60, 64, 65, 69]),  # F major 7
    (40, [59, 62, 64, 67]),  # E minor 7
    (38, [60, 62, 65, 69]),  # D minor 7
    (43, [59, 62, 65, 69]),  # G 9
    (36, [59, 60, 64, 67]),  # C major 7
    (45, [60, 64, 67, 69]),  # A minor 7
    (38, [60, 62, 65, 69]),  # D minor 7
    (43, [60, 62, 65, 67]),  # G suspended
]
ARPEGGIO = [0, 2, 1, 3, 2, 1, 3, 2]
# (beat, MIDI number, beats) over the eight bars.
MELODY = [
    (0, 76, 1.5), (1.5, 77, 0.5), (2, 72, 2), (4.5, 74, 0.5), (5, 71, 1), (6, 67, 2),
    (8, 74, 1.5), (9.5, 76, 0.5), (10, 69, 2), (12.5, 71, 0.5), (13, 74, 1), (14, 77, 2),
    (16, 76, 1.5), (17.5, 74, 0.5), (18, 71, 1), (19, 72, 1), (20.5, 76, 0.5), (21, 72, 1),
    (22, 69, 2), (24, 77, 1), (25, 76, 1), (26, 74, 2), (28, 72, 1), (29, 74, 1), (30, 71, 2),
]

mix = [0.0] * LENGTH
random.seed(31)


def pitch(note):
    return 440.0 * 2 ** ((note - 69) / 12)


def add(start, samples):
    for i, sample in enumerate(samples):
        mix[(start + i) % LENGTH] += sample


def pluck(note, level, seconds):
    """A plucked string (Karplus and Strong), tuned by an all-pass of first order."""
    period = RATE / pitch(note) - 0.5
    size = int(period - 0.1)
    part = period - size
    tune = (1 - part) / (1 + part)
    line = [random.uniform(-1, 1) for _ in range(size)]
    # Soften the pick, the more the lower the string; no constant part, it would ring for ever.
    for _ in range(2 + size // 16):
        line = [(line[i] + line[i - 1]) / 2 for i in range(size)]
    offset, loudest = sum(line) / size, max(abs(value) for value in line)
    line = [(value - offset) / loudest for value in line]
    out, before, passed, fed = [], 0.0, 0.0, 0.0
    count = int(seconds * RATE)
    for i in range(count):
        value = line[i % size]
        low = 0.996 * (value + before) / 2
        before = value
        passed = tune * (low - passed) + fed
        fed = low
        line[i % size] = passed
        out.append(level * value * min(1, i / 24, (count - i) / 400))
    return out


def flute(note, level, seconds):
    count = int(seconds * RATE)
    hz, phase, out = pitch(note), 0.0, []
    for i in range(count + 1200):
        time = i / RATE
        vibrato = 1 + 0.004 * math.sin(math.tau * 5 * time) * min(1, time * 3)
        phase += math.tau * hz * vibrato / RATE
        rise, fall = min(1, i / 320), min(1, max(0, (count + 1200 - i) / 1600))
        tone = math.sin(phase) + 0.28 * math.sin(2 * phase) + 0.1 * math.sin(3 * phase)
        out.append(level * tone * rise * fall)
    return out


def pad(notes, level, seconds):
    count = int(seconds * RATE)
    edge = RATE // 3
    out = [0.0] * (count + edge)
    for note in notes:
        for detune in (0.998, 1.002):
            hz = pitch(note) * detune
            phase = random.uniform(0, math.tau)
            for i in range(len(out)):
                shape = min(1, i / edge, (len(out) - i) / edge)
                angle = phase + math.tau * hz * i / RATE
                out[i] += level * shape * (math.sin(angle) + 0.2 * math.sin(2 * angle))
    return out


for bar, (bass, chord) in enumerate(BARS):
    start = bar * 4 * BEAT
    add(start, pluck(bass, 0.55, 1.2))
    add(start + 2 * BEAT + BEAT // 2, pluck(bass + 7, 0.32, 0.8))
    add(start, pad(chord, 0.025, 2.0))
    for step, index in enumerate(ARPEGGIO):
        late = BEAT // 12 if step % 2 else 0
        add(start + step * BEAT // 2 + late, pluck(chord[index] + 12, 0.22, 0.9))
for beat, note, beats in MELODY:
    add(int(beat * BEAT), flute(note, 0.16, beats * 0.5 * 0.9))

# A short echo, around the circle as well.
delay = BEAT * 3 // 4
mix = [mix[i] + 0.22 * mix[i - delay] + 0.08 * mix[i - 2 * delay] for i in range(LENGTH)]
mean = sum(mix) / LENGTH
peak = max(abs(value - mean) for value in mix)
# Mean level about -20 dBm0: beside speech, not over it.
samples = array.array("h", (round(11000 * (value - mean) / peak) for value in mix))
if sys.byteorder == "big":
    samples.byteswap()
with wave.open(sys.argv[1], "wb") as out:
    out.setnchannels(1)
    out.setsampwidth(2)
    out.setframerate(RATE)
    out.writeframes(samples.tobytes())
