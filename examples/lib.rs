//! Programs to copy from. They are the other files of this folder; the library itself is empty.
