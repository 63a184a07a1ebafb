//! How much of a configuration is read before it is refused.

use crate::config::node::{Kind, Node};

/// Longest text of one file, in bytes (GitLab's `max_yaml_size_bytes`).
pub const MAX_BYTES: usize = 2 << 20;

/// Deepest nesting of one file (GitLab's `max_yaml_depth`).
pub const MAX_DEPTH: usize = 100;

/// Most that one document may grow to by its aliases, in the bytes of [`Budget`]. GitLab refuses
/// at 2 MB of Ruby objects, 40 bytes for the smallest; this leaves room for counting differently.
pub const MAX_EXPANDED_BYTES: usize = 16 << 20;

/// Bytes a node counts for besides its text: the size of Ruby's smallest object.
const NODE_BYTES: usize = 40;

/// What copying may still cost, in bytes: a guard against a few lines that grow without bound.
#[derive(Debug, Clone, Copy)]
pub struct Budget(usize);

/// A [`Budget`] is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

impl Budget {
    /// A budget of so many bytes.
    pub const fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Takes a part of the budget.
    ///
    /// # Errors
    /// [`Exhausted`] when less is left.
    pub fn spend(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.0 = self.0.checked_sub(bytes).ok_or(Exhausted)?;
        Ok(())
    }

    /// Takes what a copy of a node costs, and stops counting as soon as it is too much.
    ///
    /// # Errors
    /// [`Exhausted`] when less is left.
    pub fn spend_copy(&mut self, node: &Node) -> Result<(), Exhausted> {
        self.spend(own_cost(node))?;
        match &node.kind {
            Kind::Sequence(items) => items.iter().try_for_each(|item| self.spend_copy(item)),
            Kind::Mapping(mapping) => mapping.iter().try_for_each(|(key, entry)| {
                self.spend(NODE_BYTES + key.len())?;
                self.spend_copy(&entry.value)
            }),
            Kind::Scalar(_) | Kind::Reference(_) => Ok(()),
        }
    }
}

/// What one node costs without what is in it.
fn own_cost(node: &Node) -> usize {
    NODE_BYTES
        + match &node.kind {
            Kind::Scalar(scalar) => scalar.text.len(),
            Kind::Reference(path) => path.iter().map(|part| NODE_BYTES + part.len()).sum(),
            Kind::Sequence(_) | Kind::Mapping(_) => 0,
        }
}
