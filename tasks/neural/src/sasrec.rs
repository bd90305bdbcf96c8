//! `SASRec`: self-attention over the items (Kang and `McAuley` 2018, §3).

use candle_core::{D, Device, Result, Tensor};

use crate::layers::{Affine, ItemInput, ItemOutput, Network, Noise, Normalization, Parameters};
use crate::settings::TrainingSettings;

pub(crate) struct Sasrec {
    input: ItemInput,
    places: Tensor,
    blocks: Vec<Block>,
    last: Normalization,
    /// The items as they are put in (§3.4, "Shared Item Embedding").
    output: ItemOutput,
    /// What a place may not attend to: all after it.
    later: Tensor,
    window: usize,
}

struct Block {
    before_attention: Normalization,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    before_layers: Normalization,
    inner: Affine,
    outer: Affine,
}

/// Added to what may not be attended to, before the softmax.
const NEVER: f32 = -1e9;

impl Sasrec {
    pub fn new(made: &mut Parameters, items: usize, settings: &TrainingSettings) -> Result<Self> {
        let (width, window) = (settings.width, settings.window);
        let input = ItemInput::new(made, items, width)?;
        let output = ItemOutput {
            table: input.table().clone(),
            bias: None,
        };
        let places = made.uniform((window, width), 0.05)?;
        let blocks = (0..settings.blocks)
            .map(|_| Block::new(made, width))
            .collect::<Result<Vec<Block>>>()?;
        let later: Vec<f32> = (0..window * window)
            .map(|at| {
                if at % window > at / window {
                    NEVER
                } else {
                    0.0
                }
            })
            .collect();
        Ok(Self {
            input,
            places,
            blocks,
            last: Normalization::new(made, width)?,
            output,
            later: Tensor::from_vec(later, (1, window, window), &Device::Cpu)?,
            window,
        })
    }
}

impl Block {
    fn new(made: &mut Parameters, width: usize) -> Result<Self> {
        Ok(Self {
            before_attention: Normalization::new(made, width)?,
            query: made.matrix(width, width)?,
            key: made.matrix(width, width)?,
            value: made.matrix(width, width)?,
            before_layers: Normalization::new(made, width)?,
            inner: Affine::new(made, width, width)?,
            outer: Affine::new(made, width, width)?,
        })
    }

    /// Attention (Eqs. 2 and 3) and two layers (Eq. 4), each as `x + Dropout(g(LayerNorm(x)))`
    /// (§3.3).
    fn forward(&self, x: &Tensor, never: &Tensor, noise: &mut Noise) -> Result<Tensor> {
        let (size, window, width) = x.dims3()?;
        let normal = self.before_attention.forward(x)?;
        let flat = normal.reshape((size * window, width))?;
        let project = |matrix: &Tensor| flat.matmul(matrix)?.reshape((size, window, width));
        let (query, key, value) = (
            project(&self.query)?,
            project(&self.key)?,
            project(&self.value)?,
        );
        let scale = 1.0 / (width as f64).sqrt();
        let weights = (query.matmul(&key.transpose(1, 2)?.contiguous()?)? * scale)?;
        let weights = candle_nn::ops::softmax(&weights.broadcast_add(never)?, D::Minus1)?;
        let attended = noise.drop(&weights)?.matmul(&value)?;
        let x = x.add(&noise.drop(&attended)?)?;
        let inner = self.inner.forward(&self.before_layers.forward(&x)?)?;
        let outer = self.outer.forward(&noise.drop(&inner.relu()?)?)?;
        x.add(&noise.drop(&outer)?)
    }
}

impl Network for Sasrec {
    fn states(&self, windows: &Tensor, noise: &mut Noise) -> Result<Tensor> {
        let (vectors, known) = self.input.forward(windows)?;
        let (size, window, width) = vectors.dims3()?;
        let scaled = (vectors * (width as f64).sqrt())?;
        let mut x = noise
            .drop(&scaled.broadcast_add(&self.places)?)?
            .broadcast_mul(&known)?;
        // Nobody attends to where no item is.
        let absent = ((known.reshape((size, 1, window))? - 1.0)? * f64::from(-NEVER))?;
        let never = self.later.broadcast_add(&absent)?;
        for block in &self.blocks {
            x = block.forward(&x, &never, noise)?.broadcast_mul(&known)?;
        }
        self.last.forward(&x)?.reshape((size * window, width))
    }

    fn per_window(&self) -> usize {
        self.window
    }

    fn output(&self) -> &ItemOutput {
        &self.output
    }
}
