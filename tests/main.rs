//! All tests that see podline from outside, in one binary.

mod architecture;
