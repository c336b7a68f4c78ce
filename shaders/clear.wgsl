// Sets a buffer to zero, without leaving the compute pass as the device's own command would.
//
//   values[i] = 0
//
// Bindings
//   values     n groups of four words
// Overrides
//   WORKGROUP  threads
//
// A thread owns one group: dispatch ceil(n / WORKGROUP). Traffic: 16 bytes written a group.

override WORKGROUP: u32 = 256u;

@group(0) @binding(0) var<storage, read_write> values: array<vec4<u32>>;

@compute @workgroup_size(WORKGROUP)
fn clear(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * WORKGROUP + thread;
    if (at < arrayLength(&values)) {
        values[at] = vec4(0u);
    }
}
