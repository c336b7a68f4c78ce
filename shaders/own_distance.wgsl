// The squared distance of rows to the centroid they belong to: of all rows, or of those whose bounds leave something open. All rows have
// the same order of additions, whatever kernel has labelled them.
//
//   distances[r] = sum over i of (points[r][i] - centroids[j][i])², j being nearest[r]
//
// Joined by the parts columns, places.
//
// Bindings
//   points        n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   centroids     k × d, row-major
//   points_shape  (n, d)
//   nearest       n: the clusters of the rows; k or more for none, whose distance is 0
//   distances     n, written
//   undecided     3·n: first the rows to look at, where LISTED: see `loosen_bounds`
//   counts        5 + G: the last is how many these are, where LISTED
// Overrides
//   DIMENSIONS    d
//   CLUSTERS      k
//   GROUPS        G
//   LISTED        whether only the rows of the list are looked at
//
// A workgroup of 256 threads takes 64 rows: dispatch ceil(n / 64). Sixteen threads share four rows and take every sixteenth
// four columns, so that what they read lies together. A sum takes d/64 + 20 roundings after the term's own two.
// Traffic: 4·d bytes a row, as much of centroids from the cache, and 8. Work: 3·d operations a row: memory decides.
// Workgroup memory: 4 KiB.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override GROUPS: u32 = 1u;
override LISTED: bool = false;

const ACROSS: u32 = 16u;           // threads that share rows
const THREADS: u32 = 256u;
const ROWS: u32 = 4u * THREADS / ACROSS;

@group(0) @binding(2) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(3) var<storage, read> nearest: array<u32>;
@group(0) @binding(4) var<storage, read_write> distances: array<f32>;
@group(0) @binding(5) var<storage, read> undecided: array<u32>;
@group(0) @binding(6) var<storage, read> counts: array<u32>;

// A thread's part of its four sums.
var<workgroup> parts: array<vec4<f32>, THREADS>;

fn terms(place: Place, column: u32) -> vec4<f32> {
    if (place.cluster >= CLUSTERS) {
        return vec4(0.0);
    }
    let difference = row_columns(place.row * DIMENSIONS, column) - centroid_columns(place.cluster * DIMENSIONS, column);
    return difference * difference;
}

fn lanes(v: vec4<f32>) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

@compute @workgroup_size(THREADS)
fn own_distance(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = (group.x + group.y * groups.x) * ROWS;
    var end = points_shape.x;
    if (LISTED) {
        end = counts[4u + GROUPS];
    }
    if (first >= end) {
        return;
    }
    let at = first + 4u * (thread / ACROSS);
    let a = place_at(at, end);
    let b = place_at(at + 1u, end);
    let c = place_at(at + 2u, end);
    let d = place_at(at + 3u, end);
    var sum_a = vec4(0.0);
    var sum_b = vec4(0.0);
    var sum_c = vec4(0.0);
    var sum_d = vec4(0.0);
    for (var column = 4u * (thread % ACROSS); column < DIMENSIONS; column += 4u * ACROSS) {
        sum_a += terms(a, column);
        sum_b += terms(b, column);
        sum_c += terms(c, column);
        sum_d += terms(d, column);
    }
    parts[thread] = vec4(lanes(sum_a), lanes(sum_b), lanes(sum_c), lanes(sum_d));
    workgroupBarrier();
    if (thread >= ROWS || first + thread >= end) {
        return;
    }
    let place = place_at(first + thread, end);
    var total = 0.0;
    for (var part = 0u; part < ACROSS; part++) {
        total += parts[thread / 4u * ACROSS + part][thread % 4u];
    }
    distances[place.row] = total;
}
