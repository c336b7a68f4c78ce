// The same as `reassign_small`, leaving out the search for rows whose cluster cannot have changed: Hamerly's bound (Hamerly 2010,
// "Making k-means even faster"), one number a row. It pays where there are more than a few clusters: then the search takes longer
// than reading the row. Labels and integers are those of `reassign_small`, bit for bit.
//
//   lower[r] ≤ the distance of r to every centroid but its own, at the search that set it
//
// The centroids have moved by drifts since the search before, so lower[r], less the largest of the others' drifts, still bounds
// these distances. Where the row's own distance is smaller, every other centroid is farther: by so much more that the distances as
// they are computed here tell the same. A distance takes 12 roundings at most, so it is within 12·2⁻²⁴ of its own; 16 are allowed for.
// Rows whose squares come near what is flushed to zero are searched.
//
// Joined by the parts small_rows, fixed_point, changes.
//
// Bindings
//   points ... changes  see `reassign_small`
//   lower               n, updated
//   extremes            5: the last three are the largest drift, its cluster, the largest of the others, see `survey_extremes`
// Overrides
//   see `reassign_small`; CITYBLOCK is false
//
// A workgroup takes runs of 512 rows as `reassign_small` does. Rows that must be searched go to a list in workgroup memory, so that
// threads search one after the other of them, two at a time where they are many.
// Traffic per row: 4·d + 8 bytes read and 4 written; of one that is searched 4·d + 4 more, from the cache. Work: 3·d operations a row
// and 30 of integers; 3·k·d more where it is searched.
// Workgroup memory: 16·k·ceil(d/4) bytes of centroids, 8 a cell, and 2 KiB: 16 KiB at most.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override CITYBLOCK: bool = false;
override WORDS: u32 = 1u;
override WEIGHTED: bool = false;
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
// The largest f32: WGSL has no infinity to begin a minimum with.
const FARTHEST: f32 = 0x1.fffffep+127;
// Below this a distance may owe more to what was flushed than to rounding.
const LEAST: f32 = 0x1p-40;
const ROUNDINGS: f32 = 0x1p-20;    // 16

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(2) var<storage, read> centroids: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> labels: array<u32>;
@group(0) @binding(5) var<storage, read> exponents: array<i32>;
@group(0) @binding(6) var<storage, read_write> changes: array<atomic<u32>>;
@group(0) @binding(7) var<storage, read_write> lower: array<f32>;
@group(0) @binding(8) var<storage, read> extremes: array<f32>;

var<workgroup> tile: array<vec4<f32>, TILE_QUADS>;
var<workgroup> private_cells: array<atomic<u32>, PRIVATE_WORDS>;
// The rows of a run that must be searched, by their places in the run; then those that have moved, with old and new cluster. In any
// order.
var<workgroup> moved_rows: array<u32, ROWS>;
var<workgroup> moved_count: atomic<u32>;
var<workgroup> open_count: atomic<u32>;

fn coordinate(cluster: u32, column: u32) -> f32 {
    if (column >= DIMENSIONS) {
        return 0.0;
    }
    return centroids[cluster * DIMENSIONS + column];
}

// What a thread has found of a row.
struct Nearest {
    distance: f32,
    label: u32,
    second: f32,
}

const NOTHING: Nearest = Nearest(FARTHEST, 0u, FARTHEST);

fn offer(best: ptr<function, Nearest>, distance: f32, label: u32) {
    (*best).second = min((*best).second, max((*best).distance, distance));
    (*best).label = select((*best).label, label, distance < (*best).distance);
    (*best).distance = min((*best).distance, distance);
}

// What the rows of a thread come to: the inertia's two words, and how many moved.
var<private> inertia: vec4<u32>;
var<private> moved: u32;

fn add_loss(row: u32, distance: f32) {
    let value = loss(row, distance);
    inertia = vec4(add(inertia.xy, value.xy), add(inertia.zw, value.zw));
}

