// Leaves out the groups of centroids that cannot hold a row's nearest, and lists the rows for the others: bounds by Hamerly (2010,
// "Making k-means even faster") for each of a few groups, as in Yinyang k-means (Ding et al. 2015).
//
//   lower[r][g] ≤ the distance of r to every centroid of group g but its own, at the search that set it
//
// The centroids have moved by drifts since the search before, so lower[r][g], less the largest drift of the others in the group,
// still bounds these distances. Where the row's own distance, which is known, is smaller, every other centroid of the group is
// farther: by so much more that `assign_exact`, whose distances are within h of the true ones, would find the same.
//
// Bindings
//   points_shape  (n, d)
//   labels        n: the clusters of the round before; k or more for none
//   distances     n: the squared distance to that cluster's centroid as it is now, by `own_distance`
//   extremes      5·G: see `survey_extremes`
//   lower         n × G', G' being G or the next multiple of 4, updated for the groups that are left out
//   nearest       n, written: labels
//   open          4·n, written: the rows that must be searched, in any order: each row, a mask of the groups, the row's cluster, and the
//                 distance to its centroid (its bits)
//   lists         (1 + G) × n, written: first the rows that must be shown ALL_FROM groups or more, and so are shown all; then for each
//                 group the other rows that it must be shown to. All in any order
//   counts        4 + G: the first is how many rows are open, the fourth and those behind how many each list has, all added to
// Overrides
//   DIMENSIONS    d
//   CLUSTERS      k
//   GROUPS        G, 32 at most
//   ALL_FROM      more than G for never
//   BOUNDED       whether bounds are used: else every row is shown every group
//
// A workgroup of 256 threads takes 256 rows: dispatch ceil(n / 256). With g = (d/16 + 24)·2⁻²⁴ both kernels' distances are
// within 2·g of the true squares, roots within g; rows whose squares come near what is flushed to zero are listed.
// Traffic: 8 + 4·G' bytes read and 4 + 4·G' written a row, up to 20 + 4·G more where it is listed. Workgroup memory: 792 bytes.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override GROUPS: u32;
override ALL_FROM: u32;
override BOUNDED: bool = true;

// Bounds of a row, four to a quad.
override QUADS: u32 = (GROUPS + 3u) / 4u;

const THREADS: u32 = 256u;
// Below this a distance may owe more to what was flushed than to rounding.
const LEAST: f32 = 0x1p-40;
// The lists of a workgroup: that of open rows, that of rows that are shown all groups, and one a group.
const MOST_LISTS: u32 = 34u;
const MOST_QUADS: u32 = 8u;

@group(0) @binding(0) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> distances: array<f32>;
@group(0) @binding(3) var<storage, read> extremes: array<f32>;
@group(0) @binding(4) var<storage, read_write> lower: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(6) var<storage, read_write> open: array<vec4<u32>>;
@group(0) @binding(7) var<storage, read_write> lists: array<u32>;
@group(0) @binding(8) var<storage, read_write> counts: array<atomic<u32>>;

// How many rows of the workgroup go to each list, where they begin there, and how many have found their place.
var<workgroup> listed: array<atomic<u32>, MOST_LISTS>;
var<workgroup> begins: array<u32, MOST_LISTS>;
var<workgroup> placed: array<atomic<u32>, MOST_LISTS>;

// Of each group the largest drift, its cluster, the largest of the others; four groups to a quad.
var<workgroup> largest: array<vec4<f32>, MOST_QUADS>;
var<workgroup> largest_of: array<vec4<f32>, MOST_QUADS>;
var<workgroup> second: array<vec4<f32>, MOST_QUADS>;

// A mask of the groups that the row must be shown; the bounds of the others give way to the drifts.
fn unsettled(row: u32, cluster: u32) -> u32 {
    let all = 0xffffffffu >> (32u - GROUPS);
    if (!BOUNDED || cluster >= CLUSTERS) {
        return all;
    }
    let roundings = f32(DIMENSIONS / 16u + 24u) * 0x1p-24;
    let reach = vec4(sqrt(distances[row]) * (1.0 + 4.0 * roundings + 0x1p-20));
    var mask = 0u;
    for (var quad = 0u; quad < QUADS; quad++) {
        let at = row * QUADS + quad;
        let held = lower[at];
        // The largest drift of a centroid that is not this one.
        let drift = select(largest[quad], second[quad], largest_of[quad] == vec4(f32(cluster)));
        let left = (held - drift) * (1.0 - 0x1p-22);
        let is_settled = (left > vec4(LEAST)) & (reach < left);
        lower[at] = select(held, left, is_settled);
        let open_here = select(vec4(1u, 2u, 4u, 8u), vec4(0u), is_settled);
        mask |= (open_here.x | open_here.y | open_here.z | open_here.w) << (4u * quad);
    }
    // A quad may have room for more groups than there are.
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
    let rows = points_shape.x;
    if (first >= rows) {
        return;
    }
    if (thread < GROUPS + 2u) {
        atomicStore(&listed[thread], 0u);
        atomicStore(&placed[thread], 0u);
    }
    if (thread < GROUPS) {
        largest[thread / 4u][thread % 4u] = extremes[5u * thread + 2u];
        largest_of[thread / 4u][thread % 4u] = extremes[5u * thread + 3u];
        second[thread / 4u][thread % 4u] = extremes[5u * thread + 4u];
    }
    workgroupBarrier();
    let row = first + thread;
    var mask = 0u;
    if (row < rows) {
        let cluster = labels[row];
        nearest[row] = cluster;
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
    open[place_in(0u)] = vec4(row, shown, labels[row], bitcast<u32>(distances[row]));
    if (is_all) {
        lists[place_in(1u)] = row;
        return;
    }
    for (var left = mask; left != 0u; left &= left - 1u) {
        let group = firstTrailingBit(left);
        lists[(1u + group) * rows + place_in(2u + group)] = row;
    }
}
