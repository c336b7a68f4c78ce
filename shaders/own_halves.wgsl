// An upper bound on the squared distance of each row of a list to the centroid it belongs to, by their halves: half of what `own_distance`
// reads, for rows that a product of halves may have to search.
//
//   distances[r] = |x|² + norms[j] - 2·x̂·ĉ + E, j being nearest[r], which is |x - c|² or up to 2·E more
//
// E is the bound on the error of such a product, as `settle_rows` derives it, for this one centroid: with C = |c| and v = |c - ĉ|.
//
// Joined by the parts places, root_above.
//
// Bindings
//   row_halves       n × PADDED / 2 words: see `halve_rows`
//   centroid_halves  K' × PADDED / 2 words: see `halve_centroids`
//   norms            2·K': |c|² and v of each centroid, see `survey_centroids` and `halve_centroids`
//   lengths          2·n: |x|² and |x - x̂|, see `halve_rows`
//   points_shape     (n, d)
//   nearest          n: the clusters of the rows; k or more for none, whose bound is 0
//   distances        n, written for the rows of the list
//   undecided        3·n: first the rows to look at: see `loosen_bounds`
//   counts           5 + G: the last is how many these are
// Overrides
//   DIMENSIONS       d
//   CLUSTERS         k
//   GROUPS           G
//   ROOM             K'
//   PADDED           columns in half precision: a multiple of 16
//   SCALE            what values were multiplied by
//
// A workgroup of 256 threads takes 64 rows: dispatch ceil(n / 64). Sixteen threads share four rows and take every sixteenth eight
// columns, which is one load each.
// Traffic: 2·d bytes a row, as much of centroids from the cache, and 24. Work: 2·d operations a row: memory decides.
// Workgroup memory: 4 KiB.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override GROUPS: u32;
override ROOM: u32;
override PADDED: u32;
override SCALE: f32;

// Loads of a row.
override LOADS: u32 = PADDED / 8u;

const LISTED: bool = true;
const ACROSS: u32 = 16u;           // threads that share rows
const THREADS: u32 = 256u;
const ROWS: u32 = 4u * THREADS / ACROSS;

@group(0) @binding(0) var<storage, read> row_halves: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> centroid_halves: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> norms: array<f32>;
@group(0) @binding(3) var<storage, read> lengths: array<f32>;
@group(0) @binding(4) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(5) var<storage, read> nearest: array<u32>;
@group(0) @binding(6) var<storage, read_write> distances: array<f32>;
@group(0) @binding(7) var<storage, read> undecided: array<u32>;
@group(0) @binding(8) var<storage, read> counts: array<u32>;

// A thread's part of its four products.
var<workgroup> parts: array<vec4<f32>, THREADS>;

fn product(place: Place, load: u32) -> f32 {
    if (place.cluster >= CLUSTERS) {
        return 0.0;
    }
    let x = row_halves[place.row * LOADS + load];
    let c = centroid_halves[place.cluster * LOADS + load];
    let first = dot(unpack2x16float(x.x), unpack2x16float(c.x)) + dot(unpack2x16float(x.y), unpack2x16float(c.y));
    return first + (dot(unpack2x16float(x.z), unpack2x16float(c.z)) + dot(unpack2x16float(x.w), unpack2x16float(c.w)));
}

// The bound of a row whose product with its centroid is known.
fn bound_of(place: Place, product: f32) -> f32 {
    let square = lengths[2u * place.row];
    let rest = lengths[2u * place.row + 1u];
    let norm = norms[place.cluster];
    let left_out = norms[ROOM + place.cluster];
    let length = root_above(square, 16u);
    let far = root_above(norm, 64u);
    let d = f32(DIMENSIONS);
    let halves = rest * far + (length + rest) * left_out;
    let sums = 0x1p-24 * (d + 4.0) * (length + rest) * (far + left_out);
    let roundings = (d / 16.0 + 24.0) * 0x1p-22 * (length + far) * (length + far) + (d / 64.0 + 72.0) * 0x1p-24 * norm;
    let error = 1.0625 * (2.0 * (halves + sums) + roundings) + 0x1p-120 * d;
    return max(square + (norm - 2.0 / (SCALE * SCALE) * product) + error, 0.0);
}

@compute @workgroup_size(THREADS)
fn own_halves(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = (group.x + group.y * groups.x) * ROWS;
    let end = min(counts[4u + GROUPS], points_shape.x);
    if (first >= end) {
        return;
    }
    let at = first + 4u * (thread / ACROSS);
    let a = place_at(at, end);
    let b = place_at(at + 1u, end);
    let c = place_at(at + 2u, end);
    let d = place_at(at + 3u, end);
    var sum = vec4(0.0);
    for (var load = thread % ACROSS; load < LOADS; load += ACROSS) {
        sum += vec4(product(a, load), product(b, load), product(c, load), product(d, load));
    }
    parts[thread] = sum;
    workgroupBarrier();
    if (thread >= ROWS || first + thread >= end) {
        return;
    }
    let place = place_at(first + thread, end);
    if (place.cluster >= CLUSTERS) {
        distances[place.row] = 0.0;
        return;
    }
    var total = 0.0;
    for (var part = 0u; part < ACROSS; part++) {
        total += parts[thread / 4u * ACROSS + part][thread % 4u];
    }
    distances[place.row] = bound_of(place, total);
}
