//! `GRU4Rec`: a gated recurrent unit over the items (Hidasi et al. 2016, §3.1).

use candle_core::{Result, Tensor};

use crate::layers::{ItemInput, ItemOutput, Network, Noise, Parameters};
use crate::settings::TrainingSettings;

pub(crate) struct Gru4rec {
    input: ItemInput,
    output: ItemOutput,
    from_input: Tensor,
    from_state: Tensor,
    input_bias: Tensor,
    state_bias: Tensor,
    width: usize,
    window: usize,
}

impl Gru4rec {
    pub fn new(made: &mut Parameters, items: usize, settings: &TrainingSettings) -> Result<Self> {
        let width = settings.width;
        let input = ItemInput::new(made, items, width)?;
        let output = ItemOutput {
            table: made.uniform((items + 1, width), 0.05)?,
            bias: Some(made.constant(items + 1, 0.0)?),
        };
        Ok(Self {
            input,
            output,
            from_input: made.matrix(width, 3 * width)?,
            from_state: made.matrix(width, 3 * width)?,
            input_bias: made.constant(3 * width, 0.0)?,
            state_bias: made.constant(3 * width, 0.0)?,
            width,
            window: settings.window,
        })
    }
}

impl Network for Gru4rec {
    /// Eqs. 1 to 4 of the paper: gates z and r, and the state between the last one and what
    /// the item proposes. Before the first item the state stays at zero.
    fn states(&self, windows: &Tensor, noise: &mut Noise) -> Result<Tensor> {
        let (vectors, known) = self.input.forward(windows)?;
        let (size, window, width) = vectors.dims3()?;
        let proposed = noise
            .drop(&vectors)?
            .reshape((size * window, width))?
            .matmul(&self.from_input)?
            .broadcast_add(&self.input_bias)?
            .reshape((size, window, 3 * width))?;
        let mut state = Tensor::zeros((size, width), vectors.dtype(), vectors.device())?;
        let mut states = Vec::with_capacity(window);
        for at in 0..window {
            let x = proposed.narrow(1, at, 1)?.squeeze(1)?.contiguous()?;
            let h = state
                .matmul(&self.from_state)?
                .broadcast_add(&self.state_bias)?;
            let part = |of: &Tensor, n: usize| of.narrow(1, n * width, width)?.contiguous();
            let update = candle_nn::ops::sigmoid(&part(&x, 0)?.add(&part(&h, 0)?)?)?;
            let reset = candle_nn::ops::sigmoid(&part(&x, 1)?.add(&part(&h, 1)?)?)?;
            let candidate = part(&x, 2)?.add(&reset.mul(&part(&h, 2)?)?)?.tanh()?;
            let moved = update.mul(&candidate.sub(&state)?)?;
            let known = known.narrow(1, at, 1)?.squeeze(1)?.contiguous()?;
            state = state.add(&moved.broadcast_mul(&known)?)?;
            states.push(state.clone());
        }
        let states = Tensor::stack(&states, 1)?.reshape((size * window, self.width))?;
        noise.drop(&states)
    }

    fn per_window(&self) -> usize {
        self.window
    }

    fn output(&self) -> &ItemOutput {
        &self.output
    }
}
