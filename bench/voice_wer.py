"""For bench/voice.sh: runs the talks, counts wrong words, writes the table."""

import csv
import json
import re
import statistics
import subprocess
import sys
import wave
import array
import random

ech0, scratch, out, commit, machine, recognizers, speakers = sys.argv[1:8]
questions = open(f"{scratch}/questions.txt").read().splitlines()

SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen " \
        "seventeen eighteen nineteen".split()
TENS = "? ? twenty thirty forty fifty sixty seventy eighty ninety".split()


def number(match):
    n = int(match.group())
    if n < 20:
        return SMALL[n]
    if n < 100:
        return TENS[n // 10] + (" " + SMALL[n % 10] if n % 10 else "")
    return match.group()


def words(text):
    text = re.sub(r"\d+", number, text.lower().replace("\u2019", "'"))
    return re.sub(r"[^a-z0-9' ]", " ", text).split()


def wrong_words(reference, found):
    """Levenshtein's distance by words."""
    row = list(range(len(found) + 1))
    for i, a in enumerate(reference, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(found, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def read(path):
    with wave.open(path) as file:
        return file.getframerate(), array.array("h", file.readframes(file.getnframes()))


def write(path, rate, samples):
    with wave.open(path, "w") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(rate)
        file.writeframes(array.array("h", samples).tobytes())


def transcribe(recognizer, path):
    ran = subprocess.run([ech0, "talk", "--recognizer", recognizer, "--transcribe", path], capture_output=True, text=True)
    return ran.stdout.strip()


def dialogue(speaker, gap_s, noise, path):
    """All questions in one file, with silence or noise between and under them. Says where each begins."""
    rng, samples, begins, rate = random.Random(1), array.array("h"), [], None
    for i in range(len(questions)):
        rate, speech = read(f"{scratch}/{speaker}-{i}.wav")
        samples.extend([0] * int(gap_s * rate))
        begins.append(len(samples) / rate)
        samples.extend(speech)
    samples.extend([0] * rate)
    if noise:
        samples = array.array("h", (max(-32768, min(32767, s + int(rng.gauss(0, noise)))) for s in samples))
    write(path, rate, samples)
    return begins


def talk(name, recognizer, speaker, path, more=()):
    answer = f"{scratch}/answer-{name}.wav"
    ran = subprocess.run([ech0, "talk", "demo", "--wav", path, "--wav-out", answer, "--recognizer", recognizer, "--speaker",
                          speaker, "--temp", "0", "-n", "60", "--threads", "2", "--json", *more],
                         capture_output=True, text=True)
    if ran.returncode > 1:
        sys.exit(f"voice_wer.py: {' '.join(ran.args)}: {ran.stderr}")
    return json.loads(ran.stdout), answer


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def row_of(name, recognizer, speaker, report, answer, begins):
    turns = [t for t in report["turns"] if t["heard"]]
    n_words = n_wrong = 0
    # A question may come as two turns if there is a pause in it.
    for i, question in enumerate(questions):
        end = begins[i + 1] if i + 1 < len(begins) else float("inf")
        heard = " ".join(t["heard"] for t in turns if begins[i] - 0.5 <= t["begin_s"] < end - 0.5)
        n_words += len(words(question))
        n_wrong += wrong_words(words(question), words(heard))
    rate, sound = read(answer)
    back_words = back_wrong = 0
    for i, turn in enumerate(turns):
        if turn["barged_in"] or not turn["said"]:
            continue
        part = f"{scratch}/part.wav"
        write(part, rate, sound[int(turn["audio_begin_s"] * rate):int(turn["audio_end_s"] * rate)])
        if turn["audio_end_s"] - turn["audio_begin_s"] > 28:
            continue  # more than a recognizer takes at once
        back_words += len(words(turn["said"]))
        back_wrong += wrong_words(words(turn["said"]), words(transcribe(recognizer, part)))
    latency = {k: [t["latency"][k] for t in turns if t["n_pieces"]] for k in turns[0]["latency"]} if turns else {}
    median = {k: statistics.median(v) if v else float("nan") for k, v in latency.items()}
    return {
        "case": name, "recognizer": report["recognizer"], "speaker": report["speaker"], "questions": len(questions),
        "turns": len(turns), "empty_turns": len(report["turns"]) - len(turns),
        "barged_in": sum(t["barged_in"] for t in turns), "question_wer": round(n_wrong / n_words, 4),
        "answer_wer": round(back_wrong / back_words, 4) if back_words else "",
        "first_audio_s": round(median.get("first_audio_s", 0), 3),
        "first_audio_p90_s": round(percentile(latency.get("first_audio_s", []), 0.9), 3),
        **{k: round(median.get(k, 0), 3) for k in
           ("pause_s", "recognize_s", "first_piece_s", "synthesize_s", "confirm_s", "total_s")},
        "load_s": round(report["load_s"], 2), "machine": machine, "commit": commit,
    }


rows = []
for speaker in speakers.split():
    for recognizer in recognizers.split():
        path = f"{scratch}/dialogue.wav"
        begins = dialogue(speaker, 1.0, 0, path)
        # Without barge-in each answer is spoken to its end; questions wait for nobody, so they are asked one by one.
        report = {"turns": []}
        begins_one, sound = [], None
        for i in range(len(questions)):
            one = f"{scratch}/one.wav"
            rate, speech = read(f"{scratch}/{speaker}-{i}.wav")
            write(one, rate, array.array("h", [0] * rate) + speech)
            got, answer = talk("one", recognizer, speaker, one)
            offset = 1000.0 * i  # on one time line
            begins_one.append(offset + 1)
            r, s = read(answer)
            sound = sound or {}
            for turn in got["turns"]:
                for key in ("begin_s", "end_s"):
                    turn[key] += offset
                turn["part"] = s[int(turn["audio_begin_s"] * r):int(turn["audio_end_s"] * r)]
            report = {**got, "turns": report["turns"] + got["turns"]}
        joined, at = array.array("h"), 0
        for turn in report["turns"]:
            turn["audio_begin_s"], part = len(joined) / r, turn.pop("part")
            joined.extend(part)
            turn["audio_end_s"] = len(joined) / r
        write(f"{scratch}/joined.wav", r, joined)
        rows.append(row_of("quiet", recognizer, speaker, report, f"{scratch}/joined.wav", begins_one))
        print(rows[-1], file=sys.stderr)

speaker, recognizer = speakers.split()[0], recognizers.split()[0]
for name, gap_s, noise in (("silence of 20 s between", 20, 0), ("noise, 26 dB below speech", 20, 150)):
    path = f"{scratch}/dialogue.wav"
    begins = dialogue(speaker, gap_s, noise, path)
    report, answer = talk(name.split()[0].strip(","), recognizer, speaker, path, ["-n", "30"])
    rows.append(row_of(name, recognizer, speaker, report, answer, begins))
    print(rows[-1], file=sys.stderr)
path = f"{scratch}/dialogue.wav"
begins = dialogue(speaker, 3.0, 0, path)
report, answer = talk("barge", recognizer, speaker, path)
rows.append(row_of("next question after 3 s: barge-in", recognizer, speaker, report, answer, begins))
print(rows[-1], file=sys.stderr)

with open(out, "w", newline="") as file:
    table = csv.DictWriter(file, rows[0].keys())
    table.writeheader()
    table.writerows(rows)
for row in rows:
    print(f"{row['case']:36} {row['recognizer']:12} {row['speaker']:24} questions {row['question_wer']:.1%}, answers "
          f"{row['answer_wer'] if row['answer_wer'] == '' else format(row['answer_wer'], '.1%')} words wrong; first sound "
          f"{row['first_audio_s']:.2f} s (p90 {row['first_audio_p90_s']:.2f}); {row['barged_in']} stopped, "
          f"{row['empty_turns']} without words")
