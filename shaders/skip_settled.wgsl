// Leaves out the rows whose cluster cannot have changed, and lists the others: Hamerly's bound (Hamerly 2010, "Making k-means
// even faster"), one number a row.
//
//   lower[r] ≤ the distance of r to every centroid but its own, at the search that set it
//
// The centroids have moved by drifts since the search before, so lower[r], less the largest of the others' drifts, still
// bounds these distances. Where the row's own distance, which is known, is smaller, every other centroid is farther: by so
// much more that `assign_exact`, whose distances are within h of the true ones, would find the same.
//
// Bindings
//   points_shape  (n, d)
//   labels        n: the clusters of the round before; k or more for none
//   distances     n: the squared distance to that cluster's centroid as it is now, by `own_distance`
//   drifts        k + 3: see `survey_centroids` and `survey_extremes`
//   lower         n, updated
//   nearest       n, written: labels
//   open          n, written: the rows that must be searched, in any order
//   counts        3: the first is how many these are, added to
// Overrides
//   DIMENSIONS    d
//   CLUSTERS      k
//   BOUNDED       whether bounds are used: else every row is listed
//
// A workgroup of 256 threads takes 256 rows: dispatch ceil(n / 256). With g = (d/16 + 24)·2⁻²⁴ both kernels' distances are
// within 2·g of the true squares, roots within g; rows whose squares come near what is flushed to zero are listed.
// Traffic: 12 bytes read and 8 written a row. Workgroup memory: 1 KiB.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override BOUNDED: bool = true;

const THREADS: u32 = 256u;
// Below this a distance may owe more to what was flushed than to rounding.
const LEAST: f32 = 0x1p-40;

@group(0) @binding(0) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> distances: array<f32>;
@group(0) @binding(3) var<storage, read> drifts: array<f32>;
@group(0) @binding(4) var<storage, read_write> lower: array<f32>;
@group(0) @binding(5) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(6) var<storage, read_write> open: array<u32>;
@group(0) @binding(7) var<storage, read_write> counts: array<atomic<u32>>;

var<workgroup> listed: array<u32, THREADS>;
var<workgroup> listed_count: atomic<u32>;
var<workgroup> listed_at: u32;

// The largest drift of a centroid that is not this one.
fn drift_of_others(cluster: u32) -> f32 {
    return select(drifts[CLUSTERS], drifts[CLUSTERS + 2u], drifts[CLUSTERS + 1u] == f32(cluster));
}

// Whether the row keeps its cluster; what is left of its bound then.
fn is_settled(row: u32, cluster: u32) -> bool {
    if (!BOUNDED || cluster >= CLUSTERS) {
        return false;
    }
    let left = (lower[row] - drift_of_others(cluster)) * (1.0 - 0x1p-22);
    let roundings = f32(DIMENSIONS / 16u + 24u) * 0x1p-24;
    let reach = sqrt(distances[row]) * (1.0 + 4.0 * roundings + 0x1p-20);
    if (left > LEAST && reach < left) {
        lower[row] = left;
        return true;
    }
    return false;
}

@compute @workgroup_size(THREADS)
fn skip_settled(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = (group.x + group.y * groups.x) * THREADS;
    if (first >= points_shape.x) {
        return;
    }
    if (thread == 0u) {
        atomicStore(&listed_count, 0u);
    }
    workgroupBarrier();
    let row = first + thread;
    if (row < points_shape.x) {
        let cluster = labels[row];
        nearest[row] = cluster;
        if (!is_settled(row, cluster)) {
            listed[atomicAdd(&listed_count, 1u)] = row;
        }
    }
    workgroupBarrier();
    let count = atomicLoad(&listed_count);
    if (thread == 0u && count > 0u) {
        listed_at = atomicAdd(&counts[0], count);
    }
    workgroupBarrier();
    if (thread < count) {
        open[listed_at + thread] = listed[thread];
    }
}
