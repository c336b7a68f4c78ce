// New centroids as the means of their clusters, from the fixed-point sums of sum_by_label.
//
//   centroids[j][i] = the f32 nearest (half to even) to sum[j][i] / mass[j] · 2^(weight exponent - exponents[i])
//   shifts[j]       = sum over i of (new - old)²
//
// The quotient is a long division of integers, so every device, and the host, gets the same bits. A cluster without
// mass keeps its centroid, has shift 0 and counts into `empty`.
//
// Joined by the part held.
//
// Bindings
//   partials   k·d + k + 3 integers of 64 bits, low word first, as sum_by_label leaves them with WORDS = 1:
//              the sums (k × d), then the masses (k)
//   exponents  d + 2: one a column, then that of the weights, then that of the inertia
//   centroids  k × d, row-major, in the space of the rows that were summed; read and written
//   shifts     k, written: squared Euclidean
//   empty      1, added to: clusters without mass; zero it before
//   summary    8 words of the round before: see `summarise`
//   unseen     1 in a round that was begun before that one was looked at: then, where held, no centroid moves
// Overrides
//   DIMENSIONS  d
//   CLUSTERS    k
//   WEIGHTED    whether masses are in units of 2^-exponents[d]; otherwise they count rows
//   TOLERANCE   shifts up to this end the iteration
//   HOLDS_EMPTY whether clusters without mass are for the host to see
//
// A workgroup of 256 threads takes one cluster: dispatch k. A thread owns every 256th column.
// Traffic per cluster: 8d + 8 bytes of partials, 8d of centroids. Work: about 300 integer operations a column.
// Workgroup memory: 1 KiB. Registers: about 20.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override WEIGHTED: bool = false;
override TOLERANCE: f32 = 0.0;
override HOLDS_EMPTY: bool = false;

const WORKGROUP: u32 = 256u;
// Bits of the quotient: 24 of an f32, and at least one to round by.
const QUOTIENT_BITS: u32 = 27u;

@group(0) @binding(0) var<storage, read> partials: array<u32>;
@group(0) @binding(1) var<storage, read> exponents: array<i32>;
@group(0) @binding(2) var<storage, read_write> centroids: array<f32>;
@group(0) @binding(3) var<storage, read_write> shifts: array<f32>;
@group(0) @binding(4) var<storage, read_write> empty: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read> summary: array<u32>;
@group(0) @binding(6) var<uniform> unseen: u32;

var<workgroup> gathered: array<f32, WORKGROUP>;

// 64-bit integers are vec2(low, high).

fn partial(cell: u32) -> vec2<u32> {
    return vec2(partials[2u * cell], partials[2u * cell + 1u]);
}

fn negate(a: vec2<u32>) -> vec2<u32> {
    return vec2(~a.x + 1u, ~a.y + u32(a.x == 0u));
}

fn subtract(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return vec2(a.x - b.x, a.y - b.y - u32(a.x < b.x));
}

fn less(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

fn double(a: vec2<u32>) -> vec2<u32> {
    return vec2(a.x << 1u, (a.y << 1u) | (a.x >> 31u));
}

// The position of the highest one of a positive number.
fn top_bit(a: vec2<u32>) -> u32 {
    if (a.y != 0u) {
        return 32u + firstLeadingBit(a.y);
    }
    return firstLeadingBit(a.x);
}

fn shift_left(a: vec2<u32>, by: u32) -> vec2<u32> {
    if (by >= 32u) {
        return vec2(0u, a.x << (by - 32u));
    }
    return vec2(a.x << by, (a.y << by) | ((a.x >> 1u) >> (31u - by)));
}

// The bits of the f32 nearest to (quotient + a part below its last bit, if inexact)·2^exponent; 2²⁵ ≤ quotient < 2²⁷.
fn round_to_f32(quotient: u32, inexact: bool, exponent: i32) -> u32 {
    let top = i32(firstLeadingBit(quotient));
    // The exponent of the result's last bit: subnormals keep fewer bits.
    let last = max(exponent + top - 23, -149);
    let drop = u32(last - exponent);
    if (drop > 27u) {
        return 0u;
    }
    let kept = quotient >> drop;
    let rest = quotient & ((1u << drop) - 1u);
    let half = 1u << (drop - 1u);
    let up = rest > half || (rest == half && (inexact || (kept & 1u) == 1u));
    // A carry out of the 24 bits runs into the exponent, as it should; past the largest f32 lies infinity.
    return min((u32(min(last + 149, 254)) << 23u) + kept + u32(up), 0x7f800000u);
}

// sum / mass · 2^exponent for a sum of magnitude at most 2⁶² and a mass of 1 to 2⁶².
fn quotient(sum: vec2<u32>, mass: vec2<u32>, exponent: i32) -> f32 {
    let negative = (sum.y >> 31u) == 1u;
    let magnitude = select(sum, negate(sum), negative);
    if (all(magnitude == vec2(0u))) {
        return 0.0;
    }
    // With both highest ones at bit 62 the ratio lies between 1/2 and 2 and a doubled remainder fits 64 bits.
    let sum_top = top_bit(magnitude);
    let mass_top = top_bit(mass);
    let divisor = shift_left(mass, 62u - mass_top);
    var rest = shift_left(magnitude, 62u - sum_top);
    var bits = 0u;
    for (var i = 0u; i < QUOTIENT_BITS; i++) {
        bits = bits << 1u;
        if (!less(rest, divisor)) {
            rest = subtract(rest, divisor);
            bits = bits | 1u;
        }
        rest = double(rest);
    }
    let scale = exponent + i32(sum_top) - i32(mass_top) - i32(QUOTIENT_BITS - 1u);
    let rounded = round_to_f32(bits, any(rest != vec2(0u)), scale);
    return bitcast<f32>(rounded | (u32(negative) << 31u));
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
fn update_mean(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let cluster = group.x + group.y * groups.x;
    if (cluster >= CLUSTERS) {
        return;
    }
    let mass = partial(CLUSTERS * DIMENSIONS + cluster);
    let has_mass = any(mass != vec2(0u));
    var weight_exponent = 0;
    if (WEIGHTED) {
        weight_exponent = exponents[DIMENSIONS];
    }

    var shift = 0.0;
    if (has_mass && !is_held()) {
        for (var column = thread; column < DIMENSIONS; column += WORKGROUP) {
            let at = cluster * DIMENSIONS + column;
            let mean = quotient(partial(at), mass, weight_exponent - exponents[column]);
            let difference = mean - centroids[at];
            shift += difference * difference;
            centroids[at] = mean;
        }
    }
    let total = gather(shift, thread);
    if (thread == 0u) {
        shifts[cluster] = total;
        if (!has_mass) {
            atomicAdd(&empty[0], 1u);
        }
    }
}
