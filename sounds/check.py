#!/usr/bin/env python3
"""Judges the sounds of this directory and prints a table; fails when a bar is not met.

check.py             all bars
check.py --quick     all but the recogniser, which takes minutes

sounds/README.md says what the bars are for. sounds/set-up installs what it needs.
"""

import os
import statistics
import sys

import make.lists as lists
from make.tools import need, with_packages

with_packages("numpy", "pocketsphinx")

import numpy

from make import audio, speech, telephone

LARGEST_BYTES = 12_000_000
LARGEST_MUSIC_BYTES = 4_500_000
WITHIN_LU = 1.0
LARGEST_RANGE_LU = 6.0
SHORTEST_MUSIC_SECONDS = 90
# Seconds a mora between pauses: Mei has 0.10 to 0.12 in sentences and 0.08 to 0.19 in words. Outside
# something else was read, or nothing.
MORA_SECONDS = {"sentences": (0.09, 0.14), "words": (0.07, 0.22)}
# A step across the seam that the samples at its sides do not explain.
SEAM_STEP_DBFS = -50
# What is above the band of the music, across the seam against the loudest of 200 windows
# beside it: chance makes no 3 dB.
SEAM_HIGH_HZ, SEAM_HIGH_DB = 4000, 3.0
# G.711's noise lies 38 dB below the music and adds less than 0.1 dB to a band that is within
# 20 dB of the whole; its filters are flat to 3.4 kHz. Half a decibel is not heard.
BALANCE_DB = 0.5
OCTAVES_HZ = (250, 500, 1000, 2000)
SENTENCES_RIGHT, WORDS_RIGHT = 1.0, 0.95

rows = []


def row(name, figure, bar, passed, failing=()):
    rows.append((name, figure, bar, passed))
    for line in failing:
        print(f"  {name}: {line}")


def main():
    need("ffmpeg", "flac", "open_jtalk", speech.DICTIONARY, speech.MEI)
    prompts = {language: lists.read(language) for language in lists.LANGUAGES}
    files(prompts)
    sounds = {(p.language, p.name): audio.read(p.path) for listed in prompts.values() for p in listed}
    sounds |= {("", name): audio.read(os.path.join(lists.HERE, name + ".flac")) for name in lists.NO_LANGUAGE}
    levels(sounds)
    ends(prompts, sounds)
    lengths(prompts["ja"], sounds)
    for name in lists.TUNES:
        tune(name, sounds["", name])
    if "--quick" not in sys.argv:
        recognised(prompts["en"], sounds)
    width = max(len(name) for name, *_ in rows)
    for name, figure, bar, passed in rows:
        print(f"{name:{width}}  {figure:34}  {bar:34}  {'ok' if passed else 'FAILS'}")
    return 0 if all(passed for *_, passed in rows) else 1


def files(prompts):
    named = {f"{p.language}/{p.name}.flac" for listed in prompts.values() for p in listed}
    named |= {name + ".flac" for name in lists.NO_LANGUAGE}
    there, size, music = set(), 0, 0
    for folder in ("", *lists.LANGUAGES):
        for name in os.listdir(os.path.join(lists.HERE, folder)):
            path = os.path.join(folder, name)
            if os.path.isfile(os.path.join(lists.HERE, path)):
                bytes_of = os.path.getsize(os.path.join(lists.HERE, path))
                size += bytes_of
                music += bytes_of if name.startswith("music") and not folder else 0
                if not name.endswith((".py", ".toml", ".md")) and name not in ("set-up", ".gitignore"):
                    there.add(path)
    odd = [f"{path} has no file" for path in sorted(named - there)]
    odd += [f"{path} has no name" for path in sorted(there - named)]
    row("names and files", f"{len(named)} names, {len(there)} files", "one to one", not odd, odd)
    wrong = []
    for path in sorted(named & there):
        with open(os.path.join(lists.HERE, path), "rb") as file:
            head = file.read(26)
        # STREAMINFO: 20 bits of rate, 3 of channels - 1, 5 of bits - 1, after 10 bytes of sizes.
        shape = int.from_bytes(head[18:22], "big") >> 4
        if head[:4] != b"fLaC" or shape != (audio.RATE << 8 | 0 << 5 | 15):
            wrong.append(path)
    row("16 kHz, mono, 16 bit", f"{len(wrong)} otherwise", "none", not wrong, wrong)
    row("size without demo", f"{size / 1e6:.2f} MB", f"<= {LARGEST_BYTES / 1e6:.0f} MB", size <= LARGEST_BYTES)
    row("size of the music", f"{music / 1e6:.2f} MB", f"<= {LARGEST_MUSIC_BYTES / 1e6} MB", music <= LARGEST_MUSIC_BYTES)


