// What rows change in the sums: adding 64-bit integers to `changes`, through cells of the workgroup's own where these have room, and
// moving a row's mass and values from one cluster to another.
//
// Where FROM_SUMS, the inertia follows from the sums (see `inertia_around`): no row adds its distance, and one that comes from no
// cluster brings its squared length.
//
// Of the kernel it joins it takes `row_value` (see the part columns), `weights`, `exponents`, `changes`, `private_cells`, the parts
// whole, fixed_point and wide, WORKGROUP, and the overrides DIMENSIONS, CLUSTERS, WORDS, BITS, WEIGHTED, FROM_SUMS, MASSES, INERTIA,
// PRIVATE_FROM and PRIVATE_WORDS.

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

// The inertia of a row at this distance.
fn loss(row: u32, measured: f32) -> vec4<u32> {
    var distance = measured;
    if (WEIGHTED) {
        distance *= weights[row];
    }
    let exponent = exponents[DIMENSIONS + 1u];
    return fixed_point(planned(distance, exponent), exponent);
}

fn move_mass(row: u32, before: u32, label: u32) {
    var mass = vec2(1u, 0u);
    if (WEIGHTED) {
        mass = fixed_point(weights[row], exponents[DIMENSIONS]).xy;
    }
    move_from_to(before, MASSES + before, MASSES + label, mass);
}

// The square of a value, exactly, in units of 2^-(exponents[d + 1] + BITS): below one it is cut off.
fn square(value: f32) -> vec4<u32> {
    let apart = taken_apart(value);
    let mantissa = vec4(product_of(apart.mantissa, apart.mantissa), 0u, 0u);
    return wide_scaled(mantissa, 2 * apart.power + exponents[DIMENSIONS + 1u] + i32(BITS));
}

// Adds what the values of rows that came from no cluster have brought.
fn add_lengths(lengths: vec4<u32>) {
    let words = wide_words(lengths);
    add_to(INERTIA, words.xy);
    add_to(INERTIA + 1u, words.zw);
}

fn move_value(row: u32, column: u32, before: u32, label: u32, lengths: ptr<function, vec4<u32>>) {
    var value = row_value(row * DIMENSIONS + column);
    if (WEIGHTED) {
        value *= weights[row];
    }
    if (FROM_SUMS && before >= CLUSTERS) {
        *lengths = wide_add(*lengths, square(value));
    }
    let words = fixed_point(value, exponents[column]);
    let from_cell = before * DIMENSIONS + column;
    let to_cell = label * DIMENSIONS + column;
    move_from_to(before, from_cell, to_cell, words.xy);
    if (WORDS == 2u) {
        move_from_to(before, CLUSTERS * DIMENSIONS + from_cell, CLUSTERS * DIMENSIONS + to_cell, words.zw);
    }
}

// Empties the workgroup's own cells, before its first barrier.
fn clear_private(thread: u32) {
    for (var at = thread; at < PRIVATE_WORDS; at += WORKGROUP) {
        atomicStore(&private_cells[at], 0u);
    }
}

// Adds the workgroup's own cells to `changes`, after its last barrier.
fn add_private_to_all(thread: u32) {
    for (var at = thread; at < PRIVATE_WORDS / 2u; at += WORKGROUP) {
        let value = vec2(atomicLoad(&private_cells[2u * at]), atomicLoad(&private_cells[2u * at + 1u]));
        if (any(value != vec2(0u))) {
            add_global(PRIVATE_FROM + at, value);
        }
    }
}
