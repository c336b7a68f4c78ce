// Which of two centroids is nearer to a row, by the distances that `assign_exact` would find: for rows of which `settle_rows` leaves
// just two.
//
//   nearest[r]   = of nearest[r] and the row's rival the one that is nearer, the lower on ties
//   lower[r][g]  = the smaller of lower[r][g], which bounds the distance to all other centroids of group g, and of the farther one's
//                  distance, g being its group
//
// Joined by the part columns.
//
// Bindings
//   points        n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   centroids     k × d, row-major
//   points_shape  (n, d)
//   undecided     3·n: from the n-th word on row numbers, each with its rival
//   counts        5 + G: the third is how many these are
//   nearest       n, updated
//   lower         n × G', G' being G + 1 or the next multiple of 4, updated
// Overrides
//   DIMENSIONS    d
//   GROUPS, WIDTH G, and the centroids in a group
//
// A workgroup of 256 threads takes 8 rows, then others: dispatch any number. Sixteen threads measure a distance: each sums every
// sixteenth 16 columns, and one adds these sums up in their order, as `assign_exact` does.
// Traffic per listed row: 16·d bytes; few rows are listed. Work: 6·d operations. Workgroup memory: 4 KiB.

override DIMENSIONS: u32;
override GROUPS: u32;
override WIDTH: u32;

// From the bounds of a row to those of the next.
override BOUNDS: u32 = (GROUPS + 4u) / 4u * 4u;

const THREADS: u32 = 256u;
const ACROSS: u32 = 16u;           // threads that share a distance
const ROWS: u32 = THREADS / ACROSS / 2u;
const COLUMNS: u32 = 16u;          // columns of a sum
const SUMS: u32 = 64u;             // sums of a distance that are kept at a time

@group(0) @binding(2) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(3) var<storage, read> undecided: array<u32>;
@group(0) @binding(4) var<storage, read> counts: array<u32>;
@group(0) @binding(5) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(6) var<storage, read_write> lower: array<f32>;

// Sums of columns of each distance, then the distances.
var<workgroup> sums: array<f32, 2u * ROWS * SUMS>;
var<workgroup> found: array<f32, 2u * ROWS>;

fn sum_of_columns(row: u32, cluster: u32, first: u32) -> f32 {
    var part = 0.0;
    for (var column = first; column < min(first + COLUMNS, DIMENSIONS); column += 4u) {
        let difference = row_columns(row * DIMENSIONS, column) - centroid_columns(cluster * DIMENSIONS, column);
        let terms = difference * difference;
        part = (((part + terms.x) + terms.y) + terms.z) + terms.w;
    }
    return part;
}

@compute @workgroup_size(THREADS)
fn decide_pairs(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let end = counts[2];
    let step = groups.x * groups.y * ROWS;
    for (var first = (group.x + group.y * groups.x) * ROWS; first < end; first += step) {
        decide(first, end, thread);
    }
}

fn decide(first: u32, end: u32, thread: u32) {
    let distance = thread / ACROSS;
    let at = points_shape.x + 2u * min(first + distance / 2u, end - 1u);
    let row = undecided[at];
    let rival = undecided[at + 1u];
    let label = nearest[row];
    let cluster = select(label, rival, distance % 2u == 1u);
    var total = 0.0;
    for (var begin = 0u; begin < DIMENSIONS; begin += SUMS * COLUMNS) {
        workgroupBarrier();
        for (var sum = thread % ACROSS; sum < SUMS; sum += ACROSS) {
            let column = begin + sum * COLUMNS;
            if (column < DIMENSIONS) {
                sums[distance * SUMS + sum] = sum_of_columns(row, cluster, column);
            }
        }
        workgroupBarrier();
        if (thread % ACROSS == 0u) {
            for (var sum = 0u; sum < SUMS && begin + sum * COLUMNS < DIMENSIONS; sum++) {
                total += sums[distance * SUMS + sum];
            }
        }
    }
    if (thread % ACROSS == 0u) {
        found[distance] = total;
    }
    workgroupBarrier();
    if (thread % (2u * ACROSS) != 0u || first + distance / 2u >= end) {
        return;
    }
    let own = found[distance];
    let other = found[distance + 1u];
    let is_rival = other < own || (other == own && rival < label);
    if (is_rival) {
        nearest[row] = rival;
    }
    let roundings = f32(DIMENSIONS / COLUMNS + 24u) * 0x1p-24;
    let place = row * BOUNDS + select(rival, label, is_rival) / WIDTH;
    lower[place] = min(lower[place], sqrt(max(own, other)) * (1.0 - roundings - 0x1p-20));
}
