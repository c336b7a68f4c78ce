// Lets the bounds of all rows give way to how far the centroids have moved since the search before, and lists the rows whose bounds
// then leave something open: these are measured, all others keep their cluster without being read.
//
//   lower[r][g] -= the largest drift of group g's centroids but the row's own: still ≤ the distance of r to each of these
//   lower[r][G] += the drift of the row's own centroid: still ≥ the distance of r to it
//   loose        = the rows of which some lower[r][g] is not above lower[r][G]
//
// Bounds by Hamerly (2010, "Making k-means even faster"), for each of a few groups as in Yinyang k-means (Ding et al. 2015). Where the
// upper bound is below a group's lower one, every other centroid of the group is farther: by so much more that `assign_exact`, whose
// distances are within h of the true ones, would find the same.
//
// Bindings
//   points_shape  (n, d)
//   labels        n: the clusters of the round before; k or more for none
//   drifts        k, at least how far each centroid has moved: see `survey_centroids`
//   extremes      5·G: see `survey_extremes`
//   lower         n × G', G' being G + 1 or the next multiple of 4, updated: G lower bounds and the upper bound of each row
//   nearest       n, written: labels
//   undecided     3·n: first the loose rows, written, in any order
//   counts        5 + G: the last is how many these are, added to; the others are set to 0, as no list has begun
// Overrides
//   DIMENSIONS    d
//   CLUSTERS      k
//   GROUPS        G, 31 at most
//   BOUNDED       whether bounds are used: else every row is loose
//
// A workgroup of 256 threads takes 256 rows: dispatch ceil(n / 256). With g = (d/16 + 24)·2⁻²⁴ the distances of both `own_distance` and
// `assign_exact` are within 2·g of the true squares, roots within g; rows whose squares come near what is flushed to zero are listed.
// Traffic: 8 + 4·G' bytes read and 4 + 4·G' written a row. Workgroup memory: 400 bytes.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override GROUPS: u32;
override BOUNDED: bool = true;

// Bounds of a row, four to a quad; where the upper one is.
override QUADS: u32 = (GROUPS + 4u) / 4u;
override UPPER_QUAD: u32 = GROUPS / 4u;
override UPPER_LANE: u32 = GROUPS % 4u;

const THREADS: u32 = 256u;
// Below this a distance may owe more to what was flushed than to rounding.
const LEAST: f32 = 0x1p-40;
// An upper bound that says nothing: less than half the largest f32, so that drifts may be added.
const UNKNOWN: f32 = 0x1p+126;
const MOST_QUADS: u32 = 8u;

@group(0) @binding(0) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> drifts: array<f32>;
@group(0) @binding(3) var<storage, read> extremes: array<f32>;
@group(0) @binding(4) var<storage, read_write> lower: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(6) var<storage, read_write> undecided: array<u32>;
@group(0) @binding(7) var<storage, read_write> counts: array<atomic<u32>>;

// How many rows of the workgroup are loose, and where they begin in the list.
var<workgroup> listed: atomic<u32>;
var<workgroup> begin: u32;

// Of each group the largest drift, its cluster, the largest of the others; four groups to a quad.
var<workgroup> largest: array<vec4<f32>, MOST_QUADS>;
var<workgroup> largest_of: array<vec4<f32>, MOST_QUADS>;
var<workgroup> second: array<vec4<f32>, MOST_QUADS>;

fn is_loose(row: u32, cluster: u32) -> bool {
    if (!BOUNDED || cluster >= CLUSTERS) {
        return true;
    }
    let first = row * QUADS;
    let upper = min((lower[first + UPPER_QUAD][UPPER_LANE] + drifts[cluster]) * (1.0 + 0x1p-22), UNKNOWN);
    let roundings = f32(DIMENSIONS / 16u + 24u) * 0x1p-24;
    let reach = vec4(upper * (1.0 + 4.0 * roundings + 0x1p-20));
    var loose = vec4(false);
    for (var quad = 0u; quad < QUADS; quad++) {
        let groups = vec4(4u * quad) + vec4(0u, 1u, 2u, 3u);
        // The largest drift of a centroid that is not this one.
        let drift = select(largest[quad], second[quad], largest_of[quad] == vec4(f32(cluster)));
        let left = (lower[first + quad] - drift) * (1.0 - 0x1p-22);
        let is_settled = (left > vec4(LEAST)) & (reach < left);
        loose = loose | (!is_settled & (groups < vec4(GROUPS)));
        lower[first + quad] = select(left, vec4(upper), groups == vec4(GROUPS));
    }
    return any(loose);
}

@compute @workgroup_size(THREADS)
fn loosen_bounds(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = (workgroup.x + workgroup.y * workgroups.x) * THREADS;
    let rows = points_shape.x;
    if (first >= rows) {
        return;
    }
    if (first == 0u && thread < 4u + GROUPS) {
        atomicStore(&counts[thread], 0u);
    }
    if (thread == 0u) {
        atomicStore(&listed, 0u);
    }
    if (thread < GROUPS) {
        largest[thread / 4u][thread % 4u] = extremes[5u * thread + 2u];
        largest_of[thread / 4u][thread % 4u] = extremes[5u * thread + 3u];
        second[thread / 4u][thread % 4u] = extremes[5u * thread + 4u];
    }
    workgroupBarrier();
    let row = first + thread;
    var place = 0u;
    var takes_part = false;
    if (row < rows) {
        let cluster = labels[row];
        nearest[row] = cluster;
        takes_part = is_loose(row, cluster);
    }
    if (takes_part) {
        place = atomicAdd(&listed, 1u);
    }
    workgroupBarrier();
    if (thread == 0u) {
        let count = atomicLoad(&listed);
        if (count > 0u) {
            begin = atomicAdd(&counts[4u + GROUPS], count);
        }
    }
    workgroupBarrier();
    if (takes_part) {
        undecided[begin + place] = row;
    }
}
