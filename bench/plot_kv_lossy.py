#!/usr/bin/env python3
"""Ratio against KL divergence of packed KV caches, and tables of them, from what kv_lossy.sh writes.

    plot_kv_lossy.py plot TABLE.csv OUT.svg        one panel for each context; needs matplotlib
    plot_kv_lossy.py table TABLE.csv               Markdown: means over documents, spread, gates; standard library only

Means are over documents: of bytes (so ratios are of their sum), arithmetic of KL and of greedy tokens.
"""
import csv
import statistics
import sys
from collections import defaultdict


def rows_of(path):
    with open(path, newline="") as file:
        yield from csv.DictReader(line for line in file if not line.startswith("#"))


def groups(path):
    """{(tokens, cache, what): rows}, in the file's order."""
    found = defaultdict(list)
    for row in rows_of(path):
        found[int(row["tokens"]), row["cache"], row["what"]].append(row)
    return found


def column(rows, name):
    return [float(row[name]) for row in rows]


def ratio(rows, name="ratio"):
    """Of all documents' bytes together: the states are alike long, so the harmonic mean."""
    return statistics.harmonic_mean(column(rows, name))


def spread(values, form):
    return f"{form % statistics.mean(values)} ({form % min(values)} to {form % max(values)})"


def holds(rows, least_ratio):
    return ratio(rows) >= least_ratio and statistics.mean(column(rows, "kl")) <= 0.01 and statistics.mean(column(rows, "greedy_free")) >= 58


def table(path):
    print("| tokens | cache | what | documents | ratio (live heads) | KL, mean (least to most) | same top | greedy, path | greedy, free | pack, unpack MB/s | restore / recompute, s |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for (tokens, cache, what), rows in sorted(groups(path).items(), key=lambda item: (item[0][0], item[0][1], ratio(item[1]))):
        mean = lambda name: statistics.mean(column(rows, name))
        state = statistics.mean(float(r["bytes"]) * float(r["ratio"]) for r in rows) / 1e6
        speed = f"{state / mean('pack_s'):.1f}, {state / mean('unpack_s'):.1f}" if mean("unpack_s") > 0 else ""
        restore = f"{mean('restore_s'):.2f} / {mean('recompute_s'):.2f}" if mean("unpack_s") > 0 else ""
        gate = " **" if holds(rows, 2.5 if cache == "q8_0" else 6) else ""
        print(f"| {tokens} | {cache} | {what} | {len(rows)} | {ratio(rows):.2f} ({ratio(rows, 'live_ratio'):.2f}){gate} | {spread(column(rows, 'kl'), '%.5f')} | {mean('same_top'):.4f} "
              f"| {mean('greedy_path'):.1f} | {spread(column(rows, 'greedy_free'), '%.0f')} | {speed} | {restore} |")


def plot(path, out):
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    styles = {"step": ("o-", "#0b6e4f", "ech0"), "pca-all": ("s--", "#777777", "PCA + DEFLATE, all layers"), "pca-layer": ("d:", "#aa7755", "PCA + DEFLATE, by layer"),
              "q8_0": ("^", "#1f4e9c", "engine's q8_0"), "q4_0": ("v", "#9c1f1f", "engine's q4_0")}
    found = groups(path)
    contexts = sorted({tokens for tokens, cache, _ in found if cache == "f16"})
    plt.rcParams.update({"svg.hashsalt": "ech0", "font.size": 10})
    figure, panels = plt.subplots(1, len(contexts), figsize=(1.5 + 4.2 * len(contexts), 4.5), sharey=True, squeeze=False)
    for axes, context in zip(panels[0], contexts):
        for kind, (style, colour, label) in styles.items():
            points = sorted((ratio(rows), statistics.mean(column(rows, "kl"))) for (tokens, cache, what), rows in found.items()
                            if tokens == context and cache == "f16" and what.startswith(kind))
            if points:
                axes.semilogy([x for x, _ in points], [y for _, y in points], style, color=colour, label=label)
        axes.axhline(0.01, color="black", linewidth=0.8, linestyle=":")
        axes.set_title(f"{context} tokens")
        axes.set_xlabel("ratio, whole file")
        axes.grid(True, which="both", alpha=0.25)
    panels[0][0].set_ylabel("KL divergence of the next 256 tokens, nats per token")
    panels[0][0].legend()
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "plot":
        plot(sys.argv[2], sys.argv[3])
    elif len(sys.argv) == 3 and sys.argv[1] == "table":
        table(sys.argv[2])
    else:
        sys.exit(__doc__)
