//! What the networks are made of.

use candle_core::{D, Device, Result, Shape, Tensor, Var};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A network from windows of items to states, and from states to items.
pub(crate) trait Network: Send + Sync {
    /// The states of `size` windows of items, `(size · states, width)`: of a window, its
    /// last state is what comes after all of it.
    fn states(&self, windows: &Tensor, noise: &mut Noise) -> Result<Tensor>;

    /// States of a window.
    fn per_window(&self) -> usize;

    /// What states are compared with.
    fn output(&self) -> &ItemOutput;
}

/// The numbers a network learns, in the order they were made.
pub(crate) struct Parameters {
    pub all: Vec<Var>,
    rng: ChaCha8Rng,
}

impl Parameters {
    pub fn new(rng: ChaCha8Rng) -> Self {
        Self {
            all: Vec::new(),
            rng,
        }
    }

    fn add(&mut self, values: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
        let variable = Var::from_vec(values, shape, &Device::Cpu)?;
        let tensor = variable.as_tensor().clone();
        self.all.push(variable);
        Ok(tensor)
    }

    /// Drawn evenly between `-bound` and `bound`.
    pub fn uniform(&mut self, shape: impl Into<Shape>, bound: f32) -> Result<Tensor> {
        let shape = shape.into();
        let values = (0..shape.elem_count())
            .map(|_| self.rng.random_range(-bound..bound))
            .collect();
        self.add(values, shape)
    }

    /// A matrix of `inputs` by `outputs`, drawn as Glorot and Bengio (2010) do.
    pub fn matrix(&mut self, inputs: usize, outputs: usize) -> Result<Tensor> {
        let bound = (6.0 / (inputs + outputs) as f32).sqrt();
        self.uniform((inputs, outputs), bound)
    }

    pub fn constant(&mut self, shape: impl Into<Shape>, value: f32) -> Result<Tensor> {
        let shape = shape.into();
        self.add(vec![value; shape.elem_count()], shape)
    }
}

/// Leaves activations out while a network is trained.
pub(crate) struct Noise {
    rate: f32,
    rng: Option<ChaCha8Rng>,
}

impl Noise {
    pub fn training(rate: f32, rng: ChaCha8Rng) -> Self {
        Self {
            rate,
            rng: Some(rng),
        }
    }

    /// None: a trained network answers.
    pub const fn off() -> Self {
        Self {
            rate: 0.0,
            rng: None,
        }
    }

    /// Dropout (Srivastava et al., 2014); what stays is scaled up.
    pub fn drop(&mut self, values: &Tensor) -> Result<Tensor> {
        let Some(rng) = self.rng.as_mut().filter(|_| self.rate > 0.0) else {
            return Ok(values.clone());
        };
        let kept = 1.0 / (1.0 - self.rate);
        let limit = (f64::from(self.rate) * f64::from(u32::MAX)) as u32;
        let mask: Vec<f32> = (0..values.elem_count())
            .map(|_| {
                if rng.random::<u32>() < limit {
                    0.0
                } else {
                    kept
                }
            })
            .collect();
        values.mul(&Tensor::from_vec(mask, values.shape(), &Device::Cpu)?)
    }
}

/// `x W + b` over the last of two or more dimensions.
pub(crate) struct Affine {
    weight: Tensor,
    bias: Tensor,
}

impl Affine {
    pub fn new(made: &mut Parameters, inputs: usize, outputs: usize) -> Result<Self> {
        Ok(Self {
            weight: made.matrix(inputs, outputs)?,
            bias: made.constant(outputs, 0.0)?,
        })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut shape = x.dims().to_vec();
        let inputs = shape.pop().unwrap_or(1);
        let rows = x.elem_count() / inputs.max(1);
        shape.push(self.weight.dim(1)?);
        x.reshape((rows, inputs))?
            .matmul(&self.weight)?
            .broadcast_add(&self.bias)?
            .reshape(shape)
    }
}

/// Layer normalisation over the last dimension (Ba et al., 2016).
pub(crate) struct Normalization {
    scale: Tensor,
    shift: Tensor,
}

impl Normalization {
    pub fn new(made: &mut Parameters, width: usize) -> Result<Self> {
        Ok(Self {
            scale: made.constant(width, 1.0)?,
            shift: made.constant(width, 0.0)?,
        })
    }

    // candle's own fused one has no gradient.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        centred
            .broadcast_div(&(variance + 1e-8)?.sqrt()?)?
            .broadcast_mul(&self.scale)?
            .broadcast_add(&self.shift)
    }
}

/// A vector per item; row 0 stands for no item and is read as zeros.
pub(crate) struct ItemInput {
    table: Tensor,
    width: usize,
}

impl ItemInput {
    pub fn new(made: &mut Parameters, items: usize, width: usize) -> Result<Self> {
        Ok(Self {
            table: made.uniform((items + 1, width), 0.05)?,
            width,
        })
    }

    pub fn table(&self) -> &Tensor {
        &self.table
    }

    /// `(size, window)` numbers as `(size, window, width)`, and what is an item: 1, else 0,
    /// `(size, window, 1)`.
    pub fn forward(&self, windows: &Tensor) -> Result<(Tensor, Tensor)> {
        let (size, window) = windows.dims2()?;
        let known = windows.ne(0_u32)?.to_dtype(self.table.dtype())?;
        let known = known.reshape((size, window, 1))?;
        let vectors = self
            .table
            .index_select(&windows.flatten_all()?, 0)?
            .reshape((size, window, self.width))?
            .broadcast_mul(&known)?;
        Ok((vectors, known))
    }
}

/// Scores of items after a state: `state · w_item + b_item`.
pub(crate) struct ItemOutput {
    pub table: Tensor,
    pub bias: Option<Tensor>,
}

impl ItemOutput {
    /// Scores of each state's own item, `(n)`.
    pub fn paired(&self, states: &Tensor, items: &Tensor) -> Result<Tensor> {
        let scores = states
            .mul(&self.table.index_select(items, 0)?)?
            .sum(D::Minus1)?;
        match &self.bias {
            Some(bias) => scores.add(&bias.index_select(items, 0)?),
            None => Ok(scores),
        }
    }

    /// Scores of the same items for each state, `(n, items)`.
    pub fn shared(&self, states: &Tensor, items: &Tensor) -> Result<Tensor> {
        let scores = states.matmul(&self.table.index_select(items, 0)?.t()?)?;
        match &self.bias {
            Some(bias) => scores.broadcast_add(&bias.index_select(items, 0)?),
            None => Ok(scores),
        }
    }

    /// Scores of all items for each state, `(n, items)`.
    pub fn all(&self, states: &Tensor) -> Result<Tensor> {
        let items = self.table.dim(0)? - 1;
        let scores = states.matmul(&self.table.narrow(0, 1, items)?.t()?)?;
        match &self.bias {
            Some(bias) => scores.broadcast_add(&bias.narrow(0, 1, items)?),
            None => Ok(scores),
        }
    }
}
