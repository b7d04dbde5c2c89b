"""The two voices: open_jtalk with Mei for Japanese, flite's slt for English.

What other words follow is said with a word behind it and cut off before that word: alone it
would be said as the end of a sentence, with a voice that falls and a last vowel that drags.
Only the short ones of English are said alone: cut off before a word, slt's last consonants are
so short that a recogniser took 41 of 200 words for others, alone and slower 20.
"""

import os
import re
import tempfile

from . import audio
from .lists import HERE

DICTIONARY = "/var/lib/mecab/dic/open-jtalk/naist-jdic"
MEI = os.path.join(os.path.dirname(HERE), "target/sounds/mei_normal.htsvoice")
# Mei's own speed is brisk and clear: nine moras a second between pauses.
JAPANESE_SPEED = 1.0
# slt at its own speed is brisk enough; a little slower is clearer by telephone, and a word that
# stands alone has no others to guess it by.
SENTENCE_STRETCH, WORD_STRETCH = 1.05, 1.2

# A gentle edge: below 80 Hz is no voice, only rumble.
HIGH_PASS = "highpass=f=80"
# Wide-band telephony ends at 7 kHz (G.722); without what is above the files are a tenth smaller.
HIGHEST_HZ = 7000
# In what the synthesisers make as silence is nothing; the softest consonants are 45 dB down.
QUIET_DB = -48
# Beyond a cut by label the sound rings on so long.
RING_SECONDS = 0.04


def spoken(prompt):
    """The prompt as samples at its level, with the silence it needs at its ends."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "said.wav")
        if prompt.language == "ja":
            end = japanese(prompt.say, path, folder, prompt.is_open)
        else:
            end = english(prompt.say, path, prompt.is_open, prompt.is_short)
        samples = audio.read(path, filters=HIGH_PASS)
    if end is not None:
        samples = samples[: int((end + RING_SECONDS) * audio.RATE)]
    samples = audio.without_above(samples, HIGHEST_HZ)
    front, behind = (20 if prompt.is_word else 60), (20 if prompt.is_open else 200)
    samples = audio.trimmed(samples, QUIET_DB, front, behind)
    return audio.levelled(samples, audio.SPEECH_LUFS)


def english(text, path, is_open, is_short):
    """Says text into path; returns the second at which to cut, if any."""
    cut_off = is_open and not is_short
    if cut_off:
        text = text.rstrip(",:") + ", please."
    stretch = f"duration_stretch={WORD_STRETCH if is_short else SENTENCE_STRETCH}"
    out, _ = audio.run(["flite", "-voice", "slt", "--setf", stretch, "-psdur", "-t", text, "-o", path])
    phones = [(phone, float(end)) for phone, end in re.findall(r"(\S+):([\d.]+)", out.decode())]
    # A pause begins where the phone before it ends; the last but one stands before "please".
    pauses = [before[1] for before, (phone, _) in zip(phones, phones[1:]) if phone == "pau"]
    return pauses[-2] if cut_off else None


def japanese(text, path, folder, is_open):
    """Says text into path; returns the second at which to cut, if any."""
    if is_open:
        text = text.rstrip("、") + "、です。"
    trace = os.path.join(folder, "trace")
    voice = ["-x", DICTIONARY, "-m", MEI, "-s", "48000", "-r", str(JAPANESE_SPEED)]
    audio.run(["open_jtalk", *voice, "-ow", path, "-ot", trace], text.encode())
    if not is_open:
        return None
    with open(trace, encoding="utf-8") as file:
        # Begin and end of each phone in units of 100 ns.
        pauses = re.findall(r"^(\d+) \d+ \S+-pau\+", file.read(), re.MULTILINE)
    return int(pauses[-1]) / 1e7


def reading(text):
    """How open_jtalk reads a text: its moras in katakana, 、 for a pause."""
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "trace")
        voice = ["-x", DICTIONARY, "-m", MEI, "-r", "4"]
        audio.run(["open_jtalk", *voice, "-ow", os.path.join(folder, "said.wav"), "-ot", trace], text.encode())
        with open(trace, encoding="utf-8") as file:
            analysed = file.read().split("[Text analysis result]")[1].split("[Output label]")[0]
    return "".join(line.split(",")[9] for line in analysed.strip().splitlines()).replace("’", "")
