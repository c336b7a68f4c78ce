// The extremes of what `survey_centroids` and, where it has run, `halve_centroids` have found, group by group.
//
//   extremes[5·g]      ≥ the largest |centroids[j]|, j being in group g
//   extremes[5·g + 1]  = the largest of norms[K' + j]
//   extremes[5·g + 2]  = the largest of drifts[j]
//   extremes[5·g + 3]  = the j of it, the lowest on ties, as a number
//   extremes[5·g + 4]  = the largest of the others, 0 where there is none
//
// Joined by the part root_above.
//
// Bindings
//   norms, drifts  see `survey_centroids`
//   extremes       5·G, written
// Overrides
//   DIMENSIONS     d
//   CLUSTERS       k, below 2²⁴
//   ROOM           K'
//   WIDTH          centroids in a group: the centroids g·WIDTH to (g + 1)·WIDTH - 1 are group g
//
// A workgroup of 256 threads takes a group: dispatch G. Reads 12 bytes a centroid.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override ROOM: u32;
override WIDTH: u32;

const THREADS: u32 = 256u;
// As in `survey_centroids`, which has summed each norm.
const SUMMED_BY: u32 = 64u;

@group(0) @binding(0) var<storage, read> norms: array<f32>;
@group(0) @binding(1) var<storage, read> drifts: array<f32>;
@group(0) @binding(2) var<storage, read_write> extremes: array<f32>;

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
fn survey_extremes(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first = group.x * WIDTH;
    let end = min(first + WIDTH, CLUSTERS);
    var length = vec2(0.0);
    var drift = vec3(0.0, f32(CLUSTERS), 0.0);
    for (var cluster = first + thread; cluster < end; cluster += THREADS) {
        length = max(length, vec2(norms[cluster], norms[ROOM + cluster]));
        drift = farther(drift, vec3(drifts[cluster], f32(cluster), 0.0));
    }
    lengths[thread] = length;
    drifted[thread] = drift;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            lengths[thread] = max(lengths[thread], lengths[thread + half]);
            drifted[thread] = farther(drifted[thread], drifted[thread + half]);
        }
    }
    if (thread > 0u || first >= CLUSTERS) {
        return;
    }
    let at = 5u * group.x;
    extremes[at] = root_above(lengths[0].x, SUMMED_BY);
    extremes[at + 1u] = lengths[0].y;
    extremes[at + 2u] = drifted[0].x;
    extremes[at + 3u] = drifted[0].y;
    extremes[at + 4u] = drifted[0].z;
}
