"""Compare the built program with scikit-learn, case by case: labels, iterations, inertia.

    cargo build --release
    python tests/compare_with_scikit_learn.py [DEVICE ...]        (needs numpy and scikit-learn; devices: cpu gpu)

Both start from the same centroids. scikit-learn computes in float64; the data come as float32 and float64, in C and
Fortran order, with and without weights, an offset of 10,000, and starts with three equal centroids, so that clusters
are empty and must be relocated. Exits with 1 if any row's label or any number of iterations differs.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from sklearn.cluster import KMeans

PROGRAM = pathlib.Path(__file__).parent.parent / "target" / "release" / "superstep"
SHAPES = [(200, 2, 3), (500, 5, 8), (300, 40, 12), (1000, 3, 20), (50, 1, 5), (400, 17, 30), (600, 64, 10)]


def case(seed):
    rng = np.random.default_rng(seed)
    n, d, k = SHAPES[seed % len(SHAPES)]
    x = rng.normal(size=(n, d)) * 2 + rng.integers(-5, 5, (n, 1)) * 1.7
    x = (x + (1e4 if seed % 6 == 3 else 0)).astype(np.float64 if seed % 2 else np.float32)
    if seed % 5 == 0:
        x = np.asfortranarray(x)
    weights = rng.random(n) * 3 if seed % 3 == 0 else None
    init = x[rng.choice(n, k, replace=False)].copy()
    if seed % 4 == 1:
        init[1] = init[2] = init[0]
    return x, weights, init, (0 if seed % 2 else 1e-4)


def ours(folder, device, x, weights, init, tol):
    np.save(folder / "x.npy", x)
    np.save(folder / "init.npy", init)
    command = [PROGRAM, "kmeans", folder / "x.npy", "--k", len(init), "--init", folder / "init.npy", "--tol", tol,
               "--device", device, "--json", "--quiet", "--labels", folder / "labels.npy"]
    if weights is not None:
        np.save(folder / "weights.npy", weights)
        command += ["--weights", folder / "weights.npy"]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout), np.load(folder / "labels.npy")


def main():
    differ = 0
    for device in sys.argv[1:] or ["cpu"]:
        for seed in range(14):
            x, weights, init, tol = case(seed)
            km = KMeans(len(init), init=init, n_init=1, tol=tol)
            km.fit(np.ascontiguousarray(x, dtype=np.float64), sample_weight=weights)
            with tempfile.TemporaryDirectory() as folder:
                result, labels = ours(pathlib.Path(folder), device, x, weights, init, tol)
            rows = int((labels != km.labels_).sum())
            relative = abs(result["inertia"] - km.inertia_) / km.inertia_
            print(f"{device} case {seed}: {x.shape[0]} x {x.shape[1]}, k {len(init)}, {x.dtype}: {rows} labels differ, "
                  f"iterations {result['iterations']} and {km.n_iter_}, inertia differs by {relative:.1e}")
            differ += rows > 0 or result["iterations"] != km.n_iter_
    return 1 if differ else 0


sys.exit(main())
