// One step of the radix selection of medians (city block centroids): how much mass of each cluster and column has
// which next digit, among the values that share the digits found so far.
//
//   histogram[cluster][column][digit] += mass of row r, for cluster = labels[r] and every column whose key agrees with
//                                        prefix[cluster][column] in the digits before this one
//   key(x)  = the f32's bits, ordered as the numbers are: all inverted if negative, else the sign bit set; -0 is +0
//   mass    = 1, or round(weights[r]·2^exponents[d]), half to even
//
// Eight rounds of four bits, most significant first, each followed by median_pick, find the exact median.
//
// Bindings
//   points        n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   points_shape  (n, d)
//   weights       n, or 1 value that is not read where WEIGHTED is false
//   labels        n: the cluster of each row, below k
//   exponents     d + 2: one a column, then that of the weights, then that of the inertia
//   digit         1: the round, 0 to 7
//   prefix        k × d: the digits found so far, in the high bits; not looked at in round 0
//   histogram     k × d × 16 integers of 64 bits, low word first, added to; zero it before each round
// Overrides
//   DIMENSIONS    d
//   WEIGHTED      whether rows have weights
//
// A workgroup of 256 threads takes 256 values: dispatch ceil(n·d / 256). A thread owns one value; neighbours take
// neighbouring columns, so that reads coalesce and the atomics of a row meet different cells.
// Traffic per row: 8d + 4 bytes read. Work: 20·d integer operations and 1 or 2 atomics for each value that agrees.

override DIMENSIONS: u32;
override WEIGHTED: bool = false;

const WORKGROUP: u32 = 256u;
const DIGIT_BITS: u32 = 4u;
const DIGITS: u32 = 16u;

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read> exponents: array<i32>;
@group(0) @binding(5) var<storage, read> digit: array<u32>;
@group(0) @binding(6) var<storage, read> prefix: array<u32>;
@group(0) @binding(7) var<storage, read_write> histogram: array<atomic<u32>>;

fn key(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    if (bits <= 0x80000000u) {
        // Positive, or -0, whose sign bit is all it has.
        return bits | 0x80000000u;
    }
    return ~bits;
}

// value·2^exponent for a value that is not negative, rounded half to even, as vec2(low, high).
fn fixed_point(value: f32, exponent: i32) -> vec2<u32> {
    let bits = bitcast<u32>(value);
    let biased = (bits >> 23u) & 0xffu;
    let mantissa = (bits & 0x7fffffu) | select(0u, 0x800000u, biased > 0u);
    let shift = i32(max(biased, 1u)) - 150 + exponent;
    if (shift >= 0) {
        // Past 39 the planner's exponent would be wrong; the limit keeps the shifts defined.
        let left = u32(min(shift, 39));
        if (left >= 32u) {
            return vec2(0u, mantissa << (left - 32u));
        }
        return vec2(mantissa << left, (mantissa >> 1u) >> (31u - left));
    }
    if (shift < -24) {
        return vec2(0u);
    }
    let right = u32(-shift);
    let kept = mantissa >> right;
    let rest = mantissa & ((1u << right) - 1u);
    let half = 1u << (right - 1u);
    return vec2(kept + u32(rest > half || (rest == half && (kept & 1u) == 1u)), 0u);
}

fn add_to(cell: u32, value: vec2<u32>) {
    let old = atomicAdd(&histogram[2u * cell], value.x);
    let high = value.y + u32(old + value.x < old);
    if (high != 0u) {
        atomicAdd(&histogram[2u * cell + 1u], high);
    }
}

@compute @workgroup_size(WORKGROUP)
fn median_digit(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * WORKGROUP + thread;
    if (at >= points_shape.x * DIMENSIONS) {
        return;
    }
    let row = at / DIMENSIONS;
    let cell = labels[row] * DIMENSIONS + at % DIMENSIONS;
    let value = key(points[at]);
    let known = DIGIT_BITS * digit[0];
    let known_bits = ~(0xffffffffu >> known);
    if (((value ^ prefix[cell]) & known_bits) != 0u) {
        return;
    }
    var mass = vec2(1u, 0u);
    if (WEIGHTED) {
        mass = fixed_point(weights[row], exponents[DIMENSIONS]);
    }
    let next = (value >> (32u - DIGIT_BITS - known)) % DIGITS;
    add_to(cell * DIGITS + next, mass);
}
