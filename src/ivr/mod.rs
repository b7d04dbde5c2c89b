//! Prompts and digits: collect, menu, say.
