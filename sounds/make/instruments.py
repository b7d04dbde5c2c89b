"""The instruments of the hold music: pure arithmetic, nothing sampled, nothing above what a telephone carries.

Each returns the samples of one note, given its pitch in Hz, how long it is held in seconds and
how hard it is struck, from 0 to 1.
"""

from math import tau as TAU

import numpy

from .audio import RATE

# A telephone ends at 3400 Hz; partials beyond are not made.
HIGHEST_HZ = 3300


def times(seconds):
    return numpy.arange(int(seconds * RATE)) / RATE


def edged(samples, rise_seconds, fall_seconds):
    """Raised-cosine edges, so that no note begins or ends with a step."""
    rise, fall = int(rise_seconds * RATE), min(int(fall_seconds * RATE), len(samples))
    samples[:rise] *= 0.5 - 0.5 * numpy.cos(numpy.pi * numpy.arange(rise) / rise)
    samples[-fall:] *= 0.5 + 0.5 * numpy.cos(numpy.pi * numpy.arange(fall) / fall)
    return samples


def electric_piano(hz, held, force):
    """A tine by frequency modulation: bright when struck, a plain tone as it fades."""
    time = times(held + 0.35)
    phase = TAU * hz * time
    index = (0.3 + 1.1 * force) * numpy.exp(-time * 3.5) * min(1.0, 700 / hz)
    tone = numpy.sin(phase + index * numpy.sin(phase))
    if 4 * hz < HIGHEST_HZ:
        tone += 0.10 * force * numpy.exp(-time * 14) * numpy.sin(4 * phase)
    return edged(force * tone * numpy.exp(-time * (0.8 + hz / 900)), 0.006, 0.30)


def string(hz, held, force):
    """A plucked nylon string: its partials die the faster the higher they are."""
    time = times(held + 0.25)
    tone = numpy.zeros(len(time))
    for number in range(1, int(HIGHEST_HZ / hz) + 1):
        # Plucked at a fifth of its length; every fifth partial is missing there.
        level = numpy.sin(numpy.pi * number / 5) / number**1.6
        partial = number * hz * (1 + 0.00012 * number**2)
        tone += level * numpy.exp(-time * (1.6 + 1.1 * number + hz / 500)) * numpy.sin(TAU * partial * time)
    return edged(force * tone, 0.004, 0.20)


def vibraphone(hz, held, force):
    """A metal bar with its fourth partial for the stroke, and a slow tremolo."""
    time = times(held + 0.9)
    tone = numpy.exp(-time * 1.3) * numpy.sin(TAU * hz * time)
    if 4 * hz < HIGHEST_HZ:
        tone += 0.16 * numpy.exp(-time * 9) * numpy.sin(TAU * 4 * hz * time)
    tremolo = 1 - 0.14 * (1 - numpy.cos(TAU * 4.4 * time)) / 2
    return edged(force * tone * tremolo, 0.005, 0.80)


def flute(hz, held, force):
    """A soft pipe whose vibrato comes after the note does."""
    time = times(held + 0.12)
    late = numpy.clip(time - 0.25, 0, 0.5) * 2
    # The phase swings by 5 Hz; 0.35 of a radian is 6 cents at 500 Hz.
    phase = TAU * hz * time + 0.35 * late * numpy.sin(TAU * 5 * time)
    tone = numpy.sin(phase)
    for number, level in ((2, 0.22), (3, 0.07)):
        if number * hz < HIGHEST_HZ:
            tone += level * numpy.sin(number * phase)
    return edged(force * tone * (0.86 + 0.14 * numpy.exp(-time * 3)), 0.055, 0.16)


def pad(hz, held, force):
    """Three detuned voices that swell and leave slowly: they overlap with those of the next chord."""
    time = times(held + 1.0)
    tone = numpy.zeros(len(time))
    for detuned, start in ((0.9973, 0.0), (1.0, 2.1), (1.0029, 4.2)):
        for number, level in ((1, 1.0), (2, 0.28), (3, 0.10)):
            if number * hz < HIGHEST_HZ:
                tone += level * numpy.sin(TAU * number * hz * detuned * time + start * number)
    return edged(force / 3 * tone, 0.7, 1.0)
