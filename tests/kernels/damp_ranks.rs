//! The next ranks of PageRank: those of the formula to within their units, and the same bits on every device.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::Noise;
use superstep::backend::cpu::{Damping, RANK_UNITS, damp_ranks};
use superstep::backend::gpu::GpuDevice;

struct Case {
    name: &'static str,
    damping: i64,
    product: Vec<i64>,
    inverse: Vec<i64>,
    again: Vec<i64>,
    leads: Vec<i64>,
    ranks: Vec<i64>,
}

fn units(part: f64) -> i64 {
    (part * RANK_UNITS as f64) as i64
}

impl Case {
    /// So many nodes; numbers that add up to 1 or less, as those of PageRank do, are drawn.
    fn new(name: &'static str, nodes: usize, damping: f64, each: [bool; 2], seed: u64) -> Self {
        let mut noise = Noise(seed);
        let mut draw = |all: f64, count: usize| -> Vec<i64> {
            (0..count).map(|_| units(all / nodes as f64 * (noise.bits() >> 11) as f64 / (1_u64 << 53) as f64)).collect()
        };
        let count = |each: bool| if each { nodes } else { 1 };
        let mut product = draw(0.5, nodes);
        product.push(units(0.375));
        let [again, leads] = [draw(1.0 - damping, count(each[0])), draw(damping, count(each[1]))];
        let ranks = draw(1.0, nodes);
        let inverse = (0..nodes).map(|node| if node % 5 == 0 { RANK_UNITS } else { RANK_UNITS / 2 + ranks[node] / 2 });
        Self { name, damping: units(damping), product, inverse: inverse.collect(), again, leads, ranks }
    }

    /// Ranks, what is handed on, and the sum of changes, by the formula in f64.
    fn oracle(&self) -> (Vec<f64>, Vec<f64>, f64) {
        let part = |units: i64| units as f64 / RANK_UNITS as f64;
        let at = |distribution: &[i64], node: usize| part(distribution[node % distribution.len()]);
        let nodes = self.ranks.len();
        let rank = |node: usize| {
            let lost = part(self.product[nodes]) * at(&self.leads, node);
            part(self.damping) * part(self.product[node]) + lost + at(&self.again, node)
        };
        let ranks: Vec<f64> = (0..nodes).map(rank).collect();
        let vector = ranks.iter().zip(&self.inverse).map(|(rank, inverse)| rank * part(*inverse)).collect();
        let change = ranks.iter().zip(&self.ranks).map(|(new, old)| (new - part(*old)).abs()).sum();
        (ranks, vector, change)
    }

    fn twin(&self) -> (Vec<i64>, Vec<i64>, Vec<u64>) {
        let Self { damping, product, inverse, again, leads, .. } = self;
        let damping = Damping { damping: *damping, product, inverse, again, leads };
        let (mut ranks, mut vector) = (self.ranks.clone(), vec![7; self.ranks.len()]);
        // In two parts, as threads take them.
        let middle = ranks.len() / 2;
        let (left, right) = ranks.split_at_mut(middle);
        let (left_vector, right_vector) = vector.split_at_mut(middle);
        let change = damp_ranks(&damping, 0, left, left_vector).unwrap()
            + damp_ranks(&damping, middle, right, right_vector).unwrap();
        (ranks, vector, vec![change, self.product[self.ranks.len()].unsigned_abs()])
    }

    fn run(&self, device: &GpuDevice) -> (Vec<i64>, Vec<i64>, Vec<u64>) {
        let nodes = self.ranks.len();
        let launch = Launch::new(device, "damp_ranks")
            .constant("NODES", nodes as f64)
            .constant("AGAIN_EACH", f64::from(u8::from(self.again.len() > 1)))
            .constant("LEADS_EACH", f64::from(u8::from(self.leads.len() > 1)))
            .constant("DAMPING_LOW", f64::from(self.damping as u32))
            .constant("DAMPING_HIGH", f64::from((self.damping >> 32) as u32))
            .bind("product", &self.product)
            .bind("inverse", &self.inverse)
            .bind("again", &self.again)
            .bind("leads", &self.leads)
            .bind("ranks", &self.ranks)
            .bind("vector", &vec![-1_i64; nodes])
            .bind("tally", &[0_u64; 2]);
        // One workgroup more than there are nodes for.
        launch.run(nodes.div_ceil(256) + 1);
        (launch.read("ranks"), launch.read("vector"), launch.read("tally"))
    }
}

fn cases() -> Vec<Case> {
    let all = Case::new("two nodes", 2, 0.5, [true, true], 1);
    let mut whole = Case::new("all that there is", 3, 1.0, [false, false], 2);
    whole.product = vec![RANK_UNITS, 0, 1, RANK_UNITS - 1];
    (whole.leads, whole.inverse) = (vec![RANK_UNITS / 4], vec![RANK_UNITS, 1, RANK_UNITS - 1]);
    whole.again = vec![0];
    vec![
        all,
        whole,
        Case::new("one node", 1, 0.85, [false, false], 3),
        Case::new("a workgroup", 256, 0.85, [false, true], 4),
        Case::new("a workgroup and a node", 257, 0.15, [true, false], 5),
        Case::new("many nodes", 5000, 0.85, [true, true], 6),
        Case::new("no damping", 700, 0.0, [true, true], 7),
    ]
}

#[test]
fn equals_the_formula_and_has_the_bits_of_the_twin() {
    for case in cases() {
        let ((ranks, vector, tally), (expected, handed_on, change)) = (case.twin(), case.oracle());
        let near = |found: i64, expected: f64| (found as f64 / RANK_UNITS as f64 - expected).abs() < 1e-15;
        for node in 0..ranks.len() {
            assert!(near(ranks[node], expected[node]), "{}: rank {node} is {}", case.name, ranks[node]);
            assert!(near(vector[node], handed_on[node]), "{}: {node} hands on {}", case.name, vector[node]);
        }
        assert!(
            (tally[0] as f64 / RANK_UNITS as f64 - change).abs() < 1e-15,
            "{}: {} for {change}",
            case.name,
            tally[0]
        );
    }
    on_every_adapter(|device| {
        for case in cases() {
            assert!(case.run(device) == case.twin(), "{}", case.name);
        }
    });
}

#[test]
fn the_twin_refuses_lengths_that_do_not_fit() {
    let case = &cases()[5];
    let of = |product: &[i64], inverse: &[i64], again: &[i64], count: usize, vector: usize, first: usize| {
        let damping = Damping { damping: case.damping, product, inverse, again, leads: &case.leads };
        damp_ranks(&damping, first, &mut case.ranks[..count].to_vec(), &mut vec![0; vector])
    };
    let Case { product, inverse, again, .. } = case;
    assert!(of(product, inverse, again, 5000, 5000, 0).is_ok());
    for refused in [
        of(&product[..5000], inverse, again, 5000, 5000, 0),
        of(product, &inverse[..4999], again, 5000, 5000, 0),
        of(product, inverse, &again[..17], 5000, 5000, 0),
        of(product, inverse, again, 5000, 4999, 0),
        of(product, inverse, again, 5000, 5000, 1),
    ] {
        assert!(refused.is_err());
    }
}
