// Sums over rows of the products of their columns and their values, Xᵀ·V, as 64-bit fixed-point integers: associative, so that
// any number of workgroups, partitions, devices of a kind and ranks gives the same bits, if rows are cut between blocks.
//
//   sums[i][c] += Σ_blocks trunc(2^(column_exponents[i] + value_exponents[c])·Σ_{r in block} points[r][i]·values[r][c])
//
// A block is 256 rows: within it products are summed in f32 in the order of the rows, and rounded once. So the sums err as
// f32 sums of 256 terms do, each block on its own, however many there are.
//
// Bindings
//   points            n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   points_shape      (n, d); a multiple of 256 rows, but for the last ones
//   values            n × m, row-major; n·m < 2²⁹
//   column_exponents  d
//   value_exponents   m; a pair's exponents add up to -94 … 158, and their sum fits 63 bits at that scale
//   sums              d × m integers of 64 bits, low word first, added to
// Overrides
//   DIMENSIONS    d
//   OUTPUTS       m
//   ACROSS, DOWN  threads along outputs and columns: powers of two from 4 on, with ACROSS·DOWN ≤ 128
//
// A workgroup of 128 threads has 128 / (ACROSS·DOWN) layers. All take the same tile of 8·DOWN columns × 4·ACROSS outputs, each
// a block of rows of its own; of T tiles and G workgroups, workgroup g takes tile g % T, and blocks g/T·layers and so on, by G/T·layers: G
// is at least T. A layer walks its block in steps of 8 rows, which lie in workgroup memory. A thread owns 8 columns × 4
// outputs: for 32 multiplications it reads three vectors. Its 64-bit sums stay in registers until the end.
// Neighbouring threads fetch neighbouring columns, and rows are kept as they lie: nothing is turned around on the way.
// Traffic per row: 4·d bytes per 4·ACROSS outputs, 4·m per 8·DOWN columns. Work: 2·d·m operations, and 10·d·m / 256 to round.
// Atomics: 2·d·m for each layer of a tile. Workgroup memory: 4096·(8/ACROSS + 4/DOWN) bytes, 12 KiB at most (4 × 4), 4 KiB for
// 16 × 8. Registers: 32 sums in f32, 64 words, 12 operands.

override DIMENSIONS: u32;
override OUTPUTS: u32;
override ACROSS: u32 = 16u;
override DOWN: u32 = 8u;

const BLOCK: u32 = 256u;
const STEP: u32 = 8u;
const THREADS: u32 = 128u;

override LAYER: u32 = ACROSS * DOWN;
override LAYERS: u32 = THREADS / LAYER;
// Quads of columns and of outputs of a step, layer by layer.
override COLUMN_QUADS: u32 = 2u * DOWN;
override COLUMN_VALUES: u32 = 4u * COLUMN_QUADS;
override OUTPUT_VALUES: u32 = 4u * ACROSS;
override TILES_ACROSS: u32 = (OUTPUTS + OUTPUT_VALUES - 1u) / OUTPUT_VALUES;
override TILES: u32 = TILES_ACROSS * ((DIMENSIONS + COLUMN_VALUES - 1u) / COLUMN_VALUES);

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read> column_exponents: array<i32>;
@group(0) @binding(4) var<storage, read> value_exponents: array<i32>;
@group(0) @binding(5) var<storage, read_write> sums: array<atomic<u32>>;

var<workgroup> column_tile: array<vec4<f32>, LAYERS * STEP * COLUMN_QUADS>;
var<workgroup> output_tile: array<vec4<f32>, LAYERS * STEP * ACROSS>;

// Four sums of 64 bits.
struct Sums {
    low: vec4<u32>,
    high: vec4<u32>,
}

// 2^exponent for one that a normal f32 has.
fn power_of_two(exponent: vec4<i32>) -> vec4<f32> {
    return bitcast<vec4<f32>>((clamp(exponent, vec4(-126), vec4(127)) + 127) << vec4(23u));
}

// Adds the sums of a block: exact but for the fraction that is left out. Of scaled / 2³² the whole is the high word; the rest is
// exact, and 2³² times it has at most 24 bits before the point.
fn gather(total: ptr<function, Sums>, block: vec4<f32>, scale: vec4<f32>) {
    let scaled = abs(block) * scale;
    let whole = floor(scaled);
    let magnitude_low = vec4<u32>((scaled - whole) * 4294967296.0);
    let magnitude_high = vec4<u32>(whole);
    let negative = block < vec4(0.0);
    let low = select(magnitude_low, ~magnitude_low + 1u, negative);
    let borrowed = ~magnitude_high + select(vec4(0u), vec4(1u), magnitude_low == vec4(0u));
    let high = select(magnitude_high, borrowed, negative);
    let sum = (*total).low + low;
    (*total).high += high + select(vec4(0u), vec4(1u), sum < low);
    (*total).low = sum;
}

