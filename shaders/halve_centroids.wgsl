// The centroids in half precision, and what that leaves out: what the matrix units of `assign_halves` and `assign_halves_wide`
// take.
//
//   centroid_halves[j] = SCALE·centroids[j] in half precision, columns d to PADDED - 1 and centroids k to K' - 1 zero, two to a word
//   norms[K' + j]      ≥ |centroids[j] - centroid_halves[j] / SCALE|, the largest f32 where a value outgrows half precision
//
// Joined by the parts half_rest, root_above.
//
// Bindings
//   centroids        k × d, row-major
//   norms            2·K' values: see `survey_centroids`
//   centroid_halves  K' × PADDED / 2 words
// Overrides
//   DIMENSIONS       d
//   CLUSTERS         k
//   PADDED           columns in half precision, even, d or more
//   ROOM             K': centroids there is room for, k or more
//   SCALE            a power of two that brings the largest value of the rows near 2¹⁴
//
// A workgroup of 64 threads takes a centroid: dispatch K'. What is left out is found from the halves themselves, however the
// device rounds.
// Traffic: 6 bytes a value. Work: 8 operations a value.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override PADDED: u32;
override ROOM: u32;
override SCALE: f32;

const THREADS: u32 = 64u;
const FARTHEST: f32 = 0x1.fffffep+127;
// The largest number of half precision is 65,504.
const HALF_MOST: f32 = 65000.0;

@group(0) @binding(0) var<storage, read> centroids: array<f32>;
@group(0) @binding(1) var<storage, read_write> norms: array<f32>;
@group(0) @binding(2) var<storage, read_write> centroid_halves: array<u32>;

// Square of what is left out, and the largest magnitude, of each thread's values.
var<workgroup> found: array<vec2<f32>, THREADS>;

fn value_at(cluster: u32, column: u32) -> f32 {
    if (cluster >= CLUSTERS || column >= DIMENSIONS) {
        return 0.0;
    }
    return centroids[cluster * DIMENSIONS + column];
}

@compute @workgroup_size(THREADS)
fn halve_centroids(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let cluster = group.x + group.y * groups.x;
    if (cluster >= ROOM) {
        return;
    }
    var rest = 0.0;
    var largest = 0.0;
    for (var word = thread; word < PADDED / 2u; word += THREADS) {
        let value = vec2(value_at(cluster, 2u * word), value_at(cluster, 2u * word + 1u));
        let halves = pack2x16float(clamp(SCALE * value, vec2(-HALF_MOST), vec2(HALF_MOST)));
        let left = rest_of(value, halves);
        centroid_halves[cluster * (PADDED / 2u) + word] = halves;
        rest += dot(left, left);
        largest = max(largest, max(abs(value.x), abs(value.y)));
    }
    found[thread] = vec2(rest, largest);
    workgroupBarrier();
    if (thread > 0u) {
        return;
    }
    var total = vec2(0.0);
    for (var at = 0u; at < THREADS; at++) {
        total = vec2(total.x + found[at].x, max(total.y, found[at].y));
    }
    norms[ROOM + cluster] = select(root_above(total.x, THREADS) + unseen(DIMENSIONS), FARTHEST, total.y * SCALE > HALF_MOST);
}
