#!/usr/bin/env python3
"""Makes the prompts and the music of this directory again: all, or only those named.

make.py                  all
make.py music goodbye    those, a prompt in every language
make.py ja/goodbye en    one of a language, or a whole language

sounds/set-up installs what it needs. The same versions of the tools give the same bytes.
"""

import os
import sys

from make import lists
from make.tools import need, with_packages

# Bits of a sample that are kept, of 16: its noise is 54 dB below speech, where G.711's own is
# 38 dB below, and it is what makes the files small enough to be in the repository.
BITS = 12


def wanted(arguments):
    """What the arguments name: pairs of a label and a function that makes it."""
    everything = []
    for language in lists.LANGUAGES:
        for prompt in lists.read(language):
            names = {prompt.name, language, f"{language}/{prompt.name}"}
            everything.append((names, f"{language}/{prompt.name}", prompt))
    everything += [({name}, name, None) for name in lists.NO_LANGUAGE]
    known = set().union(*(names for names, _, _ in everything))
    for argument in arguments:
        if argument not in known:
            raise SystemExit(f"No list has {argument}. Names are in en.toml and ja.toml; also {', '.join(lists.NO_LANGUAGE)}.")
    return [(label, prompt) for names, label, prompt in everything if not arguments or names & set(arguments)]


def beep():
    """The tone after which one speaks: 1 kHz for 240 ms."""
    import numpy

    from make import audio

    length = audio.RATE * 24 // 100
    rise = audio.RATE * 8 // 1000
    tone = numpy.sin(numpy.pi / 8 * numpy.arange(length))
    tone[:rise] *= numpy.sin(numpy.linspace(0, numpy.pi / 2, rise)) ** 2
    tone[-rise:] *= numpy.cos(numpy.linspace(0, numpy.pi / 2, rise)) ** 2
    return audio.levelled(tone, audio.SPEECH_LUFS)


def make(label, prompt):
    from make import audio, speech

    if prompt:
        os.makedirs(os.path.dirname(prompt.path), exist_ok=True)
        audio.write(prompt.path, speech.spoken(prompt), BITS)
        return
    path = os.path.join(lists.HERE, label + ".flac")
    if label == "beep":
        audio.write(path, beep(), BITS)
        return
    from make import music

    audio.write(path, audio.levelled(music.rendered(label), audio.MUSIC_LUFS), BITS)


def main():
    with_packages("numpy")
    chosen = wanted(sys.argv[1:])
    from make import speech

    tools = ["ffmpeg", "flac"]
    languages = {prompt.language for _, prompt in chosen if prompt}
    if "en" in languages:
        tools.append("flite")
    if "ja" in languages:
        tools += ["open_jtalk", speech.DICTIONARY, speech.MEI]
    need(*tools)
    show = sys.stderr.isatty()
    for count, (label, prompt) in enumerate(chosen, 1):
        if show:
            print(f"\r\x1b[K{count}/{len(chosen)} {label}", end="", file=sys.stderr, flush=True)
        make(label, prompt)
    if show:
        print("\r\x1b[K", end="", file=sys.stderr)
    print(f"{len(chosen)} made")


if __name__ == "__main__":
    main()
