// A sparse matrix A of f32 times a vector x of 64-bit integers:
//
//   product[i] += sum over the entries of row i of round(A[i][j]·x[j]), half away from zero
//
// A value is taken apart into mantissa and exponent, and all else is whole numbers: the result is the same bits on every device,
// for any number of workgroups, partitions and devices, and those of the twin. No product and no sum may reach 2⁶³.
//
// Joined by the part whole.
//
// Bindings
//   entries        packs × 256 words, each a small matrix in compressed sparse rows (see data/sparse.rs): r, r rows, r ends
//                  of their entries, e columns, e values as f32; e is the last end, and at most 126
//   entries_shape  (packs, 256)
//   vector         x, a 64-bit integer for each column, low word first
//   product        a 64-bit integer for each row, low word first, added to
//
// A workgroup of 128 threads takes a pack, a thread an entry of it. The sums of all entries up to each come from seven steps of
// doubling length, and a row is the difference of two of them: a row of 126 entries takes no longer than 63 rows of one. A thread
// then owns a row, and adds it to the product by atomics, since a long row is in several packs.
// Traffic per pack: 1 KiB read, 8 bytes an entry gathered, 8 bytes a row added. Work: some 50 integer operations an entry.
// Workgroup memory: 2 KiB.

const PACK: u32 = 256u;
const WORKGROUP: u32 = 128u;

@group(0) @binding(0) var<storage, read> entries: array<u32>;
@group(0) @binding(1) var<uniform> entries_shape: vec2<u32>;
@group(0) @binding(2) var<storage, read> vector: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> product: array<atomic<u32>>;

var<workgroup> pack: array<u32, PACK>;
// Of each entry the sum of all up to it.
var<workgroup> sums: array<vec2<u32>, WORKGROUP>;

// The low 64 bits of a·2^-shift for 96 bits a and a shift of 0 to 95.
fn shifted_right(a: vec3<u32>, shift: u32) -> vec2<u32> {
    var words = a;
    if (shift >= 64u) {
        words = vec3(a.z, 0u, 0u);
    } else if (shift >= 32u) {
        words = vec3(a.y, a.z, 0u);
    }
    let bits = shift & 31u;
    // A shift by 32 is none, so that the word above goes in two steps.
    let from_above = vec2(words.y << 1u, words.z << 1u) << vec2(31u - bits);
    return (words.xy >> vec2(bits)) | from_above;
}

// The low 64 bits of a·2^shift.
fn shifted_left(a: vec2<u32>, shift: u32) -> vec2<u32> {
    if (shift >= 64u) {
        return vec2(0u);
    }
    let words = select(a, vec2(0u, a.x), shift >= 32u);
    let bits = shift & 31u;
    return vec2(words.x << bits, (words.y << bits) | ((words.x >> 1u) >> (31u - bits)));
}

// round(value·x), half away from zero, for a magnitude of x of at most 63 bits.
fn rounded_product(value: u32, x: vec2<u32>) -> vec2<u32> {
    let apart = taken_apart(bitcast<f32>(value));
    let is_negative = (x.y >> 31u) == 1u;
    let magnitude = signed(x, is_negative);
    let low = product_of(magnitude.x, apart.mantissa);
    let high = product_of(magnitude.y, apart.mantissa);
    let middle = low.y + high.x;
    let exact = vec3(low.x, middle, high.y + u32(middle < low.y));
    // The value is mantissa·2^-shift.
    let shift = -apart.power;
    var result = vec2(0u);
    if (shift <= 0) {
        result = shifted_left(exact.xy, u32(-shift));
    } else if (shift <= 96) {
        // Of twice the result and one more, half is the result rounded.
        let twice = add(shifted_right(exact, u32(shift - 1)), vec2(1u, 0u));
        result = vec2((twice.x >> 1u) | (twice.y << 31u), twice.y >> 1u);
    }
    return signed(result, is_negative != apart.negative);
}

fn add_to_product(row: u32, value: vec2<u32>) {
    if (all(value == vec2(0u))) {
        return;
    }
    let old = atomicAdd(&product[2u * row], value.x);
    let high = value.y + u32(old + value.x < old);
    if (high != 0u) {
        atomicAdd(&product[2u * row + 1u], high);
    }
}

// The sum of the entries before one.
fn sum_before(entry: u32) -> vec2<u32> {
    if (entry == 0u) {
        return vec2(0u);
    }
    return sums[entry - 1u];
}

@compute @workgroup_size(WORKGROUP)
fn multiply_sparse(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group.x + group.y * groups.x;
    // All threads of a workgroup have the same pack, so they leave together.
    if (number >= entries_shape.x) {
        return;
    }
    pack[thread] = entries[number * PACK + thread];
    pack[thread + WORKGROUP] = entries[number * PACK + thread + WORKGROUP];
    workgroupBarrier();

    let rows = pack[0];
    let count = pack[2u * rows];
    let columns = 1u + 2u * rows;
    var sum = vec2(0u);
    if (thread < count) {
        sum = rounded_product(pack[columns + count + thread], vector[pack[columns + thread]]);
    }
    sums[thread] = sum;
    for (var step = 1u; step < WORKGROUP; step *= 2u) {
        workgroupBarrier();
        if (thread >= step) {
            sum = add(sum, sums[thread - step]);
        }
        workgroupBarrier();
        sums[thread] = sum;
    }
    workgroupBarrier();

    if (thread < rows) {
        let end = pack[1u + rows + thread];
        var first = 0u;
        if (thread > 0u) {
            first = pack[rows + thread];
        }
        add_to_product(pack[1u + thread], add(sum_before(end), negate(sum_before(first))));
    }
}
