//! What is refused, and in which words.

use crate::support::cpu;
use superstep::algorithms::pagerank::Graph;
use superstep::data::{Entry, Pack, RowSource, SparseRows};
use superstep::{PageRank, Session};

#[test]
fn settings_that_cannot_be_obeyed_are_refused() -> superstep::Result<()> {
    let graph = Graph::new(3, [(0, 1), (1, 2)])?;
    let cases = [
        (PageRank::new().damping(1.5), "damping: 1.5 is no probability"),
        (PageRank::new().damping(-0.1), "damping"),
        (PageRank::new().damping(f64::NAN), "damping: NaN"),
        (PageRank::new().tol(-1.0), "tol"),
        (PageRank::new().tol(f64::INFINITY), "tol"),
        (PageRank::new().max_iter(0), "max_iter"),
        (PageRank::new().personalization([1.0, 2.0]), "personalization: 2 weights for 3 nodes"),
        (PageRank::new().personalization([0.0; 3]), "personalization: the weights of all nodes add up to 0"),
        (PageRank::new().dangling([1.0, -2.0, 0.0]), "dangling, row 1: the weight -2"),
        (PageRank::new().start([1.0, 1.0, f64::NAN]), "start, row 2: the weight NaN"),
        (PageRank::new().start([1e308, 1e308, 0.0]), "start: the weights of all nodes add up to inf"),
    ];
    for (rank, expected) in cases {
        let message = rank.session(&cpu()).fit(&graph).expect_err(expected).to_string();
        assert!(message.contains(expected), "{message} has not {expected}");
    }
    Ok(())
}

#[test]
fn edges_that_are_none_are_named_by_their_number() {
    let cases = [
        (Graph::weighted(0, []), "nodes: 0 nodes"),
        (Graph::weighted(2, [(0, 1, 1.0), (0, 2, 1.0)]), "the edges, row 1: node 2 is not there"),
        (Graph::weighted(2, [(5, 1, 1.0)]), "the edges, row 0: node 5 is not there"),
        (Graph::weighted(2, [(0, 1, 1.0), (0, 1, -0.5)]), "the edges, row 1: the weight -0.5"),
        (Graph::weighted(2, [(0, 1, f64::NAN)]), "the edges, row 0: the weight NaN"),
        (Graph::weighted(2, [(1, 0, f64::INFINITY)]), "the edges, row 0: the weight inf"),
    ];
    for (graph, expected) in cases {
        let message = graph.expect_err(expected).to_string();
        assert!(message.contains(expected), "{message} has not {expected}");
    }
}

#[test]
fn memory_that_does_not_hold_the_edges_is_refused() -> superstep::Result<()> {
    let graph = crate::support::skewed_graph(50, 2000);
    let session = Session::builder().device("cpu".parse()?).memory(10_000).build()?;
    let message = PageRank::new().session(&session).fit(&graph).expect_err("it is too little").to_string();
    assert!(message.contains("memory") && message.contains("10000"), "{message}");
    Ok(())
}

#[test]
fn packs_hold_rows_of_any_length_and_words_that_are_none_are_refused() -> superstep::Result<()> {
    let long = (0..1000).map(|column| Entry { row: 3, column, value: column as f32 });
    let short = (4..500).map(|row| Entry { row, column: row, value: -1.0 });
    let matrix = SparseRows::new((600, 1000), short.chain(long).collect())?;
    assert_eq!((matrix.shape(), matrix.entries()), ((600, 1000), 1496));
    let words = matrix.in_memory(0..matrix.rows()).expect("they are there");
    let mut entries = Vec::new();
    for pack in Pack::all(words) {
        for (row, columns, values) in pack?.rows() {
            entries.extend(columns.iter().zip(values).map(|(column, value)| (row, *column, *value)));
        }
    }
    let long = (0..1000).map(|column| (3, column, column as f32));
    assert_eq!(entries, long.chain((4..500).map(|row| (row, row, -1.0))).collect::<Vec<_>>());
    // Two rows are read as any rows are, bit by bit.
    let mut read = vec![0.0; 2 * matrix.columns()];
    matrix.read_f32(1, &[], &mut read)?;
    let bits = |words: &[f32]| words.iter().map(|word| word.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&read), bits(&words[256..768]));
    assert!(matrix.read_f32(matrix.rows(), &[], &mut read).is_err() && matrix.read_f64(0, &mut [0.0; 256]).is_err());

    // With room for three packs the others lie in a file: any range has the same bits.
    let short = (4..500).map(|row| Entry { row, column: row, value: -1.0 });
    let long = (0..1000).map(|column| Entry { row: 3, column, value: column as f32 });
    let spooled = SparseRows::of_sorted((600, 1000), long.chain(short).map(Ok), 3 * 1024 + 100)?;
    assert_eq!((spooled.rows(), spooled.entries(), spooled.held()), (matrix.rows(), 1496, 3 * 1024));
    assert!(spooled.notes()[0].contains("sparse rows do not fit the memory allowed"), "{:?}", spooled.notes());
    assert!(spooled.in_memory(0..3).is_some() && spooled.in_memory(2..4).is_none());
    for (first, last) in [(0, matrix.rows()), (0, 2), (2, 4), (3, 5), (matrix.rows() - 1, matrix.rows()), (2, 2)] {
        let mut read = vec![0.0; (last - first) as usize * 256];
        spooled.will_need(first..last);
        spooled.read_f32(first, &[], &mut read)?;
        assert_eq!(bits(&read), bits(&words[first as usize * 256..last as usize * 256]), "{first} to {last}");
    }
    let backwards = [2, 1].map(|row| Ok(Entry { row, column: 0, value: 1.0 }));
    let message = SparseRows::of_sorted((3, 3), backwards, u64::MAX).expect_err("it falls").to_string();
    assert!(message.contains("row 1: row 1 comes after row 2"), "{message}");

    for broken in [vec![f32::from_bits(9999); 256], [&[f32::from_bits(2)][..], &[f32::from_bits(7); 255]].concat()] {
        let found = Pack::all(&broken).collect::<superstep::Result<Vec<_>>>();
        // Ends of 7 and 7 are those of seven entries; a count of 9999 rows is none.
        assert_eq!(found.is_err(), broken[0].to_bits() == 9999);
    }
    let mut falling = vec![f32::from_bits(0); 256];
    [2, 0, 1, 5, 3].iter().zip(&mut falling).for_each(|(word, to)| *to = f32::from_bits(*word));
    assert!(Pack::all(&falling).next().is_some_and(|pack| pack.is_err()), "ends that fall");
    for (entry, expected) in [
        (Entry { row: 2, column: 0, value: 1.0 }, "row 2 and column 0 lie outside"),
        (Entry { row: 0, column: 3, value: 1.0 }, "row 0 and column 3 lie outside"),
        (Entry { row: 0, column: 0, value: f32::NAN }, "not finite"),
    ] {
        let message = SparseRows::new((2, 3), vec![entry]).expect_err(expected).to_string();
        assert!(message.contains(expected), "{message}");
    }
    Ok(())
}
