"""Sound files: 16 kHz, mono, 16 bit. Filters, trims, levels and encodes; the same in, the same out."""

import os
import re
import subprocess

import numpy

RATE = 16000
# EBU R128's figure for programmes. Speech at it has some 25 dB to 0 dBm0 and never clips in G.711.
SPEECH_LUFS = -23.0
# Music stays below speech: what is said over it is heard.
MUSIC_LUFS = -26.0
HIGHEST_PEAK_DBFS = -3.0
# A measurement has blocks of 400 ms; what is shorter than this is measured as a loop of itself.
MEASURED_SECONDS = 3.0


def run(command, data=b""):
    """What a command prints to stdout and stderr; a failure ends the program with its words."""
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr.decode(errors='replace')}")
    return done.stdout, done.stderr.decode(errors="replace")


def read(path, rate=RATE, filters=""):
    """Samples from -1 to 1 of any sound file, at `rate`."""
    # A long filter: what 48 kHz speech has above 8 kHz must not fold back.
    resample = f"aresample={rate}:filter_size=64:dither_method=none"
    chain = f"{filters},{resample}" if filters else resample
    command = ["ffmpeg", "-v", "error", "-bitexact", "-i", path, "-af", chain]
    out, _ = run([*command, "-ac", "1", "-f", "f32le", "-"])
    return numpy.frombuffer(out, "<f4").astype(float)


def without_above(samples, hz):
    """The samples without what is above `hz`, with an edge of 600 Hz around it."""
    across = numpy.fft.rfftfreq(len(samples), 1 / RATE)
    edge = numpy.clip((across - hz + 300) / 600, 0, 1)
    spectrum = numpy.fft.rfft(samples) * (0.5 + 0.5 * numpy.cos(numpy.pi * edge))
    return numpy.fft.irfft(spectrum, len(samples))


def as_bytes(samples):
    whole = numpy.rint(samples * 32768)
    return numpy.clip(whole, -32768, 32767).astype("<i2").tobytes()


def loudness(samples):
    """Integrated loudness in LUFS, loudness range in LU, true peak in dBFS (EBU R128, by ffmpeg)."""
    times = max(1, int(numpy.ceil(MEASURED_SECONDS * RATE / len(samples))))
    data = numpy.tile(samples, times).astype("<f4").tobytes()
    command = ["ffmpeg", "-hide_banner", "-nostats", "-f", "f32le", "-ar", str(RATE), "-ac", "1"]
    _, told = run([*command, "-i", "-", "-af", "ebur128=peak=true", "-f", "null", "-"], data)
    summary = told[told.rindex("Summary:"):]
    found = [re.search(rf"{key}:\s+(-?[\d.]+|-inf)", summary).group(1) for key in ("I", "LRA", "Peak")]
    return tuple(float(figure) for figure in found)


def levelled(samples, target):
    """The samples at `target` LUFS."""
    # ffmpeg tells tenths: two rounds come within one.
    for _ in range(2):
        integrated, _, peak = loudness(samples)
        samples = samples * 10 ** ((target - integrated) / 20)
    if peak + target - integrated > HIGHEST_PEAK_DBFS:
        raise SystemExit(f"peak at {peak:.1f} dBFS: this sound needs a limiter")
    return samples


def trimmed(samples, quiet_db, front_ms, behind_ms):
    """The samples without silence at their ends, but that much; silence is `quiet_db` below the loudest."""
    size = RATE // 200
    blocks = samples[: len(samples) // size * size].reshape(-1, size)
    level = numpy.sqrt((blocks**2).mean(axis=1))
    loud = numpy.flatnonzero(level > level.max() * 10 ** (quiet_db / 20))
    core = samples[loud[0] * size : (loud[-1] + 1) * size].copy()
    # Two milliseconds in, five out: no click, and no consonant lost.
    rise, fall = RATE // 500, RATE // 200
    core[:rise] *= numpy.linspace(0, 1, rise)
    core[-fall:] *= numpy.linspace(1, 0, fall)
    front, behind = front_ms * RATE // 1000, behind_ms * RATE // 1000
    return numpy.concatenate([numpy.zeros(front), core, numpy.zeros(behind)])


def write(path, samples, bits):
    """Writes a FLAC file whose samples have `bits` bits that say something."""
    step = 2.0 ** (1 - bits)
    data = as_bytes(numpy.rint(samples / step) * step)
    part = path + ".part"
    shape = ["--endian=little", "--sign=signed", "--channels=1", "--bps=16", f"--sample-rate={RATE}"]
    # No padding, no seek table, no tags: nothing in the file but what the samples say.
    bare = ["--no-padding", "--no-seektable", "--best", "--exhaustive-model-search", "--silent"]
    run(["flac", *bare, "--force", "--force-raw-format", *shape, "-o", part, "-"], data)
    os.replace(part, path)
