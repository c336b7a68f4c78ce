//! The instruction sets that the kernels know.

use std::fmt;
use std::sync::OnceLock;

use super::simd;

/// An instruction set. Every kernel gives the same bits on each of them; they differ in speed alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// What every machine of the target has (SSE2 on x86-64), vectorised by the compiler.
    Portable,
    /// AVX2 and FMA: 8 lanes of f32.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: 16 lanes of f32.
    Avx512,
    /// The Advanced SIMD of 64-bit Arm: 4 lanes of f32.
    Neon,
}

impl Isa {
    const ALL: [Self; 4] = [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512];

    /// The fastest instruction set of this machine; found once.
    ///
    /// The environment variable `SUPERSTEP_ISA` (`portable`, `avx2`, `avx512` or `neon`) chooses another; a name that
    /// is unknown or that this machine lacks changes nothing.
    pub fn detect() -> Self {
        static FOUND: OnceLock<Isa> = OnceLock::new();
        *FOUND.get_or_init(|| {
            let asked = std::env::var("SUPERSTEP_ISA").ok();
            let available = Self::available();
            let chosen = available.iter().copied().find(|isa| asked.as_deref() == Some(isa.as_str()));
            chosen.or(available.last().copied()).unwrap_or(Self::Portable)
        })
    }

    /// The instruction sets of this machine, the slowest first; [`Isa::Portable`] is always among them.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// Whether this machine has the instruction set.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => simd::Avx2::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => simd::Avx512::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => simd::Neon::detect().is_some(),
            _ => false,
        }
    }

    /// The name as `SUPERSTEP_ISA` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        }
    }

    /// Runs a kernel with this instruction set, or with [`Isa::Portable`] where the machine lacks it.
    pub(super) fn run<K: simd::Kernel>(self, kernel: K) -> K::Output {
        use simd::Simd;
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                if let Some(simd) = simd::Avx2::detect() {
                    return simd.run(kernel);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                if let Some(simd) = simd::Avx512::detect() {
                    return simd.run(kernel);
                }
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => {
                if let Some(simd) = simd::Neon::detect() {
                    return simd.run(kernel);
                }
            }
            _ => {}
        }
        simd::Portable.run(kernel)
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
