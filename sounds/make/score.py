"""How a piece is written down, and the tape without ends on which it is played.

Melodies are written `D5:1.5 -:.5 | ...`: pitch, beats, `-` for a rest. Chords are written
`Gm7 C7 | F`: those of a bar share it equally.
"""

import itertools
import re

import numpy

from .audio import RATE

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
KINDS = {
    "": (0, 4, 7, 9), "maj7": (0, 4, 7, 11), "maj9": (0, 4, 11, 14), "6": (0, 4, 7, 9),
    "m7": (0, 3, 7, 10), "m6": (0, 3, 7, 9), "m9": (0, 3, 10, 14),
    "7": (0, 4, 7, 10), "7b9": (4, 7, 10, 13), "7sus": (0, 5, 7, 10), "9sus": (0, 5, 10, 14),
}
# What may sound as a chord: from E3 to D5, 165 to 590 Hz.
LOWEST, HIGHEST = 52, 74


def pitch(name):
    """The MIDI number of `Bb4`."""
    letter, sign, octave = re.fullmatch(r"([A-G])([#b]?)(\d)", name).groups()
    return STEPS[letter] + {"": 0, "#": 1, "b": -1}[sign] + 12 * (int(octave) + 1)


def hertz(number):
    return 440 * 2 ** ((number - 69) / 12)


def melody(written, beats_a_bar):
    """Triples of beat, MIDI number and beats."""
    notes, beat = [], 0.0
    for count, bar in enumerate(written.split("|")):
        for word in bar.split():
            name, length = word.split(":")
            if name != "-":
                notes.append((beat, pitch(name), float(length)))
            beat += float(length)
        if abs(beat - (count + 1) * beats_a_bar) > 1e-9:
            raise ValueError(f"bar {count + 1} of a melody has not {beats_a_bar} beats: {bar}")
    return notes


def chords(written, beats_a_bar):
    """Of each chord: beat, beats, root as MIDI number near 60, voicing as MIDI numbers.

    Voices move as little as they can: of all ways to lay a chord out that one is taken which is
    nearest to the chord before.
    """
    found, before = [], (58, 62, 65, 69)
    for count, bar in enumerate(written.split("|")):
        names = bar.split()
        for place, name in enumerate(names):
            letter, kind = re.fullmatch(r"([A-G][#b]?)(.*)", name).groups()
            root = pitch(letter + "4")
            before = nearest(sorted({(root + step) % 12 for step in KINDS[kind]}), before)
            beats = beats_a_bar / len(names)
            found.append((count * beats_a_bar + place * beats, beats, root, before))
    return found


def nearest(classes, before):
    places = [[n for n in range(LOWEST + 1, HIGHEST) if n % 12 == c] for c in classes]
    best = None
    for choice in itertools.product(*places):
        voices = sorted(choice)
        gaps = [above - below for below, above in zip(voices, voices[1:])]
        # Neither a cluster nor a hole.
        if voices[-1] - voices[0] > 15 or min(gaps) < 1 or max(gaps) > 8 or gaps[0] < 2:
            continue
        moved = sum(abs(a - b) for a, b in zip(voices, before))
        # Without a pull to the middle the chords would wander off.
        cost = moved + 0.25 * abs(sum(voices) / 4 - 63.5)
        if best is None or cost < best[0]:
            best = (cost, tuple(voices))
    return best[1]


def bass(root):
    """The root from G3 to F#4: a telephone carries nothing lower well."""
    return 55 + (root - 55) % 12


class Tape:
    """A buffer whose end is its beginning: what rings on at the end rings on at the beginning."""

    def __init__(self, beats, samples_a_beat, seed):
        self.samples = numpy.zeros(beats * samples_a_beat)
        # Whole packets of 20 ms: the switch repeats without a cut in one.
        assert len(self.samples) % (RATE // 50) == 0
        self.beat = samples_a_beat
        self.random = numpy.random.default_rng(seed)

    def play(self, instrument, beat, number, beats, force, level=1.0):
        """One note, a little early or late, a little softer or harder: as by hand."""
        late = self.random.normal(0, 0.004)
        force = numpy.clip(force * self.random.normal(1, 0.05), 0, 1)
        note = level * instrument(hertz(number), beats * self.beat / RATE, force)
        start = round(beat * self.beat + late * RATE) % len(self.samples)
        while len(note):
            part = note[: len(self.samples) - start]
            self.samples[start : start + len(part)] += part
            note, start = note[len(part) :], 0

    def finished(self, wet, seconds):
        """The tape with a room around it and the band of the telephone, both in the circle too."""
        length = len(self.samples)
        time = numpy.arange(int(1.5 * seconds * RATE)) / RATE
        room = self.random.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
        # What comes back from a room comes after 15 ms and swells; it is darker than what went.
        room *= numpy.clip((time - 0.015) / 0.03, 0, 1)
        room /= numpy.sqrt((room**2).sum())
        hz = numpy.fft.rfftfreq(length, 1 / RATE)
        answer = 1 + wet * numpy.fft.rfft(room, length) / (1 + (hz / 1200) ** 2)
        band = between(hz, 140, 220) * (1 - between(hz, 2900, 3600))
        return numpy.fft.irfft(numpy.fft.rfft(self.samples) * answer * band, length)


def between(hz, low, high):
    """From 0 at `low` to 1 at `high`, without corners."""
    return 0.5 - 0.5 * numpy.cos(numpy.pi * numpy.clip((hz - low) / (high - low), 0, 1))
