// One step of the radix selection of medians (city block centroids): picks the digit that the median has from the
// histogram of median_digit, and after the last digit writes the centroid.
//
// The median is the lower one: the smallest value v with 2·(mass of values ≤ v) ≥ total mass, which is the value of
// rank ceil(total / 2), counted in mass from 1.
//
//   prefix[j][i] gains the first digit whose cumulative mass reaches rank[j][i]; rank[j][i] loses the mass before it
//   centroids[j][i] = the f32 whose key is prefix[j][i], after round 7
//   shifts[j]       = sum over i of (new - old)², after round 7
//
// A cluster without mass keeps its centroid, has shift 0 and counts into `empty`.
//
// Bindings
//   histogram  k × d × 16 integers of 64 bits, low word first: the mass of each next digit
//   digit      1: the round, 0 to 7
//   prefix     k × d: the digits found so far, in the high bits; round 0 begins it
//   rank       k × d integers of 64 bits, low word first: the rank left among the values that agree with the prefix;
//              round 0 begins it
//   centroids  k × d, row-major, in the space of the rows; read and written in round 7 only
//   shifts     k, written in round 7 only: squared Euclidean
//   empty      1, added to in round 7 only: clusters without mass; zero it before
// Overrides
//   DIMENSIONS  d
//   CLUSTERS    k
//
// A workgroup of 256 threads takes one cluster: dispatch k. A thread owns every 256th column.
// Traffic per cluster: 128d bytes of histogram, 24d of ranks and prefixes. Workgroup memory: 1 KiB.

override DIMENSIONS: u32;
override CLUSTERS: u32;

const WORKGROUP: u32 = 256u;
const DIGIT_BITS: u32 = 4u;
const DIGITS: u32 = 16u;
const LAST_ROUND: u32 = 7u;

@group(0) @binding(0) var<storage, read> histogram: array<u32>;
@group(0) @binding(1) var<storage, read> digit: array<u32>;
@group(0) @binding(2) var<storage, read_write> prefix: array<u32>;
@group(0) @binding(3) var<storage, read_write> rank: array<u32>;
@group(0) @binding(4) var<storage, read_write> centroids: array<f32>;
@group(0) @binding(5) var<storage, read_write> shifts: array<f32>;
@group(0) @binding(6) var<storage, read_write> empty: array<atomic<u32>>;

var<workgroup> gathered: array<f32, WORKGROUP>;

// 64-bit integers are vec2(low, high); masses are not negative.

fn bin(cell: u32, which: u32) -> vec2<u32> {
    let at = 2u * (cell * DIGITS + which);
    return vec2(histogram[at], histogram[at + 1u]);
}

fn add(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2(low, a.y + b.y + u32(low < a.x));
}

fn subtract(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return vec2(a.x - b.x, a.y - b.y - u32(a.x < b.x));
}

fn less(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

fn total_mass(cell: u32) -> vec2<u32> {
    var total = vec2(0u);
    for (var which = 0u; which < DIGITS; which++) {
        total = add(total, bin(cell, which));
    }
    return total;
}

fn half_up(a: vec2<u32>) -> vec2<u32> {
    let more = add(a, vec2(1u, 0u));
    return vec2((more.x >> 1u) | (more.y << 31u), more.y >> 1u);
}

// Narrows one column of one cluster by a digit and returns the prefix found so far.
fn pick(cell: u32, round: u32) -> u32 {
    var found = 0u;
    var left = half_up(total_mass(cell));
    if (round > 0u) {
        found = prefix[cell];
        left = vec2(rank[2u * cell], rank[2u * cell + 1u]);
    }
    var which = 0u;
    for (; which < DIGITS - 1u; which++) {
        let mass = bin(cell, which);
        if (!less(mass, left)) {
            break;
        }
        left = subtract(left, mass);
    }
    found = found | (which << (32u - DIGIT_BITS * (round + 1u)));
    prefix[cell] = found;
    rank[2u * cell] = left.x;
    rank[2u * cell + 1u] = left.y;
    return found;
}

// The f32 of an ordered key.
fn value_of(key: u32) -> f32 {
    if ((key >> 31u) == 1u) {
        return bitcast<f32>(key & 0x7fffffffu);
    }
    return bitcast<f32>(~key);
}

// The sum of one value a thread, in a fixed tree; every thread takes part.
fn gather(value: f32, thread: u32) -> f32 {
    gathered[thread] = value;
    for (var width = WORKGROUP / 2u; width > 0u; width = width / 2u) {
        workgroupBarrier();
        if (thread < width) {
            gathered[thread] += gathered[thread + width];
        }
    }
    workgroupBarrier();
    return gathered[0];
}

@compute @workgroup_size(WORKGROUP)
fn median_pick(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let cluster = group.x + group.y * groups.x;
    if (cluster >= CLUSTERS) {
        return;
    }
    // The mass of a cluster is the same in every column, and in every round some value agrees with the prefix.
    let has_mass = any(total_mass(cluster * DIMENSIONS) != vec2(0u));
    let round = digit[0];
    var shift = 0.0;
    if (has_mass) {
        for (var column = thread; column < DIMENSIONS; column += WORKGROUP) {
            let cell = cluster * DIMENSIONS + column;
            let found = pick(cell, round);
            if (round == LAST_ROUND) {
                let median = value_of(found);
                let difference = median - centroids[cell];
                shift += difference * difference;
                centroids[cell] = median;
            }
        }
    }
    let total = gather(shift, thread);
    if (round == LAST_ROUND && thread == 0u) {
        shifts[cluster] = total;
        if (!has_mass) {
            atomicAdd(&empty[0], 1u);
        }
    }
}
