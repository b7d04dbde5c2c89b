"""Whether a recogniser understands the English prompts by telephone: pocketsphinx, its own model.

It has a grammar of all there is to choose from, and must choose what was said: among all
sentences, among all numbers, among all other words. A word it hears as callers do, after others:
a word alone gives it no time to learn how loud and how bright the line is.
"""

import os
import re

import numpy
import pocketsphinx

from . import audio, telephone

GROUPS = ("sentences", "numbers", "words")
# What is said before a word.
BEFORE = "position-is"
# As the recogniser's dictionary spells what we write otherwise.
SPELLED = {"dialled": "dialed", "a m": "a. m.", "p m": "p. m."}
NUMBERS = "zero one two three four five six seven eight nine ten".split()


def spelled(text):
    if text not in SPELLED:
        text = text.lower().replace("-", " ")
        text = re.sub(r"\d+", lambda found: NUMBERS[int(found.group())], text)
        text = re.sub(r"[^a-z' ]", "", text)
    text = SPELLED.get(text, text)
    return " ".join(SPELLED.get(word, word) for word in text.split()) if "." not in text else text


def group(prompt):
    if not prompt.is_short:
        return "sentences"
    return "numbers" if re.match("(n|ord)-", prompt.name) else "words"


def decoder_for(choices, before=""):
    folder = os.path.join(pocketsphinx.get_model_path(), "en-us")
    alternatives = " | ".join(sorted(choices))
    decoder = pocketsphinx.Decoder(
        hmm=os.path.join(folder, "en-us"),
        dict=os.path.join(folder, "cmudict-en-us.dict"),
        samprate=audio.RATE,
        bestpath=False,
        loglevel="FATAL",
    )
    rule = f"public <prompt> = {before} ( {alternatives} );"
    decoder.add_jsgf_string("prompts", f"#JSGF V1.0;\ngrammar prompts;\n{rule}\n")
    decoder.activate_search("prompts")
    return decoder


def heard(decoder, samples):
    decoder.start_utt()
    decoder.process_raw(audio.as_bytes(samples), full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return found.hypstr if found else ""


def word_errors(right, found):
    """Words put in, left out or put for others (Levenshtein)."""
    right, found = right.split(), found.split()
    row = list(range(len(found) + 1))
    for i, word in enumerate(right, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(found, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1]


def judged(prompts, samples):
    """Of each group: pairs of prompt and what was heard, given the samples of each prompt by name."""
    introduction = next(prompt for prompt in prompts if prompt.name == BEFORE)
    before = spelled(introduction.text)
    lines = {}
    for prompt in prompts:
        said = samples[prompt.name]
        if prompt.is_short:
            said = numpy.concatenate([samples[BEFORE], said])
        wide = telephone.between_pauses(said)
        lines[prompt.name] = wide, telephone.through(wide, "mulaw")
    ear = telephone.Ear([lines[prompt.name] for prompt in prompts if group(prompt) == "sentences"])
    results = {}
    for name in GROUPS:
        members = [prompt for prompt in prompts if group(prompt) == name]
        choices = {spelled(prompt.text) for prompt in members}
        context = "" if name == "sentences" else before
        decoder = decoder_for(choices, context)
        results[name] = []
        for prompt in members:
            found = heard(decoder, ear.widened(lines[prompt.name][1]))
            results[name].append((prompt, found.removeprefix(context).strip()))
    return results
