"""For bench/talk_by_device.sh: the sound server, the talks, the table."""

import csv
import os
import pty
import re
import select
import subprocess
import sys
import time

ech0, scratch, out, commit = sys.argv[1:5]
home = os.environ["HOME"]
rows = []


def row(case, holds, seen):
    rows.append({"case": case, "holds": "yes" if holds else "no", "seen": " / ".join(seen.split("\n"))[:600],
                 "load_average": f"{os.getloadavg()[0]:.1f}", "commit": commit})
    print(f"{'ok ' if holds else 'NOT'} {case}: {rows[-1]['seen']}", flush=True)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


def say(name, text):
    run(ech0, "talk", "--say", text, "--wav-out", f"{scratch}/{name}.wav")


def alsa(kind):
    with open(f"{home}/.asoundrc", "w") as file:
        file.write(f"pcm.!default {{ type {kind} }}\n" + (f"ctl.!default {{ type {kind} }}\n" if kind == "pulse" else ""))


class Talk:
    """`ech0 talk` in a terminal of its own."""

    def __init__(self, *more):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execv(ech0, [ech0, "talk", "demo", "--temp", "0", "-n", "40", *more])
        self.text = ""

    def wait_for(self, pattern, seconds, since=0):
        """@return the match in what was printed from `since` on, or None after so many seconds"""
        end = time.time() + seconds
        while True:
            found = re.search(pattern, self.text[since:])
            if found or time.time() > end:
                return found
            if select.select([self.terminal], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.terminal, 65536).decode(errors="replace").replace("\r", "")
                except OSError:
                    return re.search(pattern, self.text[since:])

    def press(self, key):
        os.write(self.terminal, key)

    def leave(self):
        """Ctrl-C. @return the exit status"""
        self.press(b"\x03")
        for _ in range(100):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            self.wait_for("$^", 0.1)
            time.sleep(0.1)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        return "none: it had to be killed"


def speak(path):
    run("paplay", "--device=mic", path)


def record():
    return subprocess.Popen(["parecord", "--latency-msec=20", "--device=speaker.monitor", "--file-format=wav", "--channels=1", f"{scratch}/heard.wav"])


def stop(recording):
    recording.terminate()
    recording.wait()
    return run(ech0, "talk", "--transcribe", f"{scratch}/heard.wav").stdout.strip()


def words(text):
    return re.sub(r"[^a-z ]", " ", text.lower()).split()


def question(talk, path):
    since = len(talk.text)
    speak(path)
    return talk.wait_for(r"you: (.*)\n", 40, since), since


def free_talk():
    talk = Talk()
    talk.wait_for("Speak when you like", 60)
    recording = record()
    heard, since = question(talk, f"{scratch}/spider.wav")
    done = talk.wait_for(r"(\S+) s to the first sound.*; (\S+) s spoken", 60, since)
    time.sleep(float(done.group(2)) + 2 if done else 1)
    back = stop(recording)
    said = " ".join(re.findall(r"^     (.*)$", talk.text[since:], re.M))
    row("heard from the microphone", heard and heard.group(1) == "How many legs does a spider have?", heard.group(1) if heard else talk.text)
    row("spoken by the loudspeaker", bool(words(said)) and words(said)[0] in words(back), f"said '{said}', recorded '{back}'")
    row("latency shown", done, done.group(0) if done else talk.text[-300:])
    return talk


def barge_in(talk):
    _, since = question(talk, f"{scratch}/story.wav")
    talk.wait_for(r"\n     ", 40, since)
    time.sleep(1)
    heard, later = question(talk, f"{scratch}/sun.wav")
    row("speech stops an answer and is heard", heard and "sun" in heard.group(1), heard.group(1) if heard else talk.text[-300:])
    talk.wait_for(r"s spoken", 40, later)
    status = talk.leave()
    row("Ctrl-C leaves", status in (0, 130), f"exit status {status}")


def push_to_talk():
    talk = Talk("--push-to-talk")
    talk.wait_for("Space begins", 60)
    since = len(talk.text)
    speak(f"{scratch}/sun.wav")
    time.sleep(2)
    row("without the key nothing is heard", "you:" not in talk.text[since:], talk.text[since:].strip() or "silence")
    talk.press(b" ")
    listening = talk.wait_for(r"\[listening\]", 5)
    speak(f"{scratch}/spider.wav")
    talk.press(b" ")
    heard = talk.wait_for(r"you: (.*)\n", 40, since)
    row("space begins and ends a turn", listening and heard and "spider" in heard.group(1), heard.group(1) if heard else talk.text[-300:])
    talk.wait_for(r"s spoken", 40, since)
    status = talk.leave()
    row("Ctrl-C leaves push-to-talk", status in (0, 130), f"exit status {status}")


def one_line(case, wanted, status, *more):
    ran = run(ech0, "talk", "demo", *more)
    row(case, ran.returncode == status and wanted in ran.stderr and len(ran.stderr.strip().split("\n")) <= 2, ran.stderr.strip())


os.environ["PULSE_RUNTIME_PATH"] = f"{scratch}/run"
server = subprocess.Popen(["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "-L", "module-native-protocol-unix",
                           "-L", "module-null-sink sink_name=speaker rate=48000", "-L", "module-null-sink sink_name=mic rate=48000"],
                          stderr=subprocess.DEVNULL)
try:
    for _ in range(50):
        if run("pactl", "set-default-sink", "speaker").returncode == 0:
            break
        time.sleep(0.2)
    run("pactl", "set-default-source", "mic.monitor")
    alsa("pulse")
    say("spider", "How many legs does a spider have?")
    say("story", "Can you tell me a short story about a cat?")
    say("sun", "Where does the sun rise in the morning?")
    devices = run(ech0, "talk", "--devices").stdout
    row("devices are listed", "input" in devices and "output" in devices, ", ".join(l.strip() for l in devices.split("\n") if l.strip().startswith(("input", "output"))))
    barge_in(free_talk())
    push_to_talk()
    one_line("a microphone of another name", "no microphones are named 'parrot'; there are", 2, "--input", "parrot")
finally:
    server.terminate()
    server.wait()
one_line("the sound server is gone", "ech0: ", 2)
alsa("null")
one_line("ALSA's null device", "it is no real device", 2)
os.remove(f"{home}/.asoundrc")
one_line("no device at all", "no microphone on this machine: plug one in", 2)
with open(out, "w", newline="") as file:
    table = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
sys.exit(0 if all(r["holds"] == "yes" for r in rows) else 1)
