// New centroids as the mean directions of their clusters, for rows of length 1 (cosine, haversine on the unit sphere),
// from the fixed-point sums of sum_by_label.
//
//   centroids[j] = S / |S|,  S[i] = sum[j][i]·2^-exponents[i]
//   shifts[j]    = sum over i of (new - old)²
//
// Only the direction counts, so every S[i] is taken relative to the power of two of the largest: nothing overflows, and
// what underflows is below 2^-64 of it. Where S is zero (no rows, or rows that cancel) the old centroid stays, with shift
// 0; a cluster without mass also counts into `empty`.
//
// Joined by the part held.
//
// Bindings
//   partials   k·d + k + 3 integers of 64 bits, low word first, as sum_by_label leaves them with WORDS = 1:
//              the sums (k × d), then the masses (k)
//   exponents  d + 2, of which the first d are read: one a column
//   centroids  k × d, row-major, each of length 1; read and written
//   shifts     k, written: squared Euclidean (2 - 2·cos of the angle)
//   empty      1, added to: clusters without mass; zero it before
//   summary    8 words of the round before: see `summarise`
//   unseen     1 in a round that was begun before that one was looked at: then, where held, no centroid moves
// Overrides
//   DIMENSIONS  d
//   CLUSTERS    k
//   TOLERANCE   shifts up to this end the iteration
//   HOLDS_EMPTY whether clusters without mass are for the host to see
//
// A workgroup of 256 threads takes one cluster: dispatch k. A thread owns every 256th column and walks them three
// times: for the largest, for the length, for the result.
// Traffic per cluster: 24d bytes of partials, of which 16d from cache, and 8d of centroids.
// Workgroup memory: 2 KiB. Registers: about 16.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override TOLERANCE: f32 = 0.0;
override HOLDS_EMPTY: bool = false;

const WORKGROUP: u32 = 256u;
// Below the power of two of any sum: what a column of zero has.
const NOTHING: i32 = -0x40000000;
// Columns this many powers of two below the largest add nothing to the length of S.
const NEGLIGIBLE: i32 = -64;

@group(0) @binding(0) var<storage, read> partials: array<u32>;
@group(0) @binding(1) var<storage, read> exponents: array<i32>;
@group(0) @binding(2) var<storage, read_write> centroids: array<f32>;
@group(0) @binding(3) var<storage, read_write> shifts: array<f32>;
@group(0) @binding(4) var<storage, read_write> empty: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read> summary: array<u32>;
@group(0) @binding(6) var<uniform> unseen: u32;

var<workgroup> gathered: array<f32, WORKGROUP>;
var<workgroup> powers: array<i32, WORKGROUP>;

// 64-bit integers are vec2(low, high).

fn partial(cell: u32) -> vec2<u32> {
    return vec2(partials[2u * cell], partials[2u * cell + 1u]);
}

fn is_negative(a: vec2<u32>) -> bool {
    return (a.y >> 31u) == 1u;
}

fn magnitude(a: vec2<u32>) -> vec2<u32> {
    return select(a, vec2(~a.x + 1u, ~a.y + u32(a.x == 0u)), is_negative(a));
}

// The position of the highest one of a positive number.
fn top_bit(a: vec2<u32>) -> u32 {
    if (a.y != 0u) {
        return 32u + firstLeadingBit(a.y);
    }
    return firstLeadingBit(a.x);
}

// The 32 bits from the highest one down.
fn leading_bits(a: vec2<u32>, top: u32) -> u32 {
    if (top < 32u) {
        return a.x << (31u - top);
    }
    // For top = 63 nothing of the low word is left: a shift by 32 in two steps.
    return (a.y << (63u - top)) | ((a.x >> 1u) >> (top - 32u));
}

// p with 2^p ≤ |S[column]| < 2^(p+1), or NOTHING.
fn power(cluster: u32, column: u32) -> i32 {
    let sum = magnitude(partial(cluster * DIMENSIONS + column));
    if (all(sum == vec2(0u))) {
        return NOTHING;
    }
    return i32(top_bit(sum)) - exponents[column];
}

// S[column]·2^-largest, at most 2 in magnitude.
fn relative(cluster: u32, column: u32, largest: i32) -> f32 {
    let below = power(cluster, column) - largest;
    if (below < NEGLIGIBLE) {
        return 0.0;
    }
    let sum = partial(cluster * DIMENSIONS + column);
    let size = magnitude(sum);
    let value = ldexp(f32(leading_bits(size, top_bit(size))), below - 31);
    return select(value, -value, is_negative(sum));
}

// The largest of one power a thread; every thread takes part.
fn gather_largest(value: i32, thread: u32) -> i32 {
    powers[thread] = value;
    for (var width = WORKGROUP / 2u; width > 0u; width = width / 2u) {
        workgroupBarrier();
        if (thread < width) {
            powers[thread] = max(powers[thread], powers[thread + width]);
        }
    }
    workgroupBarrier();
    return powers[0];
}

// The sum of one value a thread, in a fixed tree; every thread takes part.
fn gather_sum(value: f32, thread: u32) -> f32 {
    workgroupBarrier();
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
fn update_direction(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let cluster = group.x + group.y * groups.x;
    if (cluster >= CLUSTERS) {
        return;
    }
    var highest = NOTHING;
    for (var column = thread; column < DIMENSIONS; column += WORKGROUP) {
        highest = max(highest, power(cluster, column));
    }
    let largest = gather_largest(highest, thread);

    var squares = 0.0;
    if (largest != NOTHING) {
        for (var column = thread; column < DIMENSIONS; column += WORKGROUP) {
            let value = relative(cluster, column, largest);
            squares += value * value;
        }
    }
    let length = sqrt(gather_sum(squares, thread));

    var shift = 0.0;
    if (largest != NOTHING && !is_held()) {
        for (var column = thread; column < DIMENSIONS; column += WORKGROUP) {
            let at = cluster * DIMENSIONS + column;
            let direction = relative(cluster, column, largest) / length;
            let difference = direction - centroids[at];
            shift += difference * difference;
            centroids[at] = direction;
        }
    }
    let total = gather_sum(shift, thread);
    if (thread == 0u) {
        shifts[cluster] = total;
        if (all(partial(CLUSTERS * DIMENSIONS + cluster) == vec2(0u))) {
            atomicAdd(&empty[0], 1u);
        }
    }
}
