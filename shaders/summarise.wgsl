// Gathers what the host needs of a round in one piece of eight words.
//
// Bindings
//   partials  64-bit integers as pairs, low word first: CLUSTERS × DIMENSIONS × WORDS sums, CLUSTERS masses, the
//             inertia's two words, the rows that moved
//   shifts    CLUSTERS squared shifts
//   summary   inertia (two pairs), moved (a pair), clusters of mass 0, the bits of Σ shifts
// One workgroup of 256 threads; each strides over the clusters. Moves 12 bytes a cluster. The shifts are added in a fixed
// tree, so the sum has the same bits on every run.

override CLUSTERS: u32;
override DIMENSIONS: u32;
override WORDS: u32;

const THREADS: u32 = 256u;

@group(0) @binding(0) var<storage, read> partials: array<u32>;
@group(0) @binding(1) var<storage, read> shifts: array<f32>;
@group(0) @binding(2) var<storage, read_write> summary: array<u32>;

var<workgroup> empty: array<u32, THREADS>;
var<workgroup> shift: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32) {
    let masses = 2u * CLUSTERS * DIMENSIONS * WORDS;
    var own_empty = 0u;
    var own_shift = 0.0;
    for (var cluster = thread; cluster < CLUSTERS; cluster += THREADS) {
        let mass = masses + 2u * cluster;
        own_empty += select(0u, 1u, (partials[mass] | partials[mass + 1u]) == 0u);
        own_shift += shifts[cluster];
    }
    empty[thread] = own_empty;
    shift[thread] = own_shift;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if thread < half {
            empty[thread] += empty[thread + half];
            shift[thread] += shift[thread + half];
        }
    }
    let tail = masses + 2u * CLUSTERS;
    if thread < 6u {
        summary[thread] = partials[tail + thread];
    }
    if thread == 0u {
        summary[6] = empty[0];
        summary[7] = bitcast<u32>(shift[0]);
    }
}
