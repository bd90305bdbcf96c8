//! Orders of examples that are balanced in every prefix.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use shiftproof_tasks::Label;

use crate::response_matrix::{InputIndex, ResponseMatrix};
use crate::seeds;

/// Labelled inputs by group and class, each cell shuffled by its own stream.
fn cells(
    matrix: &ResponseMatrix,
    inputs: &[InputIndex],
    seed: u64,
    name: &str,
) -> Vec<Vec<Vec<InputIndex>>> {
    let mut cells: BTreeMap<usize, BTreeMap<String, Vec<InputIndex>>> = BTreeMap::new();
    for &input in inputs {
        let class = match matrix.label(input) {
            Some(Label::Class(class)) => class.clone(),
            _ => String::new(),
        };
        cells
            .entry(matrix.group_of(input))
            .or_default()
            .entry(class)
            .or_default()
            .push(input);
    }
    for (group, classes) in &mut cells {
        for (class, members) in classes {
            members.shuffle(&mut seeds::stream(
                seed,
                &format!("order {name} {group} {class}"),
            ));
        }
    }
    cells
        .into_values()
        .map(|classes| classes.into_values().collect())
        .collect()
}

/// An order of labelled inputs of which every prefix is as balanced as can be
/// across groups and, within a group, across classes.
pub(super) fn balanced(
    matrix: &ResponseMatrix,
    inputs: &[InputIndex],
    seed: u64,
    name: &str,
) -> Vec<InputIndex> {
    interleave(&cells(matrix, inputs, seed, name))
}

/// Two such orders that share the inputs equally, cell by cell.
pub(super) fn halves(
    matrix: &ResponseMatrix,
    inputs: &[InputIndex],
    seed: u64,
    name: &str,
) -> (Vec<InputIndex>, Vec<InputIndex>) {
    let mut front = cells(matrix, inputs, seed, name);
    let mut back = front.clone();
    for cell in front.iter_mut().flatten() {
        cell.truncate(cell.len().div_ceil(2));
    }
    for cell in back.iter_mut().flatten() {
        cell.drain(..cell.len().div_ceil(2));
    }
    (interleave(&front), interleave(&back))
}

fn interleave(groups: &[Vec<Vec<InputIndex>>]) -> Vec<InputIndex> {
    let groups: Vec<Vec<InputIndex>> = groups.iter().map(|classes| in_turn(classes)).collect();
    in_turn(&groups)
}

/// One of each list in turn until all are empty.
pub(crate) fn in_turn<T: Clone>(lists: &[Vec<T>]) -> Vec<T> {
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest)
        .flat_map(|turn| lists.iter().filter_map(move |list| list.get(turn).cloned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use shiftproof_tasks::Example;

    use super::*;
    use crate::scripted::{input, matrix};

    /// Examples of two groups and three classes, as many as the numbers say.
    fn shelf(counts: &[usize]) -> (ResponseMatrix, Vec<InputIndex>) {
        let mut matrix = matrix(&[]);
        let mut examples = Vec::new();
        for (cell, &count) in counts.iter().enumerate() {
            let group = ["source", "target"][cell % 2];
            for at in 0..count {
                examples.push(Example {
                    input: input(group, 100 * cell + at),
                    label: Label::Class(format!("class {}", cell / 2)),
                });
            }
        }
        let inputs = matrix.add_examples(&examples);
        (matrix, inputs)
    }

    fn sorted(inputs: &[InputIndex]) -> Vec<InputIndex> {
        let mut inputs = inputs.to_vec();
        inputs.sort_unstable();
        inputs
    }

    proptest! {
        /// Whatever the cells: no two groups of a prefix differ by more than one
        /// while both have examples left, nor do the classes within a group.
        #[test]
        fn prefixes_are_balanced(counts in prop::collection::vec(0..9_usize, 6), seed: u64) {
            let (matrix, inputs) = shelf(&counts);
            let order = balanced(&matrix, &inputs, seed, "race");
            prop_assert_eq!(sorted(&order), inputs.clone());
            let class = |at: InputIndex| matrix.label(at).unwrap().to_answer();
            let mut by_group = [0_usize; 2];
            let mut by_cell = BTreeMap::new();
            let all = |group: usize| inputs.iter().filter(|&&at| matrix.group_of(at) == group).count();
            let size = |group: usize, name: &str| {
                let own = inputs.iter().filter(|&&at| matrix.group_of(at) == group);
                own.filter(|&&at| class(at) == name).count()
            };
            for &at in &order {
                let group = matrix.group_of(at);
                by_group[group] += 1;
                *by_cell.entry((group, class(at))).or_insert(0_usize) += 1;
                let other = 1 - group;
                if by_group[other] < all(other) {
                    prop_assert!(by_group[group] <= by_group[other] + 1);
                }
                let own = by_cell[&(group, class(at))];
                for name in ["class 0", "class 1", "class 2"] {
                    let there = by_cell.get(&(group, name.to_owned())).copied().unwrap_or(0);
                    if there < size(group, name) {
                        prop_assert!(own <= there + 1, "{own} and {there}");
                    }
                }
            }
        }

        #[test]
        fn halves_share_every_cell(counts in prop::collection::vec(0..9_usize, 6), seed: u64) {
            let (matrix, inputs) = shelf(&counts);
            let (front, back) = halves(&matrix, &inputs, seed, "validation");
            let both = [front.clone(), back.clone()].concat();
            prop_assert_eq!(sorted(&both), inputs.clone());
            for (cell, &count) in counts.iter().enumerate() {
                let of = |half: &[InputIndex]| {
                    let id = |at: InputIndex| matrix.input(at).id.clone();
                    let own = half.iter().filter(|&&at| {
                        let id = id(at);
                        let number: usize = id.rsplit('-').next().unwrap().parse().unwrap();
                        number / 100 == cell
                    });
                    own.count()
                };
                prop_assert_eq!((of(&front), of(&back)), (count.div_ceil(2), count / 2));
            }
        }
    }

    #[test]
    fn streams_order_differently() {
        let (matrix, inputs) = shelf(&[8; 6]);
        let orders: BTreeSet<Vec<InputIndex>> = [(1, "race"), (1, "final"), (2, "race")]
            .map(|(seed, name)| balanced(&matrix, &inputs, seed, name))
            .into();
        assert_eq!(orders.len(), 3);
        // An example more in one cell leaves the order of the other cells.
        let part: Vec<InputIndex> = inputs[1..].to_vec();
        let (whole, less) = (
            balanced(&matrix, &inputs, 1, "race"),
            balanced(&matrix, &part, 1, "race"),
        );
        let others = |order: &[InputIndex]| -> Vec<InputIndex> {
            let own = order.iter().copied();
            own.filter(|&at| matrix.group_of(at) == 1).collect()
        };
        assert_eq!(others(&whole), others(&less));
    }

    #[test]
    fn lists_take_turns() {
        let lists = [vec![1, 4, 6], vec![], vec![2, 5], vec![3]];
        assert_eq!(in_turn(&lists), [1, 2, 3, 4, 5, 6]);
    }
}
