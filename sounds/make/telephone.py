"""A telephone line and an ear for it: u-law or A-law there and back, and the band above made up.

The recogniser's model knows speech of 16 kHz; given the telephone's it takes every second word
for another, because sibilants have no upper half. So the upper half is made up again from the
lower, as wide-band telephones do: by a linear rule from the energies of the telephone's band to
those above, found from sentences and used on all. Nothing enters it that the line did not carry.
"""

import numpy

from . import audio

SIZE, HOP = 512, 160
WINDOW = numpy.hanning(SIZE + 1)[:SIZE]
HZ = numpy.fft.rfftfreq(SIZE, 1 / audio.RATE)
LOWER = numpy.geomspace(180, 3700, 19)
UPPER = numpy.array([3700, 4300, 5000, 5800, 6700, 8001])
# The rule sees three frames of 10 ms before and three after.
AROUND = 3


def through(samples, law):
    """What is left after `law` ("mulaw" or "alaw") at 8 kHz, back at 16 kHz, by ffmpeg."""
    there = ["ffmpeg", "-v", "error", "-bitexact", "-f", "s16le", "-ar", str(audio.RATE), "-i", "-"]
    coded, _ = audio.run([*there, "-ar", "8000", "-c:a", f"pcm_{law}", "-f", law, "-"], audio.as_bytes(samples))
    back = ["ffmpeg", "-v", "error", "-bitexact", "-f", law, "-ar", "8000", "-i", "-"]
    out, _ = audio.run([*back, "-ar", str(audio.RATE), "-f", "s16le", "-"], coded)
    return numpy.frombuffer(out, "<i2").astype(float) / 32768


def between_pauses(samples):
    """With half a second of a quiet line on either side; no line is perfectly silent."""
    line = numpy.random.default_rng(1).normal(0, 1e-4, len(samples) + audio.RATE)
    line[audio.RATE // 2 : -audio.RATE // 2] += samples
    return line


class Ear:
    """Hears the telephone as if it were wide-band."""

    def __init__(self, pairs):
        """Finds the rule from pairs of wide-band samples and what the line made of them."""
        seen, meant = [], []
        for wide, narrow in pairs:
            length = min(len(wide), len(narrow))
            seen.append(features(frames(narrow[:length])))
            meant.append(energies(frames(wide[:length]), UPPER))
        seen, meant = numpy.concatenate(seen), numpy.concatenate(meant)
        # A little ridge: neighbouring frames are much alike.
        self.rule = numpy.linalg.solve(seen.T @ seen + 3 * numpy.eye(seen.shape[1]), seen.T @ meant)

    def widened(self, narrow):
        energy = features(frames(narrow)) @ self.rule
        noise = frames(numpy.random.default_rng(2).normal(0, 1, len(narrow)))
        made_up = numpy.zeros_like(noise)
        for number, (low, high) in enumerate(zip(UPPER, UPPER[1:])):
            band = (low <= HZ) & (high > HZ)
            part = noise[:, band] / numpy.sqrt((abs(noise[:, band]) ** 2).sum(axis=1, keepdims=True))
            made_up[:, band] = part * numpy.exp(energy[:, number : number + 1] / 2)
        wide = narrow.copy()
        gain = HOP / (WINDOW**2).sum()
        for number, frame in enumerate(numpy.fft.irfft(made_up) * WINDOW * gain):
            wide[number * HOP : number * HOP + SIZE] += frame
        return wide


def frames(samples):
    starts = HOP * numpy.arange((len(samples) - SIZE) // HOP + 1)
    return numpy.fft.rfft(samples[numpy.arange(SIZE) + starts[:, None]] * WINDOW)


def energies(spectra, edges):
    power = abs(spectra) ** 2
    bands = [power[:, (low <= HZ) & (high > HZ)].sum(axis=1) for low, high in zip(edges, edges[1:])]
    return numpy.log(numpy.stack(bands, axis=1) + 1e-7)


def features(spectra):
    lower = energies(spectra, LOWER)
    # The square of the highest four: a sibilant is more than proportional.
    lower = numpy.concatenate([lower, lower[:, -4:] ** 2 / 10], axis=1)
    wide = numpy.pad(lower, ((AROUND, AROUND), (0, 0)), mode="edge")
    shifted = [wide[shift : shift + len(lower)] for shift in range(2 * AROUND + 1)]
    return numpy.concatenate([*shifted, numpy.ones((len(lower), 1))], axis=1)
