"""Prints a row of the benchmark and writes what was measured so far: bench.json, bench.md, bench.svg."""
import json
import pathlib

NAMES = {"generated": "generated program", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "torch": "PyTorch", "compile": "torch.compile"}
FIGURES = ["model", "parameters, M", "pixels", "batch", "threads", "images/s", "median, ms", "min, ms", "share of peak"]
COSTS = ["first result, ms", "peak resident memory, MB", "on disk, MB"]
NOTES = """Time of the {generated} and of its peers on one input, in rounds in which all take turns. Median: over rounds, of each round's
median. "× peer": its time over the peer's, median over rounds of the ratios of least times; below 1 it is faster. Share of peak: all
arithmetic of the model as it was exported over least time and over the FMA peak measured in the same round; what is proven never to
be read need not be computed, so it may pass 100 %. First result: from the start of the process to the first output; in brackets
without the imports of Python packages. Disk: program and weights; or model and Python packages, without Python itself."""


def cpu_name():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")


def line(cells):
    return "| " + " | ".join(map(str, cells)) + " |"


def head(columns):
    return line(columns) + "\n" + "|---" * len(columns) + "|"


def label(row):
    return [row["title"], f"{row['parameters'] / 1e6:.2f}", row["size"] or "–", row["batch"], row["threads"]]


def number(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def speed_columns(peers):
    return FIGURES + [f"× {NAMES[p]}" for p in peers]


def speed(row, peers):
    """One line of the table of speeds, or the reason why there is none."""
    if "refused" in row:
        return line(label(row) + [f"refused: {row['refused']}"])
    ours = row["contestants"]["generated"]
    cells = [number(ours["images_per_s"]), number(ours["median_ms"]), number(ours["min_ms"]), f"{100 * ours['share_of_peak']:.1f} %"]
    ratios = [f"{row['contestants'][p]['ratio']:.3f}" if p in row["contestants"] else "failed" if p in row["failed"] else "–" for p in peers]
    return line(label(row) + cells + ratios)


def costs(row, peers):
    """One line of the table of what running takes, each cell with one figure a contestant."""
    there = [row["contestants"].get(kind) for kind in ["generated", *peers]]
    first = [f"{c['first_ms']:.0f}" + (f" ({c['load_ms']:.0f})" if c["load_ms"] else "") if c else "–" for c in there]
    cells = [" / ".join(f"{c[key]:.0f}" if c else "–" for c in there) for key in ("peak_mb", "disk_mb")]
    return line(label(row) + [" / ".join(first), *cells])


def print_row(row, peers, seen=[]):
    if not seen:
        print(head(speed_columns(peers)))
        seen.append(row)
    print(speed(row, peers))
    if row["errors"]:
        print(f"  largest error: {', '.join(f'{NAMES[k]} {e:.1e}' for k, e in row['errors'].items())} of scale")
    for kind, why in row["failed"].items():
        print(f"  {NAMES[kind]} failed: {why[:300]}")
    print(end="", flush=True)


def markdown(result, peers):
    rows = [r for r in result["rows"] if "refused" not in r]
    if not rows:
        return "No row was measured.\n"
    versions = ", ".join(f"{NAMES[k]} {v}" for k, v in result["versions"].items() if k != "compile")
    peaks = {r["threads"]: f"{r['peak']['gflops']:.0f} GF/s on {r['threads']} thread{'s' * (r['threads'] > 1)}" for r in rows}
    worst = max((e for r in rows for e in r["errors"].values()), default=0.0)
    machine = f"{result['date']}, {result['cpu']}, {result['cores']} cores, {rows[0]['peak']['isa'].upper()}; FMA peak {', '.join(peaks.values())}."
    parts = [f"{machine} {versions}.", NOTES.format(generated="generated program"), f"Largest difference of outputs: {worst:.1e} of scale.", "### Speed",
             "\n".join([head(speed_columns(peers)), *(speed(r, peers) for r in rows)]), "### What running takes",
             "Each cell: " + " / ".join(NAMES[k] for k in ["generated", *peers]) + ".",
             "\n".join([head(FIGURES[:5] + COSTS), *(costs(r, peers) for r in rows)])]
    return "\n\n".join(parts) + "\n"


def plot(result, peers, path):
    """One line a row, one dot a contestant: images a second beside the generated program's."""
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "bench"
    from matplotlib import pyplot
    rows = [r for r in result["rows"] if "refused" not in r]
    if not rows:
        return
    figure, axes = pyplot.subplots(figsize=(9, 1.4 + 0.28 * len(rows)), layout="constrained")
    places = range(len(rows), 0, -1)
    for kind, marker in zip(["generated", *peers], "Dos^v"):
        dots = [(r["contestants"][kind]["ratio"], y) for r, y in zip(rows, places) if kind in r["contestants"]]
        axes.plot([x for x, _ in dots], [y for _, y in dots], marker, label=NAMES[kind], markersize=6)
    axes.set_yticks(list(places), [f"{r['title']}, {r['size'] or '–'} px, batch {r['batch']}, {r['threads']} thr." for r in rows], fontsize=8)
    axes.set_xlabel(f"speed, generated program = 1   ({result['cpu']}, {result['date']})", fontsize=8)
    axes.set_xlim(left=0)
    axes.grid(axis="x", alpha=0.4)
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, 1 + 0.9 / (1.4 + 0.28 * len(rows))), ncols=5, fontsize=8, frameon=False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def write(result, peers, folder):
    """All peers that any row has: rows of earlier runs may have others than this one's."""
    peers = [p for p in NAMES if p in peers or (p != "generated" and any(p in row["contestants"] or p in row["failed"] for row in result["rows"]))]
    (folder / "bench.json").write_text(json.dumps(result, indent=1) + "\n")
    (folder / "bench.md").write_text(markdown(result, peers))
    plot(result, peers, folder / "bench.svg")
