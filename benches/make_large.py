"""Writes a large .npy file of clustered rows, block by block, so that no memory is needed for the whole.

    python benches/make_large.py OUT.npy ROWS COLUMNS [CENTRES]        (needs numpy)
    python benches/make_large.py big.npy 24000000 128                  12.3 GB of float32

Rows are Gaussian blobs around uniform centres, seeded by block: the same arguments give the same file.
"""
import sys

import numpy as np
from numpy.lib import format as npy

BLOCK = 1 << 16


def main():
    out, rows, columns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 64
    centres = np.random.default_rng(0).uniform(-4, 4, (count, columns)).astype(np.float32)
    with open(out, "wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, columns)}
        npy.write_array_header_1_0(file, header)
        # Noise is drawn once and used again, shifted: drawing it anew would take longer than writing the file.
        rng = np.random.default_rng(1)
        noise = rng.standard_normal(2 * BLOCK * columns, dtype=np.float32)
        for first in range(0, rows, BLOCK):
            length = min(BLOCK, rows - first)
            shift = int(rng.integers(0, BLOCK * columns))
            block = noise[shift : shift + length * columns].reshape(length, columns)
            np.add(block, centres[rng.integers(0, count, length)]).tofile(file)


main()
