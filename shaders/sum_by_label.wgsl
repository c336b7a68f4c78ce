// What the rows that moved change in the sums of the clusters and in their mass, the inertia, and how many moved, all as
// 64-bit fixed-point integers: integer sums are associative, so the result is the same bits for any number of threads,
// workgroups, partitions and devices, and a row can be taken out of one sum and added to another. Labels are carried
// forward on the way.
//
//   v = points[r][i], or weights[r]·points[r][i] rounded to f32
//   word 0 of v = round(v·2^exponents[i]), half to even
//   word 1 of v = round((v - word 0·2^-exponents[i])·2^(exponents[i] + BITS)), half to even
//
// A row whose label changes adds its words to the sums of its new cluster and takes them from those of the old one, if that
// is one: in the first round every row comes from nowhere.
//
// A weighted product is one f32 multiplication, and may be flushed where it is subnormal.
//
// Joined by the parts whole, fixed_point, wide, changes.
//
// Bindings
//   points        n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   points_shape  (n, d)
//   weights       n, or 1 value that is not read where WEIGHTED is false
//   nearest       n: the cluster of each row, below k
//   distances     n: the distance of each row to that cluster's centroid; not read where FROM_SUMS
//   labels        n: on entry the previous cluster of each row, k or more for none; on exit `nearest`
//   exponents     d + 2: one a column, then that of the weights, then that of the inertia
//   changes       k·d·w + k + 3 integers of 64 bits, low word first, added to (w = WORDS):
//                 sums at (word·k + cluster)·d + column, masses at k·d·w + cluster (rows, or the sum of
//                 round(weight·2^exponents[d])), two words of the inertia of all rows, rows that changed cluster.
//                 Where FROM_SUMS, in place of the inertia Σ|x|² of the rows that come from nowhere, which are not weighted then
// Overrides
//   DIMENSIONS    d
//   CLUSTERS      k
//   WORDS         w, 1 or 2
//   WEIGHTED      whether rows have weights
//   FROM_SUMS     whether the inertia follows from the sums: see `inertia_around`
//   BITS          bits between word 0 and word 1: min(50, 62 - ceil(log2(rows of all partitions)))
//   PRIVATE_FROM  first of the changes that a workgroup gathers in its own memory before it adds them to `changes`:
//                 0 where all fit (k·(d·w + 1) + 3 of 8 bytes each, 12 KiB at most), else k·d·w where the masses do,
//                 else k·d·w + k; cells before it go straight to `changes`
//
// A workgroup of 256 threads takes every G-th run of 256 rows, G being the workgroups dispatched: any number of them
// gives the same bits. One for 4096 values or so repays the emptying of its private cells.
// A thread looks at one row; those that moved go to a list in workgroup memory. Then a thread owns one value at a time of
// the listed rows, neighbours take neighbouring columns, so that reads coalesce and the atomics of a row meet different
// cells. Inertia and moves are summed in registers first. A row that stays is not read.
// Traffic per row: 12 bytes read (16 with weights, 8 where FROM_SUMS); of one that moved, 4d more and 4 written. Work: 25 integer
// operations a row, where it has a distance, and 25·d·w with 4·d·w atomics for one that moved. Workgroup memory: 3 KiB, and 8 bytes a private cell.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override WORDS: u32 = 1u;
override WEIGHTED: bool = false;
override FROM_SUMS: bool = false;
override BITS: u32;
override PRIVATE_FROM: u32;

override MASSES: u32 = CLUSTERS * DIMENSIONS * WORDS;
override INERTIA: u32 = MASSES + CLUSTERS;
override MOVED: u32 = INERTIA + 2u;
override PRIVATE_WORDS: u32 = 2u * (MOVED + 1u - PRIVATE_FROM);

const WORKGROUP: u32 = 256u;

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> nearest: array<u32>;
@group(0) @binding(4) var<storage, read> distances: array<f32>;
@group(0) @binding(5) var<storage, read_write> labels: array<u32>;
@group(0) @binding(6) var<storage, read> exponents: array<i32>;
@group(0) @binding(7) var<storage, read_write> changes: array<atomic<u32>>;

var<workgroup> private_cells: array<atomic<u32>, PRIVATE_WORDS>;
// The rows of a run that have moved, in any order: row, old and new cluster.
var<workgroup> moved_rows: array<u32, WORKGROUP>;
var<workgroup> moved_from: array<u32, WORKGROUP>;
var<workgroup> moved_to: array<u32, WORKGROUP>;
var<workgroup> moved_count: atomic<u32>;

fn row_value(at: u32) -> f32 {
    return points[at];
}

// Mass and label of a row that moved, which goes to the list.
fn note_moved(row: u32, before: u32, label: u32) {
    move_mass(row, before, label);
    labels[row] = label;
    let at = atomicAdd(&moved_count, 1u);
    moved_rows[at] = row;
    moved_from[at] = before;
    moved_to[at] = label;
}

// The values of the listed rows.
fn move_values(count: u32, thread: u32, lengths: ptr<function, vec4<u32>>) {
    for (var at = thread; at < count * DIMENSIONS; at += WORKGROUP) {
        let listed = at / DIMENSIONS;
        let column = at % DIMENSIONS;
        let row = moved_rows[listed];
        move_value(row, column, moved_from[listed], moved_to[listed], lengths);
    }
}

@compute @workgroup_size(WORKGROUP)
fn sum_by_label(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    clear_private(thread);
    let rows = points_shape.x;
    let step = groups.x * groups.y * WORKGROUP;
    var inertia = vec4(0u);
    var lengths = vec4(0u);
    var moved = 0u;
    for (var first = (group.x + group.y * groups.x) * WORKGROUP; first < rows; first += step) {
        // The list of the run before has been read.
        workgroupBarrier();
        if (thread == 0u) {
            atomicStore(&moved_count, 0u);
        }
        workgroupBarrier();
        let row = first + thread;
        if (row < rows) {
            if (!FROM_SUMS) {
                let value = loss(row, distances[row]);
                inertia = vec4(add(inertia.xy, value.xy), add(inertia.zw, value.zw));
            }
            let before = labels[row];
            let label = nearest[row];
            if (before != label) {
                moved += 1u;
                note_moved(row, before, label);
            }
        }
        workgroupBarrier();
        move_values(atomicLoad(&moved_count), thread, &lengths);
    }
    workgroupBarrier();
    if (FROM_SUMS) {
        add_lengths(lengths);
    } else {
        add_to(INERTIA, inertia.xy);
        add_to(INERTIA + 1u, inertia.zw);
    }
    add_to(MOVED, vec2(moved, 0u));

    workgroupBarrier();
    add_private_to_all(thread);
}
