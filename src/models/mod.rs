//! The models that a study names: clients of them, stand-ins that nobody asks, and what
//! they cost.

pub mod assumed;
pub mod connect_model;
pub mod connect_program;
pub mod prices;
