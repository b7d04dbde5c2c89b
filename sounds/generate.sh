#!/bin/sh
# Makes the placeholder prompts and the hold music of this directory: 8 kHz, mono, 16-bit WAV.
# Needs espeak-ng, sox and python3. Run it in this directory; the results are committed, so
# neither a build nor a running switch needs it.
set -eu
cd "$(dirname "$0")"

# say NAME TEXT: speech limited to the telephone band, levelled, without silence at its ends.
say() {
    espeak-ng -v "${voice:-en-us+f3}" -s 150 -p 45 -g 2 -w /tmp/say-$$.wav "$2"
    sox /tmp/say-$$.wav -r 8000 -c 1 -b 16 "$1.wav" \
        gain -3 highpass 200 lowpass 3300 \
        silence 1 0.02 0.3% fade 0.005 reverse silence 1 0.02 0.3% fade 0.02 reverse \
        compand 0.02,0.2 6:-60,-50,-24,-14,-10,-8,0,-6 norm -4 pad 0.06 0.2
    rm -f /tmp/say-$$.wav
}

say greeting "Thank you for calling Tsoo-nah-goo."
say menu "For sales, press 1. For support, press 2. To hear this again, press 9."
say no-input "We did not hear a key."
say no-match "That is not one of the choices."
say invalid "The number you have dialled is not in service."
say connecting "Please hold. We are connecting you."
say nobody-available "We are sorry. Nobody can take your call now. Please call again later."
say goodbye "Thank you for calling. Goodbye."
for position in 1 2 3 4 5 6 7 8 9 10; do
    say "position-$position" "You are number $position in line."
done
say position-many "There are more than ten callers before you. Please stay on the line."

# To agents who work by phone, in English and Japanese: `both NAME ENGLISH JAPANESE` (in kana:
# espeak-ng reads no kanji).
both() {
    say "$1" "$2"
    voice="ja+f3" say "$1.ja" "$3"
}

both agent-available "You are available." "でんわを、うけられます。"
both agent-away "You are away." "りせきちゅうです。"
both agent-busy "You are busy with a call." "つうわちゅうです。"
both agent-wrap-up "You are in after-call work." "つうわごの、さぎょうちゅうです。"
both agent-longer "You have more time." "さぎょうの、じかんを、のばしました。"
both agent-not-answering "You did not answer a call, and get no more." "でんわに、でなかったので、りせきに、なっています。"
both agent-unreachable "Your phone is not registered." "でんわきが、とうろくされていません。"
both agent-nobody "Nobody is logged in at this phone." "このでんわに、たんとうしゃは、いません。"
both agent-number "Enter your agent number, then press hash. At your own phone, just press hash." "たんとうしゃばんごうを、おして、シャープを、おしてください。ごじぶんの、でんわでは、シャープだけを、おしてください。"
both agent-pin "Enter your PIN, then press hash." "あんしょうばんごうを、おして、シャープを、おしてください。"
both agent-wrong "That is not right." "まちがっています。"
both agent-locked "Too many wrong entries. Please try again later." "まちがいが、おおすぎます。しばらくしてから、おためしください。"
both agent-logged-in "You are logged in." "ログイン、しました。"
both agent-logged-out "You are logged out." "ログアウト、しました。"
both agent-phone-in-use "Another agent is busy at this phone." "このでんわは、ほかの、たんとうしゃが、しようちゅうです。"
both agent-refused "That is not possible now." "ただいま、できません。"
both agent-reason "Enter the number of the reason." "りゆうの、ばんごうを、おしてください。"
both agent-next "Enter the number of your next status, or zero for none." "つぎの、じょうたいの、ばんごうを、おしてください。とりけしは、ゼロです。"
both agent-next-none "Nothing will follow." "つぎの、じょうたいを、とりけしました。"
both agent-after-this "After this," "このあと、"
both agent-code "Enter the code of this call, then press hash." "このつうわの、コードを、おして、シャープを、おしてください。"
both agent-lunch "You are at lunch." "おひるやすみです。"
both agent-waiting-0 "Nobody is waiting." "まっているかたは、いません。"
both agent-waiting-1 "One caller is waiting." "おひとり、おまちです。"
for waiting in 2 3 4 5 6 7 8 9 10; do
    both "agent-waiting-$waiting" "$waiting callers are waiting." "${waiting}にん、おまちです。"
done
both agent-waiting-many "More than ten callers are waiting." "じゅうにんより、おおくの、かたが、おまちです。"
voice="ja+f3" say no-match.ja "そのばんごうは、ありません。"
voice="ja+f3" say goodbye.ja "しつれいします。"

sox -n -r 8000 -c 1 -b 16 beep.wav synth 0.24 sine 1000 gain -12 fade q 0.008 -0 0.008
python3 music.py music.wav

# speak FILE VOICE SPEED PITCH TEXT: a person of `tsunagu demo`, through a telephone.
speak() {
    espeak-ng -v "$2" -s "$3" -p "$4" -g 1 -w /tmp/say-$$.wav "$5"
    sox /tmp/say-$$.wav -r 8000 -c 1 -b 16 "$1.wav" \
        gain -3 highpass 250 lowpass 3300 \
        silence 1 0.02 0.3% fade 0.005 reverse silence 1 0.02 0.3% fade 0.02 reverse norm -5 pad 0 0.1
    rm -f /tmp/say-$$.wav
}

speak demo/agent-1 en-gb+m3 165 40 "Tsoo-nah-goo sales, Ken-eechee speaking. How can I help you?"
speak demo/caller-1 en-us+f4 170 55 "Hello! Two boxes of green tea, please. As always."
speak demo/agent-2 en-gb+m3 165 40 "With pleasure. They will be with you tomorrow."
speak demo/caller-2 en-us+f4 170 55 "Wonderful. Thank you, and goodbye!"
