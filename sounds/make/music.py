"""The hold music: three pieces composed for this project, of about 100 s each, without an end."""

from .instruments import electric_piano, flute, pad, string, vibraphone
from .score import Tape, bass, chords, melody


def rendered(name):
    return {"music": waltz, "music-2": bossa, "music-3": evening}[name]()


def sing(tape, instrument, start, written, beats_a_bar, force, held=0.95):
    for beat, number, beats in melody(written, beats_a_bar):
        # The first of a bar leans a little.
        accent = 1.0 if beat % beats_a_bar == 0 else 0.9
        tape.play(instrument, start + beat, number, beats * held, force * accent)


def waltz():
    """In G, 111 beats a minute, A A B A of 16 bars: vibraphone, flute, electric piano, strings."""
    bars = 16
    tape = Tape(4 * bars * 3, 8640, seed=3)
    a = (
        "G | Bm7 | Cmaj7 | D7 | Em7 | Cmaj7 | Am7 | D7 |"
        "G | Bm7 | Cmaj7 | Cm6 | Bm7 | E7 | Am7 Am7 D7 | G"
    )
    b = (
        "Em7 | A7 | Dmaj7 | Bm7 | Em7 | A7 | Dmaj7 | D7 |"
        "Cmaj7 | Cm6 | Bm7 | E7 | Am7 | Am7 | D7sus | D7"
    )
    tune = (
        "B4:2 D5:1 | F#5:2 D5:1 | E5:1.5 D5:.5 C5:1 | A4:3 |"
        "G4:1 B4:1 E5:1 | G5:2 E5:1 | D5:1 C5:1 E5:1 | D5:2 A4:1 |"
        "B4:2 D5:1 | F#5:2 A5:1 | G5:1.5 F#5:.5 E5:1 | Eb5:2 C5:1 |"
        "B4:1 D5:1 G5:1 | G#5:2 E5:1 | A5:1 E5:1 F#5:1 | G5:2 -:1"
    )
    # The same, ornamented.
    again = (
        "B4:1.5 C5:.5 D5:1 | F#5:1 G5:.5 F#5:.5 D5:1 | E5:1 D5:1 C5:1 | A4:2 B4:.5 A4:.5 |"
        "G4:1 B4:1 E5:1 | G5:1.5 F#5:.5 E5:1 | D5:.5 E5:.5 C5:1 E5:1 | D5:1.5 C5:.5 A4:1 |"
        "B4:1.5 C5:.5 D5:1 | F#5:1 G5:1 A5:1 | B5:1 A5:.5 G5:.5 E5:1 | Eb5:1.5 D5:.5 C5:1 |"
        "B4:1 D5:1 G5:1 | G#5:1.5 F#5:.5 E5:1 | A5:1 E5:1 F#5:1 | G5:2 -:1"
    )
    bridge = (
        "G5:1 F#5:1 E5:1 | C#5:2 E5:1 | F#5:1.5 E5:.5 D5:1 | B4:3 |"
        "G5:1 F#5:1 E5:1 | A5:2 G5:1 | F#5:2 D5:1 | C5:1 D5:1 F#5:1 |"
        "E5:1 G5:1 B5:1 | A5:2 G5:1 | F#5:1 D5:1 B4:1 | G#4:1 B4:1 D5:1 |"
        "C5:1 E5:1 G5:1 | A5:2 E5:1 | G5:2 E5:1 | F#5:1 A4:1 C5:1"
    )
    sections = (
        (a, tune, vibraphone, 0.60, "chords"),
        (a, again, electric_piano, 0.62, "strings"),
        (b, bridge, flute, 0.42, "chords"),
        (a, tune, flute, 0.40, "strings"),
    )
    for section, (harmony, line, instrument, force, below) in enumerate(sections):
        start = section * bars * 3
        sing(tape, instrument, start, line, 3, force)
        if section == 3:
            # At its last return the tune is doubled by the vibraphone.
            sing(tape, vibraphone, start, line, 3, 0.28)
        for beat, beats, root, voicing in chords(harmony, 3):
            beat += start
            if beat % 3 == 0:
                tape.play(string, beat, bass(root), 2.2, 0.75)
            if below == "chords":
                for place in range(int(beats)):
                    if (beat + place) % 3:
                        for number in voicing[:3]:
                            tape.play(electric_piano, beat + place, number, 0.7, 0.19)
            else:
                # Broken upwards and back, in eighths.
                order = (0, 1, 2, 3, 2, 1)
                for place in range(int(beats * 2)):
                    number = voicing[order[(int(beat * 2) + place) % 6]]
                    tape.play(string, beat + place / 2, number, 0.9, 0.42)
            for number in voicing[1:]:
                tape.play(pad, beat - 0.5, number, beats, 0.085)
    return tape.finished(wet=0.30, seconds=1.3)


