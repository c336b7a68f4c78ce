// Nearest centroid of each row and what that changes in the sums, in one pass, for few dimensions and clusters: `assign_small`
// and `sum_by_label` where all that a workgroup adds up fits its own memory. Labels and integers are theirs, bit for bit.
//
//   j          = argmin over j of D(r, j), the lowest j on ties
//   labels[r]  = j, and where it was another the row's words go from the sums of that cluster, if it was one, to those of j
//   D(r, j)    = sum over i of (points[r][i] - centroids[j][i])², or of |points[r][i] - centroids[j][i]|
//
// Where PRODUCT, a row is shown s(r, j) = |centroids[j]|² - 2·points[r]·centroids[j], one multiplication and addition a column, and
// D(r, j) only where that leaves in doubt which is the smallest. With X = |points[r]| and C the largest |centroids[j]|, s is
// within (d + 4)·2⁻²⁴·2·X·C + (d + 8)·2⁻²⁴·C² + 2⁻²²·(X + C)² of the true distance less X², and D within 2⁻²⁰·(X + C)² of that. Since
// 2·X·C ≤ X² + C², two values that differ by more than twice (2·d + 52)·2⁻²⁴·(X² + C²) stand in the same order by D; a sixteenth
// more is for the roundings of X² and C², and 2⁻¹¹⁵ for what is flushed to zero.
//
// Joined by the parts columns, small_rows, best, whole, fixed_point, wide, changes.
//
// Bindings
//   points        n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   centroids     k × d, row-major
//   points_shape  (n, d)
//   weights       n, or 1 value that is not read where WEIGHTED is false
//   labels        n: on entry the previous cluster of each row, k or more for none; on exit the nearest
//   exponents     d + 2: see `sum_by_label`
//   changes       k·d·w + k + 3 integers of 64 bits, added to: see `sum_by_label`
// Overrides
//   DIMENSIONS    d, 1 to 32
//   CLUSTERS      k, below 2047
//   CITYBLOCK     whether D is the city block distance
//   PRODUCT       whether s is a screen for D, which is not the city block distance then: pays from 8 columns on
//   WORDS, WEIGHTED, FROM_SUMS, BITS, PRIVATE_FROM  see `sum_by_label`; PRIVATE_FROM is 0
//
// A workgroup of 256 threads takes every G-th run of 512 rows, G being the workgroups dispatched: any number of them gives the
// same bits. One for 8192 rows or so repays the emptying of its cells and the loading of the centroids.
// A thread owns two rows 256 apart. Those that moved go to a list in workgroup memory; then a thread owns one value at a time of
// the listed rows, so that reads coalesce and the atomics of a row meet different cells.
// Traffic per row: 4·d + 4 bytes read (8 with weights); of one that moved, 4·d more, from the cache, and 4 written. Work: 3·k·d operations a row,
// 2·k·d where PRODUCT, and unless FROM_SUMS 25 of integers; of one that moved 25·d·w more and 4·d·w atomics.
// Workgroup memory: 16·k·ceil(d/4) + 4·k bytes of centroids, 8 a cell, and 2 KiB: 16 KiB at most.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override CITYBLOCK: bool = false;
override PRODUCT: bool = false;
override WORDS: u32 = 1u;
override WEIGHTED: bool = false;
override FROM_SUMS: bool = false;
override BITS: u32;
override PRIVATE_FROM: u32 = 0u;

override MASSES: u32 = CLUSTERS * DIMENSIONS * WORDS;
override INERTIA: u32 = MASSES + CLUSTERS;
override MOVED: u32 = INERTIA + 2u;
override PRIVATE_WORDS: u32 = 2u * (MOVED + 1u - PRIVATE_FROM);
// Quads of columns of a row, and of all centroids.
override QUADS: u32 = (DIMENSIONS + 3u) / 4u;
override TILE_QUADS: u32 = CLUSTERS * QUADS;

const WORKGROUP: u32 = 256u;
const ROWS: u32 = 2u * WORKGROUP;
// A cluster in a list: 11 bits. The largest stands for none.
const NONE: u32 = 2047u;

@group(0) @binding(2) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> labels: array<u32>;
@group(0) @binding(5) var<storage, read> exponents: array<i32>;
@group(0) @binding(6) var<storage, read_write> changes: array<atomic<u32>>;

var<workgroup> tile: array<vec4<f32>, TILE_QUADS>;
// The squared lengths of the centroids, and the largest of them, as its bits.
var<workgroup> norms: array<f32, CLUSTERS>;
var<workgroup> largest: atomic<u32>;
var<workgroup> private_cells: array<atomic<u32>, PRIVATE_WORDS>;
// The rows of a run that have moved, in any order: place in the run, old and new cluster.
var<workgroup> moved_rows: array<u32, ROWS>;
var<workgroup> moved_count: atomic<u32>;

// What a thread has found of a row.
struct Nearest {
    distance: f32,
    label: u32,
}

