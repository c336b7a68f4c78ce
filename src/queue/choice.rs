//! Which devices a session takes, as a value and as text.

use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// Which devices a session takes.
///
/// Its text form is that of the command line: `auto`, `cpu`, `gpu`, `gpu:I[,gpu:J…]` (numbers as [`adapters`](super::adapters) lists
/// them; `cpu` may stand among them, and a device may be named twice), `all`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The best hardware GPU, else the CPU; never a software adapter.
    #[default]
    Auto,
    /// The best adapter there is, a software one too; an error where there is none.
    Gpu,
    /// The CPU and every hardware GPU.
    All,
    /// These, in this order; several logical devices may share one adapter.
    These(Vec<OneDevice>),
}

/// One device of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OneDevice {
    /// The processor.
    Cpu,
    /// The adapter of this number.
    Adapter(usize),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "gpu" => Ok(Self::Gpu),
            "all" => Ok(Self::All),
            list => list.split(',').map(OneDevice::from_str).collect::<Result<_>>().map(Self::These),
        }
    }
}

impl FromStr for OneDevice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = text.strip_prefix("gpu:").and_then(|number| number.parse().ok());
        match (text, number) {
            ("cpu", _) => Ok(Self::Cpu),
            (_, Some(number)) => Ok(Self::Adapter(number)),
            _ => {
                let message = format!("`{text}` names no device: auto, cpu, gpu, gpu:0,gpu:1… and all do");
                Err(Error::parameter("device", message))
            }
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Gpu => f.write_str("gpu"),
            Self::All => f.write_str("all"),
            Self::These(list) => {
                for (at, one) in list.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { "," })?;
                    match one {
                        OneDevice::Cpu => f.write_str("cpu")?,
                        OneDevice::Adapter(number) => write!(f, "gpu:{number}")?,
                    }
                }
                Ok(())
            }
        }
    }
}
