// Adding 64-bit integers to `changes`, through cells of the workgroup's own where these have room.
//
// Of the kernel it joins it takes `changes`, `private_cells`, and the overrides CLUSTERS and PRIVATE_FROM.

fn add_private(cell: u32, value: vec2<u32>) {
    let at = 2u * (cell - PRIVATE_FROM);
    let old = atomicAdd(&private_cells[at], value.x);
    let high = value.y + u32(old + value.x < old);
    if (high != 0u) {
        atomicAdd(&private_cells[at + 1u], high);
    }
}

fn add_global(cell: u32, value: vec2<u32>) {
    let old = atomicAdd(&changes[2u * cell], value.x);
    let high = value.y + u32(old + value.x < old);
    if (high != 0u) {
        atomicAdd(&changes[2u * cell + 1u], high);
    }
}

fn add_to(cell: u32, value: vec2<u32>) {
    if (all(value == vec2(0u))) {
        return;
    }
    if (cell >= PRIVATE_FROM) {
        add_private(cell, value);
    } else {
        add_global(cell, value);
    }
}

// Moves an integer from a cell of one cluster, if it was one, to that of another.
fn move_from_to(from_cluster: u32, from_cell: u32, to_cell: u32, value: vec2<u32>) {
    add_to(to_cell, value);
    if (from_cluster < CLUSTERS) {
        add_to(from_cell, negate(value));
    }
}