def levels(sounds):
    off, peaks = {"prompts": [], "music": []}, []
    for (language, name), samples in sounds.items():
        integrated, _, peak = audio.loudness(samples)
        kind = "music" if name in lists.TUNES else "prompts"
        target = audio.MUSIC_LUFS if kind == "music" else audio.SPEECH_LUFS
        off[kind].append((integrated - target, f"{language}/{name}"))
        peaks.append((peak, f"{language}/{name}"))
    for kind, target in (("prompts", audio.SPEECH_LUFS), ("music", audio.MUSIC_LUFS)):
        low, high = min(off[kind])[0], max(off[kind])[0]
        wrong = [f"{name} {by:+.1f} LU" for by, name in off[kind] if abs(by) > WITHIN_LU]
        row(f"level of {kind}", f"{target + low:.1f} to {target + high:.1f} LUFS",
            f"{target} LUFS, within {WITHIN_LU} LU of it", not wrong and high - low <= WITHIN_LU, wrong)
    wrong = [f"{name} {peak:.1f} dBFS" for peak, name in peaks if peak > audio.HIGHEST_PEAK_DBFS]
    row("true peaks", f"highest {max(peaks)[0]:.1f} dBFS", f"<= {audio.HIGHEST_PEAK_DBFS} dBFS", not wrong, wrong)


def ends(prompts, sounds):
    """No prompt begins or ends with a step: the first and the last millisecond are silent."""
    edge = audio.RATE // 1000
    wrong = []
    for listed in prompts.values():
        for p in listed:
            samples = sounds[p.language, p.name]
            if max(abs(samples[:edge]).max(), abs(samples[-edge:]).max()) > 0:
                wrong.append(f"{p.language}/{p.name}")
    row("silent at their ends", f"{len(wrong)} are not", "none", not wrong, wrong)


