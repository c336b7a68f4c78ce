"""Compares superstep with the k-means programs that are installed, on this machine, and writes a table and a chart.

    python -m venv v && v/bin/pip install -r benches/peers/requirements.txt
    cargo build --release
    v/bin/python benches/peers/compare.py                              # everything: about an hour on two cores
    v/bin/python benches/peers/compare.py --workloads A D --runs 1     # a look
    v/bin/python benches/peers/compare.py --only scaling

Seconds an iteration are (time of 1 + N iterations) − (time of 1), over N, medians of the runs; the programs take turns.
Everything that was measured goes to OUT.json, a table to OUT.md and the chart to OUT.svg.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

import numpy as np

import chart
from peer import PEERS
from workloads import WORKLOADS, write

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DENSE = 10  # iterations of a plain Lloyd comparison


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command}: {done.stderr.strip()}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def superstep(program, data, k, *arguments):
    return run([program, "kmeans", data, "--k", k, "--device", "cpu", "--json", "--quiet", *arguments])


class Job:
    """One program on one workload: the times of 1 and of 1 + N iterations."""

    def __init__(self, name, fit, iterations):
        self.name, self.fit, self.iterations = name, fit, iterations
        self.times, self.inertia, self.rss = {1: [], 1 + iterations: []}, None, 0

    def turn(self):
        for iterations, times in self.times.items():
            seconds, self.inertia, rss = self.fit(iterations)
            times.append(seconds)
            self.rss = max(self.rss, rss)

    def per_iteration(self):
        one, many = (statistics.median(times) for times in self.times.values())
        return (many - one) / self.iterations

    def result(self):
        return {
            "program": self.name, "iterations": self.iterations, "runs": len(self.times[1]),
            "s_per_iteration": self.per_iteration(), "s_first": statistics.median(self.times[1]),
            "inertia": self.inertia, "rss_mb": self.rss,
        }


def jobs(program, peers, data, init, k, iterations, only_dense):
    def ours(algorithm):
        def fit(count):
            out = superstep(program, data, k, "--init", init, "--max-iter", count, "--tol", "0", "--algorithm", algorithm)
            return out["seconds"]["pin"] + out["seconds"]["init"] + out["seconds"]["iterate"], out["inertia"], out["peak_rss_mb"]
        return fit

    def peer(name):
        def fit(count):
            out = run([sys.executable, HERE / "peer.py", name, data, init, count])
            return out["seconds"], out["inertia"], out["rss_mb"]
        return fit

    yield Job("superstep lloyd", ours("lloyd"), DENSE)
    if not only_dense:
        yield Job("superstep", ours("auto"), iterations)
    for name in peers:
        # Where an iteration always takes the same time, ten say as much as fifty.
        constant = PEERS[name][2]
        if constant or not only_dense:
            yield Job(name, peer(name), DENSE if constant else iterations)


def check(name, job, reference):
    """The same work: equal inertia after as many iterations, to what f32 paths part by."""
    if job.name == "superkmeans":
        return
    allowed = 1e-4 if job.iterations <= DENSE else 5e-4
    apart = abs(job.inertia / reference[job.iterations] - 1)
    if apart > allowed:
        sys.exit(f"{name}: {job.name} ends with an inertia of {job.inertia}, {apart:.1e} from superstep's: no equal work")


def compare(options, peers, report):
    for name in options.workloads:
        n, d, k, _, iterations = WORKLOADS[name]
        data, init = write(options.data, name)
        todo = [job for job in jobs(options.program, peers, data, init, k, iterations, options.only == "dense")]
        for turn in range(options.runs):
            for job in todo:
                job.turn()
                print(f"{name}: turn {turn + 1}, {job.name}: {job.per_iteration():.5f} s an iteration", file=sys.stderr)
        reference = {job.iterations: job.inertia for job in todo if job.name.startswith("superstep")}
        for job in todo:
            if job.iterations in reference:
                check(name, job, reference)
        report.setdefault("workloads", {})[name] = {"n": n, "d": d, "k": k, "programs": [job.result() for job in todo]}
        save(options, report)


def starts(options):
    """Greedy k-means++ and a whole fit, as a user calls them, against scikit-learn's."""
    from sklearn.cluster import KMeans, kmeans_plusplus
    from sklearn.datasets import load_digits, load_sample_image

    folder = pathlib.Path(options.data)
    pixels = folder / "pixels.npy"
    np.save(pixels, load_sample_image("china.jpg").reshape(-1, 3).astype(np.float32))
    digits = folder / "digits20.npy"
    np.save(digits, np.tile(load_digits().data.astype(np.float32), (20, 1)))
    results = {"init": [], "fit": []}
    for name, path, k in (("C", write(folder, "C")[0], 1024), ("pixels", pixels, 64)):
        if name not in options.starts:
            continue
        x, theirs, ours, parallel = np.load(path), [], [], []
        for seed in range(options.runs if k < 1000 else 1):
            begin = time.perf_counter()
            kmeans_plusplus(x, k, random_state=seed)
            theirs.append(time.perf_counter() - begin)
            for into, init in ((ours, "k-means++"), (parallel, "k-means||")):
                out = superstep(options.program, path, k, "--init", init, "--seed", seed, "--max-iter", 1)
                into.append(out["seconds"]["init"])
            print(f"init of {name}: {theirs[-1]:.2f} s, superstep {ours[-1]:.2f}, ||: {parallel[-1]:.2f}", file=sys.stderr)
        results["init"].append({"data": name, "k": k, "runs": len(ours), "scikit-learn": statistics.median(theirs),
                                "superstep": statistics.median(ours), "superstep k-means||": statistics.median(parallel)})
    for name, path, k in (("A", write(folder, "A")[0], 64), ("C", write(folder, "C")[0], 1024),
                          ("F", write(folder, "F")[0], 1024), ("digits", digits, 10)):
        if name not in options.fits:
            continue
        x = np.load(path)
        begin = time.perf_counter()
        model = KMeans(k, random_state=0, n_init=1).fit(x)
        theirs = time.perf_counter() - begin
        out = superstep(options.program, path, k)
        ours = out["seconds"]["total"] - out["seconds"]["load"]
        print(f"fit of {name}: {theirs:.2f} s, superstep {ours:.2f}", file=sys.stderr)
        results["fit"].append({"data": name, "k": k, "scikit-learn": theirs, "superstep": ours,
                               "inertia": [model.inertia_, out["inertia"]], "iterations": [model.n_iter_, out["iterations"]]})
    return results


