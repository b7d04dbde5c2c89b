"""The text lists: NAME = "text", or a table with `text` and

- `say`: what the voice is given, where it needs help;
- `reading`: how the word is pronounced, for the tables of numbers (words.py); the voice has no use for it.
"""

import os
import tomllib
from dataclasses import dataclass

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LANGUAGES = ("en", "ja")
TUNES = ("music", "music-2", "music-3")
NO_LANGUAGE = ("beep", *TUNES)

# What begins so is said after other words, never first.
CONTINUES = ("を", "です", "番目です", "件あり", "new message")


@dataclass(frozen=True)
class Prompt:
    language: str
    name: str
    text: str
    say: str

    @property
    def is_open(self):
        """Whether other words follow: no full stop."""
        return not self.text.endswith((".", "。"))

    @property
    def is_word(self):
        """Whether other words may stand on either side."""
        return self.is_open or self.text.startswith(CONTINUES)

    @property
    def is_short(self):
        """Whether it is a word or a number, to be put together with others."""
        return self.is_open and len(self.text.replace("-", " ").split()) <= 2

    @property
    def path(self):
        return os.path.join(HERE, self.language, self.name + ".flac")


def read(language):
    """The prompts of a language, in the order of its list."""
    with open(os.path.join(HERE, language + ".toml"), "rb") as file:
        listed = tomllib.load(file)
    prompts = []
    for name, value in listed.items():
        if isinstance(value, str):
            value = {"text": value}
        if not value.get("text") or set(value) - {"text", "say", "reading"}:
            raise SystemExit(f"{language}.toml: {name} is neither a text nor {{ text, say, reading }}")
        prompts.append(Prompt(language, name, value["text"], value.get("say", value["text"])))
    return prompts
