// Sums over rows of each of their values and of its square, weighed by the shares of the components, as 64-bit fixed-point integers:
// associative, so that any number of workgroups, partitions, devices of a kind and ranks gives the same bits, if rows are
// cut between blocks.
//
//   sums[0][o] += Σ_blocks round(2^e·Σ_{r in block} w·values[r][o])       w = shares[r][o / (d + 1)], of the last output 1
//   sums[1][o] += Σ_blocks round(2^f·Σ_{r in block} w·values[r][o]²)
//   e = column_exponents[0] + value_exponents[o],  f = column_exponents[0] + value_exponents[m + o]
//
// A block is 256 rows: within it products are summed in f32 in the order of the rows, and rounded once, half to even.
//
// Bindings
//   points_shape      (n, any); a multiple of 256 rows, but for the last ones
//   values            n × m, m = k·(d + 1) + 1, row-major; n·m < 2²⁹, so indices fit u32
//   shares            n × k, row-major
//   column_exponents  1
//   value_exponents   2 × m; no sum is larger than 63 bits at its scale
//   sums              2 × m integers of 64 bits, low word first, added to
// Overrides
//   DIMENSIONS    d
//   COMPONENTS    k
//   BITS          0: what the part has of second words is not used
//
// A workgroup of 64 threads owns 64 neighbouring outputs, one a thread; of T tiles and G workgroups, workgroup g takes tile g % T and
// blocks g/T, then on by G/T: G is at least T. Traffic per row: 4·m bytes, and 4·k per tile. Atomics: four an output and workgroup.
//
// Joined by the parts whole, fixed_point.

override DIMENSIONS: u32;
override COMPONENTS: u32;
override BITS: u32;

const THREADS: u32 = 64u;
const BLOCK: u32 = 256u;

override WIDTH: u32 = DIMENSIONS + 1u;
override OUTPUTS: u32 = COMPONENTS * (DIMENSIONS + 1u) + 1u;
override TILES: u32 = (COMPONENTS * (DIMENSIONS + 1u) + THREADS) / THREADS;

@group(0) @binding(0) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> shares: array<f32>;
@group(0) @binding(3) var<storage, read> column_exponents: array<i32>;
@group(0) @binding(4) var<storage, read> value_exponents: array<i32>;
@group(0) @binding(5) var<storage, read_write> sums: array<atomic<u32>>;

fn add_to(cell: u32, sum: vec2<u32>) {
    let old = atomicAdd(&sums[2u * cell], sum.x);
    let carried = sum.y + u32(old + sum.x < old);
    if (carried != 0u) {
        atomicAdd(&sums[2u * cell + 1u], carried);
    }
}

@compute @workgroup_size(THREADS)
fn sum_moments(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group.x + group.y * groups.x;
    let output = number % TILES * THREADS + thread;
    let rows = points_shape.x;
    let teams = groups.x * groups.y / TILES;
    if (number / TILES >= teams || output >= OUTPUTS) {
        // Workgroups that folding into two dimensions has added, or threads past the last output.
        return;
    }
    let is_weighed = output + 1u < OUTPUTS;
    let component = min(output / WIDTH, COMPONENTS - 1u);
    let first_exponent = column_exponents[0] + value_exponents[output];
    let second_exponent = column_exponents[0] + value_exponents[OUTPUTS + output];
    var total = vec2(0u);
    var total_of_squares = vec2(0u);
    for (var first = number / TILES * BLOCK; first < rows; first += teams * BLOCK) {
        var sum = 0.0;
        var sum_of_squares = 0.0;
        for (var row = first; row < min(first + BLOCK, rows); row++) {
            let value = values[row * OUTPUTS + output];
            let weighed = select(1.0, shares[row * COMPONENTS + component], is_weighed) * value;
            sum += weighed;
            sum_of_squares += weighed * value;
        }
        total = add(total, fixed_point(sum, first_exponent).xy);
        total_of_squares = add(total_of_squares, fixed_point(sum_of_squares, second_exponent).xy);
    }
    add_to(output, total);
    add_to(OUTPUTS + output, total_of_squares);
}
