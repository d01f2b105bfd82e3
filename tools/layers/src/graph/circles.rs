// SPDX-License-Identifier: GPL-2.0

//! Circles in a graph: its strongly connected components.

use std::collections::{BTreeMap, BTreeSet};

/// Returns the sets of nodes, of more than one each, in which every node leads to every other one.
pub(crate) fn circles<N: Ord + Copy>(edges: impl Iterator<Item = (N, N)>) -> Vec<Vec<N>> {
    let mut next: BTreeMap<N, BTreeSet<N>> = BTreeMap::new();
    for (from, to) in edges {
        next.entry(from).or_default().insert(to);
    }
    let reached: BTreeMap<N, BTreeSet<N>> = next
        .keys()
        .map(|&node| (node, reach(&next, node)))
        .collect();
    let mut found = BTreeSet::new();
    for (&node, nodes) in &reached {
        let back = |other: &&N| {
            reached
                .get(other)
                .is_some_and(|nodes| nodes.contains(&node))
        };
        let circle: Vec<N> = nodes.iter().filter(back).copied().collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// Returns all nodes that edges lead to from `start`.
fn reach<N: Ord + Copy>(next: &BTreeMap<N, BTreeSet<N>>, start: N) -> BTreeSet<N> {
    let mut reached = BTreeSet::new();
    let mut pending = vec![start];
    while let Some(node) = pending.pop() {
        for &to in next.get(&node).into_iter().flatten() {
            if reached.insert(to) {
                pending.push(to);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::circles;

    #[test]
    fn nodes_that_lead_to_each_other_are_one_circle() {
        let edges = [
            (1, 2),
            (2, 3),
            (3, 1),
            (3, 4),
            (4, 5),
            (5, 4),
            (5, 6),
            (7, 7),
        ];
        assert_eq!(circles(edges.into_iter()), [vec![1, 2, 3], vec![4, 5]]);
        assert!(circles([(1, 2), (1, 3), (2, 3)].into_iter()).is_empty());
    }
}
