#!/usr/bin/env bash
# kill -9 at random moments, ROUNDS times each: the server of `ech0 serve` (it must come back), `ech0 serve` itself (its
# server must go), a worker of --rpc (chat must end with one line), a chat that is written to (its history must stay
# whole), and setup/use (settings must be whole, and undo must work). One row a kind: rounds, faults, orphans.
#
#   bench/kill_at_random.sh BUILD-FOLDER [ROUNDS] > bench/results/kill-at-random.csv
set -euo pipefail
build="$(cd "${1:?usage: bench/kill_at_random.sh BUILD-FOLDER [ROUNDS]}" && pwd)"
rounds="${2:-100}"
work="$(mktemp -d)"
export ECH0_CACHE="${ECH0_CACHE:-$HOME/.cache/ech0}" ECH0_STATE="$work/state" ECH0_CONFIG="$work/config" HOME="$work"
trap 'rm -rf "$work"' EXIT
BUILD="$build" ROUNDS="$rounds" WORK="$work" python3 - << 'PYTHON'
import json, os, pathlib, pty, random, signal, subprocess, sys, time, tomllib, urllib.request

build, rounds, work = pathlib.Path(os.environ["BUILD"]), int(os.environ["ROUNDS"]), pathlib.Path(os.environ["WORK"])
ech0 = str(build / "ech0")
random.seed(1)
port = random.randrange(20000, 40000)


def alive(needle):
    """Processes whose command line has the needle, but for zombies."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and needle in (entry / "cmdline").read_bytes().decode(errors="replace"):
                if "\nState:\tZ" not in (entry / "status").read_text():
                    found.append(int(entry.name))
        except OSError:
            pass
    return [pid for pid in found if pid != os.getpid()]


def gone(needle, seconds=5):
    end = time.time() + seconds
    while alive(needle) and time.time() < end:
        time.sleep(0.05)
    left = alive(needle)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return not left


def healthy(seconds):
    end = time.time() + seconds
    while time.time() < end:
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).status == 200
        except OSError:
            time.sleep(0.05)
    return False


def report(kind, faults, orphans):
    print(f"{kind},{rounds},{faults},{orphans}", flush=True)


def start_server():
    return subprocess.Popen([ech0, "serve", "demo", "--port", str(port), "--threads", "1"], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def kill_servers():
    faults = orphans = 0
    serving = start_server()
    for i in range(rounds):
        # Each tenth supervisor gets a fresh start, because its pauses grow on purpose.
        if i % 5 == 0 and i > 0:
            serving.terminate()
            serving.wait()
            serving = start_server()
        faults += not healthy(60)
        time.sleep(random.random() * 0.3)
        for pid in alive(f"--port\0{port}\0--ctx-size"):
            os.kill(pid, signal.SIGKILL)
    faults += not healthy(60)
    serving.terminate()
    serving.wait()
    orphans += not gone(f"--port\0{port}")
    report("server of serve", faults, orphans)


def kill_supervisors():
    orphans = 0
    for _ in range(rounds):
        serving = start_server()
        time.sleep(random.random() * 1.5)
        serving.kill()
        serving.wait()
        orphans += not gone(f"--port\0{port}")
    report("serve", 0, orphans)


def kill_workers():
    faults = orphans = 0
    for i in range(rounds):
        address = f"127.0.0.1:{port + 1 + i}"
        worker = subprocess.Popen([str(build / "engine/ggml-rpc-server"), "-H", "127.0.0.1", "-p", str(port + 1 + i),
                                   "-t", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.15)
        chat = subprocess.Popen([ech0, "chat", "demo", "--raw", "-p", "Once", "-n", "4000", "--temp", "0", "--threads",
                                 "1", "--rpc", address, "--split", "10,21"], stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)
        time.sleep(random.random() * 2)
        worker.kill()
        worker.wait()
        try:
            errors = chat.communicate(timeout=60)[1]
            told = [line for line in errors.splitlines() if line.startswith("ech0: ")]
            ok = chat.returncode == 2 and len(told) == 1 and address in told[0]
        except subprocess.TimeoutExpired:
            chat.kill()
            ok, errors = False, "hangs"
        if not ok:
            print(f"worker: {chat.returncode} {errors!r}", file=sys.stderr)
        faults += not ok
    report("worker", faults, orphans)


def kill_chats():
    faults = 0
    history = work / "state/chat_history"
    for _ in range(rounds):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(ech0, [ech0, "chat", "demo", "-n", "1", "--threads", "1"])
        end = time.time() + 0.3 + random.random()
        os.set_blocking(terminal, False)
        while time.time() < end:
            try:
                os.write(terminal, b"a line that is kept\n")
                os.read(terminal, 65536)
            except (BlockingIOError, OSError):
                pass
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
        if history.exists():
            lines = history.read_text().split("\n")
            faults += lines[-1] != "" or any(not line or len(line) % 19 != 0 for line in lines[:-1])
    report("chat", faults, 1 - gone("\0chat\0demo\0-n"))


def kill_switches():
    faults = 0
    config, variables = work / "config/config.toml", work / ".ech0_production_config"
    for i in range(rounds):
        run = subprocess.Popen([ech0, "setup", "demo", "--ctx", str(256 + i), "--shell-rc", "bash"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.random() * 0.6)
        run.kill()
        run.wait()
        try:
            if config.exists():
                tomllib.loads(config.read_text())
            if variables.exists():
                subprocess.run(["sh", "-eu", str(variables)], check=True)
        except (ValueError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
            faults += 1
    while subprocess.run([ech0, "undo"], stdout=subprocess.DEVNULL).returncode == 0:
        pass
    faults += config.exists() or variables.exists() or (work / ".bashrc").exists()
    report("setup and undo", faults, 0)


print("killed,rounds,faults,orphans")
kill_switches()
kill_chats()
kill_workers()
kill_supervisors()
kill_servers()
PYTHON
