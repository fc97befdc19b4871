#!/usr/bin/env python3
"""KL divergence against bytes, ech0 beside llama-imatrix + llama-quantize, from the table that
compress_against_llama_quantize.sh writes. Needs matplotlib.

    plot_kl.py TABLE.csv OUT.svg
"""
import csv
import math
import sys
from collections import defaultdict

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt


def rows_of(path):
    with open(path, newline="") as file:
        yield from csv.DictReader(line for line in file if not line.startswith("#"))


def points(path):
    """{size name: (bytes, peer's KL, ech0's KL)}, geometric means over the texts."""
    by_type = defaultdict(list)
    for row in rows_of(path):
        by_type[row["type"]].append(row)
    mean = lambda values: math.exp(sum(map(math.log, values)) / len(values))
    return {name: (int(rows[0]["peer_bytes"]), mean([float(r["peer_kl"]) for r in rows]), mean([float(r["ech0_kl"]) for r in rows]))
            for name, rows in by_type.items()}


def main(table, out):
    sizes = sorted(points(table).items(), key=lambda item: item[1][0])
    megabytes = [b / 1e6 for _, (b, _, _) in sizes]
    plt.rcParams.update({"svg.hashsalt": "ech0", "font.size": 10})
    figure, axes = plt.subplots(figsize=(7, 4.5))
    axes.semilogy(megabytes, [p for _, (_, p, _) in sizes], "s--", color="#777777", label="llama-imatrix + llama-quantize")
    axes.semilogy(megabytes, [o for _, (_, _, o) in sizes], "o-", color="#0b6e4f", label="ech0, same bytes")
    for (name, (_, peer, _)), x in zip(sizes, megabytes):
        axes.annotate(name, (x, peer), textcoords="offset points", xytext=(0, 7), ha="center", fontsize=8)
    axes.set_xlabel("size of the file, MB")
    axes.set_ylabel("KL divergence to the original, nats per token")
    axes.grid(True, which="both", alpha=0.25)
    axes.legend()
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
