"""Times `superstep kmeans` with 1, 2 and 4 ranks, one thread each, and prints a table for docs/scaling.md.

    cargo build --release --features mpi
    python benches/ranks.py target/release/superstep [ROWS…]          500000 2000000 by default

Rows are 32 columns of uniform noise; k is 64, five updates from random rows, the best of three runs. CPU seconds are those
of all ranks together, for the whole job, by the operating system.
"""
import array
import json
import os
import resource
import subprocess
import sys
import tempfile

COLUMNS = 32
JOB = "--k 64 --max-iter 5 --tol 0 --init random --n-init 1 --device cpu --threads 1 --json --quiet".split()
MPIRUN = "mpirun --allow-run-as-root --oversubscribe --bind-to none".split()


def write(path, rows):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (rows, COLUMNS)
    length = (10 + len(header) + 1 + 63) // 64 * 64 - 10
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + header.ljust(length - 1).encode() + b"\n")
        left = rows * COLUMNS
        while left:
            count = min(left, 1 << 22)
            array.array("f", iter(os.urandom(count))).tofile(file)
            left -= count


def run(program, path, ranks):
    launcher = [] if ranks == 1 else [*MPIRUN, "-n", str(ranks)]
    # Ranks that wait give way to those that work, where there are more of them than processors.
    environment = dict(os.environ, OMPI_MCA_mpi_yield_when_idle="1")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*launcher, program, "kmeans", path, *JOB], capture_output=True, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    fit = json.loads(done.stdout)
    rounds = [entry for entry in fit["trace"] if entry["iteration"] >= 1]
    mean = lambda key: sum(entry[key] for entry in rounds) / len(rounds)
    return mean("seconds"), mean("communicate_seconds"), after.ru_utime - before.ru_utime, fit["inertia"]


def main():
    program, sizes = sys.argv[1], [int(rows) for rows in sys.argv[2:]] or [500_000, 2_000_000]
    print("| rows | ranks | one iteration | of it between ranks | CPU, whole job |")
    print("| --- | --- | --- | --- | --- |")
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "rows.npy")
            write(path, rows)
            answers = set()
            for ranks in (1, 2, 4):
                seconds, between, cpu, inertia = min(run(program, path, ranks) for _ in range(3))
                answers.add(inertia)
                share = 100 * between / seconds
                print(f"| {rows:,} | {ranks} | {1000 * seconds:.0f} ms | {share:.1f} % | {cpu:.2f} s |")
            assert len(answers) == 1, answers


main()