def bossa():
    """In F, 120 beats a minute, A A B A B A of 8 bars: electric piano, flute, guitar-like strings."""
    bars = 8
    tape = Tape(6 * bars * 4, 8000, seed=5)
    a = "Fmaj7 | Fmaj7 | Gm7 | C7 | Am7 | D7b9 | Gm7 | C7"
    a_end = "Fmaj7 | Fmaj7 | Gm7 | C7 | Am7 | D7b9 | Gm7 C7 | Fmaj7"
    b = "Bbmaj7 | Bbm6 | Am7 | D7b9 | Gm7 | Bbm6 | Gm7 | C7sus"
    opening = (
        "A4:1.5 C5:1.5 E5:1 | D5:.5 C5:2.5 -:1 | Bb4:1.5 D5:1.5 F5:1 | E5:.5 D5:2.5 -:1 |"
        "C5:1.5 E5:1.5 G5:1 | F#5:.5 Eb5:2.5 D5:1 |"
    )
    tune = opening + "Bb4:1 D5:1 F5:1 A5:1 | G5:1.5 E5:1.5 C5:1"
    tune_end = opening + "D5:1 F5:1 E5:1 G5:1 | F5:.5 A5:2.5 -:1"
    freely = (
        "-:.5 A4:1 C5:.5 E5:1.5 G5:.5 | F5:.5 E5:.5 C5:2 -:1 | -:.5 Bb4:1 D5:.5 F5:1.5 A5:.5 | G5:.5 E5:.5 D5:2 -:1 |"
        "-:.5 C5:1 E5:.5 G5:1.5 A5:.5 | F#5:.5 Eb5:1.5 D5:1 C5:1 | D5:1 F5:1 E5:1 C5:1 | A4:.5 C5:2.5 -:1"
    )
    middle = (
        "D5:1 F5:1 A5:2 | G5:1.5 F5:.5 Db5:2 | C5:1 E5:1 G5:2 | F#5:1.5 Eb5:.5 C5:2 |"
        "Bb4:1 D5:1 F5:2 | Db5:1.5 F5:.5 G5:2 | A5:1.5 G5:1.5 F5:1 | G5:3 -:1"
    )
    sections = (
        (a, tune, electric_piano, 0.62),
        (a_end, tune_end, electric_piano, 0.62),
        (b, middle, flute, 0.42),
        (a_end, tune_end, vibraphone, 0.60),
        (b, middle, electric_piano, 0.62),
        (a_end, freely, flute, 0.42),
    )
    # Eighths of two bars on which the right hand plays.
    hand = (0, 3, 6, 10, 13)
    for section, (harmony, line, instrument, force) in enumerate(sections):
        start = section * bars * 4
        sing(tape, instrument, start, line, 4, force)
        spans = chords(harmony, 4)
        for beat, beats, root, voicing in spans:
            for place in range(0, int(beats), 2):
                number = bass(root) if (beat + place) % 4 == 0 or beats < 4 else bass(root + 7)
                tape.play(string, start + beat + place, number, 1.6, 0.8)
            for number in voicing[1:]:
                tape.play(pad, start + beat - 0.5, number, beats, 0.07)
        for pair in range(bars // 2):
            for eighth in hand:
                beat = pair * 8 + eighth / 2
                voicing = next(v for at, beats, _, v in spans if at <= beat < at + beats)
                for place, number in enumerate(voicing):
                    # Strummed: 8 ms from string to string.
                    tape.play(string, start + beat + 0.016 * place, number, 0.9, 0.33)
    return tape.finished(wet=0.22, seconds=0.9)


def evening():
    """In D, one beat a second, A A B A of 6 bars: pads, slow bells, strings that walk."""
    bars = 6
    tape = Tape(4 * bars * 4, 16000, seed=8)
    a = "Dmaj9 | Bm9 | Gmaj9 | A9sus | F#m7 Bm7 | Em9 A9sus"
    b = "Bbmaj9 | C6 | Am7 | Dm9 | Gm9 | A9sus A7"
    first = "F#5:3 E5:1 | D5:2 C#5:2 | B4:3 D5:1 | E5:4 | A5:2 F#5:2 | G5:2 E5:2"
    second = "A5:3 F#5:1 | E5:2 F#5:2 | D5:3 B4:1 | A4:2 B4:2 | C#5:2 D5:2 | F#5:1 E5:3"
    middle = "D5:2 F5:2 | G5:3 E5:1 | C5:2 E5:2 | A5:3 F5:1 | D5:2 Bb4:2 | A4:2 C#5:2"
    sections = (
        (a, first, vibraphone, 0.55),
        (a, second, flute, 0.30),
        (b, middle, electric_piano, 0.55),
        (a, first, flute, 0.30),
    )
    for section, (harmony, line, instrument, force) in enumerate(sections):
        start = section * bars * 4
        sing(tape, instrument, start, line, 4, force)
        if section == 3:
            # A second voice answers half a bar later: the other tune, on bells.
            sing(tape, vibraphone, start + 2, second, 4, 0.22)
        for beat, beats, root, voicing in chords(harmony, 4):
            for number in (bass(root), *voicing):
                tape.play(pad, start + beat - 0.4, number, beats, 0.22)
            steps = int(beats * 2)
            walk = tape.random.integers(0, 4)
            for place in range(steps):
                # A walk over the chord, one string at a time, now and then a rest.
                walk = (walk + tape.random.choice((-1, 1, 1, 2))) % 4
                if place and tape.random.random() < 0.22:
                    continue
                tape.play(string, start + beat + place / 2, voicing[walk], 1.4, 0.42)
    return tape.finished(wet=0.55, seconds=2.4)
