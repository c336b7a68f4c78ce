// Nearest centroid of a few rows, by the distances that `assign_exact` would find: a workgroup a row, where `assign_exact` would
// keep one workgroup busy for long and the device idle.
//
//   nearest[r] = argmin over j of D(r, j), the lowest j on ties
//   D(r, j)    = sum over i of (points[r][i] - centroids[j][i])²
//
// Joined by the part one_distance.
//
// Bindings
//   points      n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   centroids   k × d, row-major
//   doubtful    n: the rows to take
//   counts      3: the second is how many these are
//   nearest     n, written for the rows of the list
// Overrides
//   DIMENSIONS  d
//   CLUSTERS    k
//   FEW         the most rows it takes: of a longer list none, as `assign_exact` takes it
//
// A workgroup of 256 threads takes a row: dispatch FEW. A thread measures every 256th centroid, sixteen columns at a time as
// `assign_exact` does.
// Traffic per row: 4·k·d bytes of centroids from the cache, where `assign_exact` reads a 64th of it. Work: 3·k·d operations.
// Workgroup memory: 2 KiB.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override FEW: u32;

const THREADS: u32 = 256u;
// The largest f32: WGSL has no infinity to begin a minimum with.
const FARTHEST: f32 = 0x1.fffffep+127;

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<storage, read> centroids: array<f32>;
@group(0) @binding(2) var<storage, read> doubtful: array<u32>;
@group(0) @binding(3) var<storage, read> counts: array<u32>;
@group(0) @binding(4) var<storage, read_write> nearest: array<u32>;

var<workgroup> smallest: array<f32, THREADS>;
var<workgroup> labels_found: array<u32, THREADS>;

@compute @workgroup_size(THREADS)
fn decide_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = group.x + group.y * groups.x;
    let end = counts[1];
    if (end > FEW || at >= end) {
        return;
    }
    let row = doubtful[at];
    var best = FARTHEST;
    var label = 0u;
    for (var cluster = thread; cluster < CLUSTERS; cluster += THREADS) {
        let distance = distance_to(row, cluster);
        if (distance < best) {
            best = distance;
            label = cluster;
        }
    }
    smallest[thread] = best;
    labels_found[thread] = label;
    workgroupBarrier();
    if (thread > 0u) {
        return;
    }
    for (var other = 1u; other < min(THREADS, CLUSTERS); other++) {
        if (smallest[other] < best || (smallest[other] == best && labels_found[other] < label)) {
            best = smallest[other];
            label = labels_found[other];
        }
    }
    nearest[row] = label;
}
