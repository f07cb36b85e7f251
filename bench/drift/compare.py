"""Our detectors beside other tools, on data of the same shapes and sizes, in one run.

    python bench/drift/compare.py OURS [PYTHON [small|full]]

OURS is the built example `measure` of `mlmon`, PYTHON the interpreter of the golden environment
(`make golden` makes it); without one our figures stand alone. Beside it, `venv-whylogs` may hold
whylogs, which wants a NumPy of its own (bench/drift/others.py says how). `full` measures 1,000,000 × 50
of the others as well, which takes them minutes. `make bench` calls it.
"""

import os
import re
import subprocess
import sys

# Ours, theirs, and what is to be reached in processor seconds (or nanoseconds a value).
ROWS = [
    ("200,000 × 20 twice, PSI", ["Evidently, PSI", "NannyML, Jensen-Shannon"], 0.08),
    (
        "200,000 × 20 twice, every univariate detector",
        ["Evidently, defaults", "NannyML, four methods", "SciPy, KS and Wasserstein"],
        0.6,
    ),
    (
        "1,000,000 × 50 twice, defaults",
        ["NannyML, Jensen-Shannon, 1,000,000 × 50", "Evidently, PSI, 1,000,000 × 50"],
        1.5,
    ),
    ("4,000,000 values into counters", ["whylogs, 4,000,000 values"], 0.04),
    ("4,000,000 values into counters and sketches", ["whylogs, 4,000,000 values"], 0.08),
    ("CBPE, 50,000 rows learned and 50,000 estimated", ["NannyML, CBPE 50,000 + 50,000"], 0.1),
    (
        "DLE, 60,000 rows learned and 60,000 estimated, 2 metrics",
        ["NannyML, DLE 60,000 + 60,000, 2 metrics"],
        1.5,
    ),
    (
        "AUROC, average precision, calibration of 10,000,000 rows",
        ["scikit-learn, AUROC, AP, log loss, Brier of 10,000,000"],
        None,
    ),
]
# Beside Evidently's methods for embeddings; its MMD of so many rows would take 320 GB.
ROWS += [
    ("100,000 × 384 twice, centroid_euclidean", ["Evidently, embeddings, distance"], None),
    ("100,000 × 384 twice, centroid_cosine", [], None),
    ("100,000 × 384 twice, drifted_components", ["Evidently, embeddings, ratio"], None),
    ("100,000 × 384 twice, mmd", ["Evidently, embeddings, MMD of 1,000"], None),
]
LINE = re.compile(r"^(\S.*?)\s+([\d.]+)\s+([\d.]+)\s+(\d+)$")


def figures(command):
    """Processor seconds and peak memory by the name of the row."""
    environment = {**os.environ, "RAYON_NUM_THREADS": os.environ.get("RAYON_NUM_THREADS", "2")}
    output = subprocess.run(command, capture_output=True, text=True, env=environment)
    if output.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{output.stderr}")
    found = {}
    for line in output.stdout.splitlines():
        parts = LINE.match(line)
        if parts:
            found[parts[1]] = (float(parts[3]), int(parts[4]))
    return found


def main():
    ours = figures([sys.argv[1]]) | figures([sys.argv[1], "vectors"])
    theirs = {}
    if len(sys.argv) > 2 and os.access(sys.argv[2], os.X_OK):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "others.py")
        theirs = figures([sys.argv[2], script, *sys.argv[3:4]])
        theirs |= figures([sys.argv[2], script, "vectors"])
        whylogs = sys.argv[2].replace("venv-golden", "venv-whylogs")
        if whylogs != sys.argv[2] and os.access(whylogs, os.X_OK):
            theirs |= figures([whylogs, script, "whylogs"])
    else:
        print("other tools are left out: `make golden` installs them")
    print(f"{'':<58}{'CPU s':>9}{'peak MB':>9}{'to reach':>10}  others: CPU s, peak MB, times ours")
    missed = 0
    for name, others, goal in ROWS:
        spent, peak = ours[name]
        beside = []
        for other in others:
            if other in theirs:
                cost, memory = theirs[other]
                beside.append(f"{other} {cost:.2f}, {memory}, ×{cost / spent:.0f}")
        if goal is None and others and others[0] in theirs:
            goal = theirs[others[0]][0] / 5
        if goal is not None and spent > goal:
            missed += 1
        said = "" if goal is None else f"{goal:.2f}{' !' if spent > goal else ''}"
        print(f"{name:<58}{spent:>9.3f}{peak:>9}{said:>10}  {'; '.join(beside)}", flush=True)
    if missed:
        print(f"{missed} missed (!)")


if __name__ == "__main__":
    main()
