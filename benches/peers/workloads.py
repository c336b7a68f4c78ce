"""The workloads: data that every program clusters from the same first centroids.

    python workloads.py OUT_DIR [NAME ...]

writes NAME.npy and NAME_init.npy (k distinct rows), float32, C order, seeded; without names all of A to F.
"""
import pathlib
import sys

import numpy as np

#   name: rows n, dimensions d, clusters k, kind, iterations that are measured to the end
WORKLOADS = {
    "A": (1_000_000, 16, 64, "blobs", 50),
    "B": (500_000, 128, 256, "blobs", 50),
    "C": (200_000, 128, 1024, "blobs", 50),
    "D": (2_000_000, 3, 8, "uniform", 20),
    "E": (100_000, 784, 10, "images", 20),
    "F": (100_000, 768, 1024, "embedding", 50),
}


def rows(rng, n, d, k, kind):
    if kind == "uniform":
        return rng.random((n, d), dtype=np.float32)
    if kind == "embedding":  # unit vectors near a low-dimensional surface, as text embeddings are
        x = rng.standard_normal((n, 64), dtype=np.float32) @ rng.standard_normal((64, d), dtype=np.float32)
        x += 2.4 * rng.standard_normal((n, d), dtype=np.float32)
        return x / np.linalg.norm(x, axis=1, keepdims=True)
    if kind == "images":  # pixels in 0..1 near a low-dimensional surface: no clear clusters, slow to converge
        x = rng.standard_normal((n, 16), dtype=np.float32) @ rng.standard_normal((16, d), dtype=np.float32)
        return 1 / (1 + np.exp(-x, dtype=np.float32))
    centers = rng.uniform(-4, 4, (2 * k, d)).astype(np.float32)
    x = rng.standard_normal((n, d), dtype=np.float32)
    x *= 2
    x += centers[rng.integers(0, 2 * k, n)]
    return x


def write(folder, name):
    """Writes a workload unless it is there; returns the paths of its rows and its first centroids."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    data, init = folder / f"{name}.npy", folder / f"{name}_init.npy"
    if not (data.exists() and init.exists()):
        n, d, k, kind, _ = WORKLOADS[name]
        rng = np.random.default_rng(ord(name))
        x = np.ascontiguousarray(rows(rng, n, d, k, kind), dtype=np.float32)
        np.save(init, x[np.sort(rng.choice(n, k, replace=False))])
        np.save(data, x)
    return data, init


if __name__ == "__main__":
    for name in sys.argv[2:] or WORKLOADS:
        print(*write(sys.argv[1], name))
