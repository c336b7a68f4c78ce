// Copies memory, to measure how fast a device can: the most that any kernel can move.
//
// Bindings
//   original  vectors to copy
//   copied    as many, written
//
// A thread takes a vector: dispatch ceil(vectors / 256). Moves 32 bytes a thread, neighbours beside each other.

@group(0) @binding(0) var<storage, read> original: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> copied: array<vec4<f32>>;

@compute @workgroup_size(256)
fn ceiling_copy(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * 256u + thread;
    if (at < arrayLength(&copied)) {
        copied[at] = original[at];
    }
}