fn nearest_of(row: Row) -> Nearest {
    var best = Nearest(FARTHEST, 0u);
    for (var j = 0u; j < CLUSTERS; j++) {
        let distance = distance_to(row, j * QUADS);
        if (distance < best.distance) {
            best = Nearest(distance, j);
        }
    }
    return best;
}

// Decides what the products of a row have left in doubt.
fn decided(row: Row, best: Best, longest: f32) -> Nearest {
    let length = row_squared_length(row);
    let margin = 2.125 * f32(2u * DIMENSIONS + 52u) * 0x1p-24 * (length + longest) + 0x1p-115;
    if (best.second - best.smallest > margin) {
        var distance = 0.0;
        if (!FROM_SUMS) {
            distance = distance_to(row, best.label * QUADS);
        }
        return Nearest(distance, best.label);
    }
    return nearest_of(row);
}

// Mass and label of a row that moved, which goes to the list.
fn note_moved(row: u32, place: u32, before: u32, label: u32) {
    move_mass(row, before, label);
    labels[row] = label;
    moved_rows[atomicAdd(&moved_count, 1u)] = place | (label << 9u) | (min(before, NONE) << 20u);
}

// The values of the listed rows.
fn move_values(first_row: u32, count: u32, thread: u32, lengths: ptr<function, vec4<u32>>) {
    for (var at = thread; at < count * DIMENSIONS; at += WORKGROUP) {
        let moved = moved_rows[at / DIMENSIONS];
        let column = at % DIMENSIONS;
        let row = first_row + (moved & 511u);
        move_value(row, column, moved >> 20u, (moved >> 9u) & NONE, lengths);
    }
}

@compute @workgroup_size(WORKGROUP)
fn reassign_small(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    clear_private(thread);
    for (var at = thread; at < TILE_QUADS; at += WORKGROUP) {
        let cluster = at / QUADS;
        let column = 4u * (at % QUADS);
        tile[at] = centroid_columns(cluster * DIMENSIONS, column);
    }
    var longest = 0.0;
    if (PRODUCT) {
        if (thread == 0u) {
            atomicStore(&largest, 0u);
        }
        workgroupBarrier();
        for (var j = thread; j < CLUSTERS; j += WORKGROUP) {
            norms[j] = squared_length(j * QUADS);
            atomicMax(&largest, bitcast<u32>(norms[j]));
        }
        workgroupBarrier();
        longest = bitcast<f32>(atomicLoad(&largest));
    }
    let rows = points_shape.x;
    let step = groups.x * groups.y * ROWS;
    var inertia = vec4(0u);
    var lengths = vec4(0u);
    var moved = 0u;
    for (var first_row = (group.x + group.y * groups.x) * ROWS; first_row < rows; first_row += step) {
        // The list of the run before has been read.
        workgroupBarrier();
        if (thread == 0u) {
            atomicStore(&moved_count, 0u);
        }
        workgroupBarrier();
        let row_a = first_row + thread;
        let row_b = row_a + WORKGROUP;
        // Rows past the end repeat the last one.
        let a = load_row(min(row_a, rows - 1u));
        let b = load_row(min(row_b, rows - 1u));
        let before_a = labels[min(row_a, rows - 1u)];
        let before_b = labels[min(row_b, rows - 1u)];
        var best_a = Nearest(FARTHEST, 0u);
        var best_b = Nearest(FARTHEST, 0u);
        if (PRODUCT) {
            var seen_a = NOTHING;
            var seen_b = NOTHING;
            for (var j = 0u; j < CLUSTERS; j++) {
                let norm = norms[j];
                offer(&seen_a, norm - 2.0 * product_with(a, j * QUADS), j);
                offer(&seen_b, norm - 2.0 * product_with(b, j * QUADS), j);
            }
            best_a = decided(a, seen_a, longest);
            best_b = decided(b, seen_b, longest);
        } else {
            for (var j = 0u; j < CLUSTERS; j++) {
                let to_a = distance_to(a, j * QUADS);
                let to_b = distance_to(b, j * QUADS);
                if (to_a < best_a.distance) {
                    best_a = Nearest(to_a, j);
                }
                if (to_b < best_b.distance) {
                    best_b = Nearest(to_b, j);
                }
            }
        }
        if (row_a < rows) {
            if (!FROM_SUMS) {
                let value = loss(row_a, best_a.distance);
                inertia = vec4(add(inertia.xy, value.xy), add(inertia.zw, value.zw));
            }
            if (before_a != best_a.label) {
                moved += 1u;
                note_moved(row_a, thread, before_a, best_a.label);
            }
        }
        if (row_b < rows) {
            if (!FROM_SUMS) {
                let value = loss(row_b, best_b.distance);
                inertia = vec4(add(inertia.xy, value.xy), add(inertia.zw, value.zw));
            }
            if (before_b != best_b.label) {
                moved += 1u;
                note_moved(row_b, thread + WORKGROUP, before_b, best_b.label);
            }
        }
        workgroupBarrier();
        move_values(first_row, atomicLoad(&moved_count), thread, &lengths);
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
