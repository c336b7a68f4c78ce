// The nearest centroid of rows in doubt, out of what `assign_exact` has found among each of the chunks that it has cut the centroids
// into.
//
//   nearest[r]  = the label of the smallest of the row's parts, the lowest on ties
//
// Bindings
//   undecided     3·n: first the rows in doubt
//   counts        5 + G: the second is how many these are
//   parts         FEW × CHUNKS × 2 words: of each row of the list and each chunk a distance (its bits) and a label
//   nearest       n, written for the rows of the list
// Overrides
//   CHUNKS        how many chunks there are
//   FEW           the most rows it takes: of a longer list none, as `assign_exact` has then labelled all
//
// A thread takes a row: dispatch FEW / 64 workgroups. Traffic per row: 8 bytes a chunk.

override CHUNKS: u32;
override FEW: u32;

const THREADS: u32 = 64u;

@group(0) @binding(0) var<storage, read> undecided: array<u32>;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read> parts: array<u32>;
@group(0) @binding(3) var<storage, read_write> nearest: array<u32>;

@compute @workgroup_size(THREADS)
fn decide_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    let end = counts[1];
    if (end > FEW || at >= end) {
        return;
    }
    let first = 2u * at * CHUNKS;
    var smallest = bitcast<f32>(parts[first]);
    var label = parts[first + 1u];
    // Chunks come in the order of their labels.
    for (var chunk = 1u; chunk < CHUNKS; chunk++) {
        let distance = bitcast<f32>(parts[first + 2u * chunk]);
        if (distance < smallest) {
            smallest = distance;
            label = parts[first + 2u * chunk + 1u];
        }
    }
    nearest[undecided[at]] = label;
}
