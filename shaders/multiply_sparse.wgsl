// A sparse matrix A times a vector x, in 64-bit fixed point:
//
//   product[i] += sum over the entries of row i of round(f32(A[i][j]·x[j])·2^EXPONENT), half to even
//
// Products are rounded to integers before they are added, so the result is the same bits for any number of workgroups,
// partitions and devices, and those of the twin. A product that is subnormal may be flushed.
//
// Joined by the part fixed_point.
//
// Bindings
//   entries        packs × 256 words, each a small matrix in compressed sparse rows (see data/sparse.rs): r, r rows, r ends
//                  of their entries, e columns, e values as f32; e is the last end, and at most 126
//   entries_shape  (packs, 256)
//   vector         x, a value for each column
//   product        a 64-bit integer for each row, low word first, added to
// Overrides
//   EXPONENT       of the unit; no sum may reach 2^(63 - EXPONENT)
//   BITS           taken by the part; 0
//
// A workgroup of 128 threads takes a pack, a thread an entry of it. The sums of all entries up to each come from seven steps of
// doubling length, and a row is the difference of two of them: a row of 126 entries takes no longer than 63 rows of one. A thread
// then owns a row, and adds it to the product by atomics, since a long row is in several packs.
// Traffic per pack: 1 KiB read, 4 bytes an entry gathered, 8 bytes a row added. Workgroup memory: 2 KiB.

override EXPONENT: i32;
override BITS: u32 = 0u;

const PACK: u32 = 256u;
const WORKGROUP: u32 = 128u;

@group(0) @binding(0) var<storage, read> entries: array<u32>;
@group(0) @binding(1) var<uniform> entries_shape: vec2<u32>;
@group(0) @binding(2) var<storage, read> vector: array<f32>;
@group(0) @binding(3) var<storage, read_write> product: array<atomic<u32>>;

var<workgroup> pack: array<u32, PACK>;
// Of each entry the sum of all up to it.
var<workgroup> sums: array<vec2<u32>, WORKGROUP>;

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
        let value = bitcast<f32>(pack[columns + count + thread]);
        sum = fixed_point(value * vector[pack[columns + thread]], EXPONENT).xy;
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
