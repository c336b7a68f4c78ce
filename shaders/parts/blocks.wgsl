// The rows that a workgroup of a search takes together, and the groups of centroids that they are to be shown: blocks of the lists
// that `skip_settled` has made.
//
// Of the kernel it joins it takes `lists`, `counts`, ROWS (the rows of a block), and the overrides GROUPS, WIDTH and CLUSTERS.

struct Block {
    begin: u32,                    // where its first row stands in `lists`
    rows: u32,                     // how many there are: more than 0, ROWS at most
    first: u32,                    // the centroids they are shown: from here
    end: u32,                      // to here
}

// How many blocks all lists have.
fn count_blocks() -> u32 {
    var blocks = 0u;
    for (var list = 0u; list <= GROUPS; list++) {
        blocks += (counts[3u + list] + ROWS - 1u) / ROWS;
    }
    return blocks;
}

fn block_at(number: u32, rows: u32) -> Block {
    var list = 0u;
    var before = number;
    loop {
        let blocks = (counts[3u + list] + ROWS - 1u) / ROWS;
        if (before < blocks || list == GROUPS) {
            break;
        }
        before -= blocks;
        list++;
    }
    let left = counts[3u + list] - before * ROWS;
    let begin = list * rows + before * ROWS;
    if (list == 0u) {
        return Block(begin, min(left, ROWS), 0u, CLUSTERS);
    }
    return Block(begin, min(left, ROWS), (list - 1u) * WIDTH, min(list * WIDTH, CLUSTERS));
}
