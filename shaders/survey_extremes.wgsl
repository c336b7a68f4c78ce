// The extremes of what `survey_centroids` and, where it has run, `halve_centroids` have found.
//
//   norms[2·K']      ≥ the largest |centroids[j]|
//   norms[2·K' + 1]  = the largest of norms[K' + j]
//   drifts[k]        = the largest of drifts[j]
//   drifts[k + 1]    = the j of it, the lowest on ties, as a number
//   drifts[k + 2]    = the largest of the others, 0 where k is 1
//
// Joined by the part root_above.
//
// Bindings
//   norms, drifts  see `survey_centroids`
// Overrides
//   DIMENSIONS     d
//   CLUSTERS       k, below 2²⁴
//   ROOM           K'
//
// One workgroup of 256 threads. Reads 12 bytes a centroid.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override ROOM: u32;

const THREADS: u32 = 256u;
// The threads by which `survey_centroids` has summed each norm.
const SUMMED_BY: u32 = 64u;

@group(0) @binding(0) var<storage, read_write> norms: array<f32>;
@group(0) @binding(1) var<storage, read_write> drifts: array<f32>;

// Largest norm, largest rest.
var<workgroup> lengths: array<vec2<f32>, THREADS>;
// Largest drift, its cluster, the second largest.
var<workgroup> drifted: array<vec3<f32>, THREADS>;

// What is known of two sets of centroids together.
fn farther(a: vec3<f32>, b: vec3<f32>) -> vec3<f32> {
    let is_first = a.x > b.x || (a.x == b.x && a.y <= b.y);
    let second = max(min(a.x, b.x), max(a.z, b.z));
    return vec3(max(a.x, b.x), select(b.y, a.y, is_first), second);
}

@compute @workgroup_size(THREADS)
fn survey_extremes(@builtin(local_invocation_index) thread: u32) {
    var length = vec2(0.0);
    var drift = vec3(0.0, f32(CLUSTERS), 0.0);
    for (var cluster = thread; cluster < CLUSTERS; cluster += THREADS) {
        length = max(length, vec2(norms[cluster], norms[ROOM + cluster]));
        drift = farther(drift, vec3(drifts[cluster], f32(cluster), 0.0));
    }
    lengths[thread] = length;
    drifted[thread] = drift;
    workgroupBarrier();
    if (thread > 0u) {
        return;
    }
    for (var at = 1u; at < THREADS; at++) {
        length = max(length, lengths[at]);
        drift = farther(drift, drifted[at]);
    }
    norms[2u * ROOM] = root_above(length.x, SUMMED_BY);
    norms[2u * ROOM + 1u] = length.y;
    drifts[CLUSTERS] = drift.x;
    drifts[CLUSTERS + 1u] = drift.y;
    drifts[CLUSTERS + 2u] = drift.z;
}
