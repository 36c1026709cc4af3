//! One group of commits: decisions run over the group being built, then one batch goes to the engine.
