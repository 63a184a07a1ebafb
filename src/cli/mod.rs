//! Arguments in, exit code out: the wiring of everything else.
