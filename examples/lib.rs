//! Programs to copy from. They stand beside this file; there is nothing in the library.
