#!/bin/sh
# Makes the voices of `tsunagu demo`, a conversation: 8 kHz, mono, 16-bit WAV. Needs espeak-ng and
# sox; the results are committed, so neither a build nor a running switch needs it.
set -eu
cd "$(dirname "$0")"

# speak FILE VOICE SPEED PITCH TEXT: a person, through a telephone.
speak() {
    espeak-ng -v "$2" -s "$3" -p "$4" -g 1 -w /tmp/say-$$.wav "$5"
    sox /tmp/say-$$.wav -r 8000 -c 1 -b 16 "$1.wav" \
        gain -3 highpass 250 lowpass 3300 \
        silence 1 0.02 0.3% fade 0.005 reverse silence 1 0.02 0.3% fade 0.02 reverse norm -5 pad 0 0.1
    rm -f /tmp/say-$$.wav
}

speak agent-1 en-gb+m3 165 40 "Tsoo-nah-goo sales, Ken-eechee speaking. How can I help you?"
speak caller-1 en-us+f4 170 55 "Hello! Two boxes of green tea, please. As always."
speak agent-2 en-gb+m3 165 40 "With pleasure. They will be with you tomorrow."
speak caller-2 en-us+f4 170 55 "Wonderful. Thank you, and goodbye!"
