"""Times one peer on one workload, in a process of its own, and prints a JSON line.

    python peer.py PEER DATA.npy INIT.npy ITERATIONS

Seconds of a fit of ITERATIONS from the given centroids; inertia is summed here, in float64, from the centroids that the
peer returns. `python peer.py --list` prints the peers that are installed.
"""
import importlib.util
import json
import resource
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")


def sklearn(algorithm):
    def fit(x, init, iterations):
        from sklearn.cluster import KMeans

        return KMeans(len(init), init=init, n_init=1, max_iter=iterations, tol=0, algorithm=algorithm).fit(x)

    return lambda x, init, iterations: fit(x, init, iterations).cluster_centers_


def sklearnex(x, init, iterations):
    from sklearnex.cluster import KMeans

    return KMeans(len(init), init=init, n_init=1, max_iter=iterations, tol=0).fit(x).cluster_centers_


def faiss(x, init, iterations):
    import faiss

    km = faiss.Kmeans(x.shape[1], len(init), niter=iterations, max_points_per_centroid=len(x) + 1,
                      min_points_per_centroid=1, seed=1)
    km.train(x, init_centroids=init)
    return km.centroids


def superkmeans(x, init, iterations):
    # It takes no first centroids and draws its own, and it skips by probability: compare its inertia with care.
    from superkmeans import SuperKMeans

    km = SuperKMeans(len(init), x.shape[1], hierarchical=False, iters=iterations, sampling_fraction=1.0, tol=0.0,
                     early_termination=False)
    return km.train(x)


#   name: module, fit, whether an iteration always takes the same time, whether it starts from the given centroids
PEERS = {
    "scikit-learn lloyd": ("sklearn", sklearn("lloyd"), True, True),
    "scikit-learn elkan": ("sklearn", sklearn("elkan"), False, True),
    "scikit-learn-intelex": ("sklearnex", sklearnex, True, True),
    "faiss": ("faiss", faiss, True, True),
    "superkmeans": ("superkmeans", superkmeans, False, False),
}


def inertia(x, centroids):
    c = np.asarray(centroids, dtype=np.float64)
    c2, total = (c * c).sum(1), 0.0
    for low in range(0, len(x), 20_000):
        b = x[low:low + 20_000].astype(np.float64)
        total += ((b * b).sum(1) + (c2 - 2 * b @ c.T).min(1)).sum()
    return total


def main():
    if sys.argv[1:] == ["--list"]:
        print(json.dumps([name for name, (module, *_) in PEERS.items() if importlib.util.find_spec(module)]))
        return
    name, data, init, iterations = sys.argv[1:]
    x, init = np.load(data), np.load(init)
    fit = PEERS[name][1]
    # What is imported and set up once is no part of a fit.
    fit(x[:max(len(init), 1000)], init, 1)
    start = time.perf_counter()
    centroids = fit(x, init, int(iterations))
    seconds = time.perf_counter() - start
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": seconds, "inertia": inertia(x, centroids), "rss_mb": rss}))


if __name__ == "__main__":
    main()