// Whether a row keeps its cluster; what is left of its bound then, and its part of the inertia.
fn is_settled(row: u32) -> bool {
    let cluster = labels[row];
    if (cluster >= CLUSTERS) {
        return false;
    }
    let own = distance_to(load_row(row), cluster * QUADS);
    let drift = select(extremes[2], extremes[4], extremes[3] == f32(cluster));
    let left = (lower[row] - drift) * (1.0 - 0x1p-22);
    if (left > LEAST && sqrt(own) * (1.0 + 0x1p-20 + ROUNDINGS) < left) {
        lower[row] = left;
        add_loss(row, own);
        return true;
    }
    return false;
}

// Lists a row of the run unless it is settled.
fn list(first_row: u32, place: u32, rows: u32) {
    if (first_row + place < rows && !is_settled(first_row + place)) {
        moved_rows[atomicAdd(&open_count, 1u)] = place;
    }
}

// What becomes of a row that was searched.
fn settle(first_row: u32, place: u32, best: Nearest) {
    let row = first_row + place;
    let before = labels[row];
    lower[row] = sqrt(best.second) * (1.0 - 0x1p-20 - ROUNDINGS);
    add_loss(row, best.distance);
    if (before != best.label) {
        moved += 1u;
        note_moved(row, place, before, best.label);
    }
}

// Mass and label of a row that moved, which goes to the list.
fn note_moved(row: u32, place: u32, before: u32, label: u32) {
    move_mass(row, before, label);
    labels[row] = label;
    moved_rows[atomicAdd(&moved_count, 1u)] = place | (label << 9u) | (min(before, NONE) << 20u);
}

// The values of the listed rows.
fn move_values(first_row: u32, count: u32, thread: u32) {
    for (var at = thread; at < count * DIMENSIONS; at += WORKGROUP) {
        let moved = moved_rows[at / DIMENSIONS];
        let column = at % DIMENSIONS;
        let row = first_row + (moved & 511u);
        move_value(row, column, moved >> 20u, (moved >> 9u) & NONE);
    }
}

@compute @workgroup_size(WORKGROUP)
fn reassign_bounded(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    clear_private(thread);
    for (var at = thread; at < TILE_QUADS; at += WORKGROUP) {
        let cluster = at / QUADS;
        let column = 4u * (at % QUADS);
        tile[at] = vec4(
            coordinate(cluster, column), coordinate(cluster, column + 1u),
            coordinate(cluster, column + 2u), coordinate(cluster, column + 3u),
        );
    }
    let rows = points_shape.x;
    let step = groups.x * groups.y * ROWS;
    inertia = vec4(0u);
    moved = 0u;
    for (var first_row = (group.x + group.y * groups.x) * ROWS; first_row < rows; first_row += step) {
        // The list of the run before has been read.
        workgroupBarrier();
        if (thread == 0u) {
            atomicStore(&open_count, 0u);
            atomicStore(&moved_count, 0u);
        }
        workgroupBarrier();
        list(first_row, thread, rows);
        list(first_row, thread + WORKGROUP, rows);
        workgroupBarrier();
        let count = atomicLoad(&open_count);
        let place_a = moved_rows[thread];
        let place_b = moved_rows[thread + WORKGROUP];
        // The list gives way to that of the rows that have moved.
        workgroupBarrier();
        if (thread + WORKGROUP < count) {
            let a = load_row(first_row + place_a);
            let b = load_row(first_row + place_b);
            var best_a = NOTHING;
            var best_b = NOTHING;
            for (var j = 0u; j < CLUSTERS; j++) {
                offer(&best_a, distance_to(a, j * QUADS), j);
                offer(&best_b, distance_to(b, j * QUADS), j);
            }
            settle(first_row, place_a, best_a);
            settle(first_row, place_b, best_b);
        } else if (thread < count) {
            let a = load_row(first_row + place_a);
            var best_a = NOTHING;
            for (var j = 0u; j < CLUSTERS; j++) {
                offer(&best_a, distance_to(a, j * QUADS), j);
            }
            settle(first_row, place_a, best_a);
        }
        workgroupBarrier();
        move_values(first_row, atomicLoad(&moved_count), thread);
    }
    workgroupBarrier();
    add_to(INERTIA, inertia.xy);
    add_to(INERTIA + 1u, inertia.zw);
    add_to(MOVED, vec2(moved, 0u));

    workgroupBarrier();
    add_private_to_all(thread);
}
