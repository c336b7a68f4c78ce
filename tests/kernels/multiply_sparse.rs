//! A sparse matrix times a vector of integers: exact, for rows of any length and values of any size.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::Noise;
use std::sync::atomic::AtomicI64;
use superstep::backend::cpu::multiply_sparse;
use superstep::backend::gpu::GpuDevice;
use superstep::data::{Entry, RowSource, SparseRows};

struct Case {
    name: &'static str,
    matrix: SparseRows,
    entries: Vec<Entry>,
    vector: Vec<i64>,
}

impl Case {
    fn new(name: &'static str, rows: u32, vector: Vec<i64>, entries: Vec<Entry>) -> Self {
        let columns = u32::try_from(vector.len()).unwrap();
        Self { name, matrix: SparseRows::new((rows, columns), entries.clone()).unwrap(), entries, vector }
    }

    /// Each product in wide integers, of values that are whole multiples of 2^-40 or far below half of any unit.
    fn oracle(&self) -> Vec<i64> {
        let mut sums = vec![0_i128; self.matrix.shape().0 as usize];
        for Entry { row, column, value } in &self.entries {
            let whole = f64::from(*value) * 2f64.powi(40);
            assert!(whole.fract() == 0.0 || whole.abs() < 1e-10, "the oracle's own range");
            let exact = whole as i128 * i128::from(self.vector[*column as usize]);
            let half = 1_i128 << 39;
            sums[*row as usize] += if exact < 0 { -((-exact + half) >> 40) } else { (exact + half) >> 40 };
        }
        sums.into_iter().map(|sum| i64::try_from(sum).expect("the case keeps its sums small")).collect()
    }

    fn words(&self) -> &[f32] {
        self.matrix.in_memory(0..self.matrix.rows()).unwrap()
    }

    fn twin(&self) -> Vec<i64> {
        let product: Vec<AtomicI64> = self.oracle().iter().map(|_| AtomicI64::new(0)).collect();
        multiply_sparse(self.words(), &self.vector, &product).unwrap();
        product.into_iter().map(AtomicI64::into_inner).collect()
    }

    /// What the kernel makes of some of the packs, added to what is there.
    fn run(&self, device: &GpuDevice, packs: std::ops::Range<usize>, start: &[i64]) -> Vec<i64> {
        let words = &self.words()[packs.start * 256..packs.end * 256];
        let launch = Launch::new(device, "multiply_sparse")
            .bind("entries", bytemuck::cast_slice::<f32, u32>(words))
            .shape("entries_shape", packs.len(), 256)
            .bind("vector", &self.vector)
            .bind("product", start);
        launch.run(packs.len());
        launch.read("product")
    }
}

/// Entries anywhere, of values up to 2^`most` and vectors up to 2^`bits`.
fn anywhere(
    seed: u64,
    (rows, columns): (usize, usize),
    count: usize,
    (most, bits): (i32, u32),
) -> (Vec<i64>, Vec<Entry>) {
    let mut noise = Noise(seed);
    let entries = (0..count).map(|_| Entry {
        row: noise.below(rows) as u32,
        column: noise.below(columns) as u32,
        value: noise.value() * 2f32.powi(most - noise.below(14) as i32),
    });
    let entries = entries.collect();
    (Noise(!seed).draw(columns, bits), entries)
}

impl Noise {
    fn draw(mut self, count: usize, bits: u32) -> Vec<i64> {
        (0..count).map(|_| self.bits() as i64 >> (63 - bits)).collect()
    }
}

fn cases() -> Vec<Case> {
    let of = |name, rows: usize, columns, count, sizes, seed| {
        let (vector, entries) = anywhere(seed, (rows, columns), count, sizes);
        Case::new(name, rows as u32, vector, entries)
    };
    let row = |row, columns: std::ops::Range<u32>, value| columns.map(move |column| Entry { row, column, value });
    let long = row(7, 0..1000, 0.25).chain(row(6, 5..6, 1.0)).chain(row(8, 0..2, -0.75));
    let sizes = [
        0.5,
        -0.5,
        0.25,
        1.5,
        -1.5,
        3.0,
        8_388_608.0,
        16_777_216.0,
        -1_048_577.0,
        1e-30,
        -1e-45,
        f32::MIN_POSITIVE,
        0.0,
    ];
    let each = sizes.iter().enumerate().map(|(row, value)| Entry { row: row as u32, column: 0, value: *value });
    let halves = [1, -1, 3, -3, 5, i64::from(i32::MAX), (1 << 33) + 1];
    let of_halves = (0..halves.len() as u32).map(|at| Entry { row: at, column: at, value: 0.5 });
    vec![
        of("one entry", 1, 1, 1, (0, 40), 1),
        of("rows of about one entry", 5000, 300, 4000, (0, 50), 2),
        of("few long rows", 3, 2000, 9000, (0, 45), 3),
        of("large values", 200, 200, 3000, (20, 30), 4),
        of("a vector of 61 bits", 100, 100, 100, (-3, 61), 5),
        Case::new("one row over many packs", 12, (0..1000).map(|at| 1 << (at % 50)).collect(), long.collect()),
        Case::new("sizes of values", 13, vec![-(1 << 36) + 1], each.collect()),
        Case::new("halves go away from zero", 7, halves.to_vec(), of_halves.collect()),
        Case::new("a pack that is full", 1, vec![3; 126], row(0, 0..126, 1.0).collect()),
        Case::new("a pack and an entry", 1, vec![3; 127], row(0, 0..127, 1.0).collect()),
        Case::new(
            "rows of one entry that fill a pack",
            63,
            vec![-9],
            (0..63).flat_map(|at| row(at, 0..1, 1.0)).collect(),
        ),
        Case::new("nothing", 4, vec![5, 6], Vec::new()),
    ]
}

#[test]
fn equals_the_exact_product_for_rows_of_any_length() {
    for case in cases() {
        assert_eq!(case.twin(), case.oracle(), "{}: the twin", case.name);
    }
    on_every_adapter(|device| {
        for case in cases() {
            let (expected, packs) = (case.oracle(), case.matrix.rows() as usize);
            let zeros = vec![0; expected.len()];
            if packs == 0 {
                assert_eq!(expected, zeros, "{}", case.name);
                continue;
            }
            assert_eq!(case.run(device, 0..packs, &zeros), expected, "{}", case.name);
            let first = case.run(device, 0..packs.div_ceil(3), &zeros);
            if packs > 1 {
                assert_eq!(case.run(device, packs.div_ceil(3)..packs, &first), expected, "{}, in two parts", case.name);
            }
        }
    });
}

#[test]
fn the_twin_refuses_what_lies_outside() {
    let case = &cases()[1];
    let product: Vec<AtomicI64> = (0..5000).map(|_| AtomicI64::new(0)).collect();
    assert!(multiply_sparse(case.words(), &case.vector[..200], &product).is_err());
    assert!(multiply_sparse(case.words(), &case.vector, &product[..4000]).is_err());
    assert!(multiply_sparse(&vec![f32::from_bits(4_000_000); 256], &case.vector, &product).is_err());
}
