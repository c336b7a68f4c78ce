// One step of power iteration over the rows of a task: product = Aᵀ(A · vector).
//
//   rows        rows_shape.x × rows_shape.y, row-major: the task's part of the matrix A
//   vector      rows_shape.y: the same on every task
//   projection  rows_shape.x: scratch between the two passes
//   product     rows_shape.y: the task's share, summed over the tasks by the all-reduce that follows
//
// `project` gives each row to a thread. `collect` gives each column to a workgroup, whose threads stride over the rows
// and then add up pairwise, so that the sum has the same bits on every run. The matrix is read twice.

const THREADS = 64u;

@group(0) @binding(0) var<storage, read> rows: array<f32>;
@group(0) @binding(1) var<storage, read> vector: array<f32>;
@group(0) @binding(2) var<storage, read_write> projection: array<f32>;
@group(0) @binding(3) var<storage, read_write> product: array<f32>;
@group(0) @binding(4) var<uniform> rows_shape: vec2<u32>;

var<workgroup> partial: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn project(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = (group.x + group.y * groups.x) * THREADS + thread;
    if row >= rows_shape.x {
        return;
    }
    var sum = 0.0;
    for (var column = 0u; column < rows_shape.y; column++) {
        sum += rows[row * rows_shape.y + column] * vector[column];
    }
    projection[row] = sum;
}

@compute @workgroup_size(THREADS)
fn collect(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let column = group.x;
    var sum = 0.0;
    for (var row = thread; row < rows_shape.x; row += THREADS) {
        sum += rows[row * rows_shape.y + column] * projection[row];
    }
    partial[thread] = sum;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if thread < half {
            partial[thread] += partial[thread + half];
        }
    }
    if thread == 0u {
        product[column] = partial[0];
    }
}
