//! Includes from elsewhere, as a configuration asks for them.