fn fetch(first_block: u32, step: u32, first_column: u32, first_output: u32, thread: u32) {
    let rows = points_shape.x;
    for (var at = thread; at < LAYERS * STEP * COLUMN_VALUES; at += THREADS) {
        let line = at / COLUMN_VALUES;
        let row = (first_block + line / STEP) * BLOCK + step + line % STEP;
        let column = first_column + at % COLUMN_VALUES;
        var value = 0.0;
        if (row < rows && column < DIMENSIONS) {
            value = points[row * DIMENSIONS + column];
        }
        column_tile[at / 4u][at % 4u] = value;
    }
    for (var at = thread; at < LAYERS * STEP * OUTPUT_VALUES; at += THREADS) {
        let line = at / OUTPUT_VALUES;
        let row = (first_block + line / STEP) * BLOCK + step + line % STEP;
        let output = first_output + at % OUTPUT_VALUES;
        var value = 0.0;
        if (row < rows && output < OUTPUTS) {
            value = values[row * OUTPUTS + output];
        }
        output_tile[at / 4u][at % 4u] = value;
    }
}

fn column_exponent(column: u32) -> vec4<i32> {
    if (column >= DIMENSIONS) {
        return vec4(0);
    }
    return vec4(column_exponents[column] - 32);
}

fn output_exponent(output: u32) -> i32 {
    if (output >= OUTPUTS) {
        return 0;
    }
    return value_exponents[output];
}

fn add_one(cell: u32, low: u32, high: u32) {
    let old = atomicAdd(&sums[2u * cell], low);
    let carried = high + u32(old + low < old);
    if (carried != 0u) {
        atomicAdd(&sums[2u * cell + 1u], carried);
    }
}

fn add_to_all(column: u32, output: u32, total: Sums) {
    if (column >= DIMENSIONS) {
        return;
    }
    for (var i = 0u; i < 4u; i++) {
        if (output + i < OUTPUTS) {
            add_one(column * OUTPUTS + output + i, total.low[i], total.high[i]);
        }
    }
}

const NOTHING: Sums = Sums(vec4<u32>(), vec4<u32>());

@compute @workgroup_size(THREADS)
fn sum_products(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group.x + group.y * groups.x;
    let tile = number % TILES;
    let first_column = tile / TILES_ACROSS * COLUMN_VALUES;
    let first_output = tile % TILES_ACROSS * OUTPUT_VALUES;
    let blocks = (points_shape.x + BLOCK - 1u) / BLOCK;
    let teams = groups.x * groups.y / TILES;
    if (number / TILES >= teams) {
        // Workgroups that folding into two dimensions has added.
        return;
    }
    let layer = thread / LAYER;
    let x = thread % ACROSS;
    let y = thread % LAYER / ACROSS;
    // A thread's columns are those of quads y and y + DOWN.
    let column = first_column + 4u * y;
    let output = first_output + 4u * x;
    let right = vec4(
        output_exponent(output), output_exponent(output + 1u), output_exponent(output + 2u), output_exponent(output + 3u),
    );
    var total0 = NOTHING; var total1 = NOTHING; var total2 = NOTHING; var total3 = NOTHING;
    var total4 = NOTHING; var total5 = NOTHING; var total6 = NOTHING; var total7 = NOTHING;
    for (var first_block = number / TILES * LAYERS; first_block < blocks; first_block += teams * LAYERS) {
        var sum0 = vec4(0.0); var sum1 = vec4(0.0); var sum2 = vec4(0.0); var sum3 = vec4(0.0);
        var sum4 = vec4(0.0); var sum5 = vec4(0.0); var sum6 = vec4(0.0); var sum7 = vec4(0.0);
        for (var step = 0u; step < BLOCK; step += STEP) {
            workgroupBarrier();
            fetch(first_block, step, first_column, first_output, thread);
            workgroupBarrier();
            for (var i = 0u; i < STEP; i++) {
                let line = layer * STEP + i;
                let a = column_tile[line * COLUMN_QUADS + y];
                let b = column_tile[line * COLUMN_QUADS + y + DOWN];
                let r = output_tile[line * ACROSS + x];
                sum0 += a.x * r; sum1 += a.y * r; sum2 += a.z * r; sum3 += a.w * r;
                sum4 += b.x * r; sum5 += b.y * r; sum6 += b.z * r; sum7 += b.w * r;
            }
        }
        gather(&total0, sum0, power_of_two(column_exponent(column) + right));
        gather(&total1, sum1, power_of_two(column_exponent(column + 1u) + right));
        gather(&total2, sum2, power_of_two(column_exponent(column + 2u) + right));
        gather(&total3, sum3, power_of_two(column_exponent(column + 3u) + right));
        gather(&total4, sum4, power_of_two(column_exponent(column + 4u * DOWN) + right));
        gather(&total5, sum5, power_of_two(column_exponent(column + 4u * DOWN + 1u) + right));
        gather(&total6, sum6, power_of_two(column_exponent(column + 4u * DOWN + 2u) + right));
        gather(&total7, sum7, power_of_two(column_exponent(column + 4u * DOWN + 3u) + right));
    }
    add_to_all(column, output, total0);
    add_to_all(column + 1u, output, total1);
    add_to_all(column + 2u, output, total2);
    add_to_all(column + 3u, output, total3);
    add_to_all(column + 4u * DOWN, output, total4);
    add_to_all(column + 4u * DOWN + 1u, output, total5);
    add_to_all(column + 4u * DOWN + 2u, output, total6);
    add_to_all(column + 4u * DOWN + 3u, output, total7);
}
