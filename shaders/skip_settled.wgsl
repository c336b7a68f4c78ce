// Leaves out the groups of centroids that cannot hold a row's nearest, and lists the rows for the others: of the rows whose bounds left
// something open, now that the distance to their own centroid is measured.
//
//   lower[r][g] ≤ the distance of r to every centroid of group g but its own: see `loosen_bounds`
//   lower[r][G] = at least the distance of r to its own
//
// Bindings
//   points_shape  (n, d)
//   nearest       n: the clusters of the round before; k or more for none
//   distances     n: the squared distance to that cluster's centroid as it is now, by `own_distance`, of the rows to look at
//   undecided     3·n: first the rows to look at
//   lower         n × G', G' being G + 1 or the next multiple of 4, updated: the upper bound
//   open          4·n, written: the rows that must be searched, in any order: each row, a mask of the groups, the row's cluster, and the
//                 distance to its centroid (its bits)
//   lists         (1 + G) × n, written: first the rows that must be shown ALL_FROM groups or more, and so are shown all; then for each
//                 group the other rows that it must be shown to. All in any order
//   counts        5 + G: the first is how many rows are open, the fourth and those behind how many each list has, all added to; the last
//                 is how many rows to look at there are
// Overrides
//   DIMENSIONS    d
//   CLUSTERS      k
//   GROUPS        G, 31 at most
//   ALL_FROM      more than G for never
//   BOUNDED       whether bounds are used: else every row is shown every group
//
// A workgroup of 256 threads takes 256 rows: dispatch ceil(n / 256), those behind the end of the list have nothing to do. What is left
// out is farther by as much as `loosen_bounds` demands.
// Traffic per listed row: 12 + 4·G' bytes read, 4 written, up to 20 + 4·G more where it is open. Workgroup memory: 412 bytes.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override GROUPS: u32;
override ALL_FROM: u32;
override BOUNDED: bool = true;

// Bounds of a row, four to a quad; where the upper one is.
override QUADS: u32 = (GROUPS + 4u) / 4u;
override UPPER_QUAD: u32 = GROUPS / 4u;
override UPPER_LANE: u32 = GROUPS % 4u;

const THREADS: u32 = 256u;
// Below this a distance may owe more to what was flushed than to rounding.
const LEAST: f32 = 0x1p-40;
// The lists of a workgroup: that of open rows, that of rows that are shown all groups, and one a group.
const MOST_LISTS: u32 = 34u;

@group(0) @binding(0) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(1) var<storage, read> nearest: array<u32>;
@group(0) @binding(2) var<storage, read> distances: array<f32>;
@group(0) @binding(3) var<storage, read> undecided: array<u32>;
@group(0) @binding(4) var<storage, read_write> lower: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> open: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read_write> lists: array<u32>;
@group(0) @binding(7) var<storage, read_write> counts: array<atomic<u32>>;

// How many rows there are to look at.
var<workgroup> looked_at: u32;

// How many rows of the workgroup go to each list, where they begin there, and how many have found their place.
var<workgroup> listed: array<atomic<u32>, MOST_LISTS>;
var<workgroup> begins: array<u32, MOST_LISTS>;
var<workgroup> placed: array<atomic<u32>, MOST_LISTS>;

// A mask of the groups that the row must be shown.
fn unsettled(row: u32, cluster: u32) -> u32 {
    let all = 0xffffffffu >> (32u - GROUPS);
    if (!BOUNDED || cluster >= CLUSTERS) {
        return all;
    }
    let roundings = f32(DIMENSIONS / 16u + 24u) * 0x1p-24;
    let distance = sqrt(distances[row]);
    let reach = vec4(distance * (1.0 + 4.0 * roundings + 0x1p-20));
    let first = row * QUADS;
    var mask = 0u;
    for (var quad = 0u; quad < QUADS; quad++) {
        let left = lower[first + quad];
        let is_settled = (left > vec4(LEAST)) & (reach < left);
        let open_here = select(vec4(1u, 2u, 4u, 8u), vec4(0u), is_settled);
        mask |= (open_here.x | open_here.y | open_here.z | open_here.w) << (4u * quad);
    }
    // What was flushed to zero is at most 2⁻⁶³ a column.
    lower[first + UPPER_QUAD][UPPER_LANE] = distance * (1.0 + roundings + 0x1p-20) + sqrt(f32(DIMENSIONS)) * 0x1p-62;
    // The upper bound, and what fills a quad, are no groups.
    return mask & all;
}

fn is_shown_all(mask: u32) -> bool {
    return countOneBits(mask) >= ALL_FROM;
}

// Where the next row of the workgroup stands in a list.
fn place_in(list: u32) -> u32 {
    return begins[list] + atomicAdd(&placed[list], 1u);
}

@compute @workgroup_size(THREADS)
fn skip_settled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = (workgroup.x + workgroup.y * workgroups.x) * THREADS;
    if (thread == 0u) {
        looked_at = atomicLoad(&counts[4u + GROUPS]);
    }
    if (thread < GROUPS + 2u) {
        atomicStore(&listed[thread], 0u);
        atomicStore(&placed[thread], 0u);
    }
    let end = workgroupUniformLoad(&looked_at);
    if (first >= end) {
        return;
    }
    var row = 0u;
    var cluster = CLUSTERS;
    var mask = 0u;
    if (first + thread < end) {
        row = undecided[first + thread];
        cluster = nearest[row];
        mask = unsettled(row, cluster);
    }
    if (mask != 0u) {
        atomicAdd(&listed[0], 1u);
        if (is_shown_all(mask)) {
            atomicAdd(&listed[1], 1u);
        } else {
            for (var left = mask; left != 0u; left &= left - 1u) {
                atomicAdd(&listed[2u + firstTrailingBit(left)], 1u);
            }
        }
    }
    workgroupBarrier();
    if (thread < GROUPS + 2u) {
        let count = atomicLoad(&listed[thread]);
        // The counts of rows in doubt and of pairs stand between.
        let at = select(thread + 2u, 0u, thread == 0u);
        if (count > 0u) {
            begins[thread] = atomicAdd(&counts[at], count);
        }
    }
    workgroupBarrier();
    if (mask == 0u) {
        return;
    }
    let is_all = is_shown_all(mask);
    let shown = select(mask, 0xffffffffu >> (32u - GROUPS), is_all);
    open[place_in(0u)] = vec4(row, shown, cluster, bitcast<u32>(distances[row]));
    if (is_all) {
        lists[place_in(1u)] = row;
        return;
    }
    for (var left = mask; left != 0u; left &= left - 1u) {
        let group = firstTrailingBit(left);
        lists[(1u + group) * points_shape.x + place_in(2u + group)] = row;
    }
}
