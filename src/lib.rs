//! shiftproof
