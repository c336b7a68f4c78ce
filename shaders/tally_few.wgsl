// Few sums brought up to date, and the inertia that follows from them: `tally`, `inertia_around` and `inertia_total` in one workgroup, where
// three kernels would mostly wait for each other. Integers are theirs, bit for bit.
//
//   sums[i]     += changes[i]                     64-bit integers, low word first
//   partials[i]  = sums[i]; changes[i] behind the inertia; and the inertia
//
// Joined by the parts whole, tally_cell, wide, around, inertia.
//
// Bindings
//   changes    k·d + k + 3 integers: partials (see `sum_by_label`) of the rows that moved, with WORDS = 1
//   sums       the same of all rounds, added to
//   partials   the same, written
//   exponents  d + 2: see `sum_by_label`
//   centroids  k × d, row-major
// Overrides
//   DIMENSIONS  d
//   CLUSTERS    k
//   BITS        bits between the two words of the inertia
//   TOTALS      the first of these words
//
// One workgroup of 256 threads: for some thousand sums. Traffic: 36 bytes a sum. Work: some 200 integer operations a sum.
// Workgroup memory: 4 KiB.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override BITS: u32;
override TOTALS: u32;

const THREADS: u32 = 256u;

@group(0) @binding(0) var<storage, read> changes: array<u32>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;
@group(0) @binding(2) var<storage, read_write> partials: array<u32>;
@group(0) @binding(3) var<storage, read> exponents: array<i32>;
@group(0) @binding(4) var<storage, read> centroids: array<f32>;

var<workgroup> parts: array<vec4<u32>, THREADS>;

@compute @workgroup_size(THREADS)
fn tally_few(@builtin(local_invocation_index) thread: u32) {
    for (var cell = thread; cell < arrayLength(&changes) / 2u; cell += THREADS) {
        tally_cell(cell);
    }
    storageBarrier();
    var total = vec4(0u);
    for (var cell = thread; cell < CLUSTERS * DIMENSIONS; cell += THREADS) {
        let mass = integer(CLUSTERS * DIMENSIONS + cell / DIMENSIONS);
        total = wide_add(total, term(mass, cell, cell % DIMENSIONS));
    }
    parts[thread] = total;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            parts[thread] = wide_add(parts[thread], parts[thread + half]);
        }
    }
    if (thread == 0u) {
        write_inertia(parts[0]);
    }
}