def lengths(japanese, sounds):
    small = set("ャュョァィゥェォ")
    for kind, (shortest, longest) in MORA_SECONDS.items():
        found = []
        for prompt in japanese:
            if (kind == "words") != prompt.is_word:
                continue
            moras = [c for c in speech.reading(prompt.say) if c not in small and c != "、"]
            samples = sounds["ja", prompt.name]
            # Pauses within a sentence count as silence: 5 ms blocks 48 dB below the loudest.
            blocks = samples[: len(samples) // 80 * 80].reshape(-1, 80).std(axis=1)
            voiced = (blocks > blocks.max() * 10 ** (speech.QUIET_DB / 20)).sum() * 80 / audio.RATE
            found.append((voiced / len(moras), prompt.name))
        wrong = [f"{name} {each:.3f} s a mora" for each, name in found if not shortest <= each <= longest]
        each = [figure for figure, _ in found]
        row(f"Japanese {kind}, s a mora",
            f"{min(each):.3f} to {max(each):.3f}, median {statistics.median(each):.3f}",
            f"{shortest} to {longest}", not wrong, wrong)


def tune(name, samples):
    _, spread, _ = audio.loudness(samples)
    seconds = len(samples) / audio.RATE
    whole = len(samples) % (audio.RATE // 50) == 0
    row(f"{name}: length", f"{seconds:.2f} s", f">= {SHORTEST_MUSIC_SECONDS} s, whole 20 ms",
        seconds >= SHORTEST_MUSIC_SECONDS and whole)
    row(f"{name}: range", f"{spread:.1f} LU", f"<= {LARGEST_RANGE_LU} LU", spread <= LARGEST_RANGE_LU)
    step, own = seam_step(samples)
    row(f"{name}: step at the seam", f"{step:.1f} dBFS; within at most {own:.1f}", f"<= {SEAM_STEP_DBFS} dBFS", step <= SEAM_STEP_DBFS)
    # The detector must see what it is for: the same with the last 10 ms cut off.
    high, cut = seam_high(samples), seam_high(samples[: -audio.RATE // 100])
    row(f"{name}: click at the seam", f"{high:+.1f} dB; cut by 10 ms {cut:+.1f}",
        f"<= {SEAM_HIGH_DB:+.1f} dB; cut above it", high <= SEAM_HIGH_DB < cut)
    before = octaves(samples)
    for law in ("mulaw", "alaw"):
        after = octaves(telephone.through(samples, law))
        change = [b - a for a, b in zip(before, after)]
        row(f"{name}: balance by {law}", " ".join(f"{by:+.2f}" for by in change) + " dB",
            f"each within {BALANCE_DB} dB", max(map(abs, change)) <= BALANCE_DB)
    shares = " ".join(f"{level:.0f}" for level in before)
    lost = lost_by_band(samples)
    row(f"{name}: lost outside 300-3400", f"{lost:.1f} dB; octaves at {shares} dB", "<= 2 dB", lost <= 2)


def seam_step(samples):
    """In dBFS: the step across the seam that the samples at its sides do not explain; the same within.

    A sample of music is what the four before it and the four behind it have as their polynomial;
    a step makes half of itself the difference.
    """
    weights = numpy.array([-1, 8, -28, 56, 0, 56, -28, 8, -1]) / 70
    whole = numpy.concatenate([samples[-8:], samples[:8]])

    def unexplained(part):
        return 2 * abs(part[4:-4] - numpy.convolve(part, weights, "valid"))

    # The last sample and the first.
    figures = unexplained(whole)[3:5].max(), unexplained(samples).max()
    return tuple(20 * numpy.log10(max(figure, 1e-6)) for figure in figures)


def seam_high(samples):
    """In dB: the energy above the music's band in 20 ms across the seam, against the windows beside."""
    size, beside = audio.RATE // 50, 100
    length = size * beside
    around = numpy.concatenate([samples[-length - size // 2 :], samples[: length + size // 2]])
    windows = around.reshape(-1, size) * numpy.hanning(size)
    energy = (abs(numpy.fft.rfft(windows)) ** 2)[:, size * SEAM_HIGH_HZ // audio.RATE :].sum(axis=1)
    seam = energy[beside]
    return 10 * numpy.log10(seam / numpy.delete(energy, beside).max())


def power_of(samples):
    hz = numpy.fft.rfftfreq(len(samples), 1 / audio.RATE)
    return hz, abs(numpy.fft.rfft(samples)) ** 2


def octaves(samples):
    """In dB of the whole: the energy of each octave band."""
    hz, power = power_of(samples)
    return [10 * numpy.log10(power[(hz >= c / 2**0.5) & (hz < c * 2**0.5)].sum() / power.sum()) for c in OCTAVES_HZ]


def lost_by_band(samples):
    hz, power = power_of(samples)
    return -10 * numpy.log10(power[(hz >= 300) & (hz <= 3400)].sum() / power.sum())


def recognised(english, sounds):
    from make import recogniser

    results = recogniser.judged(english, {p.name: sounds["en", p.name] for p in english})
    spelled = recogniser.spelled
    for group, pairs in results.items():
        wrong = [f"{p.name}: {spelled(p.text)!r} taken for {found!r}" for p, found in pairs if spelled(p.text) != found]
        right = 1 - len(wrong) / len(pairs)
        errors = sum(recogniser.word_errors(spelled(p.text), found) for p, found in pairs)
        words = sum(len(spelled(p.text).split()) for p, _ in pairs)
        bar = SENTENCES_RIGHT if group == "sentences" else WORDS_RIGHT
        row(f"English {group} recognised", f"{right:.1%} of {len(pairs)}, word errors {errors / words:.1%}",
            f">= {bar:.0%}", right >= bar, wrong)


if __name__ == "__main__":
    sys.exit(main())
