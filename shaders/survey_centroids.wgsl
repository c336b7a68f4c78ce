// What the search wants to know of each centroid: its squared length, and how far it has moved since the search before. Before
// the slices of a round, once for a task.
//
//   norms[j]           = sum over i of centroids[j][i]², or the largest f32 for j from k to K' - 1
//   drifts[j]          ≥ |centroids[j] - before[j]|
//   before[j]          = centroids[j]
//
// Joined by the part root_above.
//
// Bindings
//   centroids        k × d, row-major
//   before           k × d: on entry the centroids of the search before
//   norms            2·K' values, of which the first K' are written; the others are those of `halve_centroids`
//   drifts           k values
// Overrides
//   DIMENSIONS       d
//   CLUSTERS         k
//   ROOM             K': centroids there is room for, k or more
//
// A workgroup of 256 threads takes a centroid: dispatch K'. A thread fetches up to four values before it writes one: a write between
// would have to wait for them. Sums are rounded up: with g = n·2⁻²⁴ for n = d/64 + 72 roundings, more
// than there are, a sum of squares is within g of its own, and squares that are flushed to zero leave out 2⁻⁶³ a column at most.
// Traffic: 12 bytes a value. Work: 5 operations a value, a (2n/5)-th of the search.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override ROOM: u32;

const THREADS: u32 = 256u;
// Each sum takes fewer roundings than by so many threads that are added one by one.
const SUMMED_BY: u32 = 64u;
const FARTHEST: f32 = 0x1.fffffep+127;

@group(0) @binding(0) var<storage, read> centroids: array<f32>;
@group(0) @binding(1) var<storage, read_write> before: array<f32>;
@group(0) @binding(2) var<storage, read_write> norms: array<f32>;
@group(0) @binding(3) var<storage, read_write> drifts: array<f32>;

// Square and squared drift of each thread's values.
var<workgroup> found: array<vec2<f32>, THREADS>;

fn value_or_0(begin: u32, column: u32) -> f32 {
    if (column >= DIMENSIONS) {
        return 0.0;
    }
    return centroids[begin + column];
}

fn before_or_0(begin: u32, column: u32) -> f32 {
    if (column >= DIMENSIONS) {
        return 0.0;
    }
    return before[begin + column];
}

fn keep(begin: u32, column: u32, value: f32) {
    if (column < DIMENSIONS) {
        before[begin + column] = value;
    }
}

fn lanes(v: vec4<f32>) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

@compute @workgroup_size(THREADS)
fn survey_centroids(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let cluster = group.x + group.y * groups.x;
    if (cluster >= ROOM) {
        return;
    }
    if (cluster >= CLUSTERS) {
        if (thread == 0u) {
            norms[cluster] = FARTHEST;
        }
        return;
    }
    var sums = vec2(0.0);
    let begin = cluster * DIMENSIONS;
    for (var column = thread; column < DIMENSIONS; column += 4u * THREADS) {
        let values = vec4(
            value_or_0(begin, column), value_or_0(begin, column + THREADS),
            value_or_0(begin, column + 2u * THREADS), value_or_0(begin, column + 3u * THREADS),
        );
        let moved = values - vec4(
            before_or_0(begin, column), before_or_0(begin, column + THREADS),
            before_or_0(begin, column + 2u * THREADS), before_or_0(begin, column + 3u * THREADS),
        );
        sums += vec2(lanes(values * values), lanes(moved * moved));
        keep(begin, column, values.x);
        keep(begin, column + THREADS, values.y);
        keep(begin, column + 2u * THREADS, values.z);
        keep(begin, column + 3u * THREADS, values.w);
    }
    found[thread] = sums;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            found[thread] += found[thread + half];
        }
    }
    if (thread == 0u) {
        norms[cluster] = found[0].x;
        drifts[cluster] = root_above(found[0].y, SUMMED_BY);
    }
}
