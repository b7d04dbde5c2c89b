"""What others say of numbers, dates and times, to judge src/ivr/say by.

Numbers: num2words (PyPI, LGPL; only asked, nothing of it is kept). Japanese dates and times: the
dictionary of open_jtalk, asked by pyopenjtalk for the reading of the whole phrase. English dates and
times are put together from num2words' ordinals and years.

    python3 words.py > ../src/ivr/say/words.tsv     (--all: every row instead of some and digests)
"""

import datetime
import hashlib
import re
import sys
import unicodedata

import pyopenjtalk
from num2words import num2words


def bare(text):
    """Small letters and hiragana, nothing between them."""
    text = "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in text)
    return "".join(c.lower() for c in text if c == "ー" or unicodedata.category(c)[0] in "LN")


def english(number):
    return re.sub(r"\band\b|,", " ", num2words(number))


# Kana by the vowel it ends in: what a drawn-out one is written with.
DRAWN = {
    "あ": "あかがさざただなはばぱまやらわゃ", "い": "いきぎしじちぢにひびぴみり", "う": "うくぐすずつづぬふぶぷむゆるゅ"
    "おこごそぞとどのほぼぽもよろょ", "い ": "えけげせぜてでねへべぺめれ",
}


def spelt(kana):
    """The spelling of a pronunciation: ジュー is じゅう."""
    text = "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in kana)
    for vowel, ends in DRAWN.items():
        text = re.sub(f"([{ends}])ー", lambda found: found[1] + vowel.strip(), text)
    return text


def japanese(text):
    return spelt(pyopenjtalk.g2p(text, kana=True))


def english_time(hour, minute):
    if (hour, minute) == (0, 0):
        return "midnight"
    if (hour, minute) == (12, 0):
        return "noon"
    past = "" if minute == 0 else "oh " + num2words(minute) if minute < 10 else num2words(minute)
    return f"{num2words(hour % 12 or 12)} {past} {'am' if hour < 12 else 'pm'}"


def rows():
    """Kind, how far samples are apart, and what to say with the words for it."""
    yield "en-number", 37, [(str(n), english(n)) for n in range(10_000)]
    yield "ja-number", 37, [(str(n), num2words(n, lang="ja", reading=True)) for n in range(10_000)]
    first = datetime.date(2024, 1, 1)
    days = [first + datetime.timedelta(days=n) for n in range(366)]
    yield "en-date", 7, [
        (str(d), f"{d:%A %B} {num2words(d.day, to='ordinal')} {num2words(d.year, to='year')}") for d in days
    ]
    weekdays = "月火水木金土日"
    yield "ja-date", 7, [
        (str(d), japanese(f"{d.year}年{d.month}月{d.day}日") + japanese(weekdays[d.weekday()] + "曜日")) for d in days
    ]
    minutes = [divmod(n, 60) for n in range(1440)]
    yield "en-time", 23, [(f"{h:02}:{m:02}", english_time(h, m)) for h, m in minutes]
    yield "ja-time", 23, [
        (f"{h:02}:{m:02}", japanese(f"{'午前' if h < 12 else '午後'}{h % 12 or '零'}時" + (f"{m}分" if m else ""))) for h, m in minutes
    ]


print("# Made by sounds/words.py; see there.")
for kind, apart, said in rows():
    said = [(what, bare(text)) for what, text in said]
    for place, (what, text) in enumerate(said):
        if place % apart == 0 or "--all" in sys.argv:
            print(kind, what, text, sep="\t")
    whole = "".join(f"{what}\t{text}\n" for what, text in said)
    print(kind, "sha256", hashlib.sha256(whole.encode()).hexdigest(), sep="\t")