def scaling(options):
    """Seconds an iteration of `--algorithm lloyd` against n, d, k and threads, each doubled from a middle."""
    folder, results = pathlib.Path(options.data), {}
    middle = {"n": 100_000, "d": 64, "k": 128, "threads": os.cpu_count()}
    axes = {"n": [25_000, 50_000, 100_000, 200_000], "d": [16, 32, 64, 128, 256], "k": [32, 64, 128, 256, 512],
            "threads": [t for t in (1, 2, 4, 8, 16, 32, 64) if t <= (os.cpu_count() or 1)]}
    rng = np.random.default_rng(1)
    for axis, values in axes.items():
        points = []
        for value in values:
            at = {**middle, axis: value}
            x = rng.standard_normal((at["n"], at["d"]), dtype=np.float32)
            path = folder / "scaling.npy"
            np.save(path, x)
            np.save(folder / "scaling_init.npy", x[:at["k"]])
            out = superstep(options.program, path, at["k"], "--init", folder / "scaling_init.npy", "--max-iter", 8, "--tol",
                            "0", "--algorithm", "lloyd", "--threads", at["threads"])
            points.append([value, statistics.median(r["seconds"] for r in out["trace"][2:])])
        slope = np.polyfit(*np.log(np.array(points)).T, 1)[0] if len(points) > 1 else float("nan")
        results[axis] = {"points": points, "slope": slope}
        print(f"scaling with {axis}: slope {slope:.2f}", file=sys.stderr)
    return results


def save(options, report):
    """After every step, so that an interrupted comparison leaves what it had."""
    out = pathlib.Path(options.out)
    out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    out.with_suffix(".md").write_text(chart.table(report))
    out.with_suffix(".svg").write_text(chart.svg(report))


def machine():
    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        found = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
        name = found.group(1) if found else name
    return f"{name}, {os.cpu_count()} cores"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    p.add_argument("--peers", nargs="+", choices=PEERS)
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--starts", nargs="*", default=["C", "pixels"], help="data of the comparison of starts")
    p.add_argument("--fits", nargs="*", default=["A", "C", "F", "digits"], help="data of the comparison of whole fits")
    p.add_argument("--only", choices=("dense", "end", "starts", "scaling"))
    p.add_argument("--program", default=ROOT / "target/release/superstep")
    p.add_argument("--data", default=ROOT / "target/peers")
    p.add_argument("--out", default=ROOT / "benches/results/peers")
    options = p.parse_args()
    pathlib.Path(options.data).mkdir(parents=True, exist_ok=True)
    installed = run([sys.executable, HERE / "peer.py", "--list"])
    peers = [name for name in options.peers or installed if name in installed]
    kept = pathlib.Path(options.out).with_suffix(".json")
    report = json.loads(kept.read_text()) if kept.exists() and options.only else {}
    report["machine"] = machine()
    if options.only in (None, "dense", "end"):
        compare(options, peers, report)
    if options.only in (None, "starts"):
        report["starts"] = starts(options)
    if options.only in (None, "scaling"):
        report["scaling"] = scaling(options)
    save(options, report)
    print(chart.table(report))


if __name__ == "__main__":
    main()
