// Which of two centroids is nearer to a row, by the distances that `assign_exact` would find: for rows of which matrix units leave
// just two.
//
//   nearest[r] = of nearest[r] and the row's rival the one that is nearer, the lower on ties
//   lower[r]   = the smaller of lower[r], which bounds the distance to all other centroids, and of the farther one's distance
//
// Joined by the part one_distance.
//
// Bindings
//   points      n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   centroids   k × d, row-major
//   pairs       2·n: row numbers, each with its rival
//   counts      3: the third is how many these are
//   nearest     n, updated
//   lower       n, updated
// Overrides
//   DIMENSIONS  d
//
// A workgroup of 256 threads takes 128 rows: dispatch ceil(n / 128), those behind the end of the list have nothing to do. A thread
// measures one distance, sixteen columns at a time as `assign_exact` does.
// Traffic per listed row: 16·d bytes, little of it in the order of memory; few rows are listed. Work: 6·d operations.

override DIMENSIONS: u32;

const THREADS: u32 = 256u;
const ROWS: u32 = THREADS / 2u;

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<storage, read> centroids: array<f32>;
@group(0) @binding(2) var<storage, read> pairs: array<u32>;
@group(0) @binding(3) var<storage, read> counts: array<u32>;
@group(0) @binding(4) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(5) var<storage, read_write> lower: array<f32>;

var<workgroup> found: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn decide_pairs(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = (group.x + group.y * groups.x) * ROWS;
    let end = counts[2];
    if (first >= end) {
        return;
    }
    let at = min(first + thread / 2u, end - 1u);
    let row = pairs[2u * at];
    let rival = pairs[2u * at + 1u];
    let label = nearest[row];
    found[thread] = distance_to(row, select(label, rival, thread % 2u == 1u));
    workgroupBarrier();
    if (thread % 2u == 1u || first + thread / 2u >= end) {
        return;
    }
    let own = found[thread];
    let other = found[thread + 1u];
    if (other < own || (other == own && rival < label)) {
        nearest[row] = rival;
    }
    let roundings = f32(DIMENSIONS / COLUMNS + 24u) * 0x1p-24;
    lower[row] = min(lower[row], sqrt(max(own, other)) * (1.0 - roundings - 0x1p-20));
}
