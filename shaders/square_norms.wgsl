// The squared length of each centroid, which `assign_tiled` adds to its products; and an empty list of doubtful rows.
//
//   norms[j] = sum over i of centroids[j][i]²
//
// Bindings
//   centroids       k × d, row-major
//   norms           k, written
//   doubtful_count  1, written: 0
// Overrides
//   DIMENSIONS      d
//   CLUSTERS        k
//
// A thread takes a centroid: dispatch ceil(k / 64). Sixteen columns are summed before they join the total.
// Traffic: 4·k·d bytes read, 4·k written. Work: 2·k·d operations, a (2n)-th of what the assignment takes.

override DIMENSIONS: u32;
override CLUSTERS: u32;

const COLUMNS: u32 = 16u;

@group(0) @binding(0) var<storage, read> centroids: array<f32>;
@group(0) @binding(1) var<storage, read_write> norms: array<f32>;
@group(0) @binding(2) var<storage, read_write> doubtful_count: array<u32>;

@compute @workgroup_size(64)
fn square_norms(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let cluster = (group.x + group.y * groups.x) * 64u + thread;
    if (cluster == 0u) {
        doubtful_count[0] = 0u;
    }
    if (cluster >= CLUSTERS) {
        return;
    }
    var total = 0.0;
    for (var first = 0u; first < DIMENSIONS; first += COLUMNS) {
        var part = 0.0;
        for (var column = first; column < min(first + COLUMNS, DIMENSIONS); column++) {
            let value = centroids[cluster * DIMENSIONS + column];
            part += value * value;
        }
        total += part;
    }
    norms[cluster] = total;
}
