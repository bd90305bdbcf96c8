//! Caser: the last items as an image that convolutions read (Tang and Wang 2018, §3).

use candle_core::{Result, Tensor};

use crate::layers::{Affine, ItemInput, ItemOutput, Network, Noise, Parameters};
use crate::settings::TrainingSettings;

/// Filters of each height, and of columns (`n` and `ñ` of the paper).
const ACROSS: usize = 16;
const DOWN: usize = 4;

pub(crate) struct Caser {
    input: ItemInput,
    /// A filter bank per height, from one item to all of the window.
    across: Vec<Affine>,
    /// Weights of the window's items, `(window, DOWN)`.
    down: Tensor,
    joined: Affine,
    output: ItemOutput,
    window: usize,
}

impl Caser {
    pub fn new(made: &mut Parameters, items: usize, settings: &TrainingSettings) -> Result<Self> {
        let (width, window) = (settings.width, settings.window);
        let input = ItemInput::new(made, items, width)?;
        let across = (1..=window)
            .map(|height| Affine::new(made, height * width, ACROSS))
            .collect::<Result<Vec<Affine>>>()?;
        let down = made.matrix(window, DOWN)?;
        let joined = Affine::new(made, window * ACROSS + DOWN * width, width)?;
        let output = ItemOutput {
            table: made.uniform((items + 1, width), 0.05)?,
            bias: Some(made.constant(items + 1, 0.0)?),
        };
        Ok(Self {
            input,
            across,
            down,
            joined,
            output,
            window,
        })
    }
}

impl Network for Caser {
    /// Horizontal filters with the greatest of each over time (Eqs. 3 to 5), vertical
    /// filters (Eqs. 6 and 7), and a layer over both (Eq. 9).
    fn states(&self, windows: &Tensor, noise: &mut Noise) -> Result<Tensor> {
        let (image, _) = self.input.forward(windows)?;
        let (size, window, width) = image.dims3()?;
        let mut seen = Vec::with_capacity(window + 1);
        for (height, filters) in (1..).zip(&self.across) {
            let places = window - height + 1;
            let shifted = (0..height)
                .map(|at| image.narrow(1, at, places))
                .collect::<Result<Vec<Tensor>>>()?;
            let slides = Tensor::cat(&shifted, 2)?;
            seen.push(filters.forward(&slides)?.relu()?.max(1)?);
        }
        let columns = image
            .transpose(1, 2)?
            .contiguous()?
            .reshape((size * width, window))?
            .matmul(&self.down)?;
        seen.push(columns.reshape((size, width * DOWN))?);
        self.joined
            .forward(&noise.drop(&Tensor::cat(&seen, 1)?)?)?
            .relu()
    }

    fn per_window(&self) -> usize {
        1
    }

    fn output(&self) -> &ItemOutput {
        debug_assert!(self.window > 0);
        &self.output
    }
}
