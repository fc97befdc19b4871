"""For bench/voice.sh: runs the talks, counts wrong words, writes the table."""

import array
import csv
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
import wave

ech0, scratch, out, commit, machine, recognizers, speakers, model = sys.argv[1:9]
questions = open(f"{scratch}/questions.txt").read().splitlines()

SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen " \
        "seventeen eighteen nineteen".split()
TENS = "? ? twenty thirty forty fifty sixty seventy eighty ninety".split()
LONGEST_S = 28  # more than a recognizer takes at once


def cardinal(n):
    for size, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if n >= size:
            return f"{cardinal(n // size)} {name} {cardinal(n % size) if n % size else ''}"
    return SMALL[n] if n < 20 else TENS[n // 10] + (" " + SMALL[n % 10] if n % 10 else "")


def year(n):
    """1969 is spoken in two halves."""
    return f"{cardinal(n // 100)} {cardinal(n % 100)}" if 1100 <= n < 2000 and n % 100 >= 10 else cardinal(n)


def number(match):
    whole, _, part = match.group().replace(",", "").partition(".")
    said = year(int(whole)) if "," not in match.group() and not part else cardinal(int(whole))
    return f" {said} " + (" point " + " ".join(SMALL[int(digit)] for digit in part) if part else "") + " "


def words(text):
    """Lower case, without marks; numbers, percents and degrees as words, as both the voice says and recognizers may write
    them."""
    text = text.lower().replace("\u2019", "'").replace("%", " percent ").replace("\u00b0", " degrees ").replace("&", " and ")
    text = re.sub(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?", number, text)
    return re.sub(r"[^a-z ]", " ", text.replace("'", "")).split()


def wrong_words(reference, found):
    """Levenshtein's distance by words."""
    row = list(range(len(found) + 1))
    for i, a in enumerate(reference, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(found, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


class Wer:
    def __init__(self):
        self.n_words = self.n_wrong = 0

    def add(self, what, reference, found):
        wrong = wrong_words(words(reference), words(found))
        self.n_words += len(words(reference))
        self.n_wrong += wrong
        if wrong:
            print(f"  {what}: {wrong} wrong: '{reference}' -> '{found}'", file=sys.stderr)

    def share(self):
        return round(self.n_wrong / self.n_words, 4) if self.n_words else ""


def read(path):
    with wave.open(path) as file:
        return file.getframerate(), array.array("h", file.readframes(file.getnframes()))


def write(path, rate, samples):
    with wave.open(path, "w") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(rate)
        file.writeframes(array.array("h", samples).tobytes())


def run(*arguments):
    ran = subprocess.run([ech0, "talk", *arguments], capture_output=True, text=True)
    if ran.returncode > 1:
        sys.exit(f"voice_wer.py: ech0 talk {' '.join(arguments)}: {ran.stderr}")
    return ran.stdout


def transcribe(recognizer, path):
    return run("--recognizer", recognizer, "--transcribe", path).strip()


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


def talk(recognizer, speaker, path):
    answer = f"{scratch}/answer.wav"
    said = run(model, "--wav", path, "--wav-out", answer, "--recognizer", recognizer, "--speaker", speaker, "-s", "1",
               "-n", "40", "--json")
    return json.loads(said), answer


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def question_wer(turns, begins):
    wer = Wer()
    for i, question in enumerate(questions):
        end = begins[i + 1] if i + 1 < len(begins) else float("inf")
        # A question may come as two turns if there is a pause in it.
        heard = " ".join(t["heard"] for t in turns if begins[i] - 0.5 <= t["begin_s"] < end - 0.5)
        wer.add("question", question, heard)
    return wer


def answer_wer(turns, answer, recognizer):
    """What a recognizer hears of the answers that were spoken to their end, against what should have been spoken."""
    wer = Wer()
    rate, sound = read(answer)
    for turn in turns:
        begin, end = turn["audio_begin_s"], turn["audio_end_s"]
        if turn["barged_in"] or not turn["said"] or end - begin > LONGEST_S:
            continue
        part = f"{scratch}/part.wav"
        write(part, rate, sound[int(begin * rate):int(end * rate)])
        wer.add(f"answer by {recognizer}", turn["said"], transcribe(recognizer, part))
    return wer


STAGES = ("pause_s", "recognize_s", "first_piece_s", "synthesize_s", "confirm_s")


def row_of(name, report, answer, begins, load):
    turns = [t for t in report["turns"] if t["heard"]]
    spoken = [t["latency"] for t in turns if t["n_pieces"]]
    of = lambda stage: [latency[stage] for latency in spoken]
    median = lambda values: round(statistics.median(values), 3) if values else ""
    mean = lambda values: round(statistics.mean(values), 3) if values else ""
    judges = {f"answer_wer_{each.replace('.', '_')}": answer_wer(turns, answer, each).share() for each in recognizers.split()}
    asked = question_wer(turns, begins)
    return {
        "case": name, "recognizer": report["recognizer"], "speaker": report["speaker"], "questions": len(questions),
        "turns": len(turns), "empty_turns": len(report["turns"]) - len(turns),
        "barged_in": sum(t["barged_in"] for t in turns), "question_words": asked.n_words, "question_wer": asked.share(),
        **judges,
        "first_audio_median_s": median(of("first_audio_s")), "first_audio_mean_s": mean(of("first_audio_s")),
        "first_audio_least_s": round(min(of("first_audio_s"), default=float("nan")), 3),
        "first_audio_p90_s": round(percentile(of("first_audio_s"), 0.9), 3),
        # Means: they add up to the mean of the first sound.
        **{f"{stage.removesuffix('_s')}_mean_s": mean(of(stage)) for stage in STAGES},
        "total_median_s": median(of("total_s")), "load_s": round(report["load_s"], 2), "load_average": load,
        "model": report["model"]["name"], "machine": machine, "commit": commit,
    }


rows = []


def case(name, recognizer, speaker, gap_s, noise):
    path = f"{scratch}/dialogue.wav"
    begins = dialogue(speaker, gap_s, noise, path)
    before, start = os.getloadavg()[0], time.time()
    report, answer = talk(recognizer, speaker, path)
    # The load of a minute, at both ends: of it, up to two are the talk's own.
    load = f"{before:.1f} to {os.getloadavg()[0]:.1f}"
    print(f"{name}, {recognizer}, {speaker}: {time.time() - start:.0f} s, load {load}", file=sys.stderr)
    rows.append(row_of(name, report, answer, begins, load))
    print(rows[-1], file=sys.stderr)
    with open(out, "w", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


first_speaker, first_recognizer = speakers.split()[0], recognizers.split()[0]
case("20 s of silence between", first_recognizer, first_speaker, 20, 0)
if os.environ.get("CASES", "all") == "all":
    case("next question after 3 s: barge-in", first_recognizer, first_speaker, 3, 0)
    case("noise under all of it", first_recognizer, first_speaker, 20, 150)
for speaker in speakers.split():
    for recognizer in recognizers.split():
        if (speaker, recognizer) != (first_speaker, first_recognizer):
            case("20 s of silence between", recognizer, speaker, 20, 0)

percent = lambda share: "-" if share == "" else f"{share:.1%}"
for row in rows:
    answers = ", ".join(f"{percent(share)} by {key.removeprefix('answer_wer_')}" for key, share in row.items()
                        if key.startswith("answer_wer_"))
    print(f"{row['case']:36} {row['recognizer']:24} {row['speaker']:24} words wrong: questions {percent(row['question_wer'])}, "
          f"answers {answers}; first sound {row['first_audio_median_s']} s (p90 {row['first_audio_p90_s']}); "
          f"{row['barged_in']} stopped, {row['empty_turns']} without words; load {row['load_average']}")
