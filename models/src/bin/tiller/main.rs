//! The command line of tiller-models.
fn main() {}
